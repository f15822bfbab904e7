"""Connections read, set and summed up per target, on any number of ranks: against PyNEST and numpy."""

import nest
import numpy as np
import pytest
from networks import network, norms_by_target, reset
from plastic import plastic_network

import distnorm
from distnorm.mpi.ranks import world

pytestmark = [pytest.mark.mpi, pytest.mark.timeout(300)]

MODELS = ("stdp_synapse", "static_synapse")
KEYS = ("source", "target", "weight", "delay", "receptor", "synapse_id", "target_thread", "port")


def built(threads=2, models=MODELS):
    reset(virtual_processes=threads * nest.num_processes)
    population = network(models)
    nest.Simulate(20.0)
    return population


def through_pynest(models, keys=KEYS):
    """Local connections between neurons, a row each, sorted."""
    neurons = set(nest.GetNodes({"element_type": "neuron"}).tolist())
    rows = []
    for model in models:
        found = nest.GetConnections(synapse_model=model)
        if len(found):
            columns = found.get([*keys, "source"])
            rows += zip(*(np.atleast_1d(columns[key]).tolist() for key in (*keys, "source")), strict=True)
    return sorted(row[:-1] for row in rows if row[-1] in neurons)


def as_rows(table):
    """The same of what distnorm reads."""
    location = table["location"].astype(np.int64)
    columns = [table[name] for name in ("source", "target", "weight", "delay", "receptor", "synapse_model")]
    columns += [location >> 48, location & 0xFFFFFFFF]
    return sorted(zip(*(column.tolist() for column in columns), strict=True))


ALL = ("source", "target", "weight", "delay", "receptor", "label", "synapse_model", "location")


@pytest.mark.parametrize("threads", [1, 2])
def test_every_column_is_pynests(threads):
    built(threads)
    table = distnorm.connections(columns=ALL)
    assert as_rows(table) == through_pynest(MODELS)
    assert set(table["label"].tolist()) <= {-1}
    assert {table.models[number] for number in set(table["synapse_model"].tolist())} <= set(MODELS)


def test_rows_are_in_the_order_that_is_promised():
    built()
    table = distnorm.connections(columns=("target", "synapse_model", "source"))
    keys = list(zip(*(table[name].tolist() for name in ("target", "synapse_model", "source")), strict=True))
    assert keys == sorted(keys)


def test_selected_as_rules_select():
    population = built()
    sources, targets = population[:20], population[5:40]
    table = distnorm.connections("stdp_synapse", sources=sources, targets=targets)
    rows = through_pynest(["stdp_synapse"], ("source", "target", "weight"))
    chosen = [row for row in rows if row[0] in sources.tolist() and row[1] in targets.tolist()]
    assert sorted(table.tolist()) == chosen
    assert not len(distnorm.connections("stdp_synapse", sign="negative"))


@pytest.mark.parametrize("rows", [1, 100, 10**6])
def test_blocks_are_the_whole_in_parts(rows):
    built()
    whole = distnorm.connections(columns=ALL)
    blocks = list(distnorm.connections(columns=ALL, blocks=rows))
    assert np.array_equal(np.concatenate([np.zeros(0, whole.dtype), *blocks]), np.asarray(whole))
    assert all(len(block) <= rows or len(set(block["target"].tolist())) == 1 for block in blocks)


def test_gathered_on_rank_0():
    built()
    mine, every = distnorm.connections(), distnorm.connections(gather=True)
    parts = world(nest.build_info["have_mpi"]).gather(mine.tolist())
    if parts is None:
        assert not len(every)
    else:
        assert sorted(every.tolist()) == sorted(row for part in parts for row in part)
        assert (np.diff(every["target"]) >= 0).all()


def test_after_connections_were_removed_and_made():
    population = built()
    nest.Disconnect(nest.GetConnections(population[:10], population[:30], synapse_model="stdp_synapse"))
    more = nest.Create("iaf_psc_delta", 7)
    nest.Connect(population, more, syn_spec={"synapse_model": "stdp_synapse", "weight": 0.3})
    assert as_rows(distnorm.connections(columns=ALL)) == through_pynest(MODELS)
    nest.Simulate(10.0)
    assert as_rows(distnorm.connections(columns=ALL)) == through_pynest(MODELS)


def test_current_weights_are_those_of_the_collection():
    plastic_network("stdp_synapse")
    nest.Simulate(200.0)
    found = nest.GetConnections(synapse_model="stdp_synapse")
    expected = distnorm.current_weights(found)
    table = distnorm.connections("stdp_synapse", weights="current")
    assert sorted(table["weight"].tolist()) == sorted(expected.tolist())
    stored = distnorm.connections("stdp_synapse")
    assert not len(found) or (np.asarray(table["weight"]) != stored["weight"]).mean() > 0.2


def test_a_table_is_set_and_a_function_is():
    built()
    table = distnorm.connections(columns=("source", "target", "weight", "location"))
    table["weight"] *= np.linspace(0.5, 1.5, len(table))
    assert distnorm.set_weights(table) == len(table)
    assert sorted(row[2] for row in through_pynest(MODELS)) == sorted(table["weight"].tolist())
    before = distnorm.connections("stdp_synapse")
    done = distnorm.set_weights(lambda block: block["weight"] / 2, "stdp_synapse")
    assert done == len(before)
    assert np.array_equal(distnorm.connections("stdp_synapse")["weight"], before["weight"] / 2)


@pytest.mark.parametrize("wrong", [-0.5, np.nan, np.inf])
def test_one_wrong_weight_on_one_rank_and_none_is_set(wrong):
    built()
    before = distnorm.connections(columns=("target", "weight", "location"))
    table = before.copy()
    table["weight"] *= 2
    (number,) = [number for number, name in table.models.items() if name == "stdp_synapse"]
    stdp = np.flatnonzero((table["location"] >> np.uint64(32)) & np.uint64(0xFFFF) == number)
    if world(nest.build_info["have_mpi"]).rank == 0 and stdp.size:
        table["weight"][stdp[-1]] = wrong
    reason = "same sign" if wrong == -0.5 else "not finite"
    with pytest.raises(distnorm.WeightError, match=f"onto neuron .*{reason}"):
        distnorm.set_weights(table)
    assert np.array_equal(distnorm.connections()["weight"], before["weight"])


def test_an_error_of_the_function_is_one_of_all():
    built()

    def shorter(block):
        return block["weight"][:-1]

    with pytest.raises(distnorm.RuleError, match="return one for each"):
        distnorm.set_weights(shorter, "stdp_synapse")


def test_moved_connections_are_not_set():
    population = built()
    table = distnorm.connections("stdp_synapse", columns=("target", "weight", "location"))
    nest.Disconnect(nest.GetConnections(population[:10], synapse_model="stdp_synapse"))
    nest.Simulate(10.0)
    with pytest.raises(distnorm.KernelError, match="not there any more"):
        distnorm.set_weights(table)


def test_weights_that_a_model_holds_are_set_and_the_norm_comes_back():
    plastic_network("stdp_synapse_normalized")
    rule = distnorm.Rule("stdp_synapse_normalized", target_norm=10.0)
    normalizer = distnorm.Normalizer(rule, interval=distnorm.ExactInterval(audit_ms=50.0))
    normalizer.simulate(100.0)
    table = distnorm.connections("stdp_synapse_normalized", columns=("target", "weight", "location"))
    table["weight"] *= 1.25
    distnorm.set_weights(table)
    norms = norms_by_target(["stdp_synapse_normalized"])
    assert all(abs(norm / 12.5 - 1) < 1e-12 for norm in norms.values())
    normalizer.simulate(100.0)
    assert all(abs(norm / 10.0 - 1) < 1e-12 for norm in norms_by_target(["stdp_synapse_normalized"]).values())


@pytest.mark.parametrize("of", ["weight", "size"])
@pytest.mark.parametrize("weights", ["stored", "current"])
def test_moments_are_those_of_numpy(of, weights):
    built()
    found = distnorm.moments("stdp_synapse", of=of, weights=weights)
    table = distnorm.connections("stdp_synapse", weights=weights)
    targets = np.unique(table["target"])
    assert np.array_equal(found.target, targets)
    for i, target in enumerate(targets):
        values = np.asarray(table["weight"][table["target"] == target])
        values = np.abs(values) if of == "size" else values
        assert found.count[i] == len(values)
        assert found.sum[i] == pytest.approx(values.sum(), rel=1e-14)
        assert found.mean[i] == pytest.approx(values.mean(), rel=1e-14)
        assert found.sd[i] == pytest.approx(values.std(), rel=1e-10)
        assert (found.least[i], found.largest[i]) == (values.min(), values.max())


def test_as_a_matrix_a_frame_and_a_file(tmp_path):
    population = built()
    table = distnorm.connections("stdp_synapse", columns=("source", "target", "weight", "synapse_model"))
    matrix = table.to_sparse(targets=population, sources=population)
    assert matrix.shape == (len(population), len(population))
    expected = np.zeros(matrix.shape)
    np.add.at(
        expected,
        (table["target"] - population[0].global_id, table["source"] - population[0].global_id),
        table["weight"],
    )
    assert np.array_equal(matrix.toarray(), expected)
    frame = table.to_pandas()
    assert list(frame.columns) == ["source", "target", "weight", "synapse_model"]
    assert set(frame["synapse_model"]) <= {"stdp_synapse"}
    path = tmp_path / f"{nest.Rank()}.npy"
    table.save(path)
    assert np.array_equal(np.load(path), np.asarray(table))
    with pytest.raises(distnorm.RuleError, match="cannot write"):
        table.save(path)


def test_an_empty_network():
    reset()
    assert not len(distnorm.connections()) and not len(distnorm.moments().target)
    assert not list(distnorm.connections(blocks=10)) and distnorm.set_weights(lambda block: block["weight"]) == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"columns": ("sources",)}, "columns is 'sources'; choose source, target"),
        ({"columns": ("source", "source")}, "different names"),
        ({"blocks": 0}, "blocks is 0"),
        ({"blocks": 5, "gather": True}, "do not go together"),
        ({"synapse_model": "no_such"}, "has no synapse model 'no_such'"),
        ({"synapse_model": "stdp_synapse", "sign": "up"}, "sign is 'up'"),
        ({"weights": "later"}, "weights is 'later'"),
    ],
)
def test_what_makes_no_sense_is_one_line(arguments, message):
    built()
    with pytest.raises(distnorm.RuleError, match=message):
        distnorm.connections(**arguments)


@pytest.mark.parametrize(
    ("given", "by_the_first"),
    [
        ({"synapse_model": "stdp_synapse"}, {"synapse_model": None}),
        ({"gather": False}, {"gather": True}),
        ({"blocks": None}, {"blocks": 10}),
        ({"synapse_model": "stdp_synapse"}, {"synapse_model": "stdp_synapse", "weights": "current"}),
    ],
)
def test_what_differs_between_ranks_is_refused_on_all(given, by_the_first):
    built()
    if nest.num_processes == 1:
        distnorm.connections(**by_the_first)
        return
    with pytest.raises(distnorm.RuleError, match=f"{list(by_the_first)[-1]}: not the same on all ranks"):
        distnorm.connections(**(by_the_first if nest.Rank() == 0 else given))


def test_a_function_on_one_rank_alone_is_refused_on_all():
    built()
    rows = distnorm.connections(columns=("target", "weight", "location"))
    if nest.num_processes > 1:
        with pytest.raises(distnorm.RuleError, match="weights: not the same on all ranks"):
            distnorm.set_weights((lambda block: block["weight"]) if nest.Rank() == 0 else rows)


def test_without_sources():
    reset()
    nest.keep_source_table = False
    network(["stdp_synapse"])
    nest.Simulate(10.0)
    with pytest.raises(distnorm.RuleError, match="keep_source_table"):
        distnorm.connections("stdp_synapse")
    table = distnorm.connections("stdp_synapse", columns=("target", "weight"))
    total = world(nest.build_info["have_mpi"]).gather(len(table))
    assert total is None or sum(total) == 60 * 15

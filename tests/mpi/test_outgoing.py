"""Outgoing norms on any number of ranks: those of numpy over the connections of all ranks."""

import math

import nest
import numpy as np
import pytest
from networks import reset

import distnorm
from distnorm.mpi.ranks import world

pytestmark = [pytest.mark.mpi, pytest.mark.timeout(300)]

SOURCES, TARGETS = 37, 50
MODELS = ("stdp_synapse", "static_synapse_lbl")


def ranks():
    return world(nest.build_info["have_mpi"])


def network(threads=2, targets=TARGETS, models=MODELS):
    reset(virtual_processes=threads * nest.num_processes)
    population = nest.Create("iaf_psc_delta", max(SOURCES, targets) + 5)
    noise = nest.Create("poisson_generator", params={"rate": 18_000.0})
    nest.Connect(noise, population, syn_spec={"weight": 1.0})
    for model in models:
        limits = {"Wmax": 9.0} if model.startswith("stdp") else {}
        synapse = {"synapse_model": model, "weight": nest.random.uniform(0.2, 0.8), **limits}
        some = {"rule": "fixed_indegree", "indegree": 9, "allow_multapses": True}
        nest.Connect(population[:SOURCES], population[-targets:], some, synapse)
    return population


def every_row(models=MODELS, columns=("source", "target", "weight")):
    """The rows of all ranks on each of them, in the order of all columns but the weight."""
    parts = ranks().gather(np.asarray(distnorm.connections(models, columns=columns)))
    rows = ranks().from_first(lambda: np.concatenate(parts))
    return rows[np.lexsort([rows[name] for name in columns if name != "weight"])]


def norm_of(weights, norm):
    if norm == "sum":
        return math.fsum(weights)
    sizes = np.abs(weights)
    if norm == "linf":
        return sizes.max()
    power = float(norm[1:])
    return math.fsum(sizes**power) ** (1 / power)


def by_source(rows, norm):
    return {int(each): norm_of(rows["weight"][rows["source"] == each], norm) for each in np.unique(rows["source"])}


def check_norms(rows, norm, target):
    for source, found in by_source(rows, norm).items():
        wanted = target[source] if isinstance(target, dict) else target
        assert abs(found - wanted) <= 1e-12 * abs(wanted), (source, found, wanted)


@pytest.mark.parametrize("norm", ["l1", "l2", "l3", "l1.5", "linf", "sum"])
@pytest.mark.parametrize("threads", [1, 2])
def test_norms_are_met_and_drifts_are_those_of_numpy(norm, threads):
    network(threads)
    before = every_row()
    rule = distnorm.Rule(MODELS, of="outgoing", norm=norm, target_norm=5.0)
    normalizer = distnorm.Normalizer(rule, interval=20.0)
    drift = normalizer.normalize().drifts[0]
    distances = {source: abs(found / 5.0 - 1) for source, found in by_source(before, norm).items()}
    assert drift.targets == len(distances) == SOURCES
    assert drift.connections == len(before) == 2 * 9 * TARGETS
    assert drift.max == pytest.approx(max(distances.values()), rel=1e-12)
    assert distances[drift.worst_target] == pytest.approx(drift.max, rel=1e-12)
    assert drift.mean == pytest.approx(np.mean(list(distances.values())), rel=1e-8)
    after = every_row()
    check_norms(after, norm, 5.0)
    ratio = np.asarray(after["weight"]) / before["weight"]
    for source in np.unique(before["source"]):
        assert np.ptp(ratio[before["source"] == source]) < 1e-13
    assert normalizer.normalize().drifts[0].max < 1e-12


@pytest.mark.parametrize("norm", ["l1", "sum"])
def test_subtractive(norm):
    network()
    before = every_row()
    rule = distnorm.Rule(MODELS, of="outgoing", norm=norm, target_norm=11.0, mode="subtractive")
    distnorm.Normalizer(rule, interval=20.0).normalize()
    after = every_row()
    check_norms(after, norm, 11.0)
    for source in np.unique(before["source"]):
        moved = after["weight"][before["source"] == source] - before["weight"][before["source"] == source]
        free = after["weight"][before["source"] == source] > 1e-300
        assert np.ptp(moved[free]) < 1e-12


@pytest.mark.parametrize(
    "box", [{"w_max": 0.7}, {"w_min": 0.35, "w_max": 0.75}, {"w_max": 0.7, "mode": "subtractive"}, {"w_min": 0.4}]
)
@pytest.mark.parametrize("norm", ["l1", "l2", "linf"])
def test_met_inside_limits_or_as_near_as_can_be(box, norm):
    if norm != "l1" and "mode" in box:
        pytest.skip("subtractive goes with l1")
    network()
    mean = np.mean(list(by_source(every_row(), norm).values()))
    target = 0.7 if norm == "linf" else float(mean)
    drift = (
        distnorm.Normalizer(distnorm.Rule(MODELS, of="outgoing", norm=norm, target_norm=target, **box), interval=20.0)
        .normalize()
        .drifts[0]
    )
    after = every_row()
    low, high = box.get("w_min", 0.0), box.get("w_max", math.inf)
    assert (after["weight"] >= low).all() and (after["weight"] <= high).all()
    missed = 0
    for source, found in by_source(after, norm).items():
        if abs(found / target - 1) > 1e-12:
            missed += 1
            mine = after["weight"][after["source"] == source]
            np.testing.assert_allclose(mine, high if found < target else low, rtol=1e-12)
    assert drift.unreachable == missed < SOURCES


def test_clipped():
    network()
    before = every_row()
    rule = distnorm.Rule(MODELS, of="outgoing", target_norm=9.0, w_max=0.6, bounds="clip")
    drift = distnorm.Normalizer(rule, interval=20.0).normalize().drifts[0]
    sums = by_source(before, "l1")
    expected = np.minimum(before["weight"] * np.array([9.0 / sums[each] for each in before["source"].tolist()]), 0.6)
    np.testing.assert_allclose(every_row()["weight"], expected, rtol=1e-13)
    assert drift.clipped_off > 0


def test_initial_norms_and_norms_per_source_and_a_mean_weight():
    population = network()
    start = by_source(every_row(), "l1")
    normalizer = distnorm.Normalizer(distnorm.Rule(MODELS, of="outgoing", target_norm="initial"), interval=20.0)
    distnorm.set_weights(lambda block: block["weight"] * (1 + block["source"] % 3), MODELS)
    normalizer.normalize()
    check_norms(every_row(), "l1", start)
    chosen = population[4:20]
    wanted = dict(zip(chosen.tolist(), np.linspace(3.0, 8.0, 16), strict=True))
    rule = distnorm.Rule(MODELS, of="outgoing", sources=chosen, target_norm=list(wanted.values()))
    distnorm.Normalizer(rule, interval=20.0).normalize()
    rows = every_row()
    check_norms(rows[np.isin(rows["source"], chosen.tolist())], "l1", wanted)
    distnorm.Normalizer(distnorm.Rule(MODELS, of="outgoing", mean_weight=0.4), interval=20.0).normalize()
    rows = every_row()
    number = {int(each): 0.4 * (rows["source"] == each).sum() for each in np.unique(rows["source"])}
    check_norms(rows, "l1", number)


def test_selected_connections_alone():
    population = network()
    before = every_row()
    rule = distnorm.Rule(
        MODELS, of="outgoing", sources=population[:20], targets=population[-20:], exclude=[(1, 50)], target_norm=2.0
    )
    drift = distnorm.Normalizer(rule, interval=20.0).normalize().drifts[0]
    after = every_row()
    mine = (before["source"] <= 20) & (before["target"] > TARGETS + 5 - 20)
    mine &= ~((before["source"] == 1) & (before["target"] == 50))
    assert drift.connections == mine.sum()
    assert np.array_equal(after["weight"][~mine], before["weight"][~mine])
    check_norms(after[mine], "l1", 2.0)


def test_sources_without_connections_and_norms_of_zero_are_counted():
    population = network()
    distnorm.set_weights(lambda block: np.where(block["source"] == 3, 0.0, block["weight"]), MODELS)
    rule = distnorm.Rule(MODELS, of="outgoing", sources=population[: SOURCES + 4], target_norm=4.0)
    drift = distnorm.Normalizer(rule, interval=20.0).normalize().drifts[0]
    assert (drift.no_input, drift.zero_norm, drift.targets) == (4, 1, SOURCES - 1)
    equal = distnorm.Rule(MODELS, of="outgoing", target_norm=4.0, zero="equal")
    distnorm.Normalizer(equal, interval=20.0).normalize()
    check_norms(every_row(), "l1", 4.0)
    distnorm.set_weights(lambda block: np.where(block["source"] == 3, 0.0, block["weight"]), MODELS)
    refusing = distnorm.Rule(MODELS, of="outgoing", target_norm=4.0, zero="raise")
    with pytest.raises(distnorm.WeightError, match="neuron 3: the norm of its outgoing"):
        distnorm.Normalizer(refusing, interval=20.0).normalize()


@pytest.mark.parametrize("course", [{"rate": 0.25}, {"only": "above"}, {"only": "below"}, {"tolerance": 0.2}])
def test_a_part_of_the_way_or_one_side(course):
    network()
    before = by_source(every_row(), "l1")
    target = float(np.median(list(before.values())))
    distnorm.Normalizer(distnorm.Rule(MODELS, of="outgoing", target_norm=target, **course), interval=20.0).normalize()
    for source, found in by_source(every_row(), "l1").items():
        distance = before[source] / target - 1
        stays = {"above": distance <= 0, "below": distance >= 0}.get(course.get("only"), False)
        stays |= abs(distance) <= course.get("tolerance", 0.0)
        wanted = before[source] if stays else before[source] + course.get("rate", 1.0) * (target - before[source])
        assert found == pytest.approx(wanted, rel=1e-12)


def test_while_it_learns_with_an_adaptive_interval_and_growth():
    population = network()
    nest.SetDefaults("stdp_synapse", {"lambda": 1e-4})
    rule = distnorm.Rule("stdp_synapse", of="outgoing", target_norm="initial")
    start = by_source(every_row(["stdp_synapse"]), "l1")
    normalizer = distnorm.Normalizer(rule, interval=distnorm.AdaptiveInterval(0.05))
    normalizer.simulate(60.0)
    assert len(normalizer.log) > 2 and max(each.drift_max for each in normalizer.log[1:]) > 1e-6
    normalizer.normalize()
    check_norms(every_row(["stdp_synapse"]), "l1", start)
    more = nest.Create("iaf_psc_delta", 3)
    nest.Connect(population[:SOURCES], more, syn_spec={"synapse_model": "stdp_synapse", "weight": 0.5})
    nest.Connect(more, population[:2], syn_spec={"synapse_model": "stdp_synapse", "weight": 0.5})
    normalizer.simulate(20.0)
    drift = normalizer.normalize().drifts[0]
    assert drift.targets == SOURCES + 3
    rows = every_row(["stdp_synapse"])
    check_norms(rows[rows["source"] <= SOURCES], "l1", start)
    nest.Disconnect(nest.GetConnections(population[5:6], population[-10:], synapse_model="stdp_synapse"))
    normalizer.simulate(20.0)
    normalizer.normalize()
    rows = every_row(["stdp_synapse"])
    check_norms(rows[rows["source"] <= SOURCES], "l1", start)


def test_beside_a_rule_of_incoming_norms():
    network(models=("stdp_synapse", "static_synapse_lbl"))
    rules = [
        distnorm.Rule("static_synapse_lbl", target_norm=3.0),
        distnorm.Rule("stdp_synapse", of="outgoing", target_norm=5.0),
    ]
    measurement = distnorm.Normalizer(rules, interval=20.0, weights=True).normalize()
    assert [drift.targets for drift in measurement.drifts] == [TARGETS, SOURCES]
    assert [each.connections for each in measurement.weights] == [9 * TARGETS] * 2
    check_norms(every_row(["stdp_synapse"]), "l1", 5.0)
    rows = every_row(["static_synapse_lbl"])
    sums = np.bincount(rows["target"], rows["weight"])
    np.testing.assert_allclose(sums[sums > 0], 3.0, rtol=1e-12)


def test_few_connections_on_some_ranks_only():
    reset(virtual_processes=nest.num_processes)
    population = nest.Create("iaf_psc_delta", 12)
    nest.Connect(population[:6], population[7], syn_spec={"synapse_model": "stdp_synapse", "weight": 0.5})
    rule = distnorm.Rule("stdp_synapse", of="outgoing", target_norm=2.0)
    drift = distnorm.Normalizer(rule, interval=20.0).normalize().drifts[0]
    assert (drift.targets, drift.connections) == (6, 6)
    assert set(every_row(["stdp_synapse"])["weight"].tolist()) == {2.0}


def test_a_weight_that_is_no_number_is_an_error_of_all():
    population = network()
    last = nest.num_processes - 1
    found = nest.GetConnections(population[:SOURCES], synapse_model="static_synapse_lbl")
    if nest.Rank() == last:
        found[0].set({"weight": float("nan")})
    before = every_row()["weight"].copy()
    with pytest.raises(distnorm.WeightError, match="has an outgoing"):
        distnorm.Normalizer(distnorm.Rule(MODELS, of="outgoing", target_norm=2.0), interval=20.0).normalize()
    assert np.array_equal(every_row()["weight"], before, equal_nan=True)


def test_an_error_of_one_rank_in_an_exchange(monkeypatch):
    network()
    if nest.Rank() == nest.num_processes - 1:

        def fails(*_):
            raise distnorm.KernelError("a broken cable")

        monkeypatch.setattr("distnorm.outgoing.synapses.Together._run_local", fails)
    before = every_row()["weight"].copy()
    rule = distnorm.Rule(MODELS, of="outgoing", target_norm=5.0, w_max=0.7)
    with pytest.raises(distnorm.KernelError, match="a broken cable"):
        distnorm.Normalizer(rule, interval=20.0).normalize()
    assert np.array_equal(every_row()["weight"], before)


def test_what_is_refused():
    network()
    rule = distnorm.Rule("stdp_synapse", of="outgoing", target_norm=2.0)
    with pytest.raises(distnorm.RuleError, match="take the compiled kernel"):
        distnorm.Normalizer(rule, interval=20.0, backend="pynest").normalize()
    with pytest.raises(distnorm.RuleError, match="a rule has outgoing norms"):
        distnorm.Normalizer(rule, interval=distnorm.ExactInterval()).normalize()
    with pytest.raises(distnorm.RuleError, match="outgoing norms are of stored weights"):
        distnorm.Rule("stdp_synapse", of="outgoing", target_norm=2.0, weights="current")
    with pytest.raises(distnorm.RuleError, match="has 3 values for 2 sources"):
        distnorm.Rule("stdp_synapse", of="outgoing", sources=[1, 2], target_norm=[1.0, 2.0, 3.0])


def test_observed_nothing_changes():
    network()
    before = every_row()
    rule = distnorm.Rule(MODELS, of="outgoing", target_norm=5.0)
    found = distnorm.Normalizer(rule, observe=True).normalize()
    assert np.array_equal(every_row(), before)
    assert found.drifts[0].max > 0 and found.since_start[0].max == 0


def both(rows):
    """Sums by target and by source, each of shape (n,)."""
    sums = [np.bincount(rows[name], rows["weight"]) for name in ("target", "source")]
    return [each[each > 0] for each in sums]


@pytest.mark.parametrize("mode", ["multiplicative", "subtractive"])
def test_both_at_once(mode):
    reset(virtual_processes=2 * nest.num_processes)
    population = nest.Create("iaf_psc_delta", 30)
    synapse = {"synapse_model": "stdp_synapse", "Wmax": 9.0, "weight": nest.random.uniform(0.2, 0.8)}
    nest.Connect(population, population, {"rule": "all_to_all", "allow_autapses": False}, synapse)
    rules = [distnorm.Rule("stdp_synapse", of=of, target_norm=12.0, mode=mode) for of in ("incoming", "outgoing")]
    done = distnorm.Normalizer(rules, interval=20.0, sweep_tolerance=1e-11).normalize()
    incoming, outgoing = both(every_row(["stdp_synapse"]))
    assert len(incoming) == len(outgoing) == 30
    np.testing.assert_allclose(outgoing, 12.0, rtol=1e-12)
    np.testing.assert_allclose(incoming, 12.0, rtol=1e-11)
    assert 1 < done.sweeps < 60 and done.left_by_sweeps <= 1e-11


def test_both_at_once_where_that_cannot_be(caplog):
    """A target whose only source has other targets, too: its norm and that of the source exclude each other."""
    reset(virtual_processes=nest.num_processes)
    population = nest.Create("iaf_psc_delta", 8)
    synapse = {"synapse_model": "stdp_synapse", "Wmax": 9.0, "weight": 0.5}
    nest.Connect(population[:4], population[4:7], syn_spec=synapse)
    nest.Connect(population[0], population[7], syn_spec=synapse)
    rules = [distnorm.Rule("stdp_synapse", of=of, target_norm=2.0) for of in ("incoming", "outgoing")]
    normalizer = distnorm.Normalizer(rules, interval=20.0, sweeps=30)
    done = normalizer.normalize()
    _, outgoing = both(every_row(["stdp_synapse"]))
    np.testing.assert_allclose(outgoing, 2.0, rtol=1e-12)
    assert done.sweeps == 30 and done.left_by_sweeps > 0.01
    normalizer.normalize()
    if nest.Rank() == 0:
        assert caplog.text.count("after 30 sweeps incoming norms are up to") == 1


def test_one_sweep_half_and_half():
    network(models=("stdp_synapse",))
    before = every_row(["stdp_synapse"])
    rules = [
        distnorm.Rule("stdp_synapse", of=of, target_norm=target, rate=0.5)
        for of, target in (("incoming", 4.0), ("outgoing", 6.0))
    ]
    done = distnorm.Normalizer(rules, interval=20.0).normalize()
    weights = before["weight"].copy()
    for name, target in (("target", 4.0), ("source", 6.0)):
        sums = np.bincount(before[name], weights)[before[name]]
        weights *= 1 + 0.5 * (target / sums - 1)
    np.testing.assert_allclose(every_row(["stdp_synapse"])["weight"], weights, rtol=1e-12)
    assert done.sweeps == 1

"""Histograms of weights on any number of ranks: those of plain numpy on weights that PyNEST reads."""

import math

import nest
import numpy as np
import pytest
from networks import connections, network, reset, slow_plasticity, write_weights
from plastic import plastic_network, status_of

import distnorm
from distnorm.mpi.ranks import world

pytestmark = [pytest.mark.mpi, pytest.mark.timeout(300)]

MODELS = ("stdp_synapse", "stdp_triplet_synapse_hpc", "static_synapse_lbl")
BACKENDS = ("inplace", "pynest")


def everyones(values):
    """An array of all ranks, on all of them."""
    ranks = world(nest.build_info["have_mpi"])
    parts = ranks.gather(np.asarray(values, dtype=float))
    return ranks.from_first(lambda: np.concatenate(parts))


def check(found, weights):
    """Compare a histogram with all weights."""
    edges = np.array(found.edges)
    assert found.counts == tuple(np.histogram(weights, edges)[0].tolist())
    assert (found.below, found.above) == ((weights < edges[0]).sum(), (weights > edges[-1]).sum())
    assert (found.least, found.largest) == (weights.min(), weights.max())
    scale = np.abs(weights).max()
    mean = math.fsum(weights) / len(weights)
    assert found.mean == pytest.approx(mean, abs=2e-12 * scale)
    assert found.sd == pytest.approx(math.sqrt(math.fsum((weights - mean) ** 2) / len(weights)), abs=2e-12 * scale)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    "settings",
    [{}, {"norm": "l2"}, {"norm": "l1.5"}, {"norm": "linf"}, {"w_max": 0.9}, {"mode": "subtractive"}, {"norm": "sum"}],
    ids=str,
)
def test_all_weights_are_counted(backend, settings):
    reset(virtual_processes=2 * nest.num_processes)
    network(MODELS)
    rule = distnorm.Rule(MODELS, target_norm=4.0, **settings)
    normalizer = distnorm.Normalizer(rule, interval=20.0, backend=backend, weights=True, observe=True)
    nest.Simulate(40.0)
    (found,) = normalizer.normalize().weights
    check(found, everyones(connections(MODELS)[2]))
    assert found.outside == 0


def test_both_backends_give_the_same_bits():
    found = []
    for backend in BACKENDS:
        reset(virtual_processes=2 * nest.num_processes)
        network(MODELS)
        rules = [distnorm.Rule(model, target_norm=8.0) for model in MODELS]
        normalizer = distnorm.Normalizer(rules, interval=20.0, backend=backend, weights=True)
        normalizer.simulate(60.0)
        found.append([measurement.weights for measurement in normalizer.log])
    assert found[0] == found[1]
    assert [len(each) for each in found[0]] == [3] * 4 and found[0][0] != found[0][-1]
    assert len({each[0].edges for each in found[0]}) == 1


@pytest.mark.parametrize("model", ["stdp_synapse", "stdp_triplet_synapse", "vogels_sprekeler_synapse"])
@pytest.mark.parametrize("settings", [{}, {"w_max": 0.9}], ids=str)
def test_current_weights_are_counted(model, settings):
    plastic_network(model)
    nest.Simulate(300.0)
    rule = distnorm.Rule(model, target_norm=10.0, weights="current", **settings)
    normalizer = distnorm.Normalizer(rule, interval=100.0, observe=True, weights=True)
    current = everyones(distnorm.current_weights(status_of(model)[0]))
    done = normalizer.normalize()
    check(done.weights[0], current)
    stored = distnorm.Normalizer(distnorm.Rule(model, target_norm=10.0), weights=True, observe=True).normalize()
    assert stored.weights[0].mean != done.weights[0].mean


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("settings", [{}, {"w_max": "Wmax"}, {"norm": "sum"}, {"mode": "subtractive"}], ids=str)
def test_watching_changes_no_weight_and_no_drift(backend, settings):
    outcomes = []
    for weights in (False, True):
        reset(virtual_processes=2 * nest.num_processes)
        slow_plasticity()
        network(MODELS[:2])
        write_weights("stdp_synapse", lambda source, target, weight: -0.0 if source % 5 == 0 else weight)
        rule = distnorm.Rule(MODELS[:2], target_norm=4.0, **settings)
        normalizer = distnorm.Normalizer(rule, interval=20.0, backend=backend, weights=weights)
        normalizer.simulate(40.0)
        outcomes.append((np.stack(connections(MODELS[:2])).tobytes(), [each.drifts for each in normalizer.log]))
    assert outcomes[0] == outcomes[1]


@pytest.mark.parametrize("backend", BACKENDS)
def test_weights_at_limits(backend):
    reset()
    population = nest.Create("iaf_psc_delta", 20)
    inputs = {"rule": "fixed_indegree", "indegree": 10}
    for synapse in (
        {"synapse_model": "stdp_synapse", "weight": 0.25, "Wmax": 1.0},
        {"synapse_model": "stdp_synapse", "weight": 1.0, "Wmax": 1.0},
        {"synapse_model": "clopath_synapse", "weight": 0.25, "Wmin": 0.25, "Wmax": 1.0},
        {"synapse_model": "clopath_synapse", "weight": 0.5, "Wmin": 0.25, "Wmax": 1.0},
    ):
        nest.Connect(population, nest.Create("hh_psc_alpha_clopath", 20), inputs, synapse)
    write_weights("stdp_synapse", lambda source, target, weight: 0.0 if weight < 1.0 and source % 2 else weight)
    zero = (everyones(connections(["stdp_synapse"])[2]) == 0).mean()
    rules = [distnorm.Rule(model, target_norm=8.0) for model in ("stdp_synapse", "clopath_synapse")]
    stdp, clopath = distnorm.Normalizer(rules, backend=backend, weights=True, observe=True).normalize().weights
    assert 0.1 < zero < 0.4
    assert (stdp.at_limit, clopath.at_limit) == (zero + 0.5, 0.5)
    assert (stdp.edges[0], stdp.edges[-1]) == (0.0, 1.0)  # Wmax


@pytest.mark.parametrize("backend", BACKENDS)
def test_what_is_outside_is_counted_and_said_once(backend, caplog):
    reset()
    slow_plasticity()
    network()
    rule = distnorm.Rule("stdp_synapse", target_norm=8.0)
    normalizer = distnorm.Normalizer(rule, interval=10.0, backend=backend, weights=(0.3, 0.4), observe=True)
    normalizer.simulate(30.0)
    found = normalizer.log[-1].weights[0]
    weights = everyones(connections(["stdp_synapse"])[2])
    check(found, weights)
    assert found.below and found.above and found.edges[0] == 0.3 and found.edges[-1] == 0.4
    told = [record for record in caplog.records if "outside of the histogram" in record.getMessage()]
    assert len(told) == (nest.Rank() == 0)


def test_bins_wait_for_connections_and_then_stay():
    reset()
    population = nest.Create("iaf_psc_delta", 20)
    rule = distnorm.Rule("stdp_synapse", target_norm=8.0)
    normalizer = distnorm.Normalizer(rule, interval=10.0, weights=True, observe=True)
    assert normalizer.normalize().weights[0].connections == 0
    inputs = {"rule": "fixed_indegree", "indegree": 10}
    nest.Connect(population, population, inputs, {"synapse_model": "stdp_synapse", "weight": 30.0})
    assert normalizer.normalize().weights[0].edges[-1] == 100.0  # the Wmax of the model's defaults
    nest.Connect(population, population, inputs, {"synapse_model": "stdp_synapse", "weight": 70.0, "Wmax": 900.0})
    found = normalizer.normalize().weights[0]
    assert found.edges[-1] == 100.0 and found.connections == 400 and found.mean == pytest.approx(50.0)


def test_a_run_goes_on_with_its_bins():
    def made(weights=True):
        reset()
        network()
        return distnorm.Normalizer(distnorm.Rule("stdp_synapse", target_norm=8.0), interval=10.0, weights=weights)

    first = made((0.0, 3.0))
    first.simulate(20.0)
    state = first.state()
    again = made()
    again.restore(state)
    assert again.normalize().weights[0].edges == first.log[0].weights[0].edges
    other = made((0.0, 2.0))
    other.restore(state)
    assert other.normalize().weights[0].edges[-1] == 2.0


def test_weights_that_normalized_models_hold():
    reset()
    distnorm.install_models()
    network(["stdp_synapse_normalized"])
    rule = distnorm.Rule("stdp_synapse_normalized", target_norm=8.0)
    normalizer = distnorm.Normalizer(rule, interval=distnorm.ExactInterval(audit_ms=20.0), weights=True)
    normalizer.simulate(60.0)
    found = normalizer.normalize().weights[0]
    check(found, everyones(connections(["stdp_synapse_normalized"])[2]))
    assert found.mean == pytest.approx(8.0 / 15)


def test_wrong_weights_are_the_usual_error():
    reset()
    network()
    nest.Simulate(10.0)
    write_weights("stdp_synapse", lambda source, target, weight: math.nan if target == 7 else weight)
    with pytest.raises(distnorm.WeightError, match="neuron 7 has an incoming"):
        distnorm.Normalizer(distnorm.Rule("stdp_synapse", target_norm=8.0), weights=True).normalize()


def test_a_table_has_their_numbers():
    reset()
    network()
    normalizer = distnorm.Normalizer(distnorm.Rule("stdp_synapse", target_norm=8.0), interval=10.0, weights=True)
    normalizer.simulate(20.0)
    frame = distnorm.to_pandas(normalizer)
    for name in ("mean", "sd", "least", "largest", "at_limit"):
        assert frame[f"weight_{name}"].tolist() == [getattr(each.weights[0], name) for each in normalizer.log]

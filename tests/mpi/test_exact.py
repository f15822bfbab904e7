"""Norms after normalizing, on any number of ranks, by numpy on weights that PyNEST reads."""

import nest
import numpy as np
import pytest
from networks import DEVICE_WEIGHT, TARGET_NORM, connections, device_weights, network, norms_by_target, reset

import distnorm
from distnorm.mpi.ranks import world

pytestmark = pytest.mark.mpi

BACKENDS = ("inplace", "pynest")
JOINT = ("stdp_synapse", "stdp_triplet_synapse", "static_synapse_lbl")


def largest_error(models, power, target=TARGET_NORM):
    return max((abs(norm / target - 1) for norm in norms_by_target(models, power).values()), default=0.0)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("norm", ["l1", "l2"])
@pytest.mark.parametrize("models", [("stdp_synapse",), JOINT])
def test_every_normalization_meets_the_target(backend, norm, models):
    reset()
    network(models)
    rule = distnorm.Rule(models, norm=norm, target_norm=TARGET_NORM)
    errors = []
    normalizer = distnorm.Normalizer(
        rule, interval=20.0, backend=backend, on_measurement=lambda _: errors.append(largest_error(models, rule.power))
    )
    before = largest_error(models, rule.power)
    normalizer.simulate(100.0)
    assert before > 0.01 and max(each.drift_max for each in normalizer.log[1:]) > 1e-4
    assert len(errors) == 6 and max(errors) <= 1e-12


@pytest.mark.parametrize("backend", BACKENDS)
def test_reported_drift_is_what_numpy_finds(backend):
    reset()
    population = network()
    nest.Simulate(50.0)
    local = norms_by_target(["stdp_synapse"])
    seen = (
        distnorm.Normalizer(distnorm.Rule("stdp_synapse", target_norm=TARGET_NORM), backend=backend)
        .normalize()
        .drifts[0]
    )
    ranks = world(nest.build_info["have_mpi"])
    everyone = ranks.gather([abs(norm / TARGET_NORM - 1) for norm in local.values()])
    assert (seen.targets, seen.no_input, seen.zero_norm) == (len(population), 0, 0)
    if everyone is not None:
        drifts = np.concatenate(everyone)
        assert seen.max == drifts.max()
        assert seen.mean == pytest.approx(drifts.mean(), abs=1e-9)
        assert np.quantile(drifts, 0.9, method="inverted_cdf") <= seen.quantile(0.9) <= drifts.max()


@pytest.mark.parametrize("backend", BACKENDS)
def test_devices_other_sources_and_other_targets_are_not_touched(backend):
    reset()
    model = "static_synapse_lbl"
    population = network([model])
    sources, targets = population[:40], population[10:]
    before = connections([model])
    distnorm.Normalizer(
        distnorm.Rule(model, sources=sources, targets=targets, target_norm=3.0), backend=backend
    ).normalize()
    after = connections([model])
    chosen = np.isin(before[0], sources.tolist()) & np.isin(before[1], targets.tolist())
    assert np.array_equal(before[2][~chosen], after[2][~chosen])
    for target in np.unique(after[1][chosen]):
        assert abs(after[2][chosen & (after[1] == target)].sum() / 3.0 - 1) <= 1e-12
    assert set(np.atleast_1d(device_weights(model))) <= {DEVICE_WEIGHT}


@pytest.mark.parametrize("backend", BACKENDS)
def test_signs_stay_and_initial_norms_hold(backend):
    reset()
    network(["static_synapse_lbl"], weight=nest.random.uniform(-1.0, 0.7))
    initial = norms_by_target(["static_synapse_lbl"])
    normalizer = distnorm.Normalizer(distnorm.Rule("static_synapse_lbl", target_norm="initial"), backend=backend)
    assert normalizer.normalize().drift_max == 0.0
    before = connections(["static_synapse_lbl"])
    status = nest.GetConnections(synapse_model="static_synapse_lbl")
    if len(status):
        status.set([{"weight": 3.0 * weight} for weight in np.atleast_1d(status.get("weight"))])
    assert normalizer.normalize().drift_max == pytest.approx(2.0)
    after = connections(["static_synapse_lbl"])
    assert np.array_equal(np.sign(before[2]), np.sign(after[2])) and (before[2] < 0).any()
    held = norms_by_target(["static_synapse_lbl"])
    assert all(abs(held[target] / initial[target] - 1) <= 1e-12 for target in initial)


@pytest.mark.parametrize("backend", BACKENDS)
def test_per_target_norms(backend):
    reset()
    population = network()
    ids = population.tolist()[::-1]
    wanted = {node: 1.0 + node for node in ids}
    distnorm.Normalizer(
        distnorm.Rule("stdp_synapse", targets=ids, target_norm=[wanted[node] for node in ids]), backend=backend
    ).normalize()
    assert all(abs(norm / wanted[t] - 1) <= 1e-12 for t, norm in norms_by_target(["stdp_synapse"]).items())


@pytest.mark.parametrize("backend", BACKENDS)
def test_targets_without_input_and_with_zero_norm_are_counted_and_left_alone(backend):
    reset()
    population = network(weight=0.5)
    lonely = nest.Create("iaf_psc_delta", 7)
    silent = nest.Create("iaf_psc_delta", 3)
    nest.Connect(population[:5], silent, syn_spec={"synapse_model": "stdp_synapse", "weight": 0.0})
    named = distnorm.Rule("stdp_synapse", targets=population + lonely + silent, target_norm=TARGET_NORM)
    seen = distnorm.Normalizer(named, backend=backend).normalize().drifts[0]
    assert (seen.targets, seen.no_input, seen.zero_norm) == (len(population), len(lonely), len(silent))
    _, targets, weights = connections(["stdp_synapse"])
    assert not weights[np.isin(targets, silent.tolist())].any()


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_rank_without_any_plastic_connection(backend):
    reset()
    population = network(["static_synapse"])
    nest.Connect(population, population[:1], syn_spec={"synapse_model": "stdp_synapse", "weight": 0.3})
    normalizer = distnorm.Normalizer(
        distnorm.Rule("stdp_synapse", target_norm=TARGET_NORM), interval=10.0, backend=backend
    )
    normalizer.simulate(30.0)
    assert normalizer.log[-1].drifts[0].targets == 1
    assert largest_error(["stdp_synapse"], 1) <= 1e-12


def test_both_ways_agree_to_the_last_bit():
    results = []
    for backend in BACKENDS:
        reset()
        network(JOINT)
        normalizer = distnorm.Normalizer(
            distnorm.Rule(JOINT, norm="l2", target_norm=3.0), interval=25.0, backend=backend
        )
        normalizer.simulate(100.0)
        results.append((connections(JOINT), [each.drifts[0].max for each in normalizer.log]))
    (first, first_drifts), (second, second_drifts) = results
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))
    assert first_drifts == second_drifts


def test_separate_rules_for_separate_populations():
    reset()
    population = network()
    halves = [distnorm.Rule("stdp_synapse", targets=population[:30], target_norm=5.0)]
    halves.append(distnorm.Rule("stdp_synapse", targets=population[30:], norm="l2", target_norm=2.0))
    done = distnorm.Normalizer(halves).normalize()
    assert [each.targets for each in done.drifts] == [30, 30]
    l1, l2 = norms_by_target(["stdp_synapse"]), norms_by_target(["stdp_synapse"], 2)
    first = set(population[:30].tolist())
    assert all(abs((l1[t] / 5.0 if t in first else l2[t] / 2.0) - 1) <= 1e-12 for t in l1)

"""Held norms after changes that no account can add up: they are measured, and right at the first spike that arrives."""

import nest
import numpy as np
import pytest
from networks import NEURONS, connections, network, norms_by_target, reset

import distnorm

pytestmark = pytest.mark.timeout(600)  # the first test may compile the models

STDP = "stdp_synapse_normalized"
POWER = {"l1": 1, "l2": 2}
GROWTH = [11.0, 130.0, 3e3, 1e6]


def held(norm="l1", target_norm=1.0, models=(STDP,), audit_ms=1e4, **parameters):
    """A network whose norms are held, and its Normalizer."""
    reset(virtual_processes=2)
    distnorm.install_models()
    for model in models:
        nest.SetDefaults(model, {"lambda": 0.0, "Wmax": 1e9, **parameters})
    population = network(models)
    rule = distnorm.Rule(models, norm=norm, target_norm=target_norm)
    normalizer = distnorm.Normalizer(rule, interval=distnorm.ExactInterval(audit_ms=audit_ms))
    normalizer.simulate(30.0)
    return population, normalizer


def off_target(norm="l1", target_norm=1.0, models=(STDP,)):
    return max(abs(value / target_norm - 1) for value in norms_by_target(models, POWER[norm]).values())


@pytest.mark.parametrize("attached", [True, False])
@pytest.mark.parametrize("growth", GROWTH)
@pytest.mark.parametrize("norm", ["l1", "l2"])
def test_weights_that_are_set(norm, growth, attached):
    _, normalizer = held(norm)
    for connection in nest.GetConnections(synapse_model=STDP):  # one after the other
        connection.weight = growth * connection.weight
    assert off_target(norm) == pytest.approx(growth - 1)
    normalizer.simulate(60.0) if attached else nest.Simulate(60.0)
    assert off_target(norm) < 1e-13


@pytest.mark.parametrize("growth", GROWTH)
@pytest.mark.parametrize("norm", ["l1", "l2"])
def test_connections_that_are_made(norm, growth):
    population, normalizer = held(norm)
    spec = {"synapse_model": STDP, "weight": growth, "delay": 1.5}
    nest.Connect(population[:20], population[30:31], "all_to_all", spec)
    normalizer.simulate(60.0)
    assert off_target(norm) < 1e-13


@pytest.mark.parametrize("largest", [1e2, 1e4, 1e7])
@pytest.mark.parametrize("norm", ["l1", "l2"])
def test_what_is_learned_within_one_slice(norm, largest):
    rising = {"lambda": 0.1, "mu_plus": 0.0, "mu_minus": 0.0, "alpha": 0.0, "Wmax": largest}
    _, normalizer = held(norm, **rising)
    for _ in range(20):
        normalizer.simulate(3.0)
        assert off_target(norm) < 1e-12
    within = normalizer.normalize().within_slices[0]
    assert within.max > 0.01 * largest and within.zero_norm == 0


def test_raw_weights_that_fall_without_end_between_two_audits():
    falling = {"lambda": 0.002, "mu_minus": 1.0, "alpha": 20.0, "tau_plus": 0.1, "Wmax": 30.0}
    _, normalizer = held(target_norm=12.0, audit_ms=1e6, **falling)
    for _ in range(20):
        normalizer.simulate(30.0)
        assert off_target(target_norm=12.0) < 1e-12
    assert len(normalizer.log) == 1


def test_weights_of_zero_are_held_once_they_are_not_zero():
    population, normalizer = held()
    of_one = nest.GetConnections(target=population[7], synapse_model=STDP)
    of_one.weight = 0.0
    normalizer.simulate(30.0)
    assert set(of_one.weight) == {0.0}
    of_one.weight = 0.25
    normalizer.simulate(60.0)
    assert off_target() < 1e-13 and np.ptp(of_one.weight) == 0.0


def learned(reads):
    reset(virtual_processes=2)
    distnorm.install_models()
    nest.SetDefaults(STDP, {"lambda": 0.02})
    population = network((STDP,))
    normalizer = distnorm.Normalizer(
        distnorm.Rule(STDP, target_norm=5.0), interval=distnorm.ExactInterval(audit_ms=1e4)
    )
    for _ in range(80):
        normalizer.simulate(0.7)  # not the end of a slice
        if reads:
            nest.GetConnections(target=population[:9], synapse_model=STDP).get(["weight", "Kplus"])
    return connections([STDP])


def test_reading_leaves_no_trace():
    assert all(np.array_equal(a, b) for a, b in zip(learned(False), learned(True), strict=True))


@pytest.mark.parametrize("variant", ["", "_hpc", "_lbl"])
@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize(
    ("wanted", "late_norm"),
    [({"target_norm": 4.0}, 4.0), ({"target_norm": "initial"}, 3.5), ({"mean_weight": 0.3}, 2.1)],
)
def test_neurons_made_later_are_held_from_their_first_spike(wanted, late_norm, threads, variant):
    model = STDP + variant
    reset(virtual_processes=threads)
    distnorm.install_models()
    nest.SetDefaults(model, {"lambda": 1e-2})
    population = network((model,))
    normalizer = distnorm.Normalizer(distnorm.Rule(model, **wanted), interval=distnorm.ExactInterval(audit_ms=1e4))
    normalizer.simulate(30.0)
    before = norms_by_target((model,))
    late = nest.Create("iaf_psc_delta", 5)
    spec = {"synapse_model": model, "weight": 0.5, "delay": 1.5}
    nest.Connect(population, late, {"rule": "fixed_indegree", "indegree": 7}, spec)
    noise = nest.Create("poisson_generator", params={"rate": 18_000.0})
    nest.Connect(noise, late, syn_spec={"weight": 1.0, "delay": 1.5})
    for _ in range(4):
        normalizer.simulate(20.0)
        after = norms_by_target((model,))
        wrong = {node: norm for node, norm in before.items() if abs(after[node] / norm - 1) > 1e-12}
        assert not wrong
    weights = nest.GetConnections(population, late, synapse_model=model).get("weight")
    assert len(after) == NEURONS + 5 and np.ptp(weights) > 1e-3
    assert all(after[node] == pytest.approx(late_norm, rel=1e-12) for node in late.tolist())
    assert len(normalizer.log) == 1 and normalizer.normalize().drift_max < 1e-12

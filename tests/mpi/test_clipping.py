"""Limits by clipping: published formulas in numpy, on any number of ranks, and how far norms are left off."""

import nest
import numpy as np
import pytest
from networks import reset

import distnorm
from distnorm.mpi.ranks import world

pytestmark = pytest.mark.mpi
backends = pytest.mark.parametrize("backend", ["inplace", "pynest"])

LOW, HIGH, NUMBER = 0.45, 1.1, 12


def network():
    reset(virtual_processes=2 * nest.num_processes)
    population = nest.Create("iaf_psc_delta", 40)
    synapse = {"synapse_model": "stdp_synapse", "Wmax": 5.0, "weight": nest.random.uniform(0.4, 1.0)}
    nest.Connect(population, population, {"rule": "fixed_indegree", "indegree": NUMBER}, synapse)


def by_target():
    """Rows of weights by local target, shape (targets, NUMBER)."""
    found = distnorm.connections("stdp_synapse")
    return np.array(found["weight"]).reshape(-1, NUMBER)


def over_all_ranks(values):
    parts = world(nest.build_info["have_mpi"]).gather(np.asarray(values))
    return world(nest.build_info["have_mpi"]).from_first(lambda: np.concatenate(parts))


def subtracted(weights, target_norm):
    return np.clip(weights - (weights.sum(axis=1, keepdims=True) - target_norm) / NUMBER, LOW, HIGH)


def multiplied(weights, target_norm):
    return np.clip(weights * target_norm / weights.sum(axis=1, keepdims=True), LOW, HIGH)


@backends
@pytest.mark.parametrize(("mode", "formula"), [("subtractive", subtracted), ("multiplicative", multiplied)])
@pytest.mark.parametrize("target_norm", [7.0, 11.0])
def test_the_published_formula(backend, mode, formula, target_norm, caplog):
    network()
    rule = distnorm.Rule("stdp_synapse", target_norm=target_norm, mode=mode, w_min=LOW, w_max=HIGH, bounds="clip")
    normalizer = distnorm.Normalizer(rule, interval=10.0, backend=backend)
    for _ in range(3):
        expected = formula(by_target(), target_norm)
        drift = normalizer.normalize().drifts[0]
        np.testing.assert_allclose(by_target(), expected, rtol=1e-14)
        every = over_all_ranks(expected)
        off = np.abs(every.sum(axis=1) / target_norm - 1)
        assert drift.clipped_off == (off > 1e-12).sum() > 0
        assert drift.clipped_off_max == pytest.approx(off.max(), rel=1e-9)
        assert drift.at_bound == ((every == LOW) | (every == HIGH)).sum()
    if nest.Rank() == 0:
        assert caplog.text.count("norms are off by up to") == 1


@backends
def test_without_a_weight_at_a_limit_the_norm_is_met(backend):
    network()
    rule = distnorm.Rule("stdp_synapse", target_norm=8.4, w_min=0.01, w_max=4.0, bounds="clip")
    normalizer = distnorm.Normalizer(rule, interval=10.0, backend=backend)
    drift = normalizer.normalize().drifts[0]
    np.testing.assert_allclose(by_target().sum(axis=1), 8.4, rtol=1e-13)
    assert drift.clipped_off == drift.at_bound == 0


def test_only_above_leaves_the_others_but_inside_their_limits():
    network()
    rule = distnorm.Rule("stdp_synapse", target_norm=8.4, w_min=LOW, only="above", bounds="clip")
    before = by_target()
    distnorm.Normalizer(rule, interval=10.0).normalize()
    sums = before.sum(axis=1, keepdims=True)
    expected = np.maximum(np.where(sums > 8.4, before * 8.4 / sums, before), LOW)
    np.testing.assert_allclose(by_target(), expected, rtol=1e-14)


def test_no_bound_of_the_drift_goes_with_it():
    network()
    rule = distnorm.Rule("stdp_synapse", target_norm=8.4, w_min=LOW, bounds="clip")
    with pytest.raises(distnorm.RuleError, match='bounds="clip"; give a fixed interval'):
        distnorm.Normalizer(rule, interval=distnorm.AdaptiveInterval(0.05))

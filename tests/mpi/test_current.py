"""Norms of weights that are brought up to date, on any number of ranks."""

import math

import nest
import numpy as np
import pytest
from networks import network, reset
from plastic import NEURONS, WITHOUT_TRACE, plastic_network, status_of

import distnorm

pytestmark = [pytest.mark.mpi, pytest.mark.timeout(300)]


@pytest.mark.parametrize("model", WITHOUT_TRACE)
def test_models_without_a_trace_can_only_be_read(model):
    plastic_network(model)
    with pytest.raises(distnorm.RuleError, match=r"keeps no trace .* observe=True"):
        distnorm.bring_up_to_date(model)
    rule = distnorm.Rule(model, target_norm=9.0, weights="current")
    with pytest.raises(distnorm.RuleError, match="keeps no trace"):
        distnorm.Normalizer(rule, interval=10.0).simulate(10.0)
    normalizer = distnorm.Normalizer(rule, interval=10.0, observe=True)
    normalizer.simulate(50.0)
    assert normalizer.log[-1].drifts[0].targets == NEURONS


def current_norms(model):
    """Of the targets of this rank, by plain numpy."""
    connections, status = status_of(model)
    norms = {}
    for target, weight in zip(status["target"].tolist(), distnorm.current_weights(connections), strict=True):
        norms.setdefault(target, []).append(abs(weight))
    return {target: math.fsum(sizes) for target, sizes in norms.items()}


RULES_WITH_CURRENT = {
    "l1": {},
    "l2": {"norm": "l2", "target_norm": 2.0},
    "bounds": {"w_max": 0.6},
    "subtractive": {"mode": "subtractive"},
    "adaptive": {},
}


@pytest.mark.parametrize("case", RULES_WITH_CURRENT)
@pytest.mark.parametrize("model", ["stdp_synapse", "stdp_triplet_synapse", "clopath_synapse"])
def test_the_norm_of_current_weights_is_its_target(model, case):
    plastic_network(model)
    rule = distnorm.Rule(model, weights="current", **{"target_norm": 10.0, **RULES_WITH_CURRENT[case]})
    interval = distnorm.AdaptiveInterval(bound=0.05) if case == "adaptive" else 20.0
    normalizer = distnorm.Normalizer(rule, interval=interval)
    normalizer.simulate(200.0)
    normalizer.normalize()
    if case == "l2":
        connections, status = status_of(model)
        sums = np.bincount(status["target"].astype(int), distnorm.current_weights(connections) ** 2)
        norms = np.sqrt(sums[sums > 0])
    else:
        norms = np.array(list(current_norms(model).values()))
    assert np.abs(norms / rule.target_norm - 1).max(initial=0.0) <= 1e-12
    # Everything is up to date, so stored weights are the same now.
    connections, status = status_of(model)
    assert np.array_equal(distnorm.current_weights(connections), status["weight"])


def test_observing_reports_both():
    plastic_network("stdp_synapse")
    nest.Simulate(300.0)
    stored, current = (
        distnorm.Normalizer(
            distnorm.Rule("stdp_synapse", target_norm=10.0, weights=weights), interval=100.0, observe=True
        ).normalize()
        for weights in ("stored", "current")
    )
    assert stored.drifts[0].max == current.other_weights[0].max
    assert current.drifts[0].max == stored.other_weights[0].max
    assert stored.drifts[0].mean != current.drifts[0].mean


@pytest.mark.parametrize(
    ("model", "reason"),
    [("stdp_dopamine_synapse", "dopamine, too"), ("eprop_synapse", "its optimizer")],
)
def test_refused_with_the_reason(model, reason):
    reset()
    network([model])
    with pytest.raises(distnorm.RuleError, match=reason):
        distnorm.Normalizer(distnorm.Rule(model, target_norm=9.0, weights="current"), interval=10.0).simulate(10.0)
    with pytest.raises(distnorm.RuleError, match=reason):
        distnorm.current_weights(nest.GetConnections(synapse_model=model))


def test_refused_through_pynest():
    plastic_network("stdp_synapse")
    rule = distnorm.Rule("stdp_synapse", target_norm=9.0, weights="current")
    with pytest.raises(distnorm.RuleError, match="the compiled kernel alone"):
        distnorm.Normalizer(rule, interval=10.0, backend="pynest").simulate(10.0)

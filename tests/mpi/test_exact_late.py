"""Norms that models hold, on any number of ranks: of neurons made after the first measurement, from their first spike
on; and of current weights, at audits.
"""

import nest
import numpy as np
import pytest
from networks import norms_by_target, reset
from plastic import plastic_network, status_of

import distnorm

pytestmark = [pytest.mark.mpi, pytest.mark.timeout(600)]  # the first test may compile the models

STDP = "stdp_synapse"


@pytest.mark.parametrize(("wanted", "late_norm"), [({"target_norm": 4.0}, 4.0), ({"target_norm": "initial"}, 3.5)])
def test_neurons_made_later_on_any_rank(wanted, late_norm):
    reset(virtual_processes=2 * nest.num_processes)
    distnorm.install_models(replace=STDP)
    nest.SetDefaults(STDP, {"lambda": 1e-2, "delay": 1.5})
    nest.SetDefaults("static_synapse", {"delay": 1.5})
    noise = nest.Create("poisson_generator", params={"rate": 18_000.0})
    first = nest.Create("iaf_psc_delta", 30)
    spec = {"synapse_model": STDP, "weight": 0.5}
    nest.Connect(first, first, {"rule": "fixed_indegree", "indegree": 7}, spec)
    nest.Connect(noise, first)
    normalizer = distnorm.Normalizer(distnorm.Rule(STDP, **wanted), interval=distnorm.ExactInterval(audit_ms=1e4))
    normalizer.simulate(30.0)
    late = nest.Create("iaf_psc_delta")  # on one rank
    later = nest.Create("iaf_psc_delta", 9)
    nest.Connect(noise, late + later)
    nest.Connect(first, late + later, {"rule": "fixed_indegree", "indegree": 7}, spec)
    for _ in range(3):
        normalizer.simulate(30.0)
        norms = list(norms_by_target((STDP,)).values())
        assert norms == pytest.approx([late_norm] * len(norms), rel=1e-12)
    assert len(normalizer.log) == 1
    audit = normalizer.normalize().drifts[0]
    assert audit.targets == 40 and audit.max < 1e-12


def test_exact_norms_are_of_current_weights_at_audits():
    plastic_network("stdp_synapse_normalized")
    rule = distnorm.Rule("stdp_synapse_normalized", target_norm=10.0, weights="current")
    normalizer = distnorm.Normalizer(rule, interval=distnorm.ExactInterval(audit_ms=50.0))
    for simulate_ms, ahead in ((100.0, False), (25.0, True), (25.0, False)):
        normalizer.simulate(simulate_ms)
        connections, status = status_of("stdp_synapse_normalized")
        for weights in (status["weight"], distnorm.current_weights(connections)):
            sums = np.bincount(status["target"].astype(int), weights)
            errors = np.abs(sums[sums > 0] / 10.0 - 1)
            is_current = ahead and weights is not status["weight"]
            assert (errors.min(initial=1.0) > 1e-4) if is_current else (errors.max(initial=0.0) <= 1e-12)

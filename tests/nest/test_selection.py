"""Which connections a rule takes: receptor types, and targets that are close enough already."""

import nest
import numpy as np
import pytest
from networks import TARGET_NORM, connections, network, norms_by_target, reset

import distnorm

BACKENDS = ["inplace", "pynest"]


def receptors():
    """Two neurons with two receptor types, three connections of 1, 2 and 4 onto each, the last two of type 2."""
    reset()
    neurons = nest.Create("iaf_psc_exp_multisynapse", 2, {"tau_syn": [2.0, 5.0]})
    for receptor, weights in ((1, [1.0]), (2, [2.0, 4.0])):
        for weight in weights:
            syn_spec = {"synapse_model": "stdp_synapse", "weight": weight, "receptor_type": receptor}
            nest.Connect(neurons, neurons, "one_to_one", syn_spec)


@pytest.mark.parametrize("backend", BACKENDS)
def test_receptor_types_have_norms_of_their_own(backend):
    receptors()
    rules = [distnorm.Rule("stdp_synapse", receptor_type=kind, target_norm=norm) for kind, norm in ((1, 3.0), (2, 9.0))]
    distnorm.Normalizer(rules, backend=backend).normalize()
    assert np.array_equal(connections(["stdp_synapse"])[2], [3.0, 3.0, 6.0] * 2)


@pytest.mark.parametrize("backend", BACKENDS)
def test_several_receptor_types_enter_one_norm(backend):
    receptors()
    distnorm.Normalizer(
        distnorm.Rule("stdp_synapse", receptor_type=[1, 2], target_norm=14.0), backend=backend
    ).normalize()
    assert np.array_equal(connections(["stdp_synapse"])[2], [2.0, 4.0, 8.0] * 2)


def test_rules_that_share_a_receptor_type_are_refused():
    receptors()
    rules = [distnorm.Rule("stdp_synapse", receptor_type=kind, target_norm=1.0) for kind in (2, [1, 2])]
    with pytest.raises(distnorm.RuleError, match="both normalize 'stdp_synapse'"):
        distnorm.Normalizer(rules)


@pytest.mark.parametrize("backend", BACKENDS)
def test_targets_within_the_tolerance_keep_their_weights(backend):
    reset()
    network()
    before = norms_by_target(["stdp_synapse"])
    drifts = {target: abs(norm / TARGET_NORM - 1) for target, norm in before.items()}
    tolerance = float(np.median(list(drifts.values())))
    distnorm.Normalizer(
        distnorm.Rule("stdp_synapse", target_norm=TARGET_NORM, tolerance=tolerance), backend=backend
    ).normalize()
    for target, norm in norms_by_target(["stdp_synapse"]).items():
        assert norm == before[target] if drifts[target] <= tolerance else abs(norm / TARGET_NORM - 1) <= 1e-12


def test_where_none_is_farther_nothing_is_written(monkeypatch):
    reset()
    network()
    normalizer = distnorm.Normalizer(distnorm.Rule("stdp_synapse", target_norm=TARGET_NORM, tolerance=0.01))
    normalizer()
    kernel, written = normalizer._loop.kernel, []
    run = kernel.dn_run_passes
    monkeypatch.setattr(kernel, "dn_run_passes", lambda *passes: written.append(passes) or run(*passes))
    assert normalizer().normalized and not written
    one = nest.GetConnections(synapse_model="stdp_synapse")[0]
    one.weight += 0.1 * TARGET_NORM
    assert normalizer().normalized and len(written) == 1

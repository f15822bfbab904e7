"""Weights beyond the limits of their synapse's model, and norms that begin near zero: counted over ranks, said once."""

import logging

import nest
import numpy as np
import pytest
from networks import neuron_model, reset, write_weights

import distnorm
from distnorm.mpi.ranks import world

pytestmark = pytest.mark.mpi
backends = pytest.mark.parametrize("backend", ["inplace", "pynest"])

# A model, limits of its weights, and their range before.
MODELS = [
    ("clopath_synapse", {"Wmin": 1.45, "Wmax": 32.0}, (1.5, 4.0)),
    ("clopath_synapse_hpc", {"Wmin": 0.5, "Wmax": 2.0}, (0.6, 1.9)),
    ("clopath_synapse", {"Wmin": -3.0, "Wmax": -0.5}, (-2.9, -0.6)),
    ("clopath_synapse_lbl", {"Wmin": -3.0, "Wmax": 0.0}, (-2.9, -0.1)),
    ("stdp_dopamine_synapse", {"Wmin": 1.0, "Wmax": 4.0}, (1.1, 3.9)),
    ("stdp_dopamine_synapse", {"Wmin": -4.0, "Wmax": -1.0}, (-3.9, -1.1)),
    ("stdp_dopamine_synapse_hpc", {"Wmin": -2.0, "Wmax": 1.0}, (-1.9, 0.9)),
    ("eprop_synapse_bsshslm_2020", {"Wmin": -1.0, "Wmax": 0.5}, (-0.9, 0.4)),
    ("stdp_synapse", {"Wmax": -1.0}, (-0.9, -0.1)),
    ("jonke_synapse", {"Wmax": 1.0}, (0.1, 0.9)),
]


def network(model, limits, least, most, targets=20):
    reset()
    population = nest.Create(neuron_model([model]), targets)
    if model.startswith("stdp_dopamine"):
        limits = {**limits, "volume_transmitter": nest.Create("volume_transmitter")}
    if model.startswith("eprop"):
        limits = {"optimizer": limits}
    nest.CopyModel(model, "limited", {"weight": (least + most) / 2, **limits})
    delay = nest.resolution if model.startswith("eprop") else 1.5
    syn = {"synapse_model": "limited", "delay": delay}
    nest.Connect(population, population, {"rule": "fixed_indegree", "indegree": 8, "allow_multapses": False}, syn)
    write_weights("limited", lambda *ids: np.random.default_rng([ids[0], ids[1]]).uniform(least, most))
    return population


def weights():
    found = nest.GetConnections(synapse_model="limited")
    return np.atleast_1d(np.array(found.get("weight"))) if len(found) else np.zeros(0)


def over_all_ranks(*numbers):
    """Sums over the ranks; None but on the first."""
    everyone = world(nest.build_info["have_mpi"]).gather([int(each) for each in numbers])
    return None if everyone is None else np.sum(everyone, axis=0).tolist()


@backends
@pytest.mark.parametrize(("model", "limits", "weight"), MODELS, ids=str)
@pytest.mark.parametrize("times", [0.6, 1.7])
def test_weights_beyond_their_limits_are_counted_and_said_once(backend, model, limits, weight, times, caplog):
    network(model, limits, *weight)
    rule = distnorm.Rule("limited", mean_weight=times * abs(sum(weight)) / 2)
    normalizer = distnorm.Normalizer(rule, backend=backend)
    if model.startswith("eprop") and backend == "pynest" and times > 1:
        before = weights()
        with pytest.raises(distnorm.RuleError, match=r"weights would be normalized beyond Wmin or Wmax"):
            normalizer.normalize()
        assert np.array_equal(before, weights())
        return
    with caplog.at_level(logging.WARNING):
        drift = normalizer.normalize().drifts[0]
        after = weights()
        normalizer.normalize()
    above, below = after > limits["Wmax"], after < limits.get("Wmin", -np.inf)
    if "Wmin" not in limits:
        above = np.abs(after) > abs(limits["Wmax"])
    expected = over_all_ranks(above.sum(), below.sum())
    if expected is None:
        assert not caplog.text
    else:
        assert [drift.above_wmax, drift.below_wmin] == expected
        assert [caplog.text.count("more than their synapse's Wmax"), caplog.text.count("synapse's Wmin")] == [
            int(each > 0) for each in expected
        ]


@backends
@pytest.mark.parametrize(("model", "limits", "weight"), [each for each in MODELS if "Wmin" in each[1]], ids=str)
def test_a_rule_keeps_weights_between_the_limits_of_the_model(backend, model, limits, weight):
    network(model, limits, *weight)
    rule = distnorm.Rule("limited", mean_weight=1.2 * abs(sum(weight)) / 2, w_min="Wmin", w_max="Wmax")
    drift = distnorm.Normalizer(rule, backend=backend).normalize().drifts[0]
    after = weights()
    assert (after >= limits["Wmin"]).all() and (after <= limits["Wmax"]).all()
    assert (drift.above_wmax, drift.below_wmin) == (0, 0)


@backends
@pytest.mark.parametrize(
    ("model", "limits", "start"),
    [
        ("vogels_sprekeler_synapse", {"Wmax": -30_000.0}, -1e-7),
        ("stdp_synapse", {"Wmax": 2.0}, 1e-4),
        ("stdp_synapse_hom", {"Wmax": 2.0}, 0.0),
        ("clopath_synapse", {"Wmin": -50.0, "Wmax": 0.0}, -1e-5),
    ],
)
def test_initial_norms_of_almost_nothing_are_counted_and_said_once(backend, model, limits, start, caplog):
    """But not those of targets with an ordinary weight."""
    network(model, limits, start, start)
    ordinary = (limits["Wmax"] or limits["Wmin"]) / 100
    write_weights("limited", lambda _, target, weight: ordinary if target % 4 == 0 else weight)
    normalizer = distnorm.Normalizer(distnorm.Rule("limited", target_norm="initial"), backend=backend)
    with caplog.at_level(logging.WARNING):
        drift = normalizer.normalize().drifts[0]
        normalizer.normalize()
    assert drift.near_zero == 15
    assert caplog.text.count('15 targets have an "initial" norm') == (nest.Rank() == 0)


@backends
def test_a_norm_that_was_given_and_ordinary_initial_norms_are_not_near_zero(backend):
    network("stdp_synapse", {}, 0.02, 0.04)  # of NEST's own Wmax, 100
    assert (
        distnorm.Normalizer(distnorm.Rule("limited", target_norm="initial"), backend=backend)
        .normalize()
        .drifts[0]
        .near_zero
        == 0
    )
    network("stdp_synapse", {"Wmax": 30_000.0}, 0.02, 0.04)
    assert (
        distnorm.Normalizer(distnorm.Rule("limited", target_norm=1.0), backend=backend).normalize().drifts[0].near_zero
        == 0
    )
    network("static_synapse", {}, 1e-9, 1e-8)  # no limit
    assert (
        distnorm.Normalizer(distnorm.Rule("limited", target_norm="initial"), backend=backend)
        .normalize()
        .drifts[0]
        .near_zero
        == 0
    )

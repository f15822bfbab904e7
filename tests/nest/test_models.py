"""Each synapse model and variant that the kernel knows: connected, simulated, normalized, checked by numpy."""

import nest
import numpy as np
import pytest
from networks import TARGET_NORM, connections, network, norms_by_target, reset

import distnorm
from distnorm.synapses.synapse_models import SYNAPSE_MODELS

VARIANTS = [
    model.name + variant
    for model in SYNAPSE_MODELS
    for variant in ("", "_hpc", "_lbl")
    if model.name + variant in nest.synapse_models  # e-prop has no labels, and a reduced NEST less
]


def normalized(model, backend, power_name="l1"):
    reset(virtual_processes=2)
    network([model], neurons=40)
    normalizer = distnorm.Normalizer(
        distnorm.Rule(model, norm=power_name, target_norm=TARGET_NORM), interval=20.0, backend=backend
    )
    normalizer.simulate(60.0)
    return normalizer


@pytest.mark.parametrize("norm", ["l1", "l2"])
@pytest.mark.parametrize("model", VARIANTS)
def test_normalized_in_place(model, norm):
    normalizer = normalized(model, "inplace", norm)
    assert normalizer.log[0].drift_max > 0.01
    found = norms_by_target([model], normalizer.rules[0].power).values()
    errors = [abs(value / TARGET_NORM - 1) for value in found if value > 0]
    assert len(found) == 40 and len(errors) == normalizer.log[-1].drifts[0].targets > 20
    assert max(errors) <= 1e-12


@pytest.mark.parametrize("model", VARIANTS)
def test_the_table_has_the_limits_that_each_connection_has_for_itself(model):
    reset()
    network([model], neurons=20)
    status = nest.GetConnections(synapse_model=model)[0].get()
    (limits,) = [each.limits for each in SYNAPSE_MODELS if each.name == model.removesuffix("_hpc").removesuffix("_lbl")]
    assert {name for name in ("Wmin", "Wmax") if name in status} == set(limits.split())


@pytest.mark.parametrize("model", VARIANTS)
def test_the_same_through_pynest(model):
    normalized(model, "inplace")
    in_place = connections([model])
    normalized(model, "pynest")
    assert all(np.array_equal(a, b) for a, b in zip(in_place, connections([model]), strict=True))


def test_copied_models_are_normalized_under_their_own_name():
    reset()
    nest.CopyModel("stdp_synapse", "first")
    nest.CopyModel("stdp_synapse", "second", {"Wmax": 50.0})
    network(["first", "second"])
    before = connections(["second"])[2]
    distnorm.Normalizer(distnorm.Rule("first", target_norm=TARGET_NORM), backend="inplace").normalize()
    assert np.array_equal(before, connections(["second"])[2])
    assert all(abs(value / TARGET_NORM - 1) <= 1e-12 for value in norms_by_target(["first"]).values())


def test_more_threads_after_a_reset():
    for threads in (1, 3):
        reset(virtual_processes=threads)
        network()
        normalizer = distnorm.Normalizer(distnorm.Rule("stdp_synapse", target_norm=TARGET_NORM), backend="inplace")
        normalizer.simulate(100.0)
        assert all(abs(value / TARGET_NORM - 1) <= 1e-12 for value in norms_by_target(["stdp_synapse"]).values())


@pytest.mark.parametrize("model", [model for model in VARIANTS if model.startswith("eprop")])
def test_an_optimizer_keeps_the_weight_that_was_written(model):
    reset()
    nest.SetDefaults(model, {"optimizer": {"eta": 0.0}})
    network([model])
    nest.Simulate(50.0)
    distnorm.Normalizer(distnorm.Rule(model, target_norm=TARGET_NORM), backend="inplace").normalize()
    written = connections([model])[2]
    nest.Simulate(50.0)
    assert nest.local_spike_counter > 100 and np.array_equal(written, connections([model])[2])

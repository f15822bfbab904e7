"""Models that hold norms: their parents without a rule or without learning, and the slice rule with both."""

import nest
import numpy as np
import pytest
from networks import NEURONS, network, norms_by_target, reset

import distnorm
from distnorm.synapses.synapse_models import PLASTIC_AT_SPIKES

pytestmark = pytest.mark.timeout(600)  # the first test may compile the models

MODELS = tuple(model for model in PLASTIC_AT_SPIKES if model in nest.synapse_models)
VARIANTS = tuple(model + variant for model in MODELS for variant in ("", "_hpc", "_lbl"))
NO_LEARNING = {
    "stdp_triplet_synapse": {"Aplus": 0.0, "Aminus": 0.0, "Aplus_triplet": 0.0, "Aminus_triplet": 0.0},
    "stdp_dopamine_synapse": {"A_plus": 0.0, "A_minus": 0.0},
    "vogels_sprekeler_synapse": {"eta": 0.0},
    "clopath_synapse": {},  # its neuron learns
    "jonke_synapse": {"lambda": 0.0, "Wmax": 128.0},
    "stdp_pl_synapse_hom": {"lambda": 0.0},
}
SLOW = {
    "stdp_triplet_synapse": {"Aplus": 1e-4, "Aminus": 1e-4, "Aplus_triplet": 1e-4, "Aminus_triplet": 1e-4},
    "stdp_dopamine_synapse": {"A_plus": 0.01, "A_minus": 0.015},
    "vogels_sprekeler_synapse": {"Wmax": 10.0},
    "clopath_synapse": {},
    "stdp_pl_synapse_hom": {"lambda": 0.01},
}


def normalized(model):
    base = next(base for base in sorted(MODELS, key=len, reverse=True) if model.startswith(base))
    return model.replace(base, f"{base}_normalized")


def base_of(model):
    return model.removesuffix("_hpc").removesuffix("_lbl")


LITTLE = {"lambda": 1e-3}


def simulate(model, parameters, rule=None, time_ms=60.0, threads=1, pieces=None):
    """Spikes (senders, times) and sorted weights after simulating; the Normalizer, if there is a rule."""
    reset(virtual_processes=threads)
    distnorm.install_models()
    nest.SetDefaults(model, parameters)
    population = network((model,))
    if model.startswith("clopath"):
        population.I_e = [700.0 + 20 * i for i in range(NEURONS)]  # pA
        if parameters is NO_LEARNING["clopath_synapse"]:
            population.set(A_LTD=0.0, A_LTP=0.0)
    recorder = nest.Create("spike_recorder")
    nest.Connect(population, recorder)
    normalizer = None
    if rule is None:
        nest.Simulate(time_ms)
    else:
        normalizer = distnorm.Normalizer(rule(model), interval=distnorm.ExactInterval(audit_ms=30.0))
        for piece in pieces or [time_ms]:
            normalizer.simulate(piece)
    events = recorder.events
    order = np.lexsort((events["times"], events["senders"]))
    found = nest.GetConnections(synapse_model=model)
    status = found.get(["source", "target", "weight"])
    weights = sorted(zip(status["source"], status["target"], status["weight"], strict=True))
    return np.stack((events["senders"], events["times"]))[:, order], np.array(weights), normalizer


def initial(model):
    return distnorm.Rule(model, target_norm="initial")


@pytest.mark.parametrize("model", VARIANTS)
def test_without_a_rule_each_is_its_parent(model):
    learning = SLOW.get(base_of(model), LITTLE)
    spikes, weights, _ = simulate(model, learning)
    same_spikes, same_weights, _ = simulate(normalized(model), learning)
    assert len(np.unique(weights[:, 2] - np.round(weights[:, 2], 3))) > 10
    assert np.array_equal(spikes, same_spikes)
    if model.startswith("clopath"):  # a sum of simultaneous inputs in another order, and the voltage's last bits matter
        assert np.allclose(weights, same_weights, rtol=1e-9)
    else:
        assert np.array_equal(weights, same_weights)


@pytest.mark.parametrize("model", VARIANTS)
def test_without_learning_each_gives_its_parents_spikes(model):
    none = NO_LEARNING.get(base_of(model), {"lambda": 0.0, "Wmax": 128.0})
    spikes, weights, _ = simulate(model, none)
    same_spikes, same_weights, _ = simulate(normalized(model), none, initial)
    assert spikes.shape[1] > NEURONS / 2
    assert np.array_equal(spikes, same_spikes) and np.array_equal(weights, same_weights)


@pytest.mark.parametrize("norm", ["l1", "l2"])
@pytest.mark.parametrize("model", VARIANTS)
def test_norms_hold_while_weights_change(model, norm):
    power = {"l1": 1, "l2": 2}[norm]

    def rule(name):
        return distnorm.Rule(name, norm=norm, target_norm=7.5)

    _, _, normalizer = simulate(normalized(model), SLOW.get(base_of(model), LITTLE), rule, threads=2)
    norms = norms_by_target((normalized(model),), power)
    assert len(norms) == NEURONS and max(abs(value / 7.5 - 1) for value in norms.values()) < 1e-13
    assert all(measurement.drift_max < 1e-12 for measurement in normalizer.log[1:])
    assert max(measurement.within_slices[0].max for measurement in normalizer.log) > 1e-6


def test_where_a_simulate_is_cut_does_not_matter():
    model = normalized("stdp_dopamine_synapse_hpc")
    parameters = SLOW["stdp_dopamine_synapse"]
    whole = simulate(model, parameters, initial)
    cut = simulate(model, parameters, initial, pieces=[0.4, 0.3, 0.8, 10.1, 3.4, 45.0])
    assert np.array_equal(whole[0], cut[0]) and np.array_equal(whole[1], cut[1])

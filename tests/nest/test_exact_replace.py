"""NEST's own models replaced by those that hold norms, under their own names."""

import nest
import numpy as np
import pytest
from networks import NEURONS, network, norms_by_target, reset

import distnorm
from distnorm.synapses.normalized import replace_models
from distnorm.synapses.synapse_models import PLASTIC_AT_SPIKES

pytestmark = pytest.mark.timeout(600)  # the first test may compile the models

VARIANTS = tuple(
    model + variant for model in PLASTIC_AT_SPIKES if model in nest.synapse_models for variant in ("", "_hpc", "_lbl")
)
STDP = "stdp_synapse"
NORM = 9.0


def rule(*models):
    return distnorm.Rule(models or STDP, target_norm=NORM)


def off_target(*models):
    return max(abs(value / NORM - 1) for value in norms_by_target(models).values())


def defaults_of(model):
    """Some defaults of a model, unlike those that it has at first."""
    learning = {"lambda": 1e-3, "eta": 1e-3, "Aplus": 1e-4, "A_plus": 0.01, "tau_x": 14.0}
    known = nest.GetDefaults(model)
    changed = {key: value for key, value in learning.items() if key in known}
    return changed | {"weight": 0.75, "delay": 1.5} | ({"synapse_label": 3} if model.endswith("_lbl") else {})


def simulate(model, replace):
    """Spikes and weights of a model after 60 ms, and its defaults."""
    reset(virtual_processes=2)
    nest.SetDefaults(model, defaults_of(model))
    if replace:
        distnorm.install_models(replace=model)
    defaults = nest.GetDefaults(model)
    population = network((model,))
    if model.startswith("clopath"):
        population.I_e = [700.0 + 20 * i for i in range(NEURONS)]  # pA
    recorder = nest.Create("spike_recorder")
    nest.Connect(population, recorder)
    nest.Simulate(60.0)
    events = recorder.events
    spikes = sorted(zip(events["senders"], events["times"], strict=True))
    found = nest.GetConnections(synapse_model=model).get(["source", "target", "weight"])
    return spikes, np.array(sorted(zip(*found.values(), strict=True))), defaults


def sorted_by_nest(model, replace):
    """Connections as NEST sorts them, many to a pair, and potentials, which hang on the order of what arrives."""
    reset(virtual_processes=2)
    if replace:
        distnorm.install_models(replace=model)
    population = network((model,), neurons=20, indegree=300, drive=12_000.0)
    recorder = nest.Create("multimeter", params={"record_from": ["V_m"]})
    nest.Connect(recorder, population)
    nest.Simulate(30.0)
    found = nest.GetConnections(synapse_model=model).get(["target_thread", "port", "source", "target", "weight"])
    events = recorder.events
    order = np.lexsort((events["senders"], events["times"]))
    return np.array(sorted(zip(*found.values(), strict=True))), events["V_m"][order]


@pytest.mark.parametrize("model", VARIANTS)
def test_many_connections_between_a_pair_are_sorted_as_those_of_the_parent(model):
    connections, potentials = sorted_by_nest(model, False)
    for _ in range(2):
        of_twin = sorted_by_nest(model, True)
        assert np.array_equal(connections, of_twin[0]) and np.array_equal(potentials, of_twin[1])


@pytest.mark.parametrize("model", VARIANTS)
def test_without_a_rule_a_replaced_model_is_as_before(model):
    spikes, weights, defaults = simulate(model, False)
    same_spikes, same_weights, same_defaults = simulate(model, True)
    assert defaults == same_defaults and defaults["weight"] == 0.75
    assert len(spikes) > NEURONS / 2 and spikes == same_spikes
    assert np.allclose(weights, same_weights, rtol=1e-9 if model.startswith("clopath") else 0, atol=0)


@pytest.mark.parametrize("variant", ["", "_hpc", "_lbl"])
def test_a_replaced_model_and_its_copies_hold_norms(variant):
    model = STDP + variant
    reset(virtual_processes=2)
    before = set(nest.synapse_models)
    nest.CopyModel(model, "early", {"lambda": 1e-3, "Wmax": 64.0, "receptor_type": 0})
    distnorm.install_models(replace=[model, "early"])
    nest.CopyModel(model, "late", {"lambda": 1e-3, "Wmax": 64.0})
    nest.CopyModel("late", "last")
    models = (model, "early", "late", "last")
    ids = [nest.GetDefaults(each, "synapse_modelid") for each in models]
    assert len(set(ids)) == 4 and set(models[1:]).isdisjoint(before)
    assert all(nest.GetDefaults(each, "Wmax") == 64.0 for each in models[1:])
    network(models)
    normalizer = distnorm.Normalizer([rule(each) for each in models], interval=distnorm.ExactInterval(audit_ms=20.0))
    with normalizer.attached():
        nest.Simulate(60.0)
    assert max(off_target(each) for each in models) < 1e-13
    assert max(measurement.drift_max for measurement in normalizer.log[1:]) < 1e-12


@pytest.mark.parametrize("threads", [1, 3])
def test_it_is_replaced_until_a_reset(threads):
    for _ in range(2):
        reset(virtual_processes=threads)
        distnorm.install_models()
        distnorm.install_models(replace=[STDP])
        distnorm.install_models(replace=STDP)  # once more: as it is
        nest.SetDefaults(STDP, {"lambda": 1e-3})
        network()
        normalizer = distnorm.Normalizer(rule(), interval=distnorm.ExactInterval())
        normalizer.simulate(30.0)
        assert off_target(STDP) < 1e-13
    reset()
    network()
    with pytest.raises(distnorm.RuleError, match=r"'stdp_synapse' does not hold.*install_models\(replace=\['stdp_sy"):
        distnorm.Normalizer(rule(), interval=distnorm.ExactInterval()).normalize()


def test_connections_that_exist_are_refused():
    reset()
    distnorm.install_models()
    network()
    with pytest.raises(distnorm.RuleError, match=r"'stdp_synapse' has connections already.*before the first"):
        replace_models([STDP])
    replace_models([f"{STDP}_hpc"])  # has none
    nest.Simulate(10.0)
    normalizer = distnorm.Normalizer(rule(), interval=distnorm.ExactInterval())
    with pytest.raises(distnorm.RuleError, match="does not hold norms by itself"), normalizer.attached():
        nest.Simulate(10.0)
    with pytest.raises(distnorm.RuleError, match="before any are made"):
        distnorm.install_models(replace=STDP)


def test_what_cannot_be_replaced_says_why():
    reset()
    nest.CopyModel("static_synapse", "copied")
    for model in ("static_synapse", "copied", "stdp_facetshw_synapse_hom"):
        with pytest.raises(distnorm.RuleError, match=r"cannot (hold norms|be normalized)"):
            distnorm.install_models(replace=model)
    with pytest.raises(distnorm.RuleError, match="no synapse model 'stdp_synapze'; similar"):
        distnorm.install_models(replace=["stdp_synapze"])


def test_connections_that_structural_plasticity_makes_are_held():
    reset()
    nest.set(structural_plasticity_update_interval=5.0, min_delay=1.0, max_delay=1.0)
    distnorm.install_models(replace=STDP)
    nest.CopyModel(STDP, "growing", {"weight": 1.0, "delay": 1.0, "lambda": 1e-3})
    nest.structural_plasticity_synapses = {
        "s": {"synapse_model": "growing", "post_synaptic_element": "den", "pre_synaptic_element": "axon"}
    }
    curve = {"growth_curve": "gaussian", "growth_rate": 0.05, "continuous": False, "eta": 0.0, "eps": 0.08}
    elements = {"den": {**curve, "z": 6.0}, "axon": {**curve, "z": 6.0}}
    population = nest.Create("iaf_psc_alpha", 40, {"I_e": 420.0, "synaptic_elements": elements})
    nest.EnableStructuralPlasticity()
    normalizer = distnorm.Normalizer(rule("growing"), interval=distnorm.ExactInterval(audit_ms=50.0))
    with normalizer.attached():
        for _ in range(3):
            nest.Simulate(100.0)
            assert len(nest.GetConnections(population, population)) > 50 and off_target("growing") < 1e-12

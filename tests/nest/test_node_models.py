"""Node models by their numbers: which are neurons, which repeat spikes, and whatever they are called."""

import nest
import numpy as np
import pytest
from networks import reset

import distnorm
from distnorm.mpi.ranks import world
from distnorm.synapses.access import open_synapses
from distnorm.synapses.node_models import NodeModels

BACKENDS = ["inplace", "pynest"]
NO_NEURONS = {"astrocyte_lr_1994", "gif_pop_psc_exp", "spike_train_injector"}  # and MUSIC's proxies


def weights(model):
    found = nest.GetConnections(synapse_model=model).get(["target", "weight"])
    return np.array(found["target"]), np.array(found["weight"])


def in_order(model):
    """Targets and weights by source and target: GetConnections has the threads in any order."""
    found = nest.GetConnections(synapse_model=model).get(["source", "target", "weight"])
    order = np.lexsort((found["target"], found["source"]))
    return np.array(found["target"])[order], np.array(found["weight"])[order]


def test_what_is_a_neuron():
    reset()
    called_neuron = {name for name in nest.node_models if nest.GetDefaults(name, "element_type") == "neuron"}
    models = NodeModels(nest)
    neurons = {models.names[number] for number in models.neurons.tolist()}
    assert called_neuron - neurons == NO_NEURONS & called_neuron and neurons < called_neuron


def ends_of_stdp():
    """Node models of NEST that a plastic synapse may end at, as NEST itself says by taking the connection."""
    ends = set()
    for name in nest.node_models:
        reset()
        node = nest.Create(name)
        for model in ("stdp_synapse", "eprop_synapse", "eprop_synapse_bsshslm_2020"):
            for receptor in (0, 1):
                try:
                    source = nest.Create("eprop_iaf" if model == "eprop_synapse" else "eprop_iaf_bsshslm_2020")
                    nest.Connect(source, node, syn_spec={"synapse_model": model, "receptor_type": receptor})
                    ends.add(name)
                except Exception:
                    continue
    return ends


def test_nest_ends_plastic_synapses_at_neurons_alone():
    models = NodeModels(nest)
    ends = ends_of_stdp()
    assert "iaf_psc_delta" in ends and ends <= {models.names[number] for number in models.neurons.tolist()}


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("copied", [False, True])
@pytest.mark.parametrize("model", ["astrocyte_lr_1994", "gif_pop_psc_exp"])
def test_weights_onto_what_is_no_neuron_are_left_alone(model, copied, backend):
    reset()
    name = model
    if copied:
        name = "a copy"
        nest.CopyModel(model, name)
    neurons, others = nest.Create("aeif_cond_alpha_astro", 6), nest.Create(name, 5)
    for targets in (neurons, others):
        nest.Connect(neurons, targets, "all_to_all", {"synapse_model": "tsodyks_synapse", "weight": 1.0})
    drift = (
        distnorm.Normalizer(distnorm.Rule("tsodyks_synapse", target_norm=12.0), backend=backend).normalize().drifts[0]
    )
    target, weight = weights("tsodyks_synapse")
    assert (weight[target > 6] == 1.0).all() and (weight[target <= 6] == 2.0).all()
    assert (drift.targets, drift.no_input, drift.connections) == (6, 0, 36)


@pytest.mark.parametrize("backend", BACKENDS)
def test_readouts_of_eprop_are_neurons(backend):
    reset()
    neurons, readouts = nest.Create("eprop_iaf", 4), nest.Create("eprop_readout", 2)
    nest.Connect(neurons, readouts, "all_to_all", {"synapse_model": "static_synapse", "weight": 1.0})
    distnorm.Normalizer(distnorm.Rule("static_synapse", target_norm=2.0), backend=backend).normalize()
    assert (weights("static_synapse")[1] == 0.5).all()


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("model", ["parrot_neuron", "parrot_neuron_ps"])
def test_copies_of_parrots_are_parrots(model, backend):
    reset()
    nest.CopyModel(model, "relay (L2/3)")
    nest.CopyModel("relay (L2/3)", "relay of a relay")
    source, neurons = nest.Create("parrot_neuron", 3), nest.Create("iaf_psc_alpha", 2)
    for targets in (nest.Create("relay (L2/3)", 4), nest.Create("relay of a relay"), neurons):
        nest.Connect(source, targets)
    drift = distnorm.Normalizer(distnorm.Rule("static_synapse", target_norm=3.0), backend=backend).normalize().drifts[0]
    assert (drift.parrots, drift.targets) == (5, 7)


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_model_of_each_target(backend):
    reset()
    nest.CopyModel("iaf_psc_alpha", "model=x, size=3, first=1")
    for name, number in (("iaf_psc_delta", 3), ("model=x, size=3, first=1", 2), ("poisson_generator", 1)):
        nest.Create(name, number)
    nest.Create("iaf_psc_delta", 2)
    (synapses,) = open_synapses(
        nest, [distnorm.Rule("static_synapse", target_norm=1.0)], world(nest.build_info["have_mpi"]), backend
    )
    names = NodeModels(nest).names
    assert [names[number] for number in synapses.target_models().tolist()] == [
        *["iaf_psc_delta"] * 3,
        *["model=x, size=3, first=1"] * 2,
        *["iaf_psc_delta"] * 2,
    ]


@pytest.mark.parametrize("backend", BACKENDS)
def test_labels_of_a_rules_connections(backend):
    reset()
    neurons, astrocytes = nest.Create("aeif_cond_alpha_astro", 4), nest.Create("astrocyte_lr_1994", 3)
    for label, number in ((7, 1), (0, 2)):
        syn = {"synapse_model": "tsodyks_synapse_lbl", "synapse_label": label}
        nest.Connect(neurons[:number], neurons, "all_to_all", syn)
        nest.Connect(neurons, astrocytes, "all_to_all", syn)
    nest.Connect(neurons[:3], neurons, "all_to_all", {"synapse_model": "tsodyks_synapse_lbl"})
    rules = [distnorm.Rule("tsodyks_synapse_lbl", target_norm=1.0, label=each) for each in (None, 0, 5)]
    found = [synapses.labels() for synapses in open_synapses(nest, rules, world(nest.build_info["have_mpi"]), backend)]
    assert found == [{-1: 12, 0: 8, 7: 4}, {0: 8}, {}]


def test_nodes_of_many_models_that_lie_apart():
    """The kernel knows targets by where their nodes lie: between others, of other sizes, and other memory."""
    reset()
    nest.local_num_threads = 2
    rng = np.random.default_rng(5)
    models = ("iaf_psc_delta", "hh_psc_alpha", "parrot_neuron", "iaf_cond_exp", "poisson_generator", "iaf_psc_alpha")
    nodes = [nest.Create(models[i % len(models)], int(rng.integers(1, 60))) for i in range(60)]
    neurons = nest.NodeCollection(sorted(i for each in nodes[0::6] + nodes[1::6] + nodes[3::6] for i in each.tolist()))
    synapse = {"synapse_model": "stdp_synapse", "weight": nest.random.uniform(0.5, 1.5), "delay": 1.5}
    nest.Connect(neurons, neurons, {"rule": "fixed_indegree", "indegree": 7}, synapse)
    more = [nest.Create(model, 1_500) for model in models]  # more than NEST makes room for at once
    nest.Connect(neurons, more[1], {"rule": "fixed_indegree", "indegree": 3}, synapse)
    before = in_order("stdp_synapse")
    chosen = nest.NodeCollection(sorted(neurons.tolist()[::2] + more[1].tolist()[::3]))
    distnorm.Normalizer(distnorm.Rule("stdp_synapse", targets=chosen, target_norm=5.0)).normalize()
    targets, after = in_order("stdp_synapse")
    sums = np.bincount(before[0], before[1])
    is_chosen = np.isin(targets, chosen.tolist())
    assert np.array_equal(before[0], targets) and 0 < is_chosen.sum() < len(targets)
    expected = np.where(is_chosen, before[1] * (5.0 / sums[targets]), before[1])
    assert np.allclose(after, expected, rtol=1e-14, atol=0)
    assert np.array_equal(after[~is_chosen], before[1][~is_chosen])

"""Networks whose weights are behind: plasticity, spikes, delays and multapses; and their recorded spikes."""

import math

import nest
import numpy as np
from networks import reset

import distnorm
from distnorm.mpi.ranks import world

NEURONS, INDEGREE = 60, 20
# Rates of learning that change a weight of 0.5 by some percent in a second.
PARAMETERS = {
    "stdp_synapse": {"lambda": 0.01, "mu_plus": 0.4, "mu_minus": 0.6, "alpha": 1.1, "Wmax": 1.0},
    "stdp_synapse_hom": {"lambda": 0.01, "mu_plus": 0.4, "mu_minus": 0.6, "alpha": 1.1, "Wmax": 1.0},
    "stdp_pl_synapse_hom": {"lambda": 0.01, "mu": 0.4, "alpha": 1.1},
    "stdp_triplet_synapse": {
        "Aplus": 5e-3,
        "Aplus_triplet": 6e-3,
        "Aminus": 7e-3,
        "Aminus_triplet": 2e-4,
        "Wmax": 1.0,
    },
    "stdp_nn_symm_synapse": {"lambda": 0.01, "mu_plus": 0.4, "mu_minus": 0.6, "Wmax": 1.0},
    "stdp_nn_restr_synapse": {"lambda": 0.01, "mu_plus": 0.4, "mu_minus": 0.6, "Wmax": 1.0},
    "stdp_nn_pre_centered_synapse": {"lambda": 0.01, "mu_plus": 0.4, "mu_minus": 0.6, "Wmax": 1.0},
    "vogels_sprekeler_synapse": {"eta": 0.01, "alpha": 0.1, "Wmax": 1.0},
    "jonke_synapse": {"lambda": 0.01, "mu_plus": -0.4, "mu_minus": 0.6, "alpha": 1.1, "beta": 0.01, "Wmax": 1.0},
}
WITHOUT_TRACE = ("stdp_nn_symm_synapse", "stdp_nn_restr_synapse")
TAU_MINUS, TAU_MINUS_TRIPLET = 23.0, 110.0


def plastic_network(model, threads=2):
    """A population at some 20 spikes/s; each neuron's connections have delays of their own, and there are multapses."""
    reset(virtual_processes=threads * nest.num_processes)
    if model.endswith("_normalized"):
        distnorm.install_models()
    nest.SetDefaults(model, PARAMETERS.get(model.removesuffix("_hpc").removesuffix("_normalized"), {}))
    neuron = "aeif_psc_delta_clopath" if model.startswith("clopath") else "iaf_psc_delta"
    population = nest.Create(neuron, NEURONS)
    population.set({"tau_minus": TAU_MINUS})
    if neuron == "iaf_psc_delta":
        population.set({"tau_minus_triplet": TAU_MINUS_TRIPLET})
    noise = nest.Create("poisson_generator", params={"rate": 16_000.0})
    nest.Connect(noise, population, syn_spec={"weight": 1.0, "delay": 1.0})
    nest.Connect(
        population,
        population,
        {"rule": "fixed_indegree", "indegree": INDEGREE, "allow_multapses": True},
        {"synapse_model": model, "weight": nest.random.uniform(0.3, 0.7), "delay": nest.random.uniform(1.0, 8.0)},
    )
    recorder = nest.Create("spike_recorder")
    nest.Connect(population, recorder)
    return population, recorder


def spikes_of(recorder):
    """Times of all ranks' spikes by sender."""
    events = recorder.get("events")
    times = {}
    parts = world(nest.build_info["have_mpi"]).gather((events["senders"].tolist(), events["times"].tolist()))
    for senders, when in world(nest.build_info["have_mpi"]).from_first(lambda: parts):
        for sender, time in zip(senders, when, strict=True):
            times.setdefault(sender, []).append(time)
    return {sender: sorted(when) for sender, when in times.items()}


def status_of(model):
    connections = nest.GetConnections(synapse_model=model)
    keys = ["source", "target", "delay", "weight"]
    columns = connections.get(keys) if len(connections) else {key: [] for key in keys}
    return connections, {key: np.atleast_1d(columns[key]) for key in keys}


def delivered_until():
    """All presynaptic spikes up to here have reached their synapses: one slice ago, at the end of a slice."""
    now, slice_ms = nest.biological_time, nest.min_delay
    slices = math.floor(now / slice_ms + 1e-9)
    return (slices - 1 if abs(now - slices * slice_ms) < 1e-6 else slices) * slice_ms

"""Small networks, and what plain numpy says of weights read with PyNEST: the tests' own yardstick."""

from __future__ import annotations

import math
from collections import defaultdict

import nest
import numpy as np

from distnorm.mpi.ranks import world
from distnorm.synapses.connection_rows import ROW, Connections

NEURONS = 60
INDEGREE = 15
TARGET_NORM = 12.0
DEVICE_WEIGHT = 0.123


def reset(virtual_processes: int | None = None, seed: int = 1) -> None:
    nest.ResetKernel()
    nest.verbosity = nest.VerbosityLevel.ERROR
    nest.rng_seed = seed
    nest.total_num_virtual_procs = virtual_processes or nest.num_processes


def slow_plasticity():
    """A learning rate with which norms of the network's stdp_synapse drift some percent in 10 ms, not manyfold."""
    nest.SetDefaults("stdp_synapse", {"lambda": 1e-5})


def neuron_model(models):
    """A neuron model that the plasticity of the synapse models knows."""
    if any(model.startswith("clopath_synapse") for model in models):
        return "hh_psc_alpha_clopath"
    if any(model.startswith("eprop_synapse") for model in models):
        return "eprop_iaf_bsshslm_2020" if "bsshslm_2020" in models[0] else "eprop_iaf"
    return "iaf_psc_delta"


def network(models=("stdp_synapse",), neurons=NEURONS, indegree=INDEGREE, weight=None, drive=18_000.0):
    """A population that spikes, connections of each model within it, and, if allowed, a device that uses it."""
    population = nest.Create(neuron_model(models), neurons)
    eprop = any(model.startswith("eprop_synapse") for model in models)
    delay = nest.resolution if eprop else 1.5  # as these models demand
    if eprop:
        nest.eprop_update_interval = 10.0
        population.c_reg = 300.0  # firing-rate regularization alone already changes weights
    noise = nest.Create("poisson_generator", params={"rate": drive})
    nest.Connect(noise, population, syn_spec={"weight": 0.15 if eprop else 1.0, "delay": delay})
    for model in models:
        if model.startswith("stdp_dopamine_synapse"):
            transmitter = nest.Create("volume_transmitter")
            nest.Connect(population[:3], transmitter)
            nest.SetDefaults(model, {"volume_transmitter": transmitter})
        nest.Connect(
            population,
            population,
            {"rule": "fixed_indegree", "indegree": indegree, "allow_multapses": True},
            {"synapse_model": model, "weight": weight or nest.random.uniform(0.2, 0.8), "delay": delay},
        )
        if model.startswith("static_synapse"):  # plastic models refuse devices as sources
            spikes_in = nest.Create("spike_generator", params={"spike_times": [5.0, 25.0]})
            nest.Connect(spikes_in, population, syn_spec={"synapse_model": model, "weight": DEVICE_WEIGHT})
    return population


def connections(models):
    """(source, target, weight) of the local connections between neurons, as three arrays, through PyNEST."""
    neurons = set(nest.GetNodes({"element_type": "neuron"}).tolist())
    rows = []
    for model in models:
        found = nest.GetConnections(synapse_model=model)
        if len(found):
            status = found.get(["source", "target", "weight"])
            rows += zip(*(np.atleast_1d(status[key]).tolist() for key in ("source", "target", "weight")), strict=True)
    rows = sorted(row for row in rows if row[0] in neurons and row[1] in neurons)
    return [np.array(column) for column in zip(*rows, strict=True)] if rows else [np.zeros(0)] * 3


def norms_by_target(models, power=1):
    """Norm of each local target's incoming weights, as a dictionary, in plain Python floats."""
    terms = defaultdict(list)
    for _, target, weight in zip(*connections(models), strict=True):
        terms[int(target)].append(abs(weight) ** power)
    return {target: math.fsum(values) ** (1 / power) for target, values in terms.items()}


def device_weights(model):
    """Weights of the connections from devices."""
    devices = nest.GetNodes({"element_type": "stimulator"})
    return nest.GetConnections(source=devices, synapse_model=model).get("weight")


def write_weights(model, new):
    """Write weights as they lie in memory, which NEST does not check: zeros of either sign, for instance.

    Args:
        model: Synapse model.
        new: Called with source, target and weight of each local connection; returns the weight to be written.
    """
    everything = Connections(nest, world(nest.build_info["have_mpi"]), [model])
    number = [each.name for each in everything.models].index(model)
    counts = [everything.count(thread, everything.models[number]) for thread in range(len(everything.virtual))]
    for thread, count in enumerate(counts):
        if not count:
            continue
        rows = np.zeros(count, ROW)
        state = np.zeros((count, len(everything.models[number].state)))
        everything.read(thread, number, 0, rows, state)
        rows["weight"] = [new(*row) for row in rows[["source", "target", "weight"]].tolist()]
        everything.write(thread, number, 0, rows, state)

"""Random networks with multapses, zeros and limits, and their connections as PyNEST tells of them."""

from dataclasses import dataclass

import nest
import numpy as np
from networks import write_weights

PER_CONNECTION = ("stdp_synapse", "stdp_synapse_lbl", "stdp_triplet_synapse", "stdp_synapse_hpc")
COMMON = ("stdp_synapse_hom", "stdp_synapse_hom_hpc")
FREE = ("static_synapse_lbl", "tsodyks2_synapse")
RANGED = ("clopath_synapse",)
KEYS = ("target", "source", "port", "receptor", "weight")
LIMITS = ("Wmin", "Wmax")
RECEPTORS = 3


@dataclass(frozen=True)
class Projection:
    """Connections of one model; arrays by name of a parameter, of shape (n,), and what they have in common."""

    model: str
    sources: np.ndarray
    targets: np.ndarray
    arrays: dict
    common: dict
    zeros: dict  # (source, target) of those whose weights become zero: that zero


@dataclass(frozen=True)
class Plan:
    """A network that can be built again and again."""

    neuron_model: str
    neurons: int
    virtual_processes: int
    projections: list


def plan(rng, processes):
    """A random network of a few neurons; `processes` is the number of ranks."""
    clopath = rng.random() < 0.15
    neuron = "hh_psc_alpha_clopath" if clopath else str(rng.choice(["iaf_psc_delta", "iaf_psc_exp_multisynapse"]))
    known = RANGED + FREE[:1] if clopath else PER_CONNECTION + COMMON + FREE
    if neuron.endswith("multisynapse"):
        known = [model for model in known if not model.endswith("_hpc")]  # NEST has them without receptors
    neurons = int(rng.integers(2, 14))
    scale = float(rng.choice([1.0, 1.0, 1.0, 1.0, 1e-3, 1e5, 1e-170, 1e200]))
    models = rng.choice(known, size=min(int(rng.integers(1, 4)), len(known)), replace=False).tolist()
    projections = [_projection(rng, model, neurons, scale, neuron.endswith("multisynapse")) for model in models]
    return Plan(neuron, neurons, processes * int(rng.integers(1, 4)), projections)


def _projection(rng, model, neurons, scale, receptors):
    number = int(rng.choice([1, 3, neurons, 5 * neurons, 12 * neurons]))
    sources, targets = rng.integers(1, neurons + 1, (2, number))
    sizes = _sizes(rng, number) * scale
    sign = np.where(rng.random(number) < rng.choice([0.0, 0.3, 1.0]), -1.0, 1.0)
    arrays, common = {}, {"synapse_label": int(rng.integers(0, 3))} if model.endswith("_lbl") else {}
    largest = sizes * rng.choice([0.5, 1.0, 1.0 + 1e-12, 1.5, 4.0], number) + 1e-3 * scale
    if model in PER_CONNECTION:
        arrays["Wmax"] = sign * largest
    elif model in COMMON:
        sign = sign[:1]
        common["Wmax"] = float(sign[0] * rng.uniform(0.2, 3.0) * scale)
    elif model in RANGED:
        smallest = largest * rng.choice([1e-9, 0.1, 0.9], number)
        arrays["Wmax"] = np.where(sign > 0, largest, -smallest)
        arrays["Wmin"] = np.where(sign > 0, smallest, -largest)
        sizes = np.clip(sizes, smallest, largest) if rng.random() < 0.7 else sizes
    arrays |= {"weight": sign * sizes, "delay": rng.choice([1.0, 1.5], number)}
    if receptors:
        arrays["receptor_type"] = rng.integers(1, RECEPTORS + 1, number)
    pairs = list(zip(sources.tolist(), targets.tolist(), strict=True))
    share, silent = rng.choice([0.0, 0.0, 0.2, 1.0]), rng.random() < 0.3
    chosen = [pair for pair in pairs if rng.random() < share or (silent and pair[1] % 3 == 0)]
    return Projection(model, sources, targets, arrays, common, {pair: rng.choice([0.0, -0.0]) for pair in chosen})


def _sizes(rng, number):
    kind = rng.integers(4)
    if kind == 0:
        return np.full(number, rng.uniform(0.1, 2.0))
    if kind == 1:
        return rng.uniform(0.0, 2.0, number)
    return rng.lognormal(0.0, 0.5 if kind == 2 else 4.0, number)


def build(the_plan):
    """The network in a new kernel; the neurons are 1 ... n."""
    nest.ResetKernel()
    nest.verbosity = nest.VerbosityLevel.ERROR
    nest.total_num_virtual_procs = the_plan.virtual_processes
    nest.set(min_delay=1.0, max_delay=1.5)  # on every rank, whichever connections it has: else NEST may hang
    neurons = nest.Create(the_plan.neuron_model, the_plan.neurons)
    if the_plan.neuron_model.endswith("multisynapse"):
        neurons.tau_syn = [2.0] * RECEPTORS
    for projection in the_plan.projections:
        _connect(projection)
    for projection in the_plan.projections:
        zeros = projection.zeros
        if zeros:
            write_weights(projection.model, lambda s, t, w, zeros=zeros: zeros.get((s, t), w))
    return neurons


def _connect(projection):
    arrays, common = dict(projection.arrays), dict(projection.common)
    if "hom" in projection.model:
        nest.SetDefaults(projection.model, {"weight": common["Wmax"], "Wmax": common.pop("Wmax")})
    spec = {"synapse_model": projection.model} | arrays | common
    nest.Connect(projection.sources, projection.targets, "one_to_one", spec)


def table(models):
    """Local connections of the models between neurons, in an order that does not change with the weights.

    Returns:
        Arrays of shape (n,): "model", KEYS, and NaN or -1 for what a model does not have of LIMITS and "synapse_label".
    """
    parts = [_of_model(number, model) for number, model in enumerate(models)]
    whole = {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}
    order = np.lexsort([whole[key] for key in ("port", "source", "target", "model")])
    return {key: values[order] for key, values in whole.items()}


def _of_model(number, model):
    found = nest.GetConnections(synapse_model=model)
    defaults = nest.GetDefaults(model)
    n = len(found)
    status = found.get() if n else {}
    result = {"model": np.full(n, number)}
    for key in KEYS:
        result[key] = np.atleast_1d(status[key]) if n else np.zeros(0)
    for key in (*LIMITS, "synapse_label"):
        given = status.get(key, defaults.get(key, np.nan))
        result[key] = np.atleast_1d(given) if np.ndim(given) and n else np.full(n, given if n else 0.0, float)
    return result

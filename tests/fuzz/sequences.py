"""Random sequences of what a script does to a plastic network, and a network that forgets all but its weights.

Relays drive neurons that spike by strong stimuli alone. At the end of each stimulus every relay spikes, so that nothing
is pending; then all is silent until nothing is left of traces and potentials. All times are binary fractions of a ms.
So a run that goes on from a checkpoint may be compared with one that was never stopped, to the last bit.
"""

from dataclasses import dataclass

import nest
import numpy as np

RELAYS, NEURONS = 4, 5
ACTIVE_MS, SILENT_MS = 24.0, 116.0
PARAMETERS = {
    "stdp_synapse": {"tau_plus": 1.0, "lambda": 0.01, "Wmax": 100.0},
    "stdp_synapse_hom": {"tau_plus": 0.9, "lambda": 0.01, "Wmax": 100.0},
    "stdp_pl_synapse_hom": {"tau_plus": 1.1, "lambda": 0.01},
    "stdp_triplet_synapse": {"tau_plus": 1.0, "tau_plus_triplet": 1.1, "Wmax": 100.0},
}
FIXED = "static_synapse_lbl"  # that no rule names
OPERATIONS = ("connect", "set", "disconnect", "simulate", "simulate", "normalize", "stop")


@dataclass(frozen=True)
class Plan:
    """A sequence: operations, each with a seed of its own, and what a Normalizer is given."""

    model: str
    virtual_processes: int
    resolution: float
    interval: object
    exact: bool
    rule: dict
    steps: list


def plan(rng, interval, exact, processes):
    """A random sequence for an interval."""
    model = str(rng.choice(list(PARAMETERS))) + ("_normalized" if exact else "")
    norm = str(rng.choice(["l1", "l2"] if exact else ["l1", "l2", "l3", "l1.5"]))
    rule = {"synapse_model": model, "norm": norm}
    rule["target_norm"] = "initial" if rng.random() < 0.3 else float(rng.uniform(1.0, 20.0))
    if not exact and rule["target_norm"] != "initial" and rng.random() < 0.4:
        rule["w_max"] = float(rng.choice([0.5, 3.0, 30.0]))
    names = ["connect", "simulate", *rng.choice(OPERATIONS, 5).tolist(), "simulate"]
    steps = [(str(name), int(rng.integers(2**31))) for name in names]
    return Plan(
        model, processes * int(rng.integers(1, 3)), float(rng.choice([0.125, 0.25, 0.5])), interval, exact, rule, steps
    )


class Network:
    """The network in a new kernel, without connections of the model."""

    def __init__(self, the_plan, install):
        nest.ResetKernel()
        nest.verbosity = nest.VerbosityLevel.ERROR
        nest.resolution = the_plan.resolution
        nest.total_num_virtual_procs = the_plan.virtual_processes
        nest.set(min_delay=1.0, max_delay=2.0)
        if the_plan.exact:
            install()
        self.model = the_plan.model
        nest.SetDefaults(self.model, PARAMETERS[self.model.removesuffix("_normalized")])
        self.keeps_disabled = False
        self.relays = nest.Create("parrot_neuron", RELAYS)
        unreached = {"V_th": 1e6, "tau_m": 1.0, "tau_minus": 1.0, "tau_minus_triplet": 1.1}
        self.neurons = nest.Create("iaf_psc_delta", NEURONS, unreached)
        self.stimuli = nest.Create("spike_generator", RELAYS + NEURONS)
        spec = {"weight": 2e6, "delay": 1.0}
        nest.Connect(self.stimuli, self.relays + self.neurons, "one_to_one", spec)
        nest.Connect(self.relays, self.neurons, syn_spec={"synapse_model": FIXED, "weight": 0.123, "delay": 1.0})

    def connect(self, sources, targets, delays, weights):
        """Connections of the model; node IDs, and arrays of the same shape (n,)."""
        spec = {"synapse_model": self.model, "weight": weights, "delay": delays}
        nest.Connect(sources, targets, "one_to_one", spec)

    def connect_some(self, rng):
        number = int(rng.integers(1, 30))
        sources = rng.integers(1, RELAYS + 1, number)
        targets = rng.integers(RELAYS + 1, RELAYS + NEURONS + 1, number)
        self.connect(sources, targets, rng.choice([1.0, 1.5], number), rng.uniform(0.1, 2.0, number))

    def set_some(self, rng):
        """Multiply the weights of some pairs."""
        factors = rng.uniform(0.5, 2.0, (RELAYS + 1, RELAYS + NEURONS + 1))
        found = nest.GetConnections(synapse_model=self.model)
        if len(found):
            status = found.get(["source", "target", "weight"])
            new = np.atleast_1d(status["weight"]) * factors[status["source"], status["target"]].ravel()
            found.set([{"weight": weight} for weight in new.tolist()])

    def disconnect_some(self, rng):
        """All connections of some pairs; NEST keeps them, disabled."""
        gone = rng.random((RELAYS + 1, RELAYS + NEURONS + 1)) < 0.3
        found = nest.GetConnections(synapse_model=self.model)
        if len(found):
            status = found.get(["source", "target"])
            for i in np.flatnonzero(gone[status["source"], status["target"]].ravel()).tolist():
                found[i].disconnect()
                self.keeps_disabled = True

    def stimulate(self, rng):
        """Spikes from now on, the last of every relay after those of the neurons."""
        now = float(nest.biological_time)
        for i in range(RELAYS + NEURONS):
            times = np.unique(rng.integers(4, 40, int(rng.integers(0, 8)))) * 0.5
            times = np.append(times, ACTIVE_MS) if i < RELAYS else times
            self.stimuli[i].spike_times = (now + 1.0 + times).tolist()


def rows(model):
    """Local connections as (source, target, delay, weight), shape (4, n), sorted."""
    found = nest.GetConnections(synapse_model=model)
    if not len(found):
        return np.zeros((4, 0))
    status = found.get(["source", "target", "delay", "weight"])
    table = np.array([np.atleast_1d(status[key]) for key in ("source", "target", "delay", "weight")], float)
    return table[:, np.lexsort(table[::-1])]

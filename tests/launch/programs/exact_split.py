"""Norms held in every time slice on 4 virtual processes, however split; each rank writes what came of it."""

import sys
from pathlib import Path

import nest
import numpy as np
from networks import TARGET_NORM, connections, network, norms_by_target, reset

import distnorm

MODELS = {
    "stdp": ("stdp_synapse_normalized", "stdp_triplet_synapse_normalized_hpc"),
    "dopamine": ("stdp_dopamine_synapse_normalized_hpc",),
    "changing": ("stdp_synapse_normalized_hpc",),
}
PARAMETERS = {
    "stdp_synapse_normalized": {"lambda": 1e-4},
    "stdp_synapse_normalized_hpc": {"lambda": 1e-4, "Wmax": 1e9},
    "stdp_triplet_synapse_normalized_hpc": {"Aplus": 1e-4, "Aminus": 1e-4},
    "stdp_dopamine_synapse_normalized_hpc": {"A_plus": 0.01, "A_minus": 0.015},
}
MIN_DELAY_MS = 1.5


def deviation(normalizer, models, through_pynest: bool) -> float:
    """Largest |norm / target norm - 1|, by numpy on weights from PyNEST, or from the weights in place."""
    if through_pynest:
        return max((abs(norm / TARGET_NORM - 1) for norm in norms_by_target(models).values()), default=0.0)
    return float(np.abs(normalizer._loop.weights._synapses[0].measure()[0] / TARGET_NORM - 1).max(initial=0.0))


def change(population, model) -> None:
    """Weights set a millionfold in the middle of a slice.

    No connections are made: NEST sorts them anew then, and what becomes of spikes on their way depends on the split.
    """
    nest.Simulate(0.6)
    nest.GetConnections(target=population[:9], synapse_model=model).set(weight=1e6)
    nest.GetConnections(source=population[:50], synapse_model=model).set(weight=2.0)
    nest.Simulate(0.9)


def main(kind: str, slices: str, folder: str) -> None:
    reset(virtual_processes=4, seed=7)
    distnorm.install_models()
    models = MODELS[kind]
    for model in models:
        nest.SetDefaults(model, PARAMETERS[model])
    population = network(models, neurons=120)
    recorder = nest.Create("spike_recorder")
    nest.Connect(population, recorder)
    rule = distnorm.Rule(models, target_norm=TARGET_NORM)
    normalizer = distnorm.Normalizer(rule, interval=distnorm.ExactInterval(audit_ms=40.0))
    at_boundaries = []
    for i in range(int(slices)):
        if kind == "changing" and i == int(slices) // 2:
            with normalizer.attached():
                change(population, models[0])
            normalizer.simulate(20 * MIN_DELAY_MS)  # until spikes have come to all
        normalizer.simulate(MIN_DELAY_MS)
        at_boundaries.append(deviation(normalizer, models, through_pynest=i % 10 == 9))
    measurements = [
        (each.time_ms, each.within_slices[0].max, each.within_slices[0].zero_norm) for each in normalizer.log
    ]
    events = recorder.events
    np.savez(
        Path(folder, f"{nest.Rank()}.npz"),
        connections=np.stack(connections(models)),
        spikes=np.stack((events["senders"], events["times"])),
        drifts=np.array(measurements),
        boundaries=np.array(at_boundaries),
    )


main(*sys.argv[1:])

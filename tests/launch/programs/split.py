"""One network and seed on 4 virtual processes, however split; each rank writes its weights, spikes and drifts."""

import sys
from pathlib import Path

import nest
import numpy as np
from networks import TARGET_NORM, connections, network, reset

import distnorm

MODELS = ("stdp_synapse", "stdp_triplet_synapse_hpc")
INTERVAL_MS = 10.0
NORMALIZATIONS = 20


def main(mode: str, folder: str) -> None:
    reset(virtual_processes=4, seed=7)
    population = network(MODELS, neurons=120)
    recorder = nest.Create("spike_recorder")
    nest.Connect(population, recorder)
    drifts = []
    if mode == "plain":
        nest.Simulate(INTERVAL_MS * NORMALIZATIONS)
    else:
        rule = distnorm.Rule(MODELS, target_norm=TARGET_NORM)
        way = "inplace" if mode == "observe" else mode
        normalizer = distnorm.Normalizer(rule, interval=INTERVAL_MS, way=way, observe=mode == "observe")
        normalizer.simulate(INTERVAL_MS * NORMALIZATIONS)
        drifts = [(each.time_ms, each.drifts[0].max, each.drifts[0].mean) for each in normalizer.log]
    sources, targets, weights = connections(MODELS)
    events = recorder.events
    np.savez(
        Path(folder, f"{nest.Rank()}.npz"),
        connections=np.stack((sources, targets, weights)),
        spikes=np.stack((events["senders"], events["times"])),
        drifts=np.array(drifts),
    )


main(*sys.argv[1:])

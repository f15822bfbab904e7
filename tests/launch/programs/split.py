"""One network and seed on 4 virtual processes, or more, however split; each rank writes its weights, spikes, drifts."""

import sys
from pathlib import Path

import nest
import numpy as np
from networks import TARGET_NORM, connections, network, reset, slow_plasticity

import distnorm

MODELS = ("stdp_synapse", "stdp_triplet_synapse_hpc")
INTERVAL_MS = 10.0
NORMALIZATIONS = 20


def adaptive(noise) -> list:
    """With probes, and a stimulus whose switch is hinted at."""
    rule = distnorm.Rule("stdp_synapse", target_norm=TARGET_NORM)
    normalizer = distnorm.Normalizer(rule, interval=distnorm.AdaptiveInterval(0.1, probes=2))
    for rate in (18_000.0, 22_000.0, 15_000.0):
        noise.rate = rate
        normalizer.expect_change()
        normalizer.simulate(150.0)
    assert {each.normalized for each in normalizer.log} == {True, False}
    return [(each.time_ms, each.drifts[0].max, each.drifts[0].mean) for each in normalizer.log]


def numbers_of(weights) -> list:
    """All that a histogram of weights has."""
    moments = [weights.mean, weights.sd, weights.least, weights.largest, weights.at_limit]
    return [*weights.edges, weights.below, *weights.counts, weights.above, *moments]


def main(mode: str, folder: str, virtual_processes: str = "4") -> None:
    reset(virtual_processes=int(virtual_processes), seed=7)
    if mode == "adaptive":
        slow_plasticity()
    population = network(MODELS, neurons=120)
    recorder = nest.Create("spike_recorder")
    nest.Connect(population, recorder)
    drifts, histograms = [], []
    if mode == "plain":
        nest.Simulate(INTERVAL_MS * NORMALIZATIONS)
    elif mode == "update":
        for _ in range(NORMALIZATIONS):
            nest.Simulate(INTERVAL_MS)
            distnorm.bring_up_to_date(MODELS)
    elif mode == "adaptive":
        drifts = adaptive(nest.GetNodes({"model": "poisson_generator"}))
    else:
        rule = distnorm.Rule(MODELS, target_norm=TARGET_NORM, weights="current" if mode == "current" else "stored")
        if mode == "outgoing":
            rule = distnorm.Rule(MODELS, of="outgoing", norm="l2", target_norm=3.0, w_max=1.2)
        elif mode == "both":
            rule = [rule, distnorm.Rule(MODELS, of="outgoing", target_norm="initial")]
        backend = "pynest" if mode == "pynest" else "inplace"
        normalizer = distnorm.Normalizer(
            rule, interval=INTERVAL_MS, backend=backend, observe=mode == "observe", weights=True, sweeps=5
        )
        normalizer.simulate(INTERVAL_MS * NORMALIZATIONS)
        drifts = [(each.time_ms, each.drifts[0].max, each.drifts[0].mean) for each in normalizer.log]
        histograms = [numbers_of(each.weights[0]) for each in normalizer.log]
    sources, targets, weights = connections(MODELS)
    events = recorder.events
    np.savez(
        Path(folder, f"{nest.Rank()}.npz"),
        connections=np.stack((sources, targets, weights)),
        spikes=np.stack((events["senders"], events["times"])),
        drifts=np.array(drifts),
        histograms=np.array(histograms),
    )


main(*sys.argv[1:])

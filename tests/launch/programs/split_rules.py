"""Three excitatory projections normalized together inside bounds, and the inhibitory one by itself, on 4 virtual
processes however split; each rank writes its weights, spikes and drifts.
"""

import sys
from pathlib import Path

import nest
import numpy as np
from networks import connections, reset

import distnorm

EXCITATORY = ("stdp_synapse", "stdp_triplet_synapse", "static_synapse_lbl")
INTERVAL_MS = 10.0
NORMALIZATIONS = 20
EXCITATORY_NORM, INHIBITORY_NORM, LARGEST = 12.0, 6.0, 0.5


def network():
    excitatory, inhibitory = nest.Create("iaf_psc_delta", 80), nest.Create("iaf_psc_delta", 20)
    everyone = excitatory + inhibitory
    noise = nest.Create("poisson_generator", params={"rate": 18_000.0})
    nest.Connect(noise, everyone, syn_spec={"weight": 1.0, "delay": 1.5})
    nest.CopyModel("stdp_synapse", "inhibitory", {"weight": -0.4, "Wmax": -2.0})
    for model, number in zip(EXCITATORY, (15, 10, 10), strict=True):
        syn = {"synapse_model": model, "weight": nest.random.uniform(0.1, 0.5), "delay": 1.5}
        nest.Connect(excitatory, everyone, {"rule": "fixed_indegree", "indegree": number}, syn)
    syn = {"synapse_model": "inhibitory", "weight": nest.random.uniform(-0.6, -0.2), "delay": 1.5}
    nest.Connect(inhibitory, everyone, {"rule": "fixed_indegree", "indegree": 12}, syn)
    return everyone


def check(table, norm, largest):
    """Norms and bounds by numpy."""
    _, targets, weights = table
    sums = np.bincount(targets.astype(int), np.abs(weights))
    assert np.abs(sums[sums > 0] / norm - 1).max() <= 1e-12
    assert np.abs(weights).max() <= largest


def main(backend: str, folder: str) -> None:
    reset(virtual_processes=4, seed=7)
    population = network()
    recorder = nest.Create("spike_recorder")
    nest.Connect(population, recorder)
    rules = [
        distnorm.Rule(EXCITATORY, target_norm=EXCITATORY_NORM, w_max=LARGEST),
        distnorm.Rule("inhibitory", mode="subtractive", target_norm=INHIBITORY_NORM, w_max="Wmax"),
    ]
    normalizer = distnorm.Normalizer(rules, interval=INTERVAL_MS, backend=backend)
    normalizer.simulate(INTERVAL_MS * NORMALIZATIONS)
    drifts = [(d.max, d.mean, d.at_bound, d.unreachable) for each in normalizer.log for d in each.drifts]
    tables = [np.stack(connections(models)) for models in (EXCITATORY, ("inhibitory",))]
    check(tables[0], EXCITATORY_NORM, LARGEST)
    check(tables[1], INHIBITORY_NORM, 2.0)
    events = recorder.events
    np.savez(
        Path(folder, f"{nest.Rank()}.npz"),
        connections=np.concatenate(tables, axis=1),
        spikes=np.stack((events["senders"], events["times"])),
        drifts=np.array(drifts),
    )


main(*sys.argv[1:])

"""Networks of NEST's own stdp_synapse and a copy of it, with resets and other numbers of threads; norms to a file."""

import sys

import nest
import numpy as np

output, rate, *threads = sys.argv[1:]


def build(number):
    nest.ResetKernel()
    nest.verbosity = nest.VerbosityLevel.ERROR
    nest.local_num_threads = number
    neurons = nest.Create("iaf_psc_delta", 40)
    nest.SetDefaults("stdp_synapse", {"lambda": float(rate), "Wmax": 64.0})
    nest.CopyModel("stdp_synapse", "copied", {"alpha": 1.1})
    noise = nest.Create("poisson_generator", params={"rate": 18_000.0})
    nest.Connect(noise, neurons, syn_spec={"weight": 1.0, "delay": 1.5})
    for model in ("stdp_synapse", "copied"):
        assert nest.GetDefaults(model, "Wmax") == 64.0
        connections = {"synapse_model": model, "weight": nest.random.uniform(0.2, 0.8), "delay": 1.5}
        nest.Connect(neurons, neurons, {"rule": "fixed_indegree", "indegree": 10}, connections)
    return neurons


for i, number in enumerate(map(int, threads)):
    neurons = build(number)
    recorder = nest.Create("spike_recorder")
    nest.Connect(neurons, recorder)
    nest.Simulate(30.0)
    nest.Simulate(35.0)
    norms = {}
    for model in ("stdp_synapse", "copied"):
        found = nest.GetConnections(synapse_model=model).get(["target", "weight"])
        sums = np.bincount(found["target"], found["weight"])
        norms[model] = sums[sums > 0]
    events = recorder.events
    order = np.lexsort((events["times"], events["senders"]))
    spikes = np.stack((events["senders"][order], events["times"][order]))
    np.savez(f"{output}-{i}-{nest.Rank()}.npz", spikes=spikes, **norms)

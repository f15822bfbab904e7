"""Imported from beside the scripts: their folder is first on sys.path."""

import nest


def build():
    nest.ResetKernel()
    nest.verbosity = nest.VerbosityLevel.ERROR
    nest.total_num_virtual_procs = 2 * nest.num_processes if nest.num_processes == 1 else nest.num_processes
    nest.SetDefaults("stdp_synapse", {"lambda": 1e-5})
    neurons = nest.Create("iaf_psc_delta", 40)
    noise = nest.Create("poisson_generator", params={"rate": 18_000.0})
    nest.Connect(noise, neurons, syn_spec={"weight": 1.0, "delay": 1.5})
    connections = {"synapse_model": "stdp_synapse", "weight": nest.random.uniform(0.2, 0.8), "delay": 1.5}
    nest.Connect(neurons, neurons, {"rule": "fixed_indegree", "indegree": 10}, connections)
    return neurons, noise

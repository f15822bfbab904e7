"""A small plastic network, the same however four virtual processes are split; simulates 100 ms."""

import math

import nest

nest.verbosity = nest.VerbosityLevel.ERROR
nest.total_num_virtual_procs = 4
exc = nest.Create("iaf_psc_delta", 40)
noise = nest.Create("poisson_generator", params={"rate": 18_000.0})
nest.Connect(noise, exc, syn_spec={"weight": 1.0})
plastic = {"synapse_model": "stdp_synapse", "Wmax": 1.0, "weight": nest.random.uniform(0.3, 0.7)}
nest.Connect(exc, exc, {"rule": "fixed_indegree", "indegree": 10}, plastic)
nest.Simulate(50.0)
nest.Simulate(50.0)
found = nest.GetConnections(exc, exc)
print(math.fsum(found.weight), nest.local_spike_counter)

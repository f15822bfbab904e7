"""Simulations in processes of their own; the largest distance of a norm from 5 in each. Arguments: method, way."""

import concurrent.futures
import multiprocessing
import os
import sys

import numpy as np


def simulate(number):
    import nest

    nest.ResetKernel()
    nest.verbosity = nest.VerbosityLevel.ERROR
    nest.SetDefaults("stdp_synapse", {"lambda": 1e-2})
    neurons = nest.Create("iaf_psc_delta", 40, {"I_e": 400.0})
    connections = {"synapse_model": "stdp_synapse", "weight": nest.random.uniform(0.2, 0.8), "delay": 1.5}
    nest.Connect(neurons, neurons, {"rule": "fixed_indegree", "indegree": 10}, connections)
    nest.Simulate(15.0 * number)
    found = nest.GetConnections(synapse_model="stdp_synapse").get(["target", "weight"])
    return float(abs(np.bincount(found["target"], found["weight"])[1:41] / 5.0 - 1).max())


if __name__ == "__main__":
    method, backend = sys.argv[1:]
    context = multiprocessing.get_context(method)
    if backend == "first here":
        print(simulate(2))
    if backend in ("pool", "first here"):
        with context.Pool(2) as pool:
            print(pool.map(simulate, [2, 3, 2]))
            pool.close()
            pool.join()
    elif backend == "futures":
        with concurrent.futures.ProcessPoolExecutor(2, mp_context=context) as pool:
            print(list(pool.map(simulate, [2, 3, 2])))
    elif backend == "swallowed":
        workers = [context.Process(target=simulate, args=(1,)) for _ in range(2)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
    elif not os.fork():
        print([simulate(2)], flush=True)
        sys.exit(3)
    else:
        print([simulate(2)], os.waitstatus_to_exitcode(os.wait()[1]), flush=True)

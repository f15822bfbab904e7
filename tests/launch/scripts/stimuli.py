"""A loop of 100 stimuli; weights to a file. The argument says who normalizes."""

import sys

import common_model
import nest
import numpy as np

how, output = sys.argv[1:]
neurons, noise = common_model.build()
if how != "attach":
    import distnorm

    rule = distnorm.Rule("stdp_synapse", targets=neurons, target_norm=5.0)
    normalizer = distnorm.Normalizer(rule, interval=15.0)


def stimuli():
    for i in range(100):
        noise.rate = 17_000.0 + 20.0 * i
        nest.Simulate(15.0)
        if how == "callback":
            normalizer()


if how == "callback":
    normalizer()
    stimuli()
elif how == "context":
    with normalizer.attached():
        stimuli()
else:
    stimuli()
found = nest.GetConnections(synapse_model="stdp_synapse").get(["source", "target", "weight"])
rows = np.array(sorted(zip(*found.values(), strict=True)))
np.save(f"{output}-{nest.Rank()}.npy", rows)

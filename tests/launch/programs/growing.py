"""Structural plasticity under a rule: prints each measurement's number of synapses on all ranks, and largest error."""

import json
import sys

import nest
from changes import structural_plasticity
from networks import TARGET_NORM, connections, norms_by_target, reset

import distnorm
from distnorm.mpi.ranks import world

reset()
neurons, shrink = structural_plasticity()
ranks = world(nest.build_info["have_mpi"])
measurements = []


def measurement(done):
    error = max((abs(norm / TARGET_NORM - 1) for norm in norms_by_target(["growing"]).values()), default=0.0)
    everyone = ranks.gather((len(connections(["growing"])[0]), error)) or [(0, 0.0)]
    measurements.append(
        (sum(number for number, _ in everyone), max(error for _, error in everyone), done.drifts[0].targets)
    )


rule = distnorm.Rule("growing", target_norm=TARGET_NORM)
normalizer = distnorm.Normalizer(rule, interval=25.0, backend=sys.argv[1], on_measurement=measurement)
normalizer.simulate(150.0)
shrink()
normalizer.simulate(75.0)
if ranks.rank == 0:
    print(json.dumps(measurements))

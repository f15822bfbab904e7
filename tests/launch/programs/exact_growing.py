"""Norms held while structural plasticity grows a network from nothing: prints what each measurement and piece found."""

import json
import sys

import nest
from networks import norms_by_target, reset

import distnorm
from distnorm.mpi.ranks import world

reset()
nest.set(structural_plasticity_update_interval=50, min_delay=1.0, max_delay=1.0)
distnorm.install_models(replace="stdp_synapse")
nest.CopyModel("stdp_synapse", "growing", {"weight": 0.5, "Wmax": 2.0, "delay": 1.0, "lambda": 1e-3})
nest.structural_plasticity_synapses = {
    "s": {"synapse_model": "growing", "post_synaptic_element": "den", "pre_synaptic_element": "axon"}
}
curve = {"growth_curve": "gaussian", "growth_rate": 0.01, "continuous": False, "eta": 0.0, "eps": 0.1}
nest.Create("iaf_psc_alpha", 40, {"I_e": 380.0, "synaptic_elements": {"den": curve, "axon": curve}})
nest.EnableStructuralPlasticity()
ranks = world(nest.build_info["have_mpi"])
rule = distnorm.Rule("growing", **json.loads(sys.argv[1]))
normalizer = distnorm.Normalizer(rule, interval=distnorm.ExactInterval(audit_ms=float(sys.argv[2])))
pieces = []
for _ in range(4):
    normalizer.simulate(375.0)
    found = nest.GetConnections(synapse_model="growing")
    targets = list(found.targets()) if len(found) else []
    mine = [(targets.count(target), norm) for target, norm in norms_by_target(("growing",)).items()]
    every = ranks.gather(mine) or []
    pieces.append([pair for each in every for pair in each])
normalizer.normalize()
measurements = [measurement.drifts[0] for measurement in normalizer.log]
if ranks.rank == 0:
    counted = [
        (measurement.connections, measurement.targets, measurement.unreachable, measurement.max)
        for measurement in measurements
    ]
    print(json.dumps({"pieces": pieces, "measurements": counted}))

"""A model in which one thing goes wrong; ends with "not reached" if nothing stops it."""

import os
import signal
import sys

import nest
from networks import connections, network, reset

import distnorm

MODEL = "static_synapse_lbl"
LAST = nest.num_processes - 1


def nan_weight(population):
    mine = nest.GetConnections(source=population, synapse_model=MODEL)  # on every rank: collective
    if nest.Rank() == 1:
        mine[0].set({"weight": float("nan")})
    return {}, {}


def callback(_):
    def fail(done):
        if nest.Rank() == LAST and done.time_ms > 0:
            raise ValueError("mistake in the callback")

    return {}, {"on_measurement": fail}


def killed(_):
    def die(done):
        if nest.Rank() == LAST and done.time_ms > 0:
            os.kill(os.getpid(), signal.SIGKILL)

    return {}, {"on_measurement": die}


def inside_simulate(_):
    """The last rank fails where the others are already in NEST's own communication."""
    nest.update_time_limit = 1e-12 if nest.Rank() == LAST else float("inf")  # seconds for a slice
    return {}, {}


RULES = {
    "missing_model": {"synapse_model": "stdp_synapsis"},
    "homogeneous": {"synapse_model": "static_synapse_hom_w"},
    "zero_norm": {"target_norm": 0.0},
    "negative_norm": {"target_norm": -2.0},
    "nan_norm": {"target_norm": float("nan")},
    "wrong_length": {"targets": [1, 2, 3], "target_norm": [1.0, 2.0]},
    "no_plastic_connection_on_a_rank": {"synapse_model": "stdp_synapse"},
}


def main(fault):
    reset()
    population = network([MODEL])
    if fault == "no_plastic_connection_on_a_rank":
        nest.Connect(
            population, population[:1], syn_spec={"synapse_model": "stdp_synapse", "weight": 0.5, "delay": 1.5}
        )
    rule, settings = (RULES[fault], {}) if fault in RULES else globals()[fault](population)
    rule = {"synapse_model": MODEL, "target_norm": 12.0} | rule
    distnorm.Normalizer(distnorm.Rule(**rule), interval=10.0, **settings).simulate(50.0)
    print("not reached", len(connections([MODEL])[0]))


main(sys.argv[1])

"""Weights brought up to date, of each model: against plain Python on recorded spikes; read without a trace, and written
without any but rounding.
"""

import ctypes
from pathlib import Path

import nest
import numpy as np
import pytest
from plain_plasticity import RULES, replayed
from plastic import (
    INDEGREE,
    TAU_MINUS,
    TAU_MINUS_TRIPLET,
    WITHOUT_TRACE,
    delivered_until,
    plastic_network,
    spikes_of,
    status_of,
)

import distnorm
from distnorm.synapses.compiling import library as build

EXTENSION = Path(__file__).parents[1] / "extension"


@pytest.mark.parametrize(
    ("model", "simulate_ms"),
    [*((model, 999.0) for model in RULES), ("stdp_synapse_hpc", 999.0), ("stdp_synapse", 999.5)],  # ends within a slice
)
def test_current_weights_are_those_of_the_published_rule(model, simulate_ms):
    _, recorder = plastic_network(model)
    _, before = status_of(model)
    nest.Simulate(simulate_ms)
    connections, stored = status_of(model)
    current = distnorm.current_weights(connections)
    spikes, until = spikes_of(recorder), delivered_until()
    base = model.removesuffix("_hpc")
    parameters = nest.GetDefaults(model)
    more = (TAU_MINUS_TRIPLET,) if base == "stdp_triplet_synapse" else ()
    # Without a trace, NEST takes time 0 for a presynaptic spike.
    first = [0.0] if base in WITHOUT_TRACE else []
    # The order of multapses of one pair is NEST's own: their weights and delays tell them apart.
    changed = 0
    for i in range(len(current)):
        source, target = int(stored["source"][i]), int(stored["target"][i])
        same = (before["source"] == source) & (before["target"] == target) & (before["delay"] == stored["delay"][i])
        candidates = [
            replayed(
                RULES[base](parameters, TAU_MINUS, *more),
                weight,
                first + spikes.get(source, []),
                spikes.get(target, []),
                stored["delay"][i],
                until,
            )
            for weight in before["weight"][same]
        ]
        expected, as_stored = min(candidates, key=lambda pair: abs(pair[1] - stored["weight"][i]))
        assert stored["weight"][i] == pytest.approx(as_stored, rel=1e-12, abs=1e-14)
        assert current[i] == pytest.approx(expected, rel=1e-12, abs=1e-14)
        changed += expected != as_stored
    assert changed > 0.2 * len(current)


@pytest.fixture(scope="module")
def histories(tmp_path_factory):
    """Reads what the neurons keep for their synapses: rows of node ID, time, value, number of readers."""
    library = tmp_path_factory.mktemp("extension") / "histories.so"
    source = str(EXTENSION / "histories.cpp")
    build.compile_for(nest, nest.build_info["prefix"], source, "", library, ["-O0"])
    listing = ctypes.CDLL(str(library)).list_histories
    listing.restype = ctypes.c_int64
    listing.argtypes = [np.ctypeslib.ndpointer(np.float64), ctypes.c_int64]

    def read():
        rows = np.zeros((listing(np.zeros(0), 0), 4))
        listing(rows, len(rows))
        return rows

    return read


def course(model, between, histories, simulate_ms):
    """Spikes, weights, potentials and histories after a simulation with something done every 10 ms, and 50 ms more."""
    population, recorder = plastic_network(model)
    for _ in range(round(simulate_ms / 10.0)):
        nest.Simulate(10.0)
        between(model)
    nest.Simulate(50.0)
    events = recorder.get("events")
    connections, status = status_of(model)
    current = distnorm.current_weights(connections)
    rows = np.stack([current, *(status[key] for key in ("weight", "delay", "target", "source"))])
    return {
        "spikes": np.stack([events["times"], events["senders"]]),
        "connections": rows[:, np.lexsort(rows)],
        "potentials": np.array([node.V_m for node in population if node.local]),
        "histories": histories(),
    }


def nothing(model):
    """Only leave NEST."""


def read_in_both_ways(model):
    """Weights of connections, and norms of targets."""
    distnorm.current_weights(nest.GetConnections(synapse_model=model)[:100])
    rule = distnorm.Rule(model, target_norm=1.0, weights="current")
    distnorm.Normalizer(rule, interval=10.0, observe=True).normalize()


@pytest.mark.parametrize("model", [*RULES, "clopath_synapse", "stdp_triplet_synapse_hpc"])
def test_reading_changes_nothing(model, histories):
    plain = course(model, nothing, histories, 300.0)
    read = course(model, read_in_both_ways, histories, 300.0)
    for name, values in plain.items():
        assert np.array_equal(values, read[name]), name
    assert plain["histories"].size or not plain["connections"].size


@pytest.mark.parametrize("model", [model for model in [*RULES, "clopath_synapse"] if model not in WITHOUT_TRACE])
def test_committing_changes_nothing_but_rounding(model, histories):
    plain = course(model, nothing, histories, 1000.0)
    brought = course(model, distnorm.bring_up_to_date, histories, 1000.0)
    assert np.array_equal(plain["spikes"], brought["spikes"])
    assert plain["potentials"] == pytest.approx(brought["potentials"], rel=1e-9)
    for expected, found in zip(plain["connections"], brought["connections"], strict=True):
        assert found == pytest.approx(expected, rel=1e-9)
    # No entry was counted twice, and none is kept longer.
    assert brought["histories"][:, 3].max(initial=0) <= INDEGREE
    assert len(brought["histories"]) <= len(plain["histories"])

"""NEST's part of `bench compare`: the same norms by the documented recipe, by PyNEST in bulk, and in place.

Started as `python -m distnorm.bench.compare.compare_nest SETTINGS`, on any number of ranks; rank 0 prints the answer
as JSON.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nest
import numpy as np

from ...errors import RuleError
from ...mpi.ranks import Ranks, world
from ...normalizer.normalizer import Normalizer
from ...norms.passes import Pass
from ...norms.sums import factors
from ...runs.job_file import read_job
from ...runs.run import build_network
from ...synapses.access import open_synapses, verify
from ...synapses.in_place import InPlace
from ..scaling import provenance
from ..scaling.points import OWN

_BULK_CONNECTIONS = 200_000
_REPETITIONS = 7
_WARM_UP_MS = 200.0


def measure(settings: dict[str, Any]) -> dict[str, Any] | None:
    """Build, simulate, and normalize by all means; the answer on rank 0, None on the others. Collective."""
    ranks = world(nest.build_info["have_mpi"])
    if provenance.crowded(ranks, settings["threads"]):
        raise RuleError(f"{ranks.size} ranks x {settings['threads']} threads are more than the cores")
    job = read_job(Path(settings["job"]), _changes(settings))
    network = build_network(job, ranks)
    rule = job.rules_of(network)[0]
    normalizer = Normalizer(rule, interval=job.interval)
    normalizer.simulate(_WARM_UP_MS)
    found = _simulate(normalizer, network, settings["simulate_ms"], ranks)
    synapses = open_synapses(nest, [rule], ranks, "inplace")[0]
    assert isinstance(synapses, InPlace)  # as asked
    verify(nest, synapses, ranks)
    target_norm = float(network.target_norm_mV)
    in_place, connections = _in_place(synapses, target_norm, ranks)
    errors = [_error(synapses, network.excitatory, target_norm, ranks)]
    bulk, bulk_connections = _bulk(network, target_norm, ranks)
    recipe, picked = _recipe(network, target_norm, settings["neurons"], ranks)
    errors.append(_error(synapses, picked, target_norm, ranks))
    neurons = _total(len(picked), ranks)
    return found and {
        **found,
        "excitatory": len(network.excitatory),
        "connections": connections,
        "in_place_ns": in_place,
        "bulk_ns": bulk,
        "bulk_connections": bulk_connections,
        "recipe_ns": recipe,
        "neurons": neurons,
        "norm_error": max(errors),
    }


def _changes(settings: dict[str, Any]) -> list[str]:
    parameters = {name: settings[name] for name in ("n_excitatory", "n_inhibitory")}
    parameters["in_degree_excitatory"] = settings["in_degree"]
    return [
        f"threads={settings['threads']}",
        'interval={"kind": "fixed", "interval_ms": 100.0}',
        *(f"parameters.{name}={value}" for name, value in parameters.items()),
    ]


def _simulate(normalizer: Normalizer, network: Any, time_ms: float, ranks: Ranks) -> dict[str, Any] | None:
    done, events = len(normalizer.log), network.spikes.n_events
    wall = _together(lambda: normalizer.simulate(time_ms), ranks)
    own = ranks.gather(sum(measurement.seconds[phase] for measurement in normalizer.log[done:] for phase in OWN))
    spikes = ranks.gather(network.spikes.n_events - events)
    if own is None or spikes is None:
        return None
    rate = sum(spikes) / len(network.recorded) / time_ms * 1e3
    return {"wall_s": wall, "normalizing_s": float(np.mean(own)), "spikes_per_s": rate}


def _together(action: Callable[[], Any], ranks: Ranks) -> float:
    """Seconds until the last rank is done."""
    ranks.barrier()
    start = time.perf_counter()
    action()
    ranks.barrier()
    return time.perf_counter() - start


def _total(value: int, ranks: Ranks) -> int:
    values = ranks.gather(value)
    return ranks.from_first(lambda: sum(values or []))


def _in_place(synapses: InPlace, target_norm: float, ranks: Ranks) -> tuple[float, int]:
    """Nanoseconds per connection of all ranks, and their number."""
    wanted = np.full(len(synapses.node_ids), target_norm)
    connections = _total(int(synapses.measure()[1].sum()), ranks)

    def normalize(norm: float) -> None:
        synapses.run(Pass(kind="scale", at=factors(synapses.measure()[0], wanted * norm)))

    # Back and forth, so that there always is something to change; the last one is the target norm.
    seconds = [_together(lambda i=i: normalize(1.0 + i % 2 * 0.01), ranks) for i in range(2 * _REPETITIONS + 1)]  # type: ignore[misc]
    return float(np.median(seconds)) / connections * 1e9, connections


def _bulk(network: Any, target_norm: float, ranks: Ranks) -> tuple[float, int]:
    """All connections of some of this rank's neurons at once."""
    local = nest.GetLocalNodeCollection(network.excitatory)
    in_degree = round(target_norm / network.weight_mV)
    picked = nest.NodeCollection(sorted(local.tolist())[: max(_BULK_CONNECTIONS // ranks.size // in_degree, 1)])
    done = 0

    def normalize() -> None:
        nonlocal done
        connections = nest.GetConnections(target=picked, synapse_model=network.synapse_model)
        status = connections.get(["target", "weight"])
        target, weight = np.array(status["target"]), np.array(status["weight"])
        norm = np.bincount(target, np.abs(weight))
        connections.set([{"weight": each} for each in (weight * target_norm / norm[target]).tolist()])
        done = len(connections)

    seconds = _together(normalize, ranks)
    number = _total(done, ranks)
    return seconds / number * 1e9, number


def _recipe(network: Any, target_norm: float, neurons: int, ranks: Ranks) -> tuple[float, Any]:
    """The loop of NEST's documentation over this rank's neurons, with a list of dictionaries, which works under MPI.

    Returns:
        Nanoseconds per connection of all ranks, and this rank's neurons that were normalized.
    """
    local = nest.GetLocalNodeCollection(network.excitatory)
    picked = local[:: max(1, len(local) * ranks.size // neurons)]
    done = 0

    def normalize() -> None:
        nonlocal done
        for neuron in picked:
            connections = nest.GetConnections(target=neuron, synapse_model=network.synapse_model)
            weights = np.array(connections.weight)
            connections.set([{"weight": each} for each in (target_norm * weights / np.abs(weights).sum()).tolist()])
            done += len(weights)

    seconds = _together(normalize, ranks)
    return seconds / _total(done, ranks) * 1e9, picked


def _error(synapses: InPlace, neurons: Any, target_norm: float, ranks: Ranks) -> float:
    """Largest relative error of the norms of neurons, over all ranks; 0.0 but on rank 0."""
    chosen = np.isin(synapses.node_ids, neurons.tolist())
    errors = ranks.gather(float(np.abs(synapses.measure()[0][chosen] / target_norm - 1.0).max(initial=0.0)))
    return max(errors or [0.0])


if __name__ == "__main__":
    answer = measure(json.loads(sys.argv[1]))
    if answer is not None:
        print(json.dumps(answer))

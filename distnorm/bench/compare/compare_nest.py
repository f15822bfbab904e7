"""NEST's part of `bench compare`: the same norms by the documented recipe, by PyNEST in bulk, and in place.

Started as `python -m distnorm.bench.compare.compare_nest SETTINGS`, on any number of ranks; rank 0 prints the answer
as JSON.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nest
import numpy as np

from ...errors import RuleError
from ...mpi.ranks import Ranks, world
from ...normalizer.measurement import PHASES
from ...normalizer.normalizer import Normalizer
from ...norms.passes import Pass
from ...norms.sums import factors
from ...runs.job_file import read_job
from ...synapses.in_place import InPlace
from ..scaling import provenance
from ..shared.networks import network_of, open_in_place
from ..shared.timing import seconds_of_all
from .pynest import normalize_in_bulk, normalize_one_by_one

_BULK_CONNECTIONS = 200_000
_REPETITIONS = 7
_WARM_UP_MS = 200.0


def measure(settings: dict[str, Any]) -> dict[str, Any]:
    """Build, simulate, and normalize by all means; what was found, the same on all ranks. Collective."""
    ranks = world(nest.build_info["have_mpi"])
    if provenance.crowded(ranks, settings["threads"]):
        raise RuleError(f"{ranks.size} ranks x {settings['threads']} threads are more than the cores")
    job = read_job(Path(settings["job"]), _changes(settings))
    network = network_of(job)
    made = network.made
    normalizer = Normalizer(network.rules[0], interval=job.interval)
    normalizer.simulate(_WARM_UP_MS)
    found = _simulate(normalizer, made, settings["simulate_ms"], ranks)
    (synapses,) = open_in_place(nest, network.rules[:1], ranks)
    target_norm = float(made.target_norm_mV)
    local = nest.GetLocalNodeCollection(made.excitatory)
    in_place_ns, connections = _in_place(synapses, target_norm, ranks)
    error = _error(synapses, made.excitatory, target_norm, ranks)

    in_degree = round(target_norm / made.weight_mV)
    some = nest.NodeCollection(sorted(local.tolist())[: max(_BULK_CONNECTIONS // ranks.size // in_degree, 1)])
    bulk_ns, bulk_connections = _once(
        lambda: normalize_in_bulk(
            nest.GetConnections(target=some, synapse_model=made.synapse_model), target_norm
        ),
        ranks,
    )  # fmt: skip
    picked = local[:: max(1, len(local) * ranks.size // settings["neurons"])]
    recipe_ns, _ = _once(lambda: normalize_one_by_one(nest, picked, made.synapse_model, target_norm, mpi=True), ranks)
    return found | {
        "excitatory": len(made.excitatory),
        "connections": connections,
        "in_place_ns": in_place_ns,
        "bulk_ns": bulk_ns,
        "bulk_connections": bulk_connections,
        "recipe_ns": recipe_ns,
        "neurons": _total(len(picked), ranks),
        "norm_error": max(error, _error(synapses, picked, target_norm, ranks)),
    }


def _changes(settings: dict[str, Any]) -> list[str]:
    parameters = {name: settings[name] for name in ("n_excitatory", "n_inhibitory")}
    parameters["in_degree_excitatory"] = settings["in_degree"]
    return [
        f"threads={settings['threads']}",
        'interval={"kind": "fixed", "interval_ms": 100.0}',
        *(f"parameters.{name}={value}" for name, value in parameters.items()),
    ]


def _simulate(normalizer: Normalizer, made: Any, time_ms: float, ranks: Ranks) -> dict[str, float]:
    done, events = len(normalizer.log), made.spikes.n_events
    wall_s = seconds_of_all(lambda: normalizer.simulate(time_ms), ranks)
    own_s = sum(measurement.seconds[phase] for measurement in normalizer.log[done:] for phase in PHASES[1:])
    spikes = _total(made.spikes.n_events - events, ranks)
    rate = spikes / len(made.recorded) / time_ms * 1e3
    return {"wall_s": wall_s, "normalizing_s": _total(own_s, ranks) / ranks.size, "spikes_per_s": rate}


def _total(value: float, ranks: Ranks) -> Any:
    """Sum over all ranks. Collective."""
    values = ranks.gather(value)
    return ranks.from_first(lambda: sum(values or []))


def _once(normalize: Callable[[], int], ranks: Ranks) -> tuple[float, int]:
    """Nanoseconds per connection of all ranks, and the number of these, of what says how many it normalized."""
    done: list[int] = []
    seconds = seconds_of_all(lambda: done.append(normalize()), ranks)
    number = _total(done[0], ranks)
    return seconds / number * 1e9, number


def _in_place(synapses: InPlace, target_norm: float, ranks: Ranks) -> tuple[float, int]:
    """Nanoseconds per connection of all ranks, and their number."""
    connections = _total(int(synapses.measure()[1].sum()), ranks)
    seconds = []
    # Back and forth, so that there always is something to change; the last one is the target norm.
    for turn in range(2 * _REPETITIONS + 1):
        wanted = np.full(len(synapses.node_ids), target_norm * (1.0 + turn % 2 * 0.01))
        seconds.append(seconds_of_all(lambda wanted=wanted: _normalize(synapses, wanted), ranks))  # type: ignore[misc]
    return float(np.median(seconds)) / connections * 1e9, connections


def _normalize(synapses: InPlace, wanted: Any) -> None:
    synapses.run(Pass(kind="scale", at=factors(synapses.measure()[0], wanted)))


def _error(synapses: InPlace, neurons: Any, target_norm: float, ranks: Ranks) -> float:
    """Largest relative error of the norms of neurons, over all ranks. Collective."""
    chosen = np.isin(synapses.node_ids, neurons.tolist())
    errors = ranks.gather(float(np.abs(synapses.measure()[0][chosen] / target_norm - 1.0).max(initial=0.0)))
    return ranks.from_first(lambda: max(errors or []))


if __name__ == "__main__":
    answer = measure(json.loads(sys.argv[1]))
    if nest.Rank() == 0:
        print(json.dumps(answer))

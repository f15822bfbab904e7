"""Cost of reading, setting, summing up, watching and saving weights, beside PyNEST and a measuring pass.

All on one network in one run, on any number of ranks. PyNEST is asked for a sample of the connections.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ..mpi.ranks import Ranks, world
from ..norms import histogram
from ..norms.passes import Pass
from ..rules.rule import Rule
from ..runs.options import path
from ..synapses.in_place import InPlace
from ..tables.moments import moments
from ..tables.saved import save_connections
from ..tables.setting import set_weights
from ..tables.table import connections
from ..tables.watched import WatchedWeights
from ..tables.weight_histogram import weight_histogram
from .shared.arguments import add_command, add_network, add_synapse_model
from .shared.networks import add_neurons, finish, open_in_place, reset
from .shared.tables import table
from .shared.timing import begin_peak, peak, seconds_of, seconds_of_all

_REPETITIONS = 3
_SAMPLE = 20_000  # connections that PyNEST is asked for on each rank
_KEYS = ["source", "target", "weight"]
_COLUMNS = ("on all ranks", "ns per connection of a rank", "times faster than PyNEST", "bytes per connection")


def add_to(commands: Any) -> None:
    """Add `bench weights`."""
    about = "reading, setting, summing up and saving weights, beside PyNEST; run it under mpiexec"
    parser = add_command(commands, "weights", about, run)
    add_network(parser, connections=5_000_000, threads=1)
    add_synapse_model(parser)
    parser.add_argument(
        "-o", "--output", type=path, metavar="FOLDER", help="also write all weights there, and a figure"
    )


def run(options: argparse.Namespace) -> None:
    """Measure on all ranks; rank 0 prints a table. Collective."""
    import nest

    ranks = world(nest.build_info["have_mpi"])
    model = options.synapse_model
    reset(nest, options.threads)
    synapse = {"synapse_model": model, "weight": nest.random.uniform(0.3, 0.7)}
    add_neurons(nest, options.connections // options.indegree, options.indegree, synapse)
    finish(nest)
    (synapses,) = open_in_place(nest, [Rule(model, target_norm=1.0)], ranks)
    mine = int(synapses.measure()[1].sum())
    costs = {
        "measuring pass": _cost(synapses.measure, mine, ranks),
        "measuring pass with a histogram": _watched(synapses, mine, ranks),
        "weight_histogram": _cost(lambda: weight_histogram(model), mine, ranks),
        "moments": _cost(lambda: moments(model), mine, ranks),
        "connections: weight": _cost(lambda: connections(model, columns=("weight",)), mine, ranks),
        "connections: source, target, weight": _cost(lambda: connections(model), mine, ranks),
        "connections: the same, current": _cost(lambda: connections(model, weights="current"), mine, ranks),
    }
    synapses.close()
    rows = connections(model, columns=("target", "weight", "location"))
    costs["set_weights"] = _cost(partial(set_weights, rows), mine, ranks)
    del rows
    if options.output is not None:
        costs["save_connections"] = _saved(options.output, model, mine, ranks)
    costs |= _through_pynest(nest, model, ranks)
    if ranks.rank == 0:
        print(_report(costs, options, ranks.size))


def _watched(synapses: InPlace, number: int, ranks: Ranks) -> tuple[float, float]:
    """Cost of a measuring pass that also counts weights by bin."""
    watched = WatchedWeights(1, ranks, True)
    watched.fix([synapses])
    records = histogram.empty_records(1)
    return _cost(lambda: watched.run([synapses], [Pass(kind="measure")], records), number, ranks)


def _saved(folder: Path, model: str, number: int, ranks: Ranks) -> tuple[float, float]:
    """Cost of writing all connections to a disk, once, and draw their histogram there."""
    from ..records.weights_figure import draw_histograms

    cost = _cost(lambda: save_connections(folder, model), number, ranks, repetitions=1)
    found = weight_histogram(model)
    ranks.from_first(lambda: draw_histograms({model: found}, folder / "weights.png"))
    return cost


def _cost(action: Callable[[], Any], number: int, ranks: Ranks, repetitions: int = _REPETITIONS) -> tuple[float, float]:
    """Nanoseconds per connection of this rank, median of several, and bytes by which memory grew at most."""
    seconds, grew = [], 0.0
    for _ in range(repetitions):
        before = begin_peak()
        seconds.append(seconds_of_all(action, ranks))
        grew = max(grew, peak() - before)
    return float(np.median(seconds)) / number * 1e9, grew / number


def _through_pynest(nest: Any, model: str, ranks: Ranks) -> dict[str, tuple[float, float]]:
    """The same: GetConnections of all, the rest of a sample."""
    every: list[Any] = []
    before = begin_peak()
    find_s = seconds_of(lambda: every.append(nest.GetConnections(synapse_model=model)))
    mine = len(every[0])
    costs = {"PyNEST: GetConnections": (find_s / mine * 1e9, (peak() - before) / mine)}
    found = every.pop()[:_SAMPLE]
    number = len(found)
    before = begin_peak()
    read_s = seconds_of(lambda: found.get(_KEYS))
    costs["PyNEST: get(source, target, weight)"] = read_s / number * 1e9, (peak() - before) / number
    weights = found.get("weight")
    before = begin_peak()
    set_s = seconds_of(lambda: found.set([{"weight": weight} for weight in weights]))
    costs["PyNEST: set(list of weights)"] = set_s / number * 1e9, (peak() - before) / number
    ranks.barrier()
    return costs


def _report(costs: dict[str, tuple[float, float]], options: argparse.Namespace, ranks: int) -> str:
    find, get, setting = (costs[name][0] for name in list(costs)[-3:])
    reading, plain = find + get, costs["measuring pass"][0]
    lines = [
        (name, f"{ns:,.1f}", f"{(setting if 'set' in name.lower() else reading) / ns:,.0f}", f"{grew:,.1f}")
        for name, (ns, grew) in costs.items()
    ]
    return (
        f"{options.connections // options.indegree * options.indegree:,} {options.synapse_model} connections, "
        f"in-degree {options.indegree:,}, {ranks} ranks x {options.threads} threads; median of {_REPETITIONS}\n\n"
        f"{table(_COLUMNS, lines)}\n\n"
        f"relative to a measuring pass: moments {costs['moments'][0] / plain:.2f}, "
        f"with a histogram {costs['measuring pass with a histogram'][0] / plain:.2f}"
    )

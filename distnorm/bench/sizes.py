"""Nanoseconds per connection for networks of many sizes, all in memory at once, so that slow changes of the machine
hit all alike.

Each size adds neurons of a synapse model of its own to those of the sizes below it. A rule over the models of a size
normalizes just these connections, and the passes of all sizes take turns.
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import RuleError
from ..files.outputs import results_folder
from ..mpi.ranks import Ranks, world
from ..norms.passes import Pass
from ..norms.sums import FloatArray
from ..rules.rule import Rule
from ..runs.options import count, path
from ..synapses.in_place import InPlace
from ..synapses.synapse_models import check_models
from .scaling import provenance
from .shared.arguments import add_command, add_network, add_synapse_model
from .shared.networks import add_neurons, finish, open_in_place, reset
from .shared.tables import table, write_csv, write_text
from .shared.timing import begin_peak, peak, resident, seconds_of

_SIZES = (10_000_000, 20_000_000, 50_000_000, 100_000_000)
_FACTOR = 1.0 + 2.0**-10  # and its inverse: weights change at each pass, and stay where they are
_COLUMNS = ("connections", "measure (ms)", "rescale (ms)", "ns per connection and thread", "middle half")


def add_to(commands: Any) -> None:
    """Add `bench sizes`."""
    about = "nanoseconds per connection over sizes of network; run it under mpiexec"
    parser = add_command(commands, "sizes", about, run)
    about = "of each size, in all (default 1e7,2e7,5e7,1e8: 12 GB)"
    parser.add_argument("--connections", type=_counts, default=_SIZES, help=about)
    add_network(parser, connections=None, threads=1)
    add_synapse_model(parser)
    parser.add_argument("--repetitions", type=count, default=10, help="of each pass, twice (default 10)")
    parser.add_argument("-o", "--output", metavar="FOLDER", type=path, help="also write sizes.md and sizes.csv there")


def _counts(text: str) -> tuple[int, ...]:
    return tuple(count(number) for number in text.split(","))


def run(options: argparse.Namespace) -> None:
    """Measure on all ranks; rank 0 prints, and writes into the folder if there is one. Collective.

    Raises:
        DistnormError: The sizes make no sense, or the model cannot be normalized.
    """
    indegree, threads, folder = options.indegree, options.threads, options.output
    neurons = [number // indegree for number in options.connections]
    if neurons[0] < 2 or any(fewer >= more for fewer, more in itertools.pairwise(neurons)):
        raise RuleError(f"connections are {list(options.connections)}; give ascending sizes of 2 x {indegree} or more")
    import nest

    ranks = world(nest.build_info["have_mpi"])
    check_models(nest, (options.synapse_model,))
    if folder is not None:
        ranks.from_first(lambda: results_folder(folder))
    if provenance.crowded(ranks, threads):
        raise RuleError(f"{ranks.size} ranks x {threads} threads are more than the cores; times would mean nothing")
    models = _build(nest, neurons, options)
    before = begin_peak()
    opened = open_in_place(nest, [Rule(models[: i + 1], target_norm=1.0) for i in range(len(models))], ranks)
    counts, seconds = _measure(opened, 2 * options.repetitions, ranks)
    connection_bytes = int(nest.GetDefaults(options.synapse_model)["sizeof"])
    everyone = ranks.gather((np.array([before, resident(), peak()]), counts, seconds))
    if everyone is None:
        return
    memory, all_counts, all_seconds = (np.array(values) for values in zip(*everyone, strict=True))
    of_all = {"ranks": ranks.size, "threads": threads, "bytes": connection_bytes}
    totals, means = all_counts.sum(axis=0).astype(int).tolist(), all_seconds.mean(axis=0)
    rows = [_row(of_all, number, targets, mean) for (number, targets), mean in zip(totals, means, strict=True)]
    text = f"{_report(rows, options)}\n\n{_memory(memory.sum(axis=0) / 1e9, rows[-1]['connections'])}"
    if folder is not None:
        write_csv(folder / "sizes.csv", rows)
        write_text(folder / "sizes.md", text)
    print(text)


def _build(nest: Any, neurons: Sequence[int], options: argparse.Namespace) -> list[str]:
    reset(nest, options.threads)
    models: list[str] = []
    for number, before in zip(neurons, [0, *neurons], strict=False):
        models.append(f"distnorm_size_{len(models)}")
        nest.CopyModel(options.synapse_model, models[-1])
        synapse = {"synapse_model": models[-1], "weight": nest.random.uniform(0.5, 1.5)}
        add_neurons(nest, number - before, options.indegree, synapse)
    finish(nest)
    return models


def _measure(opened: Sequence[InPlace], repetitions: int, ranks: Ranks) -> tuple[FloatArray, FloatArray]:
    """Of this rank by size: connections and targets, shape (sizes, 2); seconds to measure and to rescale, shape (sizes,
    2, repetitions).
    """
    per_target = [synapses.measure()[1] for synapses in opened]
    seconds = np.zeros((len(opened), 2, repetitions))
    for repetition in range(repetitions):
        for synapses, spent in zip(opened, seconds, strict=True):
            factor = np.full(len(synapses.node_ids), 1.0 / _FACTOR if repetition % 2 else _FACTOR)
            rescale = Pass(kind="scale", at=factor)
            ranks.barrier()
            spent[0, repetition] = seconds_of(synapses.measure)
            spent[1, repetition] = seconds_of(lambda synapses=synapses, rescale=rescale: synapses.run(rescale))  # type: ignore[misc]
    return np.array([(connections.sum(), np.count_nonzero(connections)) for connections in per_target]), seconds


def _row(of_all: dict[str, float], connections: int, targets: int, seconds: FloatArray) -> dict[str, float]:
    """A size over all ranks: medians over repetitions, and nanoseconds of both passes per connection of a thread.

    Args:
        of_all: Ranks, threads, and bytes of a connection.
        connections: In all.
        targets: In all.
        seconds: To measure and to rescale, means over ranks, shape (2, repetitions).
    """
    share = connections / of_all["ranks"] / of_all["threads"]
    measure_s, rescale_s = np.median(seconds, axis=1)
    low, middle, high = np.quantile(seconds.sum(axis=0), [0.25, 0.5, 0.75])
    counts = {"ranks": of_all["ranks"], "threads": of_all["threads"], "connections": connections, "targets": targets}
    times = {"bytes": of_all["bytes"], "measure_s": measure_s, "rescale_s": rescale_s, "both_s": middle}
    return counts | times | {"ns": middle / share * 1e9, "ns_25": low / share * 1e9, "ns_75": high / share * 1e9}


def _report(rows: Sequence[dict[str, float]], options: argparse.Namespace) -> str:
    lines = [
        (
            f"{row['connections']:,}",
            f"{row['measure_s'] * 1e3:,.2f}",
            f"{row['rescale_s'] * 1e3:,.2f}",
            f"{row['ns']:.2f}",
            f"{row['ns_25']:.2f} to {row['ns_75']:.2f}",
        )
        for row in rows
    ]
    nanoseconds = [row["ns"] for row in rows]
    return (
        f"{options.synapse_model} connections of {rows[0]['bytes']} bytes, in-degree {options.indegree:,}, "
        f"{rows[0]['ranks']} ranks x {rows[0]['threads']} threads; median of {2 * options.repetitions} in turns over "
        f"the sizes\n\n{table(_COLUMNS, lines)}\n\n"
        f"largest / smallest ns per connection over the sizes: {max(nanoseconds) / min(nanoseconds):.3f}"
    )


def _memory(gigabytes: FloatArray, connections: float) -> str:
    before, after, most = gigabytes
    more = (most - before) * 1e9 / connections
    return (
        f"resident memory of all ranks: {before:.3f} GB with the networks built, {after:.3f} GB after the passes, "
        f"{most:.3f} GB at most in between, {more:.3f} bytes per connection more"
    )

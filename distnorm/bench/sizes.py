"""Nanoseconds per connection for networks of many sizes, all in memory at once, so that slow changes of the machine
hit all alike.

Each size adds neurons of a synapse model of its own to those of the sizes below it. A rule over the models of a size
normalizes just these connections, and the passes of all sizes take turns.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import nest
import numpy as np

from ..errors import RuleError
from ..files.outputs import results_folder
from ..mpi.ranks import Ranks, world
from ..norms.passes import Pass
from ..rules.rule import Rule
from ..synapses.access import open_synapses, verify
from ..synapses.in_place import InPlace
from ..synapses.synapse_models import check_models
from .resident import begin_peak, peak, resident
from .scaling import provenance
from .tables import table, write_csv, write_text

_PASSES = ("measure", "rescale")
_FACTOR = 1.0 + 2.0**-10  # and its inverse: weights change at each pass, and stay where they are


@dataclass(frozen=True, kw_only=True)
class Size:
    """A size, and its passes on one rank.

    Attributes:
        connections: On all ranks.
        targets: On all ranks.
        seconds: Of each pass, one value per repetition.
    """

    connections: int
    targets: int
    seconds: dict[str, list[float]]


def run(
    connections: Sequence[int], indegree: int, synapse_model: str, threads: int, repetitions: int, folder: Path | None
) -> str:
    """Measure on all ranks; the report on rank 0, nothing on the others. Collective.

    Args:
        connections: Of each size on all ranks, ascending; rounded down to whole neurons.
        indegree: Connections per neuron.
        synapse_model: Their synapse model.
        threads: Of each rank.
        repetitions: Of each pass at each size.
        folder: For sizes.md and sizes.csv; None for none.

    Raises:
        DistnormError: The sizes make no sense, or the model cannot be normalized.
    """
    neurons = [number // indegree for number in connections]
    if neurons[0] < 2 or any(a >= b for a, b in itertools.pairwise(neurons)):
        raise RuleError(f"connections are {list(connections)}; give ascending sizes of 2 x {indegree} or more")
    ranks = world(nest.build_info["have_mpi"])
    check_models(nest, (synapse_model,))
    if folder is not None:
        ranks.from_first(lambda: results_folder(folder))
    if provenance.crowded(ranks, threads):
        raise RuleError(f"{ranks.size} ranks x {threads} threads are more than the cores; times would mean nothing")
    models = _build(neurons, indegree, synapse_model, threads)
    before = begin_peak()
    rules = [Rule(models[: i + 1], target_norm=1.0) for i in range(len(models))]
    opened = [each for each in open_synapses(nest, rules, ranks, "inplace") if isinstance(each, InPlace)]  # as asked
    for each in opened:
        verify(nest, each, ranks)
    sizes = _measure(opened, repetitions, ranks)
    bytes_each = int(nest.GetDefaults(synapse_model)["sizeof"])
    memory = [sum(each) / 1e9 for each in zip(*(ranks.gather((before, resident(), peak())) or []), strict=True)]
    everyone = ranks.gather(sizes)
    if everyone is None:
        return ""
    rows = [_row([rank[i] for rank in everyone], ranks.size, threads, bytes_each) for i in range(len(sizes))]
    text = _report(rows, synapse_model, indegree, repetitions) + _report_memory(memory, rows[-1]["connections"])
    if folder is not None:
        write_csv(folder / "sizes.csv", rows)
        write_text(folder / "sizes.md", text)
    return text + "\n"


def _build(neurons: Sequence[int], indegree: int, synapse_model: str, threads: int) -> list[str]:
    nest.ResetKernel()
    nest.verbosity = nest.VerbosityLevel.ERROR
    nest.local_num_threads = threads
    weight = {"weight": nest.random.uniform(0.5, 1.5), "delay": 1.5}
    models: list[str] = []
    for number, before in zip(neurons, [0, *neurons], strict=False):
        models.append(f"distnorm_size_{len(models)}")
        nest.CopyModel(synapse_model, models[-1])
        population = nest.Create("iaf_psc_delta", number - before)
        inputs = {"rule": "fixed_indegree", "indegree": indegree}
        nest.Connect(population, population, inputs, {"synapse_model": models[-1], **weight})
    nest.Simulate(1.5)  # sorts the connections, as in any run
    return models


def _measure(opened: Sequence[InPlace], repetitions: int, ranks: Ranks) -> list[Size]:
    factors = [_FACTOR, 1.0 / _FACTOR]
    counts = [synapses.measure()[1] for synapses in opened]
    seconds: list[dict[str, list[float]]] = [{name: [] for name in _PASSES} for _ in opened]
    for repetition in range(2 * repetitions):
        for synapses, spent in zip(opened, seconds, strict=True):
            factor = np.full(len(synapses.node_ids), factors[repetition % 2])
            ranks.barrier()
            start = time.perf_counter()
            synapses.measure()
            middle = time.perf_counter()
            synapses.run(Pass(kind="scale", at=factor))
            spent["measure"].append(middle - start)
            spent["rescale"].append(time.perf_counter() - middle)
    return [
        Size(connections=int(count.sum()), targets=int((count > 0).sum()), seconds=spent)
        for count, spent in zip(counts, seconds, strict=True)
    ]


def _row(size: Sequence[Size], ranks: int, threads: int, bytes_each: int) -> dict[str, float]:
    """A size over all ranks: counts summed, times the mean over ranks."""
    connections = sum(each.connections for each in size)
    share = connections / ranks / threads  # of a thread
    row: dict[str, float] = {"ranks": ranks, "threads": threads, "connections": connections}
    row |= {"targets": sum(each.targets for each in size), "bytes": bytes_each}
    both = np.mean([np.sum([each.seconds[name] for name in _PASSES], axis=0) for each in size], axis=0)
    for name, values in {p: np.mean([each.seconds[p] for each in size], axis=0) for p in _PASSES}.items():
        row[f"{name}_s"] = float(np.median(values))
    low, middle, high = np.quantile(both, [0.25, 0.5, 0.75])
    return row | {"both_s": middle, "ns": middle / share * 1e9, "ns_25": low / share * 1e9, "ns_75": high / share * 1e9}


def _report(rows: Sequence[dict[str, float]], synapse_model: str, indegree: int, repetitions: int) -> str:
    lines = [
        [
            f"{row['connections']:,}",
            f"{row['measure_s'] * 1e3:,.2f}",
            f"{row['rescale_s'] * 1e3:,.2f}",
            f"{row['ns']:.2f}",
            f"{row['ns_25']:.2f} to {row['ns_75']:.2f}",
        ]
        for row in rows
    ]
    nanoseconds = [row["ns"] for row in rows]
    head = (
        f"{synapse_model} connections of {rows[0]['bytes']} bytes, in-degree {indegree:,}, {rows[0]['ranks']} ranks x "
        f"{rows[0]['threads']} threads; median of {2 * repetitions} in turns over the sizes"
    )
    columns = ("connections", "measure (ms)", "rescale (ms)", "ns per connection and thread", "middle half")
    spread = f"largest / smallest ns per connection over the sizes: {max(nanoseconds) / min(nanoseconds):.3f}"
    return f"{head}\n\n{table(columns, lines)}\n\n{spread}"


def _report_memory(memory: Sequence[float], connections: float) -> str:
    before, after, most = memory
    more = (most - before) * 1e9 / connections
    return (
        f"\n\nresident memory of all ranks: {before:.3f} GB with the networks built, {after:.3f} GB after the passes, "
        f"{most:.3f} GB at most in between, {more:.3f} bytes per connection more"
    )

"""Time and memory of writing and reading a checkpoint, against writing and reading the same bytes plainly.

The connections are written as a run writes them, checksums and fsync included. Plainly is one file with as many bytes,
written from a block in memory and brought to the disk, or read into one. Both are read from the disk, not from the copy
that the system keeps in memory: a run is resumed on other nodes, or much later.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import nest
import numpy as np

from ..errors import RuleError
from ..mpi.ranks import world
from ..runs.checkpoint.part import NORM, Part
from ..runs.checkpoint.rows import on_each, read_part, write_part
from ..synapses.connection_rows import Connections
from .resident import begin_peak, peak, resident

_REPETITIONS = 3
_BLOCK = np.arange(1 << 20, dtype=np.uint8)


def run(connections: int, indegree: int, synapse_model: str, threads: int, folder: Path) -> str:
    """Measure on one process and return a table.

    Args:
        connections: In all; rounded down to whole neurons.
        indegree: Connections per neuron.
        synapse_model: Their synapse model.
        threads: Threads of NEST.
        folder: On the disk to be measured.

    Raises:
        RuleError: More than one rank, or fewer connections than in-degree.
    """
    ranks = world(nest.build_info["have_mpi"])
    if ranks.size > 1:
        raise RuleError(f"bench checkpoint was started on {ranks.size} ranks; it measures one process")
    if connections < indegree:
        raise RuleError(f"{connections} connections with in-degree {indegree}; use at least one neuron's worth")
    _network(connections // indegree, indegree, synapse_model, threads)
    kept = Connections(nest, ranks, [synapse_model])
    before = resident() / 1e6
    rows: dict[str, list[tuple[float, float]]] = {}
    for _ in range(_REPETITIONS):
        with tempfile.TemporaryDirectory(dir=folder) as temporary:
            size = _once(rows, kept, Path(temporary))
    return _table(rows, connections // indegree * indegree, size, before)


def _once(rows: dict[str, list[tuple[float, float]]], kept: Connections, folder: Path) -> int:
    """Measure all four in turn; the bytes."""
    parts: list[Part] = []
    plain = folder / "plain"
    _measure(rows, "write", lambda: parts.extend(_write(folder, kept)))
    size = sum(part.bytes for part in parts)
    _measure(rows, "write plainly", lambda: _write_plainly(plain, size))
    _forget(folder)
    _measure(rows, "read", lambda: _read(folder, kept, parts))
    _measure(rows, "read plainly", lambda: _read_plainly(plain))
    return size


def _network(neurons: int, indegree: int, synapse_model: str, threads: int) -> None:
    nest.ResetKernel()
    nest.verbosity = nest.VerbosityLevel.ERROR
    nest.local_num_threads = threads
    population = nest.Create("iaf_psc_delta", neurons)
    nest.Connect(
        population,
        population,
        {"rule": "fixed_indegree", "indegree": indegree},
        {"synapse_model": synapse_model, "weight": nest.random.uniform(0.5, 1.5), "delay": 1.5},
    )
    nest.Simulate(1.5)


def _write(folder: Path, kept: Connections) -> list[Part]:
    now_ms = float(nest.biological_time)
    return on_each(kept, lambda thread: write_part(folder, kept, thread, now_ms, np.zeros(0, NORM)))


def _read(folder: Path, kept: Connections, parts: list[Part]) -> None:
    now_ms = float(nest.biological_time)
    on_each(kept, lambda thread: read_part(folder, kept, thread, parts[thread], now_ms))


def _write_plainly(path: Path, size: int) -> None:
    with path.open("wb", buffering=0) as file:
        for first in range(0, size, len(_BLOCK)):
            file.write(_BLOCK[: min(len(_BLOCK), size - first)].data)
        os.fsync(file.fileno())


def _read_plainly(path: Path) -> None:
    block = np.empty_like(_BLOCK)
    with path.open("rb", buffering=0) as file:
        while file.readinto(block.data):
            pass


def _forget(folder: Path) -> None:
    """Have the system drop what it keeps of the files in memory."""
    for path in folder.iterdir():
        with path.open("rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def _measure(rows: dict[str, list[tuple[float, float]]], name: str, action: Callable[[], None]) -> None:
    before, start = begin_peak(), time.perf_counter()
    action()
    seconds = time.perf_counter() - start
    rows.setdefault(name, []).append((seconds, (peak() - before) / 1e6))


def _table(rows: dict[str, list[tuple[float, float]]], connections: int, size: int, before: float) -> str:
    lines = [
        f"{connections:,} connections, {size / connections:.1f} bytes each on disk, {before:,.0f} MB in memory; "
        f"{_REPETITIONS} times in turn",
        "",
        "| | s, median | s, all | MB/s | more memory at the peak, MB |",
        "|---|---:|---|---:|---:|",
    ]
    for name, measured in rows.items():
        seconds = [each for each, _ in measured]
        middle = statistics.median(seconds)
        peak = max(memory for _, memory in measured)
        every = ", ".join(f"{each:.2f}" for each in seconds)
        lines.append(f"| {name} | {middle:.2f} | {every} | {size / 1e6 / middle:,.0f} | {peak:,.0f} |")
    for name in ("write", "read"):
        ratios = [a / b for (a, _), (b, _) in zip(rows[name], rows[f"{name} plainly"], strict=True)]
        lines.append(f"\n{name} / {name} plainly: " + ", ".join(f"{each:.2f}" for each in ratios))
    return "\n".join(lines)

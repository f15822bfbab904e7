"""Time and memory of writing and reading a checkpoint, against writing and reading the same bytes plainly.

The connections are written as a run writes them, checksums and fsync included. Plainly is one file with as many bytes,
written from a block in memory and brought to the disk, or read into one. Both are read from the disk, not from the copy
that the system keeps in memory: a run is resumed on other nodes, or much later.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import RuleError
from ..runs.checkpoint.part import NORM, Part
from ..runs.checkpoint.rows import on_each, read_part, write_part
from ..runs.options import path
from ..synapses.connection_rows import Connections
from .shared.arguments import add_command, add_network, add_synapse_model
from .shared.networks import add_neurons, finish, one_process, reset
from .shared.tables import table
from .shared.timing import cost_of, resident

_REPETITIONS = 3
_BLOCK = np.arange(1 << 20, dtype=np.uint8)
_COLUMNS = ("", "s, median", "s, all", "MB/s", "more memory at the peak, MB")

Costs = dict[str, list[tuple[float, float]]]
"""Seconds, and growth of memory in bytes, of each repetition by what was done."""


def add_to(commands: Any) -> None:
    """Add `bench checkpoint`."""
    about = "time and memory of checkpoints, against the same bytes plainly"
    parser = add_command(commands, "checkpoint", about, run)
    add_network(parser, connections=5_000_000)
    add_synapse_model(parser)
    parser.add_argument("--folder", type=path, default=Path("."), help="on the disk to be measured (default .)")


def run(options: argparse.Namespace) -> None:
    """Measure on one process and print a table.

    Raises:
        RuleError: More than one rank, or fewer connections than in-degree.
    """
    import nest

    ranks = one_process(nest, "bench checkpoint")
    indegree, neurons, model = options.indegree, options.connections // options.indegree, options.synapse_model
    if not neurons:
        raise RuleError(f"{options.connections} connections with in-degree {indegree}; use at least one neuron's worth")
    reset(nest, options.threads)
    add_neurons(nest, neurons, indegree, {"synapse_model": model, "weight": nest.random.uniform(0.5, 1.5)})
    finish(nest)
    kept = Connections(nest, ranks, [model])
    before = resident()
    costs: Costs = {}
    for _ in range(_REPETITIONS):
        with tempfile.TemporaryDirectory(dir=options.folder) as folder:
            size = _once(costs, kept, Path(folder), float(nest.biological_time))
    connections = neurons * indegree
    print(
        f"{connections:,} connections, {size / connections:.1f} bytes each on disk, {before / 1e6:,.0f} MB in memory; "
        f"{_REPETITIONS} times in turn\n\n{_report(costs, size)}"
    )


def _once(costs: Costs, kept: Connections, folder: Path, now_ms: float) -> int:
    """Measure all four in turn; the bytes."""
    parts: list[Part] = []
    plain = folder / "plain"

    def measure(name: str, action: Callable[[], object]) -> None:
        costs.setdefault(name, []).append(cost_of(action))

    def write() -> None:
        parts.extend(on_each(kept, lambda thread: write_part(folder, kept, thread, now_ms, np.zeros(0, NORM))))

    def read() -> None:
        on_each(kept, lambda thread: read_part(folder, kept, thread, parts[thread], now_ms))

    measure("write", write)
    size = sum(part.bytes for part in parts)
    measure("write plainly", lambda: _write_plainly(plain, size))
    _forget(folder)
    measure("read", read)
    measure("read plainly", lambda: _read_plainly(plain))
    return size


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
    for written in folder.iterdir():
        with written.open("rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def _report(costs: Costs, size: int) -> str:
    lines = []
    seconds = {name: [spent for spent, _ in measured] for name, measured in costs.items()}
    for name, measured in costs.items():
        median = statistics.median(seconds[name])
        peak = max(memory for _, memory in measured) / 1e6
        all_of_them = ", ".join(f"{spent:.2f}" for spent in seconds[name])
        lines.append((name, f"{median:.2f}", all_of_them, f"{size / 1e6 / median:,.0f}", f"{peak:,.0f}"))
    parts = [table(_COLUMNS, lines)]
    for name in ("write", "read"):
        pairs = zip(seconds[name], seconds[f"{name} plainly"], strict=True)
        parts.append(f"{name} / {name} plainly: " + ", ".join(f"{ours / plain:.2f}" for ours, plain in pairs))
    return "\n\n".join(parts)

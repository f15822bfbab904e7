"""Connections on disk: a folder with an .npy file per virtual process, the same files however these are split."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.lib.format as npy

from ..errors import RuleError
from ..rules.node_ids import Int64Array
from .selection import Selection
from .table import Connections, blocks_of, counts_of, dtype_of

_INDEX = "connections.json"
_BLOCK_ROWS = 8_000_000  # that are in memory at a time


def save_connections(
    folder: str | Path, *args: Any, columns: Sequence[str] = ("source", "target", "weight"), **selection: Any
) -> int:
    """Write connections into a new folder, an .npy file per virtual process of NEST. Collective.

    A file is a structured array, which numpy.load reads, in the order of `connections`. `connections.json` is written
    last, with the names of the synapse models, the time and the number of rows per file. On an error nothing is left.

    Args:
        folder: Where to; all ranks must reach it, and it must not be there, or be empty.
        *args: Which connections, as of `connections`.
        columns: As of `connections`.
        **selection: As `args`; also `weights`.

    Returns:
        Number of rows of all ranks.

    Raises:
        RuleError: A value that makes no sense, or the folder cannot be written.
        KernelError: The kernel cannot be compiled.
    """
    import nest

    path = Path(folder)
    opened = Selection(*(args or (None,)), folder=str(path), columns=tuple(columns), **selection)
    ranks = opened.ranks
    dtype = ranks.together(lambda: dtype_of(columns, opened))
    processes = int(nest.total_num_virtual_procs)
    ranks.from_first(lambda: _make(path))
    try:
        rows = ranks.together(lambda: _write(path, opened, dtype, processes))
        of_ranks = ranks.gather(rows) or []
        return int(ranks.from_first(lambda: _finish(path, opened, of_ranks, float(nest.biological_time))))
    except BaseException:
        if ranks.rank == 0:
            shutil.rmtree(path, ignore_errors=True)
        raise


def load_connections(folder: str | Path) -> Connections:
    """The connections that `save_connections` wrote, of all ranks, sorted by target; needs no NEST.

    Raises:
        RuleError: The folder is not one of these, or not whole.
    """
    path = Path(folder)
    try:
        index = json.loads((path / _INDEX).read_text(encoding="utf-8"))
        parts = [_loaded(path / name, int(rows)) for name, rows in index["rows"].items()]
        models = {int(number): str(name) for number, name in index["models"].items()}
    except OSError as error:
        raise RuleError(f"cannot read connections in {path}: {error.filename}: {error.strerror}") from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise RuleError(f"cannot read connections in {path}: {error}") from None
    table = np.concatenate(parts).view(Connections) if parts else np.zeros(0, [("weight", float)]).view(Connections)
    if "target" in (table.dtype.names or ()):
        table = table[np.argsort(table["target"], kind="stable")].view(Connections)
    table.models = models
    return table


def _make(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
        if any(path.iterdir()):
            raise RuleError(f"folder {path} is not empty; give another one for connections")
    except OSError as error:
        raise RuleError(f"cannot make folder {path}: {error.strerror}") from None


def _write(path: Path, opened: Selection, dtype: np.dtype[np.void], processes: int) -> dict[str, int]:
    """Write the files of this rank's virtual processes; the number of rows of each."""
    rows = {}
    for process, count, blocks in _of_processes(opened, dtype, processes):
        name = f"vp-{process:06d}.npy"
        try:
            with (path / name).open("xb") as file:
                header = {"descr": npy.dtype_to_descr(dtype), "fortran_order": False, "shape": (count,)}
                npy.write_array_header_1_0(file, header)
                for block in blocks:
                    file.write(np.asarray(block).view(np.uint8).data)
        except OSError as error:
            raise RuleError(f"cannot write connections to {path / name}: {error.strerror}") from None
        rows[name] = count
    return rows


def _of_processes(
    opened: Selection, dtype: np.dtype[np.void], processes: int
) -> Iterator[tuple[int, int, Iterator[Connections]]]:
    """Number, number of rows and blocks of rows of each virtual process on this rank that has some."""
    if opened.synapses is None:
        return
    counts = counts_of(opened.synapses)
    of_targets: Int64Array = opened.synapses.node_ids % processes  # as NEST assigns neurons
    for process in np.unique(of_targets[counts > 0]).tolist():
        chosen = of_targets == process
        blocks = blocks_of(opened, dtype, _BLOCK_ROWS, chosen)
        yield process, int(counts[chosen].sum()), blocks


def _finish(path: Path, opened: Selection, of_ranks: Sequence[dict[str, int]], time_ms: float) -> int:
    rows = dict(sorted((name, count) for part in of_ranks for name, count in part.items()))
    index = {"time_ms": time_ms, "models": opened.models, "rows": rows}
    try:
        (path / _INDEX).write_text(json.dumps(index, indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        raise RuleError(f"cannot write connections to {path / _INDEX}: {error.strerror}") from None
    return sum(rows.values())


def _loaded(path: Path, rows: int) -> Any:
    part = np.load(path, mmap_mode="r")
    if len(part) != rows:
        raise ValueError(f"{path.name} has {len(part):,} rows, and {rows:,} were written")
    return part

"""The weights of a checkpoint as a table."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from ...errors import CheckpointError, RuleError
from ...synapses.connection_rows import ROW
from . import folder as folders
from .manifest import Manifest

_BLOCK = 1 << 20  # rows at a time


def checkpoint_table(folder: str | Path) -> npt.NDArray[np.void]:
    """Connections and weights of the newest checkpoint in a folder, or of the checkpoint that the folder is.

    Args:
        folder: As given to --checkpoint, or one of the numbered folders in it.

    Returns:
        A row per connection, shape (n,), with the fields source, target (node IDs), model (a name) and weight.

    Raises:
        RuleError: There is no checkpoint.
        CheckpointError: It is damaged, or does not fit into memory.
    """
    parent, number = _newest(Path(folder))
    path, manifest = folders.path_of(parent, number), Manifest.from_json(folders.read_manifest(parent, number))
    names = np.array([model.name for model in manifest.models], dtype=np.str_)
    dtype = np.dtype([("source", "<u4"), ("target", "<u4"), ("model", names.dtype), ("weight", "<f8")])
    try:
        table = np.zeros(sum(sum(part.rows) for part in manifest.parts), dtype)
    except (MemoryError, ValueError):
        raise CheckpointError(f"the connections of checkpoint {path} do not fit into memory") from None
    first = 0
    for part in manifest.parts:
        with part.open(path, manifest.members)["weights"] as source:
            for begin in range(0, source.count, _BLOCK):
                rows = np.zeros(min(_BLOCK, source.count - begin), ROW)
                source.read(rows)
                _fill(table[first : first + len(rows)], rows, names, source.path)
                first += len(rows)
            source.finish()
    return table


def _newest(path: Path) -> tuple[Path, int]:
    """Folder and number of the newest checkpoint there, or of the one that the path is."""
    if numbers := folders.numbers(path):
        return path, numbers[0]
    number = folders.number_of(path.name)
    if number is None or number not in folders.numbers(path.parent):
        raise RuleError(f"there is no checkpoint in {path}")
    return path.parent, number


def _fill(table: npt.NDArray[np.void], rows: npt.NDArray[np.void], names: npt.NDArray[np.str_], path: Path) -> None:
    if rows["model"].max() >= len(names):
        raise CheckpointError(f"{path} is damaged: it names model {rows['model'].max()} of {len(names)}")
    for name in ("source", "target", "weight"):
        table[name] = rows[name]
    table["model"] = names[rows["model"]]

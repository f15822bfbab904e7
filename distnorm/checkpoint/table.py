"""The weights of a checkpoint as a table."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import CheckpointError, RuleError
from . import folder as folders


def checkpoint_table(folder: str | Path) -> npt.NDArray[np.void]:
    """Connections and weights of the newest checkpoint in a folder, or of the checkpoint that the folder is.

    Args:
        folder: As given to --checkpoint, or one of the numbered folders in it.

    Returns:
        A row per connection, shape (n,), with the fields source, target (node IDs), model (a name) and weight.

    Raises:
        RuleError: There is no checkpoint.
        CheckpointError: It is damaged.
    """
    path = Path(folder)
    numbers = folders.numbers(path)
    parent, number = (path, numbers[0]) if numbers else (path.parent, int(path.name) if path.name.isdigit() else 0)
    if not folders.path_of(parent, number).is_dir():
        raise RuleError(f"there is no checkpoint in {path}")
    manifest = folders.read_manifest(parent, number)
    parts = [folders.part_from_json(each) for each in manifest["parts"]]
    names = np.array([each["name"] for each in manifest["models"]])
    dtype = np.dtype([("source", "<u4"), ("target", "<u4"), ("model", names.dtype), ("weight", "<f8")])
    table = np.zeros(sum(sum(part.rows) for part in parts), dtype)
    first = 0
    for part in parts:
        file = folders.path_of(parent, number) / part.weights.name
        try:
            rows: Any = np.load(file, mmap_mode="r")
        except (OSError, ValueError) as error:
            raise CheckpointError(f"cannot read {file}: {error}") from None
        into = table[first : first + len(rows)]
        for name in ("source", "target", "weight"):
            into[name] = rows[name]
        into["model"] = names[rows["model"]]
        first += len(rows)
    return table

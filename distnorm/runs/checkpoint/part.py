"""What a manifest says of the files of one virtual process."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...synapses.connection_rows import ROW
from .npy import Entry, Reader

DOUBLE = np.dtype("<f8")
NORM = np.dtype([("of", "<u4"), ("target", "<u4"), ("norm", "<f8")])
"""`of`: 0, 1, ... for the target norms of the rules, then for what observing compares with."""


@dataclass(frozen=True, kw_only=True)
class Part:
    """What a manifest says of a virtual process."""

    virtual: int  # its number
    rows: tuple[int, ...]  # number of rows of each model
    fingerprints: tuple[int, ...]  # sum of the hashes of the connections of each model, modulo 2^64
    weights: Entry  # file of rows
    state: Entry | None  # file of state, or None
    norms: Entry | None  # file of norms, or None

    @property
    def bytes(self) -> int:
        """Size of its files together."""
        return sum(entry.bytes for entry in (self.weights, self.state, self.norms) if entry is not None)

    def open(self, folder: Path, members: Sequence[int]) -> dict[str, Reader]:
        """Its files by what they hold, compared with what is said of them here.

        Args:
            folder: Where they are.
            members: Of each model, how many come beside the weight.
        """
        doubles = sum(rows * number for rows, number in zip(self.rows, members, strict=True))
        files = {
            "weights": (self.weights, ROW, sum(self.rows)),
            "state": (self.state, DOUBLE, doubles),
            "norms": (self.norms, NORM, None),
        }
        return {
            kind: Reader(folder, entry, dtype, count)
            for kind, (entry, dtype, count) in files.items()
            if entry is not None
        }

    def check(self, number: int, members: Sequence[int]) -> None:
        """Refuse what `write_part` does not make for this virtual process and so many models."""
        what = f"parts[{number}]"
        if self.virtual != number or not len(self.rows) == len(self.fingerprints) == len(members):
            raise ValueError(f"{what} is of virtual process {self.virtual} and {len(self.rows)} models")
        if any(rows < 0 for rows in self.rows):
            raise ValueError(f"{what}.rows is {self.rows}")
        if (self.state is None) != (not any(rows * number for rows, number in zip(self.rows, members, strict=True))):
            raise ValueError(f"{what}.state is {self.state}")
        for kind, entry in (("weights", self.weights), ("state", self.state), ("norms", self.norms)):
            if entry is not None and entry.name != file_name(kind, number):
                raise ValueError(f"{what}.{kind}.name is {entry.name!r}")


def file_name(kind: str, virtual: int) -> str:
    """Name of a file of a virtual process."""
    return f"{kind}-{virtual:05}.npy"


def file_names(num_virtual: int) -> set[str]:
    """Names of all files of so many virtual processes."""
    return {file_name(kind, virtual) for virtual in range(num_virtual) for kind in ("weights", "state", "norms")}

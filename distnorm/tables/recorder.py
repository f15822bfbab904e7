"""Weights of chosen targets over time, as a table in a file that grows."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..errors import DistnormError, RuleError
from ..mpi.ranks import world
from .selection import check_same
from .table import Connections, connections

HEAD = ("time_ms", "synapse_model", "source", "target", "weight")


class WeightRecorder:
    """Appends the weights of connections onto chosen targets to a CSV file each time it is called.

    It fits `Normalizer(..., on_measurement=...)`, which then writes the weights after each measurement, normalized if
    that normalized. A call makes two passes over the connections, and rank 0 writes.

    Args:
        path: The file, on rank 0; a new one unless `from_ms` is given. pandas.read_csv reads it.
        synapse_model: As of `connections`.
        from_ms: The run goes on from this time: keep what an existing file has up to it, and drop the rest.
        **selection: Which connections, as of `connections`; give `targets`.

    Raises:
        RuleError: The file exists already, or cannot be written.
    """

    def __init__(
        self,
        path: str | Path,
        synapse_model: str | Sequence[str] | None = None,
        *,
        from_ms: float | None = None,
        **selection: Any,
    ) -> None:
        import nest

        self._path = Path(path)
        self._selection = {"synapse_model": synapse_model, **selection}
        self._ranks = world(nest.build_info["have_mpi"])
        check_same(self._ranks, path=str(path), from_ms=from_ms)
        self._ranks.from_first(lambda: self._begin(from_ms))

    def __call__(self, measurement: Any) -> None:
        """Write the weights as they are, at the time of a `Measurement`. Collective.

        Raises:
            DistnormError: They cannot be read, or the file cannot be written.
        """
        table = connections(**self._selection, columns=HEAD[1:], gather=True)
        self._ranks.from_first(lambda: self._append(measurement.time_ms, table))

    def _begin(self, from_ms: float | None) -> None:
        try:
            if from_ms is None or not self._path.exists():
                with self._path.open("x", encoding="utf-8") as file:
                    file.write(",".join(HEAD) + "\n")
            else:
                os.truncate(self._path, _bytes_until(self._path, from_ms))
        except FileExistsError:
            raise RuleError(f"{self._path} exists already and is kept; give another path, or move it away") from None
        except OSError as error:
            raise RuleError(f"cannot write weights to {self._path}: {error.strerror}") from None

    def _append(self, time_ms: float, table: Connections) -> None:
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        for model, *row in table.tolist():
            writer.writerow((time_ms, table.models[model], *row))
        try:
            with self._path.open("r+b") as file:  # one that was removed is not made anew
                file.seek(0, os.SEEK_END)
                file.write(text.getvalue().encode())
        except OSError as error:
            raise DistnormError(f"cannot write weights to {self._path}: {error.strerror}") from None


def _bytes_until(path: Path, time_ms: float) -> int:
    """Bytes of a file up to the first row of a later time, or a torn one."""
    size = 0
    with path.open("rb") as file:
        if file.readline().decode("utf-8", "replace").strip() != ",".join(HEAD):
            raise RuleError(f"{path} is no file of recorded weights, and is kept; give another path")
        size = file.tell()
        for line in file:
            if not line.endswith(b"\n") or float(line.split(b",", 1)[0]) > time_ms:
                break
            size += len(line)
    return size

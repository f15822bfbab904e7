"""What ranks tell each other at a normalization: drift, histograms of weights and an error, and how two such messages
become one.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import KINDS
from ..norms import drift, histogram

_TEXT_BYTES = 600


@functools.cache  # its hash is looked up at each agreement
def message_type(num_drifts: int, num_histograms: int = 0) -> np.dtype[np.void]:
    """The one message of a normalization; its size depends on the number of rules, and what is asked for, only."""
    return np.dtype(
        [
            ("error_kind", np.int64),  # position in KINDS + 1; 0: no error
            ("error_rank", np.int64),
            ("error_text", f"S{_TEXT_BYTES}"),
            ("drift", drift.RECORD, (num_drifts,)),
            ("weights", histogram.RECORD, (num_histograms,)),
        ]
    )


def merge(into: npt.NDArray[np.void], other: npt.NDArray[np.void]) -> None:
    """The error of the lowest rank wins; drift records and histograms add up."""
    if other["error_kind"] and (not into["error_kind"] or other["error_rank"] < into["error_rank"]):
        for name in ("error_kind", "error_rank", "error_text"):
            into[name] = other[name]
    drift.merge(into["drift"], other["drift"])
    histogram.merge(into["weights"], other["weights"])


def in_short(error: BaseException) -> tuple[int, bytes]:
    """Position in KINDS + 1, and text."""
    kind = max((i for i, kind in enumerate(KINDS) if isinstance(error, kind)), default=0)
    text = str(error) if isinstance(error, KINDS) else f"{type(error).__name__}: {error}"
    return kind + 1, text.encode(errors="backslashreplace")[:_TEXT_BYTES]


class Merged:
    """Messages of all ranks as one, by an Allreduce of fixed size."""

    def __init__(self) -> None:
        self._types: dict[np.dtype[np.void], tuple[Any, Any]] = {}  # MPI has room for few

    def over(self, communicator: Any, message: npt.NDArray[np.void]) -> npt.NDArray[np.void]:
        """The messages of all ranks of a communicator, merged. Collective."""
        if message.dtype not in self._types:
            self._types[message.dtype] = _operation_on(message.dtype)
        datatype, operation = self._types[message.dtype]
        merged = np.empty_like(message)
        communicator.Allreduce([message, 1, datatype], [merged, 1, datatype], operation)
        return merged


def _operation_on(dtype: np.dtype[np.void]) -> tuple[Any, Any]:
    """MPI's data type and operation for messages of this type."""
    from mpi4py import MPI

    def operate(other: Any, into: Any, _: Any) -> None:
        for a, b in zip(np.frombuffer(other, dtype), np.frombuffer(into, dtype), strict=True):
            merge(b, a)

    # One element of a type as large as the message: MPI may cut between elements, never inside one.
    return MPI.BYTE.Create_contiguous(dtype.itemsize).Commit(), MPI.Op.Create(operate, commute=True)

"""What ranks tell each other at a normalization: drift, histograms of weights, and who has an error or came last; and
how two such messages become one, here in numpy and in the compiled kernel (statistics/message.h).
"""

from __future__ import annotations

import ctypes
import functools
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import KINDS
from ..norms import drift, histogram

_TEXT_BYTES = 600

HEADER = (
    ("wrong", np.int64),  # number of ranks less the lowest one with an error; 0: no error
    ("busy_ns", np.int64),  # from the last agreement to this one, of the rank for which that took longest
    ("slowest", np.int64),  # that rank
    ("num_drifts", np.int32),
    ("num_histograms", np.int32),
)


@functools.cache  # its hash is looked up at each agreement
def _message_type(num_drifts: int, num_histograms: int) -> np.dtype[np.void]:
    return np.dtype([*HEADER, ("drift", drift.RECORD, (num_drifts,)), ("weights", histogram.RECORD, (num_histograms,))])


def new_message(num_drifts: int, num_histograms: int = 0) -> npt.NDArray[np.void]:
    """The one message of a normalization, empty; its size depends only on the rules, and on what is asked for."""
    message = np.zeros((), _message_type(num_drifts, num_histograms))
    message["num_drifts"], message["num_histograms"] = num_drifts, num_histograms
    if num_histograms:
        message["weights"] = histogram.empty_records(num_histograms)
    return message


def merge(into: npt.NDArray[np.void], other: npt.NDArray[np.void]) -> None:
    """Errors: the lowest rank; the rank that came last, the lowest of several; drift records and histograms add up."""
    into["wrong"] = max(into["wrong"], other["wrong"])
    if (other["busy_ns"], -other["slowest"]) > (into["busy_ns"], -into["slowest"]):
        into["busy_ns"], into["slowest"] = other["busy_ns"], other["slowest"]
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
        self._compiled: Any = None

    @property
    def is_compiled(self) -> bool:
        """Whether messages are merged by a compiled kernel."""
        return self._compiled is not None

    def by_kernel(self, library: ctypes.CDLL) -> None:
        """From now on messages are merged by a compiled kernel; on all ranks alike."""
        if self._compiled is None:
            from mpi4py import MPI

            self._compiled = MPI.Op()
            library.dn_create_operation(MPI._addressof(self._compiled))
            self._types.clear()

    def over(self, communicator: Any, message: npt.NDArray[np.void]) -> npt.NDArray[np.void]:
        """The messages of all ranks of a communicator, merged. Collective."""
        if message.dtype not in self._types:
            self._types[message.dtype] = _type_of(message.dtype), self._compiled or _operation_on(message.dtype)
        datatype, operation = self._types[message.dtype]
        merged = np.empty_like(message)
        communicator.Allreduce([message, 1, datatype], [merged, 1, datatype], operation)
        return merged


def _type_of(dtype: np.dtype[np.void]) -> Any:
    """MPI's data type: one element as large as the message. MPI may cut between elements, never inside one."""
    from mpi4py import MPI

    return MPI.BYTE.Create_contiguous(dtype.itemsize).Commit()


def _operation_on(dtype: np.dtype[np.void]) -> Any:
    """MPI's operation for messages of this type, in numpy."""
    from mpi4py import MPI

    def operate(other: Any, into: Any, _: Any) -> None:
        for a, b in zip(np.frombuffer(other, dtype), np.frombuffer(into, dtype), strict=True):
            merge(b, a)

    return MPI.Op.Create(operate, commute=True)

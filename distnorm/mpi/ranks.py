"""The ranks of a run: agreement, and an error on one rank becomes the same error on all.

A NEST without MPI is one rank, and mpi4py is not imported then.
"""

from __future__ import annotations

import ctypes
import functools
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, NoReturn, TypeVar

import numpy as np
import numpy.typing as npt

from ..errors import KINDS, MPIError, RuleError
from .ending import Ending
from .interrupts import Interrupts
from .launch import started_processes
from .message import Merged, in_short
from .same_library import check_same_library

T = TypeVar("T")


class Ranks:
    """All ranks of the run, by a communicator of their own.

    Attributes:
        rank: Number of this rank.
        size: Number of ranks.
        allreduces: Number of agreements so far, an Allreduce each where there are several ranks.
        allreduced_bytes: Size of their messages together.
        waited_s: How long this rank waited at the last call of `agree` for the rank that came last, in s.
        slowest: That rank.
        ending: Ways to end this rank, and all.
    """

    def __init__(self, communicator: Any = None) -> None:
        """Wrap a duplicate of an mpi4py communicator; None is one process without MPI. Collective."""
        self._comm = None if communicator is None else communicator.Dup()
        self.rank, self.size = 0, 1
        self._max: Any = None
        if communicator is not None:
            from mpi4py import MPI

            self.rank, self.size, self._max = communicator.Get_rank(), communicator.Get_size(), MPI.MAX
        self.allreduces = self.allreduced_bytes = 0
        self.waited_s, self.slowest = 0.0, 0
        self._met_ns = time.perf_counter_ns()  # when all ranks last left an agreement
        self.ending = Ending(self._comm if self.size > 1 else None)
        self._interrupts = Interrupts(alone=self.size == 1)
        self._merged = Merged()
        self._wanted = np.zeros((2, 1), np.int64)  # on this rank, and the largest of all

    def agree(self, message: npt.NDArray[np.void], error: BaseException | None = None) -> npt.NDArray[np.void]:
        """Merge the drift records and histograms of all ranks, with one Allreduce of fixed size. Collective.

        Args:
            message: Of this rank, as `new_message` makes it, shape ().
            error: What went wrong on this rank since the last agreement, or None.

        Returns:
            The merged message.

        Raises:
            DistnormError: Some rank had an error; the same one on every rank.
            KeyboardInterrupt: Some rank was interrupted.
        """
        error = error or self._interrupts.take()
        busy_ns = time.perf_counter_ns() - self._met_ns
        message["wrong"] = 0 if error is None else self.size - self.rank
        message["busy_ns"], message["slowest"] = busy_ns, self.rank
        self.allreduces += 1
        self.allreduced_bytes += message.nbytes
        merged = message if self._comm is None or self.size == 1 else self._merged.over(self._comm, message)
        self._met_ns = time.perf_counter_ns()
        self.waited_s, self.slowest = (int(merged["busy_ns"]) - busy_ns) * 1e-9, int(merged["slowest"])
        if wrong := int(merged["wrong"]):
            self._tell_and_raise(self.size - wrong, error, by_all=False)
        return merged

    @property
    def merges_by_kernel(self) -> bool:
        """Whether a compiled kernel merges messages."""
        return self._merged.is_compiled

    def anew(self) -> Ranks:
        """The same ranks with a communicator of their own, and messages merged by numpy. Collective."""
        return Ranks(self._comm)

    def merge_by_kernel(self, library: ctypes.CDLL) -> None:
        """Have a compiled kernel, which all ranks have loaded, merge messages in place of numpy."""
        if self.size > 1:
            self._merged.by_kernel(library)

    def settle(self, error: BaseException | None = None, *values: int) -> tuple[int, ...]:
        """The largest of each value over all ranks; an error of one becomes the same error on all. Collective.

        Args:
            error: What went wrong on this rank since the last agreement, or None.
            values: As many on each rank.

        It raises as `agree`.
        """
        error = error or self._interrupts.take()
        fine = error is None
        wrong, some_fine, *largest = self._largest((0 if fine else self.size - self.rank, int(fine), *values))
        self._met_ns = time.perf_counter_ns()
        if wrong:
            self._tell_and_raise(self.size - wrong, error, by_all=not some_fine)
        return tuple(largest)

    def wants_any(self, wanted: bool) -> bool:
        """Whether some rank wants something, or was interrupted: what `settle` would then say. Collective."""
        wanted = wanted or self._interrupts.heard
        if self._comm is None or self.size == 1:
            return wanted
        mine, largest = self._wanted
        mine[0] = wanted
        self._comm.Allreduce(mine, largest, self._max)
        self._met_ns = time.perf_counter_ns()
        return bool(largest[0])

    def _largest(self, numbers: tuple[int, ...]) -> Sequence[int]:
        if self._comm is None or self.size == 1:
            return numbers
        mine, merged = np.array((numbers, numbers), np.int64)
        self._comm.Allreduce(mine, merged, self._max)
        return merged.tolist()  # type: ignore[no-any-return]

    def same(self, values: Mapping[str, int]) -> None:
        """Refuse values, by name, that differ between ranks. Collective.

        Raises:
            RuleError: With the name of one that does.
        """
        numbers = tuple(values.values())
        merged = self.settle(None, *numbers, *(-number for number in numbers))
        for i, name in enumerate(values):
            if merged[i] != -merged[len(numbers) + i]:
                raise RuleError(f"{name}: not the same on all ranks; give every rank the same")

    def _tell_and_raise(self, rank: int, error: BaseException | None, *, by_all: bool) -> NoReturn:
        """A rank with an error tells the others, and all raise it. Collective.

        Args:
            rank: That rank.
            error: What went wrong on this one.
            by_all: Whether all ranks have an error; then it is not said which rank's this is.
        """
        told: Any = None if error is None else in_short(error)
        kind, text = told if self._comm is None else self._comm.bcast(told, rank)
        where = f"rank {rank}: " if self.size > 1 and not by_all else ""
        raise KINDS[kind - 1](where + text.decode(errors="ignore")) from error

    def interruptible(self) -> AbstractContextManager[None]:
        """While this lasts, Ctrl-C is heard where the ranks agree next, and by all of them."""
        return self._interrupts.noted()

    def listening(self) -> AbstractContextManager[None]:
        """While this lasts, `interruptible` costs little: for what is called often."""
        return self._interrupts.listening()

    def together(self, action: Callable[[], T]) -> T:
        """Run an action that may fail on some ranks; all raise if one does. Collective.

        Raises:
            DistnormError: The action failed on some rank; the same error on every rank.
            KeyboardInterrupt: Some rank was interrupted.
        """
        result, error = _tried(action)
        self.settle(error)
        return result

    def of_user(self, action: Callable[[], T]) -> T:
        """As `together`, for code of the user's in which ranks may wait for each other in NEST. Collective.

        A rank that fails there ends all if the others do not come soon: they may wait for it.
        """
        result, error = _tried(action)
        self.ending.meet(2 if error else 0, f"rank {self.rank}: {error}")
        self.settle(error)
        return result

    def from_first(self, action: Callable[[], T]) -> T:
        """Run an action on rank 0 only and hand its (picklable) result to all; raises as `together`. Collective."""
        result = self.together(lambda: action() if self.rank == 0 else None)
        return result if self._comm is None else self._comm.bcast(result)  # type: ignore[return-value]

    def once_per_node(self, action: Callable[[], T]) -> T:
        """Run an action on the lowest rank of each node and hand its (picklable) result to the rest. Collective.

        It raises as `together`.
        """
        if self._comm is None:
            return self.together(action)
        from mpi4py import MPI

        node = self._comm.Split_type(MPI.COMM_TYPE_SHARED)
        try:
            result = self.together(lambda: action() if node.Get_rank() == 0 else None)
            return node.bcast(result)  # type: ignore[no-any-return]
        finally:
            node.Free()

    def gather(self, value: T) -> list[T] | None:
        """Picklable values of all ranks by rank, on rank 0; None on the others. Collective."""
        if self._comm is None:
            return [value]
        return self._comm.gather(value)  # type: ignore[no-any-return]

    def exchange(
        self, values: npt.NDArray[Any], to: npt.NDArray[np.int64], from_: npt.NDArray[np.int64]
    ) -> npt.NDArray[Any]:
        """Send so many of the values to each rank, and get so many from each, in the order of ranks. Collective."""
        if self._comm is None or self.size == 1:
            return values
        from mpi4py.util.dtlib import from_numpy_dtype

        received = np.empty(int(from_.sum()), values.dtype)
        kind = from_numpy_dtype(values.dtype)
        self._comm.Alltoallv([np.ascontiguousarray(values), to, kind], [received, from_, kind])
        return received

    def barrier(self) -> None:
        """Wait for all ranks. Collective."""
        if self._comm is not None:
            self._comm.Barrier()


def _tried(action: Callable[[], T]) -> tuple[T, BaseException | None]:
    """Result and error of an action: whatever it is, the other ranks must hear of it."""
    try:
        return action(), None
    except BaseException as error:
        return None, error  # type: ignore[return-value]


@functools.cache  # MPI has room for few communicators and operations, and a script may make many Normalizers
def world(nest_has_mpi: bool) -> Ranks:
    """All ranks of this run, the same object each time. Call after `import nest`. Collective at the first call.

    Raises:
        MPIError: NEST and mpi4py use different MPI libraries, mpi4py is missing, or the number of processes that were
            started is not the number of ranks that NEST has.
    """
    if nest_has_mpi:
        check_same_library()
        from mpi4py import MPI

        ranks = Ranks(MPI.COMM_WORLD)
    else:
        ranks = Ranks()
    if ranks.size > 1:
        _end_all_after_an_error(ranks)
    started = started_processes()
    if started > ranks.size:
        raise MPIError(
            f"{started} processes were started, but NEST runs with {ranks.size} MPI rank(s); "
            + ("start them with the mpiexec of NEST's own MPI" if nest_has_mpi else "this NEST was built without MPI")
        )
    return ranks


def _end_all_after_an_error(ranks: Ranks) -> None:
    """An exception that ends the script of this rank ends the other ranks, too, which may wait for it."""
    theirs = sys.excepthook

    def print_and_leave(*raised: Any) -> None:
        theirs(*raised)
        ranks.ending.leave(1)

    sys.excepthook = print_and_leave

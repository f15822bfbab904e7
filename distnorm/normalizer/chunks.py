"""Simulating in chunks short enough in wall time for somebody to be told how far it is, or to stop it.

PyNEST keeps the interpreter to itself through a whole Run, so nothing else happens until it returns. Chunks change no
result, and have nothing to do with when normalization happens.
"""

from __future__ import annotations

import functools
import logging
import time
import traceback
from collections.abc import Callable, Iterator

from ..errors import CheckpointDue, DistnormError
from ..mpi.ranks import Ranks
from .one_run import Run

log = logging.getLogger(__name__)

_CHUNK_SECONDS = 1.0
_FIRST_CHUNK_STEPS = 100
_GROWTH = 4.0


class PhaseTimer:
    """Wall time of named phases."""

    def __init__(self, **seconds: float) -> None:
        self.seconds = seconds
        self._last = time.perf_counter()

    def skip(self) -> None:
        """The time since the last lap belongs to none: it is spent once, as on opening the connections."""
        self._last = time.perf_counter()

    def ended(self, name: str) -> None:
        """The time since the last lap was spent on `name`."""
        now = time.perf_counter()
        self.seconds[name] = now - self._last
        self._last = now


class Chunks:
    """Has a Run of NEST simulate, and counts the seconds.

    Args:
        ranks: All ranks.
        now: Simulated time in ms.

    Attributes:
        hooks: What is called on this rank after each chunk, with the simulated time in ms. An exception in one, on any
            rank, is raised on all.
        save: Called on all ranks where a hook of some rank raises CheckpointDue, which then is not raised; None: it is.
        wanted: Whether some rank has hooks, as agreed.
        seconds: Wall time spent in NEST since `take_seconds`.
    """

    def __init__(self, ranks: Ranks, now: Callable[[], float]) -> None:
        self._ranks = ranks
        self._now = now
        self.hooks: list[Callable[[float], None]] = []
        self.save: Callable[[], object] | None = None
        self.wanted = False
        self._chunk_steps = _FIRST_CHUNK_STEPS
        self.seconds = 0.0

    def take_seconds(self) -> float:
        """Wall time spent in NEST since this was last asked for."""
        seconds, self.seconds = self.seconds, 0.0
        return seconds

    def simulate(self, steps: int, run: Run) -> Iterator[int]:
        """Simulate so many steps of a Run; yields the steps of each chunk once it is done. Collective."""
        while steps:
            chunk = min(steps, run.grid.up(self._chunk_steps)) if self.wanted else steps
            seconds = self.timed(functools.partial(run.go, chunk))
            steps -= chunk
            yield chunk
            if self.wanted:
                self._tell()
                # All ranks must simulate the same chunks, and their clocks differ.
                seconds = self._ranks.from_first(lambda seconds=seconds: seconds)  # type: ignore[misc]
                wanted = chunk * min(_CHUNK_SECONDS / max(seconds, 1e-9), _GROWTH)
                self._chunk_steps = max(int(wanted), 1)

    def _tell(self) -> None:
        now = self._now()

        def call() -> None:
            for hook in tuple(self.hooks):
                hook(now)

        try:
            self._ranks.together(call)
        except CheckpointDue:
            if self.save is None:
                raise
            self.save()

    def timed(self, simulate: Callable[[], None]) -> float:
        """Have NEST simulate; wall time of that in s. Collective.

        An exception inside NEST ends all ranks: the others sit in NEST's own communication and cannot be told.
        """
        start = time.perf_counter()
        try:
            simulate()
        except DistnormError:  # of another driver inside, and agreed
            raise
        except Exception as error:
            if self._ranks.size > 1:
                log.error("rank %d: nest.Simulate failed after %g ms: %s", self._ranks.rank, self._now(), error)
                traceback.print_exc()
                self._ranks.ending.abort()
            raise
        seconds = time.perf_counter() - start
        self.seconds += seconds
        return seconds

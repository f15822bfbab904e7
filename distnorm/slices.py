"""Simulating: in one piece, or in slices short enough in wall time for somebody to be told how far it is.

PyNEST keeps the interpreter to itself through a whole Simulate, so nothing else happens until it returns. Slicing
changes no result, and slices have nothing to do with when normalization happens.
"""

from __future__ import annotations

import logging
import time
import traceback
from collections.abc import Callable
from typing import Any

from .parallel import Ranks

log = logging.getLogger(__name__)

_SLICE_SECONDS = 1.0
_FIRST_SLICE_STEPS = 100
_GROWTH = 4.0


class Laps:
    """Wall time of named phases."""

    def __init__(self, **seconds: float) -> None:
        self.seconds = seconds
        self._last = time.perf_counter()

    def lap(self, name: str) -> None:
        """The time since the last lap was spent on `name`."""
        now = time.perf_counter()
        self.seconds[name] = now - self._last
        self._last = now


class Slices:
    """Calls nest.Simulate and counts the seconds."""

    def __init__(self, nest: Any, ranks: Ranks, on_slice: Callable[[float], None] | None) -> None:
        self._nest = nest
        self._ranks = ranks
        self._on_slice = on_slice
        self._slice_steps = _FIRST_SLICE_STEPS
        self._seconds = 0.0
        self._steps = 0

    def take_steps(self) -> int:
        """Steps simulated since this was last asked for; fewer than were wanted after an Interruption."""
        steps, self._steps = self._steps, 0
        return steps

    def take_seconds(self) -> float:
        """Wall time spent in Simulate since this was last asked for."""
        seconds, self._seconds = self._seconds, 0.0
        return seconds

    def simulate(self, steps: int, resolution_ms: float) -> None:
        """Simulate a number of time steps. Collective.

        An exception inside nest.Simulate ends all ranks: the others sit in NEST's own communication and cannot be told.
        """
        if self._on_slice is None:
            self._simulate(steps * resolution_ms)
            self._steps += steps
            return
        while steps:
            piece = min(steps, self._slice_steps)
            seconds = self._simulate(piece * resolution_ms)
            self._steps += piece
            now, on_slice = float(self._nest.biological_time), self._on_slice
            self._ranks.together(lambda now=now, on_slice=on_slice: on_slice(now))  # type: ignore[misc]
            steps -= piece
            if steps:
                # All ranks must simulate the same slices, and their clocks differ.
                seconds = self._ranks.from_first(lambda seconds=seconds: seconds)  # type: ignore[misc]
                wanted = piece * min(_SLICE_SECONDS / max(seconds, 1e-9), _GROWTH)
                self._slice_steps = max(int(wanted), 1)

    def _simulate(self, time_ms: float) -> float:
        start = time.perf_counter()
        try:
            self._nest.Simulate(time_ms)
        except Exception as error:
            now = self._nest.biological_time
            log.error("rank %d: nest.Simulate failed at %s ms: %s", self._ranks.rank, now, error)
            traceback.print_exc()
            self._ranks.abort()
            raise
        seconds = time.perf_counter() - start
        self._seconds += seconds
        return seconds

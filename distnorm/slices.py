"""Simulating: in one piece, or in slices short enough in wall time for somebody to be told how far it is.

PyNEST keeps the interpreter to itself through a whole Run, so nothing else happens until it returns. Slicing changes no
result, and slices have nothing to do with when normalization happens.
"""

from __future__ import annotations

import logging
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from .calls import Run
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

    def skip(self) -> None:
        """The time since the last lap belongs to none: it is spent once, as on opening the connections."""
        self._last = time.perf_counter()

    def lap(self, name: str) -> None:
        """The time since the last lap was spent on `name`."""
        now = time.perf_counter()
        self.seconds[name] = now - self._last
        self._last = now


@dataclass(frozen=True, kw_only=True)
class Grid:
    """Where NEST may be stopped: after whole spans of min_delay since time 0.

    A stop elsewhere changes the order in which sources of randomness draw their numbers, and so the spikes, wherever a
    thread has two such sources.

    Attributes:
        resolution_ms: Time step of NEST.
        span: min_delay in time steps.
        phase: Time steps since the last such stop.
    """

    resolution_ms: float
    span: int
    phase: int

    def up(self, steps: int) -> int:
        """The same number of time steps, or the next larger, that ends at a stop."""
        return -(-(self.phase + steps) // self.span) * self.span - self.phase

    def after(self, steps: int) -> Grid:
        """The grid as seen from some time steps later."""
        return replace(self, phase=(self.phase + steps) % self.span)


class Slices:
    """Calls NEST's Run and counts the seconds."""

    def __init__(self, nest: Any, ranks: Ranks, on_slice: Callable[[float], None] | None) -> None:
        self._nest = nest
        self._ranks = ranks
        self.on_slice = on_slice
        self.is_first_rank = ranks.rank == 0
        self._slice_steps = _FIRST_SLICE_STEPS
        self._seconds = 0.0
        self._steps = 0
        self._resolution_ms = float(nest.resolution)
        self._grid: Grid | None = None

    def agreed_min_delay(self) -> float:
        """The smallest delay of all ranks in ms; NEST itself agrees on it when it first simulates. Collective."""
        delays = self._ranks.gather(float(self._nest.min_delay)) or []
        return self._ranks.from_first(lambda: min(delays))

    def read_grid(self) -> None:
        """Before NEST prepares: find out where it may be stopped, for `take_grid`. Collective."""
        self._grid = self._grid_now()

    def take_grid(self) -> Grid:
        """Where NEST may be stopped: as read before it prepared, or, after it ran, as it is now. Collective.

        Between the two, reading a kernel status of ranks with different smallest delays ends NEST 3.10.
        """
        grid, self._grid = self._grid or self._grid_now(), None
        return grid

    def _grid_now(self) -> Grid:
        now_ms = float(self._nest.biological_time)
        min_delay_ms = self.agreed_min_delay() if now_ms == 0 else float(self._nest.min_delay)
        span = max(round(min_delay_ms / self._resolution_ms), 1)
        phase = round(now_ms / self._resolution_ms) % span
        return Grid(resolution_ms=self._resolution_ms, span=span, phase=phase)

    def take_steps(self) -> int:
        """Steps simulated since this was last asked for; fewer than were wanted after an Interruption."""
        steps, self._steps = self._steps, 0
        return steps

    def take_seconds(self) -> float:
        """Wall time spent in Run since this was last asked for."""
        seconds, self._seconds = self._seconds, 0.0
        return seconds

    def run(self, steps: int, grid: Grid, run: Run) -> None:
        """Simulate a number of time steps. Collective.

        An exception inside NEST's Run ends all ranks: the others sit in NEST's own communication and cannot be told.

        Args:
            steps: How many.
            grid: Where between them NEST may be stopped.
            run: NEST's Run.
        """
        on_slice = self.on_slice
        if on_slice is None:
            self._run(steps * grid.resolution_ms, run)
            self._steps += steps
            return
        while steps:
            piece = min(steps, grid.up(self._slice_steps))
            seconds = self._run(piece * grid.resolution_ms, run)
            self._steps += piece
            grid = grid.after(piece)
            now = float(self._nest.biological_time)
            self._ranks.together(lambda now=now: on_slice(now))  # type: ignore[misc]
            steps -= piece
            if steps:
                # All ranks must simulate the same slices, and their clocks differ.
                seconds = self._ranks.from_first(lambda seconds=seconds: seconds)  # type: ignore[misc]
                wanted = piece * min(_SLICE_SECONDS / max(seconds, 1e-9), _GROWTH)
                self._slice_steps = max(int(wanted), 1)

    def _run(self, time_ms: float, run: Run) -> float:
        start = time.perf_counter()
        try:
            run(time_ms)
        except Exception as error:
            if self._ranks.size > 1:
                now = self._nest.biological_time
                log.error("rank %d: nest.Simulate failed at %s ms: %s", self._ranks.rank, now, error)
                traceback.print_exc()
                self._ranks.abort()
            raise
        seconds = time.perf_counter() - start
        self._seconds += seconds
        return seconds

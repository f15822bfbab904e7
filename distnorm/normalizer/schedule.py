"""What simulated time it is, and when the next measurement is due. Nothing here is collective."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..intervals.controller import Clock, Hintable, Interval
from ..norms.drift import Drift
from .arguments import whole_interval
from .one_run import Grid
from .state import NormalizerState


class Schedule:
    """The plan of one run, which may go on from another.

    Args:
        interval: Controller of the interval.
        clock: Resolution and smallest delay of the network.
        ms_per_tic: Finest time NEST knows, in ms.

    Attributes:
        begun: Whether there was a first measurement, in this run or in that before it.
    """

    def __init__(self, interval: Interval, clock: Clock, ms_per_tic: float) -> None:
        self._interval = interval
        self._resolution_ms = clock.resolution_ms
        self._time_units = clock.resolution_ms, ms_per_tic
        self._steps_before = 0  # simulated by runs that this one goes on from
        self._normalized_ms = 0.0
        self._hint = False
        self._state: Any
        first_ms, self._state = interval.first(clock)
        self._steps_left = whole_interval(first_ms, *self._time_units)
        self.begun = False

    @property
    def left(self) -> int:
        """Time steps to the next measurement."""
        return self._steps_left

    @property
    def left_ms(self) -> float:
        """Time in ms to the next measurement."""
        return self._steps_left * self._resolution_ms

    @property
    def due(self) -> bool:
        """Whether it is time for a measurement."""
        return self._steps_left <= 0

    @property
    def hinted(self) -> bool:
        """Whether a change was announced that no measurement has followed yet."""
        return self._hint

    def steps_to_simulate(self, steps: int, grid: Grid) -> int:
        """How many of these steps to simulate before the next measurement; at least one."""
        return min(steps, max(grid.up(self._steps_left), 1))

    def passed(self, steps: int) -> None:
        """So many steps were simulated."""
        self._steps_left -= steps

    def total_ms(self, clock_ms: float) -> float:
        """Simulated time in ms when NEST's clock is at `clock_ms`, that of runs before included."""
        if not self._steps_before:
            return clock_ms
        return self._total_steps(clock_ms) * self._resolution_ms

    def _total_steps(self, clock_ms: float) -> int:
        return round(clock_ms / self._resolution_ms) + self._steps_before

    def elapsed_ms(self, now_ms: float) -> float:
        """Time since the last normalization at simulated time `now_ms`; 0 at the first measurement."""
        return now_ms - self._normalized_ms if self.begun else 0.0

    def decide(self, elapsed_ms: float, drifts: Sequence[Drift], forced: bool) -> bool:
        """Whether to normalize at this measurement; sets the time to the next."""
        if not self.begun or (elapsed_ms == 0 and not self._hint):
            return True  # the first of all, or once more at the same time: the plan stands
        ends, after_ms, self._state = self._interval.decide(self._state, elapsed_ms, drifts, forced)
        late = min(self._steps_left, 0)  # where NEST cannot be stopped at any time step
        self._steps_left = max(whole_interval(after_ms, *self._time_units) + late, 1)
        self._hint = False
        return ends or forced

    def measured(self, now_ms: float, normalized: bool) -> None:
        """There was a measurement at simulated time `now_ms`."""
        if normalized or not self.begun:
            self._normalized_ms = now_ms
        self.begun = True

    def expect_change(self) -> None:
        """The drift may change now; for a controller that listens."""
        if isinstance(self._interval, Hintable) and self.begun:
            self._state = self._interval.expect_change(self._state)
            self._hint = True

    def state(self, clock_ms: float) -> NormalizerState:
        """What `restore` needs, when NEST's clock is at `clock_ms`."""
        return NormalizerState(
            time_steps=self._total_steps(clock_ms),
            steps_left=self._steps_left,
            normalized_ms=self._normalized_ms,
            hint=self._hint,
            state=self._state,
        )

    def restore(self, state: NormalizerState, clock_ms: float) -> None:
        """Go on from a state, when NEST's clock is at `clock_ms`."""
        self.begun = True
        self._steps_before = state.time_steps - round(clock_ms / self._resolution_ms)
        self._steps_left = state.steps_left
        self._normalized_ms = state.normalized_ms
        self._hint = state.hint
        self._state = state.state

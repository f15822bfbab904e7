"""Recorded drift, and controllers of the interval played against it; pure, no NEST.

A trace holds what each target's norm changed by, relative to its target norm, in every step of a network that was
normalized at every step. The drift over an interval is taken to be the absolute value of the sum of its steps' changes.
That is exact to first order for rules whose change of a weight does not depend on the weight (additive STDP): between
two normalizations a weight is off by a factor of 1 + drift at most, which changes where weights are clipped, and when
neurons fire, a little. What is left out is how the drift itself speeds up within a long interval, as weights that grew
raise the rates; compare the played with the simulated rows of the report.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from distnorm.intervals.adaptive import AdaptiveInterval
from distnorm.intervals.controller import Clock, Hintable, Interval
from distnorm.norms.drift import Drift, read, summarize
from distnorm.norms.sums import FloatArray
from distnorm.rules.node_ids import Int64Array

_CHUNK = 128  # steps that the oracle examines at once


@dataclass(frozen=True, kw_only=True, eq=False)
class Trace:
    """Recorded changes of norms.

    Attributes:
        step_ms: Time of a step; what a controller is told to be the smallest delay.
        position: Sum of each target's changes until the end of each step, as a fraction of its target norm, shape
            (steps + 1, targets); zero at first.
        changes: Steps at whose beginning the network changed, to and fro between two states.
        spikes_per_s: Mean rate of the targets in the first state and in the second; the same without a change.
    """

    step_ms: float
    position: FloatArray
    changes: tuple[int, ...]
    spikes_per_s: tuple[float, float]

    @property
    def steps(self) -> int:
        return len(self.position) - 1

    def drift(self, begin: int, end: int) -> Drift:
        """Drift of all targets over the steps from `begin` to `end`, as a Normalizer would see it."""
        norm = 1.0 + (self.position[end] - self.position[begin])
        one = np.ones(len(norm))
        return read(summarize(norm, one, one.astype(np.int64), np.arange(1, len(norm) + 1)))

    def parts(self) -> list[list[tuple[int, int]]]:
        """Runs of steps, begin and end, in the first state and in the second; the first twice without a change."""
        runs = list(itertools.pairwise([0, *self.changes, self.steps]))
        return [runs[::2], runs[1::2]] if self.changes else [runs, runs]

    def drift_over(self, length: int) -> list[float]:
        """Mean over time of the largest drift in `length` steps in either state, 0 where there is never any."""
        found = []
        for runs in self.parts():
            marks = [self.position[begin : end + 1 : length] for begin, end in runs]
            largest = np.concatenate([np.abs(np.diff(part, axis=0)).max(axis=1) for part in marks])
            found.append(float(largest[largest > 0].mean()) if (largest > 0).any() else 0.0)
        return found

    def floor(self) -> float:
        """Largest drift over the targets in one step, mean over time, in the state where that is larger."""
        return max(self.drift_over(1))


@dataclass(frozen=True, kw_only=True, eq=False)
class Played:
    """Intervals that ended, in order.

    Attributes:
        begin: Step at which the first began.
        ends: Step at which each ended, shape (n,).
        drifts: What the controller bounds, at the end of each, as a fraction, shape (n,).
        measurements: Number of them in these intervals.
        exponent: Learned by the controller at last; NaN for one that learns none.
    """

    begin: int
    ends: Int64Array
    drifts: FloatArray
    measurements: int
    exponent: float = math.nan

    @property
    def lengths(self) -> Int64Array:
        """Steps of each interval, shape (n,)."""
        return np.diff(self.ends, prepend=self.begin)


def play(trace: Trace, controller: Interval, begin: int = 0, hint: bool = False) -> Played:
    """Let a controller choose the intervals of a trace.

    Args:
        trace: The trace.
        controller: Bounding its own statistic, or the largest drift if it bounds none.
        begin: First step.
        hint: At each change of the trace call `expect_change` of the controller and measure at once.
    """
    clock = Clock(resolution_ms=trace.step_ms, min_delay_ms=trace.step_ms)
    state: Any
    after_ms, state = controller.first(clock)
    started = now = begin
    hints = [change for change in trace.changes if change > begin] if hint else []
    ends: list[int] = []
    drifts: list[float] = []
    measurements = in_intervals = 0
    while True:
        then = now + max(round(after_ms / trace.step_ms), 1)
        if hints and hints[0] <= then and isinstance(controller, Hintable):
            then = hints.pop(0)
            state = controller.expect_change(state)
        if then > trace.steps:
            break
        now, measurements = then, measurements + 1
        seen = (trace.drift(started, now),)
        has_ended, after_ms, state = controller.decide(state, (now - started) * trace.step_ms, seen, False)
        if has_ended:
            ends.append(now)
            drifts.append(controller.measure(seen) if isinstance(controller, AdaptiveInterval) else seen[0].max)
            started, in_intervals = now, measurements
    exponent = getattr(state, "exponent", math.nan)
    return _played(begin, ends, drifts, in_intervals, exponent)


def _played(begin: int, ends: list[int], drifts: list[float], measurements: int, exponent: float = math.nan) -> Played:
    arrays = {"ends": np.array(ends, np.int64), "drifts": np.array(drifts)}
    return Played(begin=begin, measurements=measurements, exponent=exponent, **arrays)


def play_fixed(trace: Trace, length: int, begin: int = 0) -> Played:
    """Intervals of a fixed number of steps; what `play` gives for a FixedInterval, at once."""
    marks = np.arange(begin, trace.steps + 1, length)
    drifts = np.abs(np.diff(trace.position[marks], axis=0)).max(axis=1)
    return Played(begin=begin, ends=marks[1:], drifts=drifts, measurements=len(drifts))


def play_oracle(trace: Trace, bound: float, begin: int = 0) -> Played:
    """The longest intervals whose largest drift never passes the bound, chosen with the trace at hand.

    An interval whose first step is above the bound already is one step long, as none is shorter.
    """
    ends: list[int] = []
    drifts: list[float] = []
    started = begin
    while (end := _first_above(trace.position, started, bound)) is not None:
        end = max(end - 1, started + 1)
        ends.append(end)
        drifts.append(float(np.abs(trace.position[end] - trace.position[started]).max()))
        started = end
    return _played(begin, ends, drifts, len(ends))


def _first_above(position: FloatArray, started: int, bound: float) -> int | None:
    for chunk in range(started + 1, len(position), _CHUNK):
        above = (np.abs(position[chunk : chunk + _CHUNK] - position[started]) > bound).any(axis=1)
        if above.any():
            return chunk + int(above.argmax())
    return None


def grid(longest: int) -> npt.NDArray[np.int64]:
    """Numbers of steps of fixed intervals to compare with, each about 6 % above the one before."""
    return np.unique(np.round(1.06 ** np.arange(math.log(longest) / math.log(1.06))).astype(np.int64))

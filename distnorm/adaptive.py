"""Intervals from the agreed drift: as long as the drift stays below its bound.

Drift since the last normalization is taken to grow as a power of time, d = exp(level) * t ** exponent: exponent near 1
where every neuron's norm moves steadily, near 1/2 where it diffuses. Level, exponent and the scatter of both kinds of
forecast are learned:

- across intervals: the drift at the end of the next one, from the level;
- within an interval: the drift at the next look, from that at the last one, by the power law or by the slope between
  the last two looks, whichever is higher. The error of log drift is taken to diffuse in log time, so its mean square is
  `within * log(next / last)`: a short way ahead is well known.

A forecast keeps `MARGIN` standard deviations below the bound. The level follows a rise at once and a fall slowly.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from .drift import STATISTICS, Drift, Statistic
from .errors import RuleError
from .interval import Clock, check_time

MARGIN = 2.6  # standard deviations between forecast and bound; the largest of many drifts has a long upper tail
SPREAD = 0.15  # standard deviation of log drift before any is known; worth SPREAD_PRIOR forecasts
SPREAD_PRIOR = 3.0
SPREAD_LEAST = 0.02  # however regular the past
SPREAD_GAIN = 0.05  # weight of the newest error in the mean square of forecast errors, once there are many
LEVEL_GAIN = 0.25  # weight of the newest interval in the level, unless it is a rise
RISE = 2.5  # standard deviations beyond which a higher drift is a rise, not scatter
EXPONENT_MEMORY = 0.9  # weight of the past in the fit of the exponent
EXPONENT_RANGE = (0.3, 1.5)
GROWTH = 2.0  # an interval is at most so many times the one before
LOOK_AGAIN = 1.6  # an interval that could be so many times as long is not ended but looked at once more
START = 4.0  # looks of the first interval are at most so many times as late as the one before
EXPECTED = 8.0  # after expect_change or a surprise: the rise of the drift that must still fit under the bound
_SILENT = 1e-12  # drift below rounding errors of the norm


@dataclass(frozen=True)
class State:
    """What an AdaptiveInterval knows; all times in ms, drifts as fractions.

    Attributes:
        clock: Of the network.
        level: log drift at 1 ms; None before the first interval has ended.
        sxx: Of the fit of the exponent through ratios of times and drifts.
        sxy: Likewise.
        across: Mean square error of log drift at the end of an interval.
        within: Mean square error of log drift from one look to the next, per unit of log time.
        intervals: Number of intervals that `across` was learned from.
        looks: Number of looks that `within` was learned from.
        before: Time and drift at the last look of this interval.
        gap: Longest time between two looks of this interval.
        final: The next look is meant to be the end of this interval.
        changing: expect_change was called, and no interval has begun since.
    """

    clock: Clock
    level: float | None = None
    sxx: float = 1.0
    sxy: float = 1.0
    across: float = SPREAD**2
    within: float = SPREAD**2
    intervals: int = 0
    looks: int = 0
    before: tuple[float, float] | None = None
    gap: float = math.inf
    final: bool = False
    changing: bool = False

    @property
    def exponent(self) -> float:
        """Of the growth of drift with time."""
        return min(max(self.sxy / self.sxx, EXPONENT_RANGE[0]), EXPONENT_RANGE[1])


@dataclass(frozen=True)
class AdaptiveInterval:
    """As long as the drift stays below a bound.

    Attributes:
        bound: What the drift should stay below, as a fraction of the target norm.
        statistic: Which drift over the targets of all ranks: "max", "mean", or a quantile, "q50", "q90" or "q99".
        probes: Looks part-way in an interval, at which it can be cut short or prolonged; each costs about half a
            normalization. Looks are at most the expected interval divided by `probes` apart, so a sudden rise is
            noticed that soon; without any it is noticed at the end of an interval.
        minimum_ms: Shortest interval; the smallest delay of the network by default.
        maximum_ms: Longest interval.

    Raises:
        RuleError: A value that makes no sense.
    """

    bound: float
    statistic: Statistic = "max"
    probes: int = field(default=1, kw_only=True)
    minimum_ms: float | None = field(default=None, kw_only=True)
    maximum_ms: float = field(default=10_000.0, kw_only=True)

    def __post_init__(self) -> None:
        if not _is_number(self.bound) or not 0 < self.bound < 1:
            raise RuleError(f"bound is {self.bound!r}; give a drift between 0 and 1, such as 0.05")
        if self.statistic not in STATISTICS:
            raise RuleError(f"statistic is {self.statistic!r}; choose one of {', '.join(STATISTICS)}")
        if isinstance(self.probes, bool) or not isinstance(self.probes, int) or not 0 <= self.probes <= 100:
            raise RuleError(f"probes is {self.probes!r}; give a whole number from 0 to 100")
        check_time(self.maximum_ms, "maximum_ms")
        if self.minimum_ms is not None:
            check_time(self.minimum_ms, "minimum_ms")
            if self.minimum_ms > self.maximum_ms:
                raise RuleError(f"minimum_ms is {self.minimum_ms}, above maximum_ms of {self.maximum_ms}")

    def measure(self, drifts: Sequence[Drift]) -> float:
        """The statistic that is bounded: the largest of all rules'."""
        return max(drift.statistic(self.statistic) for drift in drifts)

    def first(self, clock: Clock) -> tuple[float, State]:
        return self._least(clock), State(clock)

    def look(self, state: State, elapsed_ms: float, drifts: Sequence[Drift], forced: bool) -> tuple[bool, float, State]:
        if elapsed_ms == 0:  # a change is expected right after a normalization
            soon = self._round(min(state.gap, self.maximum_ms) / EXPECTED, state.clock)
            return forced, soon, replace(state, final=False, changing=False)
        if state.changing and state.level is None:  # nothing is known that a change could be judged by: from the start
            after, begun = self.first(state.clock)
            return True, after, begun
        if state.before is not None and state.before[0] == elapsed_ms:  # a second look at the same time
            state = replace(state, before=None)
        now = self.measure(drifts)
        learned = _learn_within(state, elapsed_ms, now)
        latest = self._latest(learned, state.before, elapsed_ms, now)
        ends = state.final and (self.probes == 0 or latest < LOOK_AGAIN * elapsed_ms)
        if forced or ends or now >= self.bound or latest < elapsed_ms + self._least(state.clock):
            surprised = _is_rise(learned, elapsed_ms, now) or now > self.bound
            return self._begin(_learn_across(learned, state.before, elapsed_ms, now), elapsed_ms, surprised)
        ahead = min(latest - elapsed_ms, state.gap)
        searching = state.level is None and latest >= START * elapsed_ms
        final = not searching and ahead == latest - elapsed_ms
        return False, self._round(ahead, state.clock), replace(learned, final=final)

    def expect_change(self, state: State) -> State:
        """The state after the user has said that the drift may rise now; a look should follow at once."""
        return replace(state, changing=True, final=False)

    def _begin(self, state: State, ended_ms: float, surprised: bool) -> tuple[bool, float, State]:
        """Normalize, and plan the interval that begins."""
        longest = min(GROWTH * ended_ms, self.maximum_ms)
        if state.level is None:  # silent so far
            reach = planned = longest
        else:
            expected = math.exp((math.log(self.bound) - state.level) / state.exponent)
            reach = min(expected, longest)
            planned = min(expected * _margin(state.across) ** (1.0 / state.exponent), longest)
        gap = reach / max(self.probes, 1)
        first_look, final = min(planned, gap), self.probes == 0
        if surprised or state.changing:  # what is known may be out of date: an early look
            first_look, final = min(planned / EXPECTED, gap), False
        begun = replace(state, before=None, gap=gap, final=final, changing=False)
        return True, self._round(first_look, state.clock), begun

    def _latest(self, state: State, before: tuple[float, float] | None, elapsed_ms: float, now: float) -> float:
        """Until when the drift is forecast to stay below the bound, within this interval."""
        if now >= self.bound:
            return elapsed_ms
        if now < _SILENT:
            return min(START * elapsed_ms, self.maximum_ms) if state.level is None else self.maximum_ms
        # exponent * x**2 + MARGIN * sqrt(within) * x = log(bound / now), with x = sqrt(log(latest / elapsed_ms))
        error = MARGIN * max(math.sqrt(state.within), SPREAD_LEAST)
        room = math.log(self.bound / now)
        x = (math.sqrt(error**2 + 4.0 * state.exponent * room) - error) / (2.0 * state.exponent)
        latest = elapsed_ms * math.exp(x * x)
        slope = state.exponent * now / elapsed_ms
        limit = self.bound * math.exp(-error * x)
        if before is not None and (recent := _slope(before, elapsed_ms, now)) > slope:
            slope = recent
            latest = min(latest, elapsed_ms + max(limit - now, 0.0) / slope)
        if state.changing:
            latest = min(latest, elapsed_ms + max(limit - now, 0.0) / (EXPECTED * slope))
        if state.level is None:
            latest = min(latest, START * elapsed_ms)
        return min(latest, self.maximum_ms)

    def _least(self, clock: Clock) -> float:
        return clock.min_delay_ms if self.minimum_ms is None else self._round(self.minimum_ms, clock)

    def _round(self, time_ms: float, clock: Clock) -> float:
        """Down to a multiple of the smallest delay if one fits, else of the resolution; at least the minimum."""
        least = clock.min_delay_ms if self.minimum_ms is None else self.minimum_ms
        unit = clock.min_delay_ms if max(time_ms, least) >= clock.min_delay_ms else clock.resolution_ms
        count: int = math.floor(max(time_ms, least) / unit * (1 + 1e-12))
        return max(count, 1) * unit


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _margin(mean_square: float) -> float:
    """Factor below the bound at which a forecast with this error is to stay."""
    return math.exp(-MARGIN * max(math.sqrt(mean_square), SPREAD_LEAST))


def _forecast(state: State, elapsed_ms: float) -> float | None:
    """Log drift from the level."""
    return None if state.level is None else state.level + state.exponent * math.log(elapsed_ms)


def _is_rise(state: State, elapsed_ms: float, now: float) -> bool:
    forecast = _forecast(state, elapsed_ms)
    return forecast is not None and now > 0 and math.log(now) - forecast > RISE * math.sqrt(state.across)


def _learn_within(state: State, elapsed_ms: float, now: float) -> State:
    """Exponent and scatter from the last look of this interval to this one."""
    before, state = state.before, replace(state, before=(elapsed_ms, now))
    if before is None or before[1] < _SILENT or now < _SILENT:
        return state
    x, y = math.log(elapsed_ms / before[0]), math.log(now / before[1])
    # A jump is not scatter: it counts at most as much as what would still pass as such.
    square = min((y - state.exponent * x) ** 2 / x, RISE**2 * state.within)
    return replace(
        state,
        sxx=EXPONENT_MEMORY * state.sxx + x * x,
        sxy=EXPONENT_MEMORY * state.sxy + x * min(y, EXPONENT_RANGE[1] * x),
        within=state.within + _gain(state.looks) * (square - state.within),
        looks=state.looks + 1,
    )


def _slope(before: tuple[float, float], elapsed_ms: float, now: float) -> float:
    """Drift per ms since the look before."""
    return (now - before[1]) / (elapsed_ms - before[0])


def _learn_across(state: State, before: tuple[float, float] | None, elapsed_ms: float, now: float) -> State:
    """Level and scatter from the end of an interval."""
    if now < _SILENT:
        return state
    seen = math.log(now) - state.exponent * math.log(elapsed_ms)
    if state.level is None:
        return replace(state, level=seen)
    error = seen - state.level
    square = min(error**2, RISE**2 * state.across)
    gain = LEVEL_GAIN
    if error > RISE * math.sqrt(state.across):
        gain = 1.0
        if before is not None and (slope := _slope(before, elapsed_ms, now)) > 0:
            # What rose within the interval is seen in full since the last look only.
            at_present = math.log(slope / state.exponent) + (1.0 - state.exponent) * math.log(elapsed_ms)
            error = max(error, at_present - state.level)
    return replace(
        state,
        level=state.level + gain * error,
        across=state.across + _gain(state.intervals) * (square - state.across),
        intervals=state.intervals + 1,
    )


def _gain(count: int) -> float:
    """Weight of the newest error: of a plain mean at first, then constant."""
    return max(SPREAD_GAIN, 1.0 / (count + SPREAD_PRIOR + 1.0))

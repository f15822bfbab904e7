"""Intervals from the agreed drift: as long as the drift stays below its bound.

At each measurement the growth of drift is learned and forecast (`growth.py`). The next measurement is planned where an
error of MARGIN standard deviations would meet the bound, or one of FAR standard deviations WORST times the bound,
whichever is earlier. A measurement ends the interval unless that could become longer by more than the drift scatters.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from ..errors import RuleError
from ..files.typed_json import shown
from ..norms.drift import STATISTICS, Drift, Statistic
from ..rules.validation import is_number
from .controller import Clock, check_time
from .growth import SILENT, Growth, Point

MARGIN = 2.75  # standard deviations from forecast to bound; the largest of many drifts has a long upper tail
FAR = 4.6  # standard deviations from forecast to WORST times the bound: what decides for long forecasts
WORST = 1.2
# By how much of its age a measurement must be able to prolong an interval to be worth it: PROBE_AGAIN standard
# deviations of log drift times 1 / exponent ** PROBE_POWER. The steadier the growth, the surer the measurement, and the
# more it is worth.
PROBE_AGAIN, PROBE_POWER = 0.27, 3.0
PROBE_LEAST = 0.05  # and as a part of the interval, however regular the drift
PROBE_TWICE = 0.6  # the same from the second measurement on, where one probe is asked for
# By default a probe in intervals expected to be shorter than SHORT_MS must be worth what it costs, half a
# normalization. NEST takes some 3 µs for a second of a plastic connection, and a look at it 12 ns ("Tight bounds" in
# docs/benchmarks.md).
SHORT_MS, PROBE_SHORT = 50.0, 0.5
START = 4.0  # measurements of the first interval are at most so many times as late as the one before
EXPECTED = 8.0  # after expect_change or a surprise: how much faster the age may grow that must still fit
STEP, ROOM, SAFE = 4.0, 0.85, 0.7  # see AdaptiveInterval._spacing
SILENT_MS = 100.0  # between measurements while no drift was ever seen


@dataclass(frozen=True)
class State:
    """What an AdaptiveInterval knows."""

    clock: Clock  # of the network
    growth: Growth = field(default_factory=Growth)  # of the drift
    before: Point | None = None  # the last measurement of this interval
    changing: bool = False  # expect_change was called, and no measurement has followed
    # The next measurement is one that even an interval without probes has: the drift is not known, or may have risen
    early: bool = True

    @property
    def exponent(self) -> float:
        """Of the growth of drift with time."""
        return self.growth.exponent


@dataclass(frozen=True)
class AdaptiveInterval:
    """As long as the drift stays below a bound.

    Attributes:
        bound: What the drift should stay below, as a fraction of the target norm; of stored or of current weights, as
            `Rule.weights` says.
        statistic: Which drift over the targets of all ranks: "max", "mean", or a quantile, "q50", "q90" or "q99".
        probes: Measurements part-way in an interval, at which it can be cut short or prolonged; each costs about half a
            normalization. None: as many as the scatter of the drift asks for, two or three in most networks, and hardly
            any where intervals are shorter than 50 ms, in which they would cost too much. 1: one, which in longer
            ones is cheaper and looser. A larger number k: as many as the scatter asks for, and so many that a drift
            that is suddenly four times as large is seen before it is above 1 + 3 / k times the bound. 0: none, so a
            rise is seen at the end of an interval.
        minimum_ms: Shortest interval; the smallest delay of the network by default.
        maximum_ms: Longest interval.

    Raises:
        RuleError: A value that makes no sense.
    """

    bound: float
    statistic: Statistic = "max"
    probes: int | None = field(default=None, kw_only=True)
    minimum_ms: float | None = field(default=None, kw_only=True)
    maximum_ms: float = field(default=10_000.0, kw_only=True)

    def __post_init__(self) -> None:
        if not is_number(self.bound) or not SILENT < self.bound < 1:
            raise RuleError(f"bound is {shown(self.bound)}; give a drift between 0 and 1, such as 0.05")
        object.__setattr__(self, "bound", float(self.bound))  # numpy's numbers, too
        if self.statistic not in STATISTICS:
            raise RuleError(f"statistic is {shown(self.statistic)}; choose one of {', '.join(STATISTICS)}")
        if self.probes is not None and not (type(self.probes) is int and 0 <= self.probes <= 100):
            raise RuleError(f"probes is {shown(self.probes)}; give a whole number from 0 to 100, or nothing")
        check_time(self.maximum_ms, "maximum_ms")
        if self.minimum_ms is not None:
            check_time(self.minimum_ms, "minimum_ms")
            if self.minimum_ms > self.maximum_ms:
                raise RuleError(f"minimum_ms is {self.minimum_ms}, above maximum_ms of {self.maximum_ms}")

    def measure(self, drifts: Sequence[Drift]) -> float:
        """The statistic that is bounded: the largest of all rules'."""
        return max(drift.statistic(self.statistic) for drift in drifts)

    def first(self, clock: Clock) -> tuple[float, State]:
        least = self._least(clock)
        if self._most(clock) < least:
            why = "the smallest delay" if self.minimum_ms is None else "minimum_ms in whole time steps"
            raise RuleError(f"maximum_ms is {self.maximum_ms}; {why} is {least:g} ms, so give at least that")
        return least, State(clock)

    def decide(
        self, state: State, elapsed_ms: float, drifts: Sequence[Drift], forced: bool
    ) -> tuple[bool, float, State]:
        if state.changing and state.growth.reach_ms is None:  # nothing is known that a change could be judged by
            return True, *self.first(state.clock)
        before = state.before
        growth, now = state.growth.seen(before, elapsed_ms, max(self.measure(drifts), SILENT))
        age = growth.age(before, now, self.bound)
        ahead = min(self._ahead(growth, age, now), self.maximum_ms - elapsed_ms)
        if forced or self._ends(replace(state, growth=growth), now, ahead):
            return True, *self._begin(state, growth.ended(now, age, self.bound), now)
        known = growth.reach_ms is not None
        woken = not known and before is not None and before.drift <= SILENT < now.drift
        soon = ahead / EXPECTED if state.changing or woken else ahead
        state = replace(state, growth=growth, before=now, changing=False, early=not known)
        return False, self._round(min(soon, self._spacing(growth)), state.clock), state

    def expect_change(self, state: State) -> State:
        """The state after the user has said that the drift may rise now; a measurement should follow at once."""
        return replace(state, changing=True)

    def _ahead(self, growth: Growth, age: float, now: Point) -> float:
        """How long the drift is forecast to stay below the bound, in ms."""
        if now.drift >= self.bound:
            return 0.0
        known = growth.reach_ms is not None
        if now.drift == SILENT and not known:
            return min((START - 1.0) * now.time_ms, SILENT_MS)
        room = math.log(self.bound / now.drift)
        x = min(growth.log_age(room, MARGIN), growth.log_age(room + math.log(WORST), self._far(growth)))
        ahead = age * math.expm1(x)
        return ahead if known else min(ahead, (START - 1.0) * now.grown_ms)

    def _ends(self, state: State, now: Point, ahead: float) -> bool:
        """Whether a measurement is to end the interval."""
        if now.drift >= self.bound:
            return True
        if state.changing:
            return now.drift > SILENT and now.time_ms > 0
        growth = state.growth
        if (self.probes == 0 and not state.early) or (ahead < self._least(state.clock) and now.time_ms > 0):
            return True
        worth = max(PROBE_LEAST, PROBE_AGAIN * math.sqrt(growth.within) * growth.power**PROBE_POWER)
        if self.probes == 1:
            worth = PROBE_LEAST if state.before is None else PROBE_TWICE
        elif self._is_short(growth):
            worth = max(worth, PROBE_SHORT)
        return now.drift > SILENT and ahead < worth * now.grown_ms

    def _begin(self, state: State, growth: Growth, ended: Point) -> tuple[float, State]:
        """Plan the first measurement of the interval that begins."""
        planned = SILENT_MS
        if growth.reach_ms is not None:
            margin = max(MARGIN * growth.spread, self._far(growth) * growth.spread - math.log(WORST))
            planned = growth.reach_ms * math.exp(-margin * growth.power)
        rise = growth.agreeing == 0 and growth.reach_ms is not None
        early = state.changing or rise or ended.drift > self.bound  # what is known may be out of date
        planned = min(planned / EXPECTED if early else planned, self._spacing(growth))
        begun = replace(state, growth=growth, before=None, changing=False, early=early)
        return self._round(planned, state.clock), begun

    def _is_short(self, growth: Growth) -> bool:
        """Whether intervals are too short for probes that nobody asked for."""
        return self.probes is None and growth.reach_ms is not None and growth.reach_ms < SHORT_MS

    def _far(self, growth: Growth) -> float:
        return MARGIN if self.probes in (0, 1) or self._is_short(growth) else FAR

    def _spacing(self, growth: Growth) -> float:
        """Longest time in ms between two measurements for the promise of `probes`.

        Drift STEP times as large means an age that grows STEP ** power times as fast. A measurement finds at most ROOM
        of the age at the bound, and the age at 1 + 3 / probes times the bound must not be passed before the next; SAFE
        is for scatter.
        """
        if not self.probes or growth.reach_ms is None:
            return math.inf
        room = math.pow(1.0 + 3.0 / self.probes, growth.power) - ROOM
        return SAFE * growth.reach_ms * room / (math.pow(STEP, growth.power) - ROOM)

    def _least(self, clock: Clock) -> float:
        if self.minimum_ms is None:
            return clock.min_delay_ms
        return math.ceil(self.minimum_ms / clock.resolution_ms * (1 - 1e-12)) * clock.resolution_ms

    def _most(self, clock: Clock) -> float:
        return math.floor(self.maximum_ms / clock.resolution_ms * (1 + 1e-12)) * clock.resolution_ms

    def _round(self, time_ms: float, clock: Clock) -> float:
        """Down to a multiple of the smallest delay if one fits, else of the resolution; within the limits."""
        time_ms = min(time_ms, self._most(clock))
        unit = clock.min_delay_ms if time_ms >= clock.min_delay_ms else clock.resolution_ms
        return max(math.floor(time_ms / unit * (1 + 1e-12)) * unit, self._least(clock))

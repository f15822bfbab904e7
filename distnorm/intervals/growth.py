"""How drift grows with the time since a normalization: learned from measurements, and forecast.

The largest drift is taken to grow as a power of time, `bound * (time / reach) ** exponent`: exponent near 1 where every
neuron's norm moves steadily, near 1/2 where it diffuses. Seen the other way round, `drift ** (1 / exponent)` grows at a
steady pace, so any drift has an age: the time in which that pace brings it about.

The error of log drift diffuses in the logarithm of the age, with the mean square `within` per unit, up to `across`,
that of a forecast which knows nothing of the present interval.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

SILENT = 1e-12  # drift below rounding errors of the norm
SPREAD = 0.2  # standard deviation of log drift before any is known; worth SPREAD_PRIOR forecasts
SPREAD_PRIOR = 10.0
SPREAD_LEAST = 0.02  # however regular the past
SPREAD_GAIN = 0.02  # weight of the newest error in the mean square of errors: a tail is not known from few
REACH_GAIN = 0.25  # weight of the newest interval in the expected one, once there are many
RISE = 2.5  # standard deviations beyond which a higher drift is a rise, not scatter
SURE = 1.0  # standard deviations by which a pace since the last measurement is taken lower than seen
STILL = 0.1  # a drift that grew by less than so much of what was expected stood still; nothing is learned from that
MEMORY = 0.97  # weight of the past in the fit of the exponent
EXPONENTS = (0.3, 1.5)
LENGTHEN = 2.0  # the expected interval grows at most so much at once


@dataclass(frozen=True, kw_only=True)
class Point:
    """A measurement within an interval."""

    time_ms: float  # since the last normalization
    grown_ms: float  # the part of it in which the drift grew
    drift: float  # as a fraction of the target norm, at least SILENT


@dataclass(frozen=True, kw_only=True)
class Growth:
    """What is known of the growth of drift."""

    reach_ms: float | None = None  # time in which the drift is expected to reach the bound; None before any has ended
    sxx: float = 1.0  # of the fit of the exponent through ratios of times and drifts
    sxy: float = 1.0  # likewise
    across: float = SPREAD**2  # mean square error of log drift at the end of an interval
    within: float = SPREAD**2  # mean square error of log drift from one measurement to the next, per unit of log age
    intervals: int = 0  # number of intervals that `across` was learned from
    measurements: int = 0  # number of measurements that `within` was learned from
    agreeing: int = 0  # number of intervals since the start or the last rise, which `reach_ms` was learned from

    @property
    def exponent(self) -> float:
        """Of the growth of drift with time."""
        return min(max(self.sxy / self.sxx, EXPONENTS[0]), EXPONENTS[1])

    @property
    def power(self) -> float:
        """Of the growth of age with drift."""
        return 1.0 / self.exponent

    def age(self, before: Point | None, now: Point, bound: float) -> float:
        """Time in ms in which the fastest pace would have brought about the drift of now.

        The paces are that of this interval, that of the intervals before, and that since the last measurement.
        """
        ages = [now.grown_ms] if now.grown_ms else []
        if self.reach_ms is not None:
            ages.append(self.reach_ms * math.pow(now.drift / bound, self.power))
        if before is not None and now.drift > before.drift and now.time_ms > before.time_ms:
            growth = math.log(now.drift / before.drift)
            growth -= SURE * math.sqrt(self.within * self.power * growth)
            if growth > 0:
                ages.append((now.time_ms - before.time_ms) / -math.expm1(-self.power * growth))
        return min(ages, default=0.0)

    def log_age(self, room: float, margin: float) -> float:
        """Growth of log age until log drift, `margin` standard deviations above its forecast, has grown by `room`."""
        error = margin * self._spread(self.within)
        root = (math.sqrt(error**2 + 4.0 * self.exponent * room) - error) * self.power / 2.0
        if self.reach_ms is None:
            return root**2
        return max(root**2, (room - margin * self.spread) * self.power)

    @property
    def spread(self) -> float:
        """Standard deviation of log drift from its forecast before an interval."""
        return self._spread(self.across)

    def _spread(self, mean_square: float) -> float:
        """Of the scatter, and of what was learned from few intervals."""
        return max(math.sqrt(mean_square), SPREAD_LEAST) * math.sqrt(1.0 + 1.0 / max(self.agreeing, 1))

    def seen(self, before: Point | None, time_ms: float, drift: float) -> tuple[Growth, Point]:
        """Learn exponent and scatter from the last measurement of this interval and one now; also the latter."""
        if before is None:
            return self, Point(time_ms=time_ms, grown_ms=time_ms if drift > SILENT else 0.0, drift=drift)
        hop_ms, still = time_ms - before.time_ms, Point(time_ms=time_ms, grown_ms=before.grown_ms, drift=drift)
        if hop_ms == 0 or drift == SILENT:
            return self, still
        now = replace(still, grown_ms=before.grown_ms + hop_ms)
        if before.drift == SILENT or before.grown_ms == 0:
            return self, now
        x, y = math.log1p(hop_ms / before.grown_ms), math.log(drift / before.drift)
        if y < STILL * self.exponent * x:
            return self, still
        # A jump is not scatter: it counts at most as much as what would still pass as such.
        square = min((y - self.exponent * x) ** 2 / x, RISE**2 * self.within)
        learned = replace(
            self,
            sxx=MEMORY * self.sxx + x * x,
            sxy=MEMORY * self.sxy + x * min(y, EXPONENTS[1] * x),
            within=self.within + _gain(self.measurements) * (square - self.within),
            measurements=self.measurements + 1,
        )
        return learned, now

    def ended(self, now: Point, age: float, bound: float) -> Growth:
        """Learn the expected interval and its scatter from the end of one; without agreement if the drift had risen."""
        if now.drift == SILENT or now.grown_ms == 0:
            return self
        if self.reach_ms is None:
            return replace(self, reach_ms=now.grown_ms * math.pow(bound / now.drift, self.power), agreeing=1)
        error = math.log(now.drift / bound) - self.exponent * math.log(now.grown_ms / self.reach_ms)
        square = min(error**2, RISE**2 * self.across)
        across = self.across + _gain(self.intervals) * (square - self.across)
        if square < error**2 and error > 0:  # a rise: what was known before is out of date
            reach_ms, agreeing = age * math.pow(bound / now.drift, self.power), 0
        else:
            gain = max(REACH_GAIN, 1.0 / (self.agreeing + 1))
            reach_ms = self.reach_ms * min(math.exp(-gain * error * self.power), LENGTHEN)
            agreeing = self.agreeing + 1
        return replace(self, reach_ms=reach_ms, across=across, intervals=self.intervals + 1, agreeing=agreeing)


def _gain(count: int) -> float:
    """Weight of the newest error: of a plain mean at first, then constant."""
    return max(SPREAD_GAIN, 1.0 / (count + SPREAD_PRIOR + 1.0))

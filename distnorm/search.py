"""The search for the factor or shift per target that meets a norm inside bounds; see `box` for the mathematics."""

from __future__ import annotations

import numpy as np

from .box import ROWS
from .node_ids import Int64Array
from .norms import BoolArray, FloatArray, norms, powers

_PATIENCE = 8  # passes before every second one halves the bracket


class Search:
    """One factor, or shift, per target, all at once. Arrays have shape (num_targets,).

    Attributes:
        at: Where the next tally is to be made; NaN for targets that need none.
        x: The answer so far; NaN for targets that are left alone.
        reached: The norm that the answer gives: the goal, or the nearest that the bounds allow.
        unreachable: Whether that is not the goal.
    """

    def __init__(self, goal: FloatArray, start: FloatArray, *, shifts: bool, power: float) -> None:
        """Begin at `start`; NaN there leaves a target alone."""
        self.at = start.copy()
        self.x = start.copy()
        self.reached = goal.copy()
        self.unreachable: BoolArray = np.zeros(goal.shape, np.bool_)
        self._goal = goal if shifts else powers(goal, power)
        self._shifts, self._power = shifts, power
        self._below = np.full(goal.shape, -np.inf if shifts else 0.0)
        self._above = np.full(goal.shape, np.inf)
        self._passes = 0

    @property
    def done(self) -> bool:
        """Whether every target has its answer."""
        return bool(np.isnan(self.at).all())

    def learn(self, tally: FloatArray) -> None:
        """Take in a tally made at `at`."""
        self._passes += 1
        i = np.flatnonzero(~np.isnan(self.at))
        out = dict(zip(ROWS, tally[:, i], strict=True))
        x, goal = self.at[i], self._goal[i]
        power_x = x if self._shifts else powers(x, self._power)
        with np.errstate(all="ignore"):
            rising, slope, fixed, total = self._line(out, power_x, goal)
            target = (goal - fixed) / slope
            new = target if self._shifts else powers(np.maximum(target, 0.0), 1 / self._power)
        left, right = out["left"], out["right"]
        limit = np.where(rising, right, left)
        no_slope = ~(slope > 0)
        last = np.where(rising, np.isinf(right), left == (-np.inf if self._shifts else 0.0))
        below_zero = ~rising & last & ~no_slope & (fixed > goal) & (not self._shifts)
        met = total == goal
        stuck = ~met & ((no_slope & last) | below_zero)
        self._give_up(i[stuck], np.where(below_zero, fixed, total)[stuck], np.where(below_zero, 0.0, x)[stuck])
        within = ~met & ~stuck & ~no_slope & np.where(rising, new <= limit, new >= limit)
        self._below[i] = np.where(rising, np.maximum(self._below[i], x), self._below[i])
        self._above[i] = np.where(rising, self._above[i], np.minimum(self._above[i], x))
        following = np.where(within, new, self._next(i, np.where(no_slope, limit, new), limit))
        self.x[i] = np.where(met | stuck, self.x[i], following)
        same = self.x[i] == x  # no double lies between
        self.at[i] = np.where(met | stuck | within | same, np.nan, following)

    def _line(
        self, out: dict[str, FloatArray], x: FloatArray, goal: FloatArray
    ) -> tuple[BoolArray, FloatArray, FloatArray, FloatArray]:
        """Whether the sum must rise; slope and offset of the line on that side; the sum at x = c^p or s."""
        slopes = {name: out[f"{name}_count"] if self._shifts else out[name] for name in ("free", "low", "high")}
        offset = {name: out[name] if self._shifts else np.zeros_like(x) for name in ("free", "low", "high")}
        # The bounds of weights that may not move may be infinite only where there are none.
        value = {name: np.where(slopes[name] > 0, slopes[name] * x, 0.0) + offset[name] for name in slopes}
        total = value["free"] + value["low"] + value["high"] + out["bound"]
        rising = total < goal
        moving, resting = np.where(rising, 1.0, 0.0), np.where(rising, 0.0, 1.0)
        slope = slopes["free"] + moving * slopes["low"] + resting * slopes["high"]
        fixed = out["bound"] + offset["free"]
        fixed += np.where(rising, offset["low"] + value["high"], value["low"] + offset["high"])
        return rising, slope, fixed, total

    def _give_up(self, which: Int64Array, total: FloatArray, x: FloatArray) -> None:
        self.unreachable[which] = True
        self.reached[which] = total if self._shifts else norms(total, self._power)
        self.x[which] = x

    def _next(self, i: Int64Array, new: FloatArray, limit: FloatArray) -> FloatArray:
        """The next place to look: inside the bracket, and in its middle where the lines make no headway."""
        below, above = self._below[i], self._above[i]
        closed = np.isfinite(below) & np.isfinite(above)
        with np.errstate(all="ignore"):
            middle = (below + above) / 2
            if not self._shifts:
                middle = np.where(below > 0, np.sqrt(below) * np.sqrt(above), middle)
        halve = ~((new > below) & (new < above)) | (self._passes > _PATIENCE and self._passes % 2 == 0)
        new = np.where(closed & halve, middle, np.where(np.isfinite(new), new, 2 * limit))
        outside = ~((new > below) & (new < above))
        return np.where(closed & outside, self.at[i], new)


class SearchLargest:
    """The same for the largest |w|: a factor that brings it to the goal. Attributes as `Search`."""

    def __init__(self, goal: FloatArray, start: FloatArray) -> None:
        self.at = np.where(np.isnan(start), np.nan, goal)
        self.x = start.copy()
        self.reached = goal.copy()
        self.unreachable: BoolArray = np.zeros(goal.shape, np.bool_)

    @property
    def done(self) -> bool:
        """Whether every target has its answer."""
        return bool(np.isnan(self.at).all())

    def learn(self, tally: FloatArray) -> None:
        """Take in a tally made at `at`, which are goals here."""
        i = np.flatnonzero(~np.isnan(self.at))
        out = dict(zip(ROWS, tally[:, i], strict=True))
        goal, lowest, highest, largest = self.at[i], out["left"], out["right"], out["free"]
        nearest = np.clip(goal, lowest, np.maximum(highest, lowest))
        again = highest < goal  # the weights that may reach the highest bound are not yet known
        with np.errstate(all="ignore"):
            factor = nearest / largest
        self.unreachable[i] |= nearest != goal
        self.reached[i] = nearest
        self.x[i] = np.where(again, self.x[i], factor)
        self.at[i] = np.where(again, highest, np.nan)

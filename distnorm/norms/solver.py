"""The search for the factor or shift per target that meets a norm inside bounds; see `bounds` for the mathematics."""

from __future__ import annotations

import numpy as np

from ..rules.node_ids import Int64Array
from .bounds import EVENTS, ROWS
from .sums import BoolArray, FloatArray, norms, powers
from .units import Units, exponents_of, moved_by, ordinary

_PATIENCE = 8  # passes before every second one halves the bracket
_NEAR = 64.0  # times the target: from a larger sum the way is too long for a result exact to the last digits
_FAINT = 2.0**-900  # slope of weights whose power is no ordinary double
MET = 1e-12  # relative distance from the target norm that is a matter of rounding
_SOUND = 2.0**-8  # least slope, relative to the largest on the way, that is taken for exact


class Search:
    """One factor, or shift, per target, all at once. Arrays have shape (num_targets,).

    Attributes:
        at: Where the next tally is to be made; NaN for targets that need none.
        unit: Exponent of the unit of `at` in that tally: 0, or such that weights with the target norm are near 1.
        x: The answer so far; NaN for targets that are left alone.
        reached: The norm that the answer gives: the target norm, or the nearest that the bounds allow.
        unreachable: Whether that is not the target norm.
    """

    def __init__(self, target_norm: FloatArray, start: FloatArray, *, shifts: bool, power: float) -> None:
        """Begin at `start`; NaN there leaves a target alone."""
        self.x = start.copy()
        self.reached = target_norm.copy()
        self.unreachable: BoolArray = np.zeros(target_norm.shape, np.bool_)
        self._target_norm = target_norm
        self._target_sum = target_norm if shifts else powers(target_norm, power)
        self._shifts, self._power = shifts, power
        self._below = np.full(target_norm.shape, -np.inf if shifts else 0.0)
        self._above = np.full(target_norm.shape, np.inf)
        self._passes = 0
        self._look_at(start)

    @property
    def done(self) -> bool:
        """Whether every target has its answer."""
        return bool(np.isnan(self.at).all())

    def _look_at(self, x: FloatArray) -> None:
        self.at = x
        self.unit = np.zeros(x.shape, np.int64)
        if not self._shifts:
            with np.errstate(all="ignore"):
                extreme = ~(ordinary(x, self._power) & ordinary(self._target_norm / x, self._power)) & (x > 0)
            self.unit = np.where(extreme, exponents_of(x) - exponents_of(self._target_norm), 0)

    def learn(self, tally: FloatArray) -> None:
        """Take in a tally made at `at`."""
        self._passes += 1
        i = np.flatnonzero(~np.isnan(self.at))
        out = dict(zip(ROWS, tally[:, i], strict=True))
        x, target, unit = self.at[i], self._target_sum[i], self.unit[i]
        with np.errstate(all="ignore"):
            chain = _Chain(out, moved_by(x, -unit), target, self._shifts, self._power)
            chain.follow()
            chain.x = np.minimum(moved_by(chain.x, unit), np.finfo(np.float64).max)
        self._below[i] = np.where(chain.rising, np.maximum(self._below[i], x), self._below[i])
        self._above[i] = np.where(chain.rising, self._above[i], np.minimum(self._above[i], x))
        following = np.where(chain.done, chain.x, self._next(i, chain.x))
        same = following == x  # no double lies between
        self.unreachable[i] = chain.missed | (same & ~chain.done & self._ends(i, chain))
        sums = np.where(chain.missed, chain.sum, chain.sum_here)
        nearest = sums if self._shifts else norms(sums, self._power)
        self.reached[i] = np.where(self.unreachable[i], nearest, self.reached[i])
        self.x[i] = following
        at = self.at.copy()
        at[i] = np.where(chain.done | same, np.nan, following)
        self._look_at(at)

    def _ends(self, i: Int64Array, chain: _Chain) -> BoolArray:
        """Whether the sum cannot go on towards the target: all weights are at a bound on that side."""
        least = -np.inf if self._shifts else 0.0
        is_end = np.where(chain.rising, np.isinf(self._above[i]), self._below[i] == least)
        target = self._target_sum[i]
        result: BoolArray = is_end & (np.abs(chain.sum_here - target) > MET * np.abs(target))
        return result

    def _next(self, i: Int64Array, new: FloatArray) -> FloatArray:
        """The next place to try: inside the bracket, and in its middle where the lines make no headway."""
        below, above = self._below[i], self._above[i]
        closed = np.isfinite(below) & np.isfinite(above)
        with np.errstate(all="ignore"):
            middle = (below + above) / 2
            if not self._shifts:
                middle = np.where(below > 0, np.sqrt(below) * np.sqrt(above), middle)
        halve = ~((new > below) & (new < above)) | (self._passes > _PATIENCE and self._passes % 2 == 0)
        new = np.where(closed & halve, middle, new)
        return np.where((new > below) & (new < above), new, self.at[i])


class Clip(Search):
    """No search: the change that is given, and the norm that clipping leaves of it. Attributes as `Search`."""

    clips: BoolArray | None = None
    """Whether a target has weights at a bound then; None before the tally."""

    def learn(self, tally: FloatArray) -> None:
        """Take in the tally made at `at`."""
        i = np.flatnonzero(~np.isnan(self.at))
        out = dict(zip(ROWS, tally[:, i], strict=True))
        with np.errstate(all="ignore"):
            x = moved_by(self.at[i], -self.unit[i])
            chain = _Chain(out, x, self._target_sum[i], self._shifts, self._power)
        self.reached[i] = chain.sum_here if self._shifts else norms(chain.sum_here, self._power)
        self.at = np.full(self.at.shape, np.nan)
        self.clips = sum(tally[ROWS.index(f"{kind}_count")] for kind in ("low", "high", "outside")) > 0


class _Chain:
    """The lines from where a tally was made towards the sum that is wanted, the target.

    Attributes:
        rising: Whether the sum must rise to the target.
        done: Whether the answer is known: the target is met at `x`, or missed.
        missed: Whether no x meets the target; `x` is then the best, and `sum` what it gives.
        x: The answer; where it is not known, where to try next.
        sum: The sum at the last bend, or at `x` where the target is missed.
        sum_here: The sum where the tally was made.
    """

    def __init__(
        self, out: dict[str, FloatArray], x: FloatArray, target: FloatArray, shifts: bool, power: float
    ) -> None:
        self._out, self._target, self._shifts, self._power = out, target, shifts, power
        kinds = ("free", "low", "high")
        slopes = {name: out[f"{name}_count"] if shifts else out[name] for name in kinds}
        offset = {name: out[name] if shifts else np.zeros_like(x) for name in kinds}
        self._u = self._to_line(x)
        value = [np.where(slopes[name] > 0, slopes[name] * self._u, 0.0) + offset[name] for name in kinds]
        self.sum = self.sum_here = value[0] + value[1] + value[2] + out["bound"]
        self.rising = self.sum < target
        self._slope = slopes["free"] + np.where(self.rising, slopes["low"], slopes["high"])
        self.x = x.copy()
        self.done = self.sum == target
        self.missed: BoolArray = np.zeros(x.shape, np.bool_)

    def _to_line(self, x: FloatArray) -> FloatArray:
        return x if self._shifts else powers(x, self._power)

    def follow(self) -> None:
        """Go from bend to bend until the target is met, or no more bends are known."""
        steepest, here, start = self._slope.copy(), np.ones(self.x.shape, np.bool_), self.x.copy()
        stopped = np.zeros(self.x.shape, np.bool_)
        near = (self.sum <= _NEAR * self._target) | self._shifts
        for k in range(EVENTS):
            right, left = self._out[f"right_edge{k}"], self._out[f"left_edge{k}"]
            change = np.where(self.rising, self._out[f"right_slope{k}"], self._out[f"left_slope{k}"])
            last = np.isinf(np.where(self.rising, right, left))
            bend = np.where(self.rising, right, -left)
            at_bend = self._to_line(np.where(last, 1.0, bend))
            there = self.sum + np.where(self._slope > 0, self._slope * (at_bend - self._u), 0.0)
            beyond = last | np.where(self.rising, there >= self._target, there <= self._target)
            # No double holds this line, or the bend that it leads to: the next tally is made there, in other units.
            beyond_doubles = np.isinf(np.where(self._slope > 0, self._u_of_target(), at_bend))
            faint = beyond_doubles | ((self._slope > 0) & (self._slope < _FAINT))
            if not self._shifts:
                faint |= ~beyond & (at_bend < _FAINT)
            unseen = ~self.done & ~stopped & ~last & (bend != start) & faint
            self.x = np.where(unseen, bend, self.x)
            stopped |= unseen
            # Added up from bend to bend, what is nearly zero is inexact: another tally there is exact.
            sound = near & (here | (self._slope > (0.0 if self._shifts else _SOUND) * steepest))
            self._finish(~self.done & ~stopped & beyond & (sound | (here & last)), last, near, bend)
            move = ~self.done & ~stopped & ~beyond
            self.x, self._u = np.where(move, bend, self.x), np.where(move, at_bend, self._u)
            self.sum = np.where(move, there, self.sum)
            self._slope = np.where(move, self._slope + change, self._slope)
            steepest = np.maximum(steepest, self._slope)
            here &= ~move
        guess = self._solved()
        better = ~self.done & ~stopped & (self._slope > _SOUND * steepest) & np.isfinite(guess)
        self.x = np.where(better, guess, self.x)

    def _u_of_target(self) -> FloatArray:
        return self._u + (self._target - self.sum) / self._slope

    def _solved(self) -> FloatArray:
        """Where the present line meets the target."""
        u = self._u_of_target()
        return u if self._shifts else powers(np.maximum(u, 0.0), 1 / self._power)

    def _finish(self, which: BoolArray, last: BoolArray, near: BoolArray, bend: FloatArray) -> None:
        """Settle neurons whose target lies on the present line, or beyond the last; met ones only if they are near."""
        flat = which & last & ~(self._slope >= _FAINT)
        at_zero = self.sum - self._slope * self._u
        below_zero = (
            which & last & ~flat & ~self.rising & (at_zero > self._target + 1e-9 * self.sum) & (not self._shifts)
        )
        met = which & ~flat & ~below_zero & near
        # Rounding must not carry it over the bend, where other weights would move.
        solved = self._solved()
        inside = np.where(self.rising, np.minimum(solved, bend), np.maximum(solved, bend))
        self.x = np.where(met, np.where(last, solved, inside), np.where(below_zero, 0.0, self.x))
        self.sum = np.where(below_zero, at_zero, self.sum)
        self.missed |= flat | below_zero
        self.done |= met | flat | below_zero


class SearchLargest:
    """The same for the largest |w|: a factor that brings it to the target norm. Attributes as `Search`.

    Tallies are made in plain numbers, at target norms; what is reached, and the factor, are in the units given.
    """

    def __init__(self, target_norm: FloatArray, start: FloatArray, units: Units | None) -> None:
        none = np.zeros(target_norm.shape, np.int64)
        self._units = Units(none, none) if units is None else units
        self.at = np.where(np.isnan(start), np.nan, moved_by(target_norm, self._units.norms))
        self.x = start.copy()
        self.reached = target_norm.copy()
        self.unreachable: BoolArray = np.zeros(target_norm.shape, np.bool_)

    @property
    def done(self) -> bool:
        """Whether every target has its answer."""
        return bool(np.isnan(self.at).all())

    def learn(self, tally: FloatArray) -> None:
        """Take in a tally made at `at`, which are target norms here."""
        i = np.flatnonzero(~np.isnan(self.at))
        out = dict(zip(ROWS, tally[:, i], strict=True))
        target, lowest, highest, largest = self.at[i], out["low"], out["high"], out["free"]
        nearest = np.clip(target, lowest, np.maximum(highest, lowest))
        again = highest < target  # the weights that may reach the highest bound are not yet known
        reached = moved_by(nearest, -self._units.norms[i])
        with np.errstate(all="ignore"):
            factor = reached / moved_by(largest, -self._units.weights[i])
        self.unreachable[i] |= nearest != target
        self.reached[i] = reached
        self.x[i] = np.where(again, self.x[i], factor)
        self.at[i] = np.where(again, highest, np.nan)

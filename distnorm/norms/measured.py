"""What was measured of each target, where the norm^p is no ordinary double: measured once more, in units (`units`)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from ..rules.node_ids import Int64Array
from ..rules.rule import Rule
from .passes import Pass
from .sums import BoolArray, FloatArray, norms
from .units import Units, exponents_of, moved_by, ordinary, unit_of

_LARGE = 2.0**900  # of a sum that is shifted: below it nothing overflows, and nothing can underflow
_SHIFTED = 64

Run = Callable[[Sequence[Pass | None]], Sequence[FloatArray | None]]


def measure_in_units(rules: Sequence[Rule], measured: Sequence[FloatArray], run: Run) -> list[Int64Array]:
    """Put sums that overflowed, or whose terms may have underflowed, into units.

    Args:
        rules: The rules.
        measured: Result of `correction.first_pass` for each, shape (rows, targets); totals and scales are replaced by
            those in units. A total that is still not finite is that of a weight that is not.
        run: Makes a pass for each rule that has one.

    Returns:
        Exponent of the unit of each target's weights, per rule.
    """
    exponents = [np.zeros(rows.shape[1], np.int64) for rows in measured]
    extreme = [_extreme(rule, rows) for rule, rows in zip(rules, measured, strict=True)]
    largest = run([Pass(kind="measure", largest=True) if which.any() else None for which in extreme])
    again: list[Pass | None] = [None] * len(rules)
    replaced = [np.zeros(which.shape, np.bool_) for which in extreme]
    for i, (rule, rows) in enumerate(zip(rules, measured, strict=True)):
        sizes = largest[i]
        if sizes is None:
            continue
        replaced[i] = extreme[i] & np.isfinite(sizes[0]) & (sizes[0] > 0)
        unit = _SHIFTED if rule.shifts else exponents_of(sizes[0])
        exponents[i] = np.where(replaced[i], unit, 0)
        rows[0] = np.where(extreme[i], sizes[0], rows[0])
        if rule.power == np.inf:
            rows[0] = moved_by(rows[0], -exponents[i])
        elif replaced[i].any():
            again[i] = Pass(kind="measure", units=Units(exponents[i], exponents[i]))
    for i, found in enumerate(run(again)):
        if found is not None:
            measured[i][[0, 2]] = np.where(replaced[i], found[[0, 2]], measured[i][[0, 2]])
    return exponents


def _extreme(rule: Rule, rows: FloatArray) -> BoolArray:
    size = rows[2] if rule.norm == "sum" else rows[0]
    found = ~(size <= _LARGE) if rule.shifts else ~ordinary(norms(size, rule.power), rule.power)
    surely_zero = (size == 0) & (rule.power in (1, np.inf))  # where no term underflows
    result: BoolArray = found & ~surely_zero & (rows[1] > 0)
    return result


class Measured:
    """Norms and target norms of a rule's targets, in units; all of shape (n,).

    Attributes:
        own_norm: The norms in units of the weights, where none is lost beside its target norm.
        own_scale: Likewise, sums of |w| where the norm is a signed sum.
        norm: The norms in units of the target norm or, later, of what is to be reached.
        scale: Likewise.
        target: Likewise, the target norms; NaN where not known.
    """

    def __init__(self, rule: Rule, rows: FloatArray, target_norm: FloatArray, unit: Int64Array) -> None:
        """Take what was measured, with the exponents of its units."""
        self._rule, self._given = rule, target_norm
        self.own_norm, self.own_scale, self._own_unit = norms(rows[0], rule.power), rows[2], unit
        if not rule.shifts:
            self._count_in(unit_of(target_norm, rule.power))
            return
        shifted = np.where((np.abs(target_norm) > _LARGE) & (unit == 0), _SHIFTED, 0)
        self.own_norm, self.own_scale = (moved_by(values, -shifted) for values in (self.own_norm, self.own_scale))
        self._own_unit = unit + shifted
        self._count_in(self._own_unit)

    def _count_in(self, unit: Int64Array) -> None:
        self._unit = unit
        self.norm, self.scale = (moved_by(values, self._own_unit - unit) for values in (self.own_norm, self.own_scale))
        self.target = moved_by(self._given, -unit)

    @property
    def units(self) -> Units | None:
        """Units of the passes over the weights; None for plain numbers."""
        return Units(self._own_unit, self._unit) if self._own_unit.any() or self._unit.any() else None

    def next_norms(self, due: BoolArray, fraction: float) -> FloatArray:
        """The norms to reach now, in units that are taken from now on: those of what is to be reached.

        Args:
            due: Which targets are to move towards their target norm.
            fraction: How much of the distance.
        """
        if not self._rule.shifts:
            unit = unit_of(self._given, self._rule.power) if fraction == 1 else self._unit_part_way(fraction)
            self._count_in(np.where(due, unit, self._own_unit))
        return np.where(due, self.target if fraction == 1 else self._step(fraction), self.norm)

    def _step(self, fraction: float) -> FloatArray:
        """A part of the distance, also where the target norm is larger than any double in these units."""
        part = moved_by(fraction * self._given, -self._unit)
        with np.errstate(invalid="ignore", over="ignore"):
            step = self.norm + fraction * (self.target - self.norm)
            return np.where(np.isinf(self.target), self.norm + (part - fraction * self.norm), step)

    def _unit_part_way(self, fraction: float) -> Int64Array:
        norm = np.abs(moved_by(self.own_norm, self._own_unit))
        larger = np.maximum(norm, fraction * np.abs(self._given))
        exact = np.isfinite(larger) & (larger >= np.finfo(float).tiny)
        return np.where(exact, unit_of(larger, self._rule.power), self._own_unit)

    def for_tally(self, x: FloatArray, unit: Int64Array) -> tuple[FloatArray, Units | None]:
        """Factors, or shifts, in units of their own, and the units of a pass with them; None for plain numbers."""
        if self.units is None and not unit.any():
            return x, None
        return moved_by(x, -unit), Units(self._own_unit - unit, self._unit)

    def plain(self, x: FloatArray) -> tuple[FloatArray, Units | None]:
        """Factors or shifts for weights as they are, and units where no double is that large a factor."""
        exponents = self._unit if self._rule.shifts else self._unit - self._own_unit
        plain = moved_by(x, exponents)
        beyond = np.isinf(plain) & np.isfinite(x)
        if not beyond.any():
            return plain, None
        units = Units(np.where(beyond, self._own_unit, 0), np.where(beyond, self._unit, 0))
        return np.where(beyond, x, plain), units

"""What parts of a source's connections have found, put together: the same bits however the parts were made.

A sum is high + low, some 106 bits of it. Both are cut into whole numbers of 40 bits, which add up without rounding in
any order. So a total is rounded once, as a sum over the connections of one thread is (kernel/passes/sums.h).
"""

from __future__ import annotations

import math

import numpy as np

from ..norms.bounds import EVENTS, ROWS
from ..norms.passes import Pass
from ..norms.sums import FloatArray
from ..rules.node_ids import Int64Array
from ..rules.rule import Rule

_BITS = 40  # of a whole number; so sums over 2^13 parts are exact in a double
_LIMBS = 3
_SUMS = ("total", "scale", "free", "low", "high", "bound")
_EDGES = tuple(f"{side}_{what}{i}" for side in ("left", "right") for what in ("edge", "slope") for i in range(EVENTS))


class Parts:
    """Which parts belong together.

    Args:
        slots: Of each part, the number of the whole that it belongs to, shape (parts,).
        number: Number of wholes.
    """

    def __init__(self, slots: Int64Array, number: int) -> None:
        self._slots, self._number = slots, number

    def put_together(self, a_pass: Pass, rule: Rule, rows: FloatArray) -> FloatArray:
        """Results of a pass with `rests`, shape (2 * rows, parts), as those of wholes, shape (2 * rows, number)."""
        if len(self._slots) == self._number and (self._slots == np.arange(self._number)).all():
            return rows
        half = len(rows) // 2
        result = np.zeros((len(rows), self._number))
        if a_pass.counts:
            for i in range(half):
                result[i] = self._counted(rows[i])
        elif a_pass.largest or rule.power == math.inf:
            self._largest(a_pass, rows, result)
        else:
            for i, name in enumerate(ROWS[:half]):
                if name in _SUMS:
                    result[i], result[half + i] = self._added(rows[i], rows[half + i])
                elif name not in _EDGES:
                    result[i] = self._counted(rows[i])
            if a_pass.kind == "tally":
                self._nearest_edges(rows, result)
        return result

    def _counted(self, row: FloatArray) -> FloatArray:
        result: FloatArray = np.bincount(self._slots, row, self._number).astype(np.float64)
        return result

    def _largest(self, a_pass: Pass, rows: FloatArray, result: FloatArray) -> None:
        """Of a measurement of the largest |w|, or what `SearchLargest` asks: all but counts are the largest."""
        half = len(rows) // 2
        counts = [ROWS.index(name) for name in ("count", "outside_count") if ROWS.index(name) < half]
        for i in range(half):
            if i in counts:
                result[i] = self._counted(rows[i])
            else:
                np.maximum.at(result[i], self._slots, rows[i])

    def _added(self, high: FloatArray, low: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Sums of high + low, each as a double and what its rounding leaves."""
        exponent = np.zeros(self._number, np.int64)  # above that of the smallest double
        of_parts = np.where(np.isfinite(high) & (high != 0), np.frexp(high)[1], -1074)  # frexp has 0 for zero
        np.maximum.at(exponent, self._slots, of_parts.astype(np.int64) + 1074)
        unit = exponent[self._slots] - 1074
        limbs = [np.zeros(self._number) for _ in range(_LIMBS)]
        with np.errstate(invalid="ignore", over="ignore"):
            for part in (high, low):
                rest = part
                for i in range(_LIMBS):
                    shift = _BITS * (i + 1) - unit
                    whole = np.rint(_scaled(rest, shift))
                    limbs[i] += np.bincount(self._slots, whole, self._number)
                    rest = rest - _scaled(whole, -shift)
            # From the smallest on: what a sum loses is kept.
            total, lost = np.zeros(self._number), np.zeros(self._number)
            for i in reversed(range(_LIMBS)):
                term = _scaled(limbs[i], exponent - 1074 - _BITS * (i + 1))
                total, rounding = _two_sum(term, total)
                lost = lost + rounding
            total, lost = _two_sum(total, lost)
            finite = self._counted(~np.isfinite(high)) == 0
            beyond = self._counted(high)
        return np.where(finite, total, beyond), np.where(finite, lost, 0.0)

    def _nearest_edges(self, rows: FloatArray, result: FloatArray) -> None:
        """The nearest bends to either side, of those nearest to each part."""
        for side in ("left", "right"):
            places = {what: [ROWS.index(f"{side}_{what}{i}") for i in range(EVENTS)] for what in ("edge", "slope")}
            edges, slopes = rows[places["edge"]].reshape(-1), rows[places["slope"]].reshape(-1)
            slots = np.tile(self._slots, EVENTS)
            known = np.isfinite(edges)
            edges, slopes, slots = edges[known], slopes[known], slots[known]
            order = np.lexsort((slopes, edges, slots))
            edges, slopes, slots = edges[order], slopes[order], slots[order]
            place = np.arange(len(slots)) - np.searchsorted(slots, slots)
            for i in range(EVENTS):
                which = place == i
                result[places["edge"][i]] = np.inf
                result[places["edge"][i], slots[which]] = edges[which]
                result[places["slope"][i], slots[which]] = slopes[which]


def _scaled(values: FloatArray, exponents: Int64Array) -> FloatArray:
    """Values * 2^exponents, also where no double is that power of two."""
    half = exponents // 2
    result: FloatArray = np.ldexp(np.ldexp(values, half), exponents - half)
    return result


def _two_sum(a: FloatArray, b: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Knuth's TwoSum: the sum, and what its rounding lost."""
    total = a + b
    part = total - a
    return total, (a - (total - part)) + (b - part)

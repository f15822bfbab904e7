"""Units for targets whose norm^p is no ordinary double: powers of two, which change no digit of a weight.

The square of a weight of 1e-170 is zero, and that of 1e200 is infinite. The weights of such a target count in units of
2^weights, its norms and bounds in units of 2^norms; a factor leads from the one to the other. All others count in 1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..rules.node_ids import Int64Array
from .sums import BoolArray, FloatArray, powers

_NORM = 2.0**450  # a quotient of two ordinary norms, and a sum of many ordinary terms, is a double
_TERM = 2.0**900


@dataclass(frozen=True, eq=False)
class Units:
    """Exponents of two by target, each of shape (n,)."""

    weights: Int64Array
    norms: Int64Array

    def __getitem__(self, part: slice) -> Units:
        return Units(self.weights[part], self.norms[part])

    @property
    def are_ones(self) -> BoolArray:
        """Which targets count in 1, shape (n,)."""
        result: BoolArray = (self.weights == 0) & (self.norms == 0)
        return result

    def of_weights(self, values: FloatArray, targets: Int64Array) -> FloatArray:
        """Weights, or their sizes, in these units; all of shape (connections,)."""
        return moved_by(values, -self.weights[targets])

    def of_norms(self, values: FloatArray, targets: Int64Array) -> FloatArray:
        """Bounds in these units, likewise."""
        return moved_by(values, -self.norms[targets])

    def plain(self, values: FloatArray, targets: Int64Array) -> FloatArray:
        """What was in units of norms, likewise."""
        return moved_by(values, self.norms[targets])


def moved_by(values: FloatArray, exponents: Int64Array) -> FloatArray:
    """Values times 2^exponents, elementwise."""
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        result: FloatArray = np.ldexp(values, exponents)
    return result


def exponents_of(values: FloatArray) -> Int64Array:
    """The e with 2^(e-1) <= |value| < 2^e, elementwise; 0 for zero and what is not finite."""
    return np.where(np.isfinite(values), np.frexp(values)[1], 0).astype(np.int64)


def ordinary(norm: FloatArray, power: float) -> BoolArray:
    """Whether norms of this size, and their power, need no units, elementwise; False for NaN."""
    size = np.abs(norm)
    if power in (1, np.inf):
        result: BoolArray = (size >= 1 / _NORM) & (size <= _NORM)
        return result
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        term = powers(np.where(np.isnan(size), np.inf, size), power)
    result = (size >= 1 / _NORM) & (size <= _NORM) & (term >= 1 / _TERM) & (term <= _TERM)
    return result


def unit_of(values: FloatArray, power: float) -> Int64Array:
    """Exponents of units in which the values and their power are ordinary, elementwise; 0 for those that are."""
    return np.where(np.isnan(values) | ordinary(values, power), 0, exponents_of(values))

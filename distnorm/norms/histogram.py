"""How the weights of a rule are distributed: bins, sums in fixed point, and how they merge over ranks.

All that is added up are whole numbers, so the result depends neither on the order of the connections nor on how the
network is split into ranks. For the mean and the standard deviation, each weight is rounded to a whole number of units.
A unit is 2^-40 of the power of two above the largest size when the bins were fixed, so both are known to that. A size
beyond 2^48 units counts as that much in them.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import RuleError
from ..files.typed_json import shown
from ..rules.validation import as_number
from .sums import BoolArray, FloatArray

BINS = 60
MOST_UNITS = 2.0**48
_UNITS = 40  # a unit is 2^-40 of the largest size, or less
_LIMBS = 4  # of 32 bits, of a sum; the highest has the sign
_TOTAL, _SQUARES = ([f"{name}{i}" for i in range(_LIMBS)] for name in ("total", "squares"))
ROWS = ("at_limit", *_TOTAL, *_SQUARES, "least", "largest", "limit_low", "limit_high", "counts")
"""Of what a pass finds. The counts, last, are of weights below, in each bin, and above."""
ALL_ROWS = len(ROWS) + BINS + 1

ADDED = ("at_limit", *_TOTAL, *_SQUARES)
RECORD = np.dtype(
    [*((name, np.int64) for name in ADDED), ("least", float), ("largest", float), ("counts", np.int64, BINS + 2)]
)
_STEPS = (1, 2, 3, 4, 5, 6, 10, 12, 15, 20)  # divisors of BINS: so zero is an edge if it is between the limits
_FARTHEST = 1e99  # beyond it a log has no numbers; so small is nothing
_REACHED = 0.1  # limits of synapses more than ten times beyond the largest weight are left out


@dataclass(frozen=True, kw_only=True, slots=True)
class WeightHistogram:
    """The weights of a rule over all ranks.

    Attributes:
        edges: Edges of the bins, ascending, one more than there are bins.
        counts: Number of weights per bin, from each lower edge on, the highest edge included.
        below: Number of weights below the first edge.
        above: Number of weights above the last edge.
        mean: Mean weight, sign included; 0 without connections.
        sd: Standard deviation of the weights (of all of them, not of a sample); 0 without connections.
        least: Smallest weight; 0 without connections.
        largest: Largest weight; 0 without connections.
        at_limit: Share of the weights that are zero, or at or beyond the `Wmax` or `Wmin` of their synapse.
    """

    edges: tuple[float, ...]
    counts: tuple[int, ...]
    below: int
    above: int
    mean: float
    sd: float
    least: float
    largest: float
    at_limit: float

    @property
    def connections(self) -> int:
        """Number of weights."""
        return self.below + sum(self.counts) + self.above

    @property
    def outside(self) -> float:
        """Share of the weights that are in no bin."""
        return (self.below + self.above) / max(self.connections, 1)

    def check(self) -> None:
        """Refuse what no run comes to, with a ValueError that says what is wrong."""
        if len(self.counts) != BINS or len(self.edges) != BINS + 1:
            raise ValueError(f"{len(self.counts)} counts between {len(self.edges)} edges; there are {BINS} bins")
        if not _ascend(self.edges):
            raise ValueError("edges do not ascend")
        if min(self.below, self.above, *self.counts) < 0:
            raise ValueError("a count is below zero")
        if not 0 <= self.at_limit <= 1 or self.sd < 0 or self.least > self.largest:
            raise ValueError(f"at_limit {self.at_limit}, sd {self.sd}, from {self.least} to {self.largest}")


@dataclass(frozen=True, kw_only=True)
class Bins:
    """Between which weights a histogram counts, and the unit of its sums.

    Attributes:
        edges: As of `WeightHistogram`.
        exponent: The unit is 2 to this power.
    """

    edges: tuple[float, ...]
    exponent: int

    def check(self) -> None:
        """Refuse what is never fixed, with a ValueError."""
        if len(self.edges) != BINS + 1 or not _ascend(self.edges) or not -1000 <= self.exponent < 1000:
            raise ValueError(f"bins of {len(self.edges)} edges, exponent {self.exponent}")

    @property
    def limits(self) -> tuple[float, float]:
        """First and last edge."""
        return self.edges[0], self.edges[-1]

    @functools.cached_property
    def table(self) -> tuple[FloatArray, float]:
        """Edges, shape (BINS + 1,), of which the last is just above the bins; and units per 1."""
        edges = np.array(self.edges)
        edges[-1] = np.nextafter(edges[-1], math.inf)
        return edges, 2.0**-self.exponent

    @classmethod
    def between(cls, low: float | Fraction, high: float | Fraction, largest: float) -> Bins:
        """Bins between two weights, of a network whose weights are no larger than `largest` in size."""
        first, length = Fraction(low), Fraction(high) - Fraction(low)
        edges = tuple(float(first + length * i / BINS) for i in range(BINS + 1))
        size = max(abs(edges[0]), abs(edges[-1]), largest)
        return cls(edges=edges, exponent=max(math.frexp(size)[1] - _UNITS, -1000))


def checked_watch(weights: Any) -> bool | tuple[float, float]:
    """Whether to make histograms of weights, or the limits of their bins.

    Raises:
        RuleError: It is neither, or there are no bins between the limits.
    """
    if isinstance(weights, bool | np.bool_):
        return bool(weights)
    if not isinstance(weights, tuple | list) or len(weights) != 2:
        raise RuleError(f"weights is {shown(weights)}; give True, or two weights between which a histogram counts")
    low, high = (as_number(weight) for weight in weights)
    if not (abs(low) <= _FARTHEST and abs(high) <= _FARTHEST):
        raise RuleError(f"weights is {shown(weights)}; give two numbers of at most {_FARTHEST:g} in size")
    if not low < high or not _ascend(Bins.between(low, high, 0.0).edges):
        raise RuleError(f"weights is {shown(weights)}; give the lower limit first, and room for {BINS} bins")
    return low, high


def _ascend(edges: tuple[float, ...]) -> bool:
    return all(low < high for low, high in itertools.pairwise(edges))


def rounded(low: float, high: float) -> tuple[Fraction, Fraction]:
    """Round limits around two weights, and zero: as near to them as can be."""
    low, high = max(min(low, 0.0), -_FARTHEST), min(max(high, 0.0), _FARTHEST)
    if high - low < 1 / _FARTHEST:
        return Fraction(0), Fraction(1)
    first, last = Fraction(low), Fraction(high)
    decade = math.floor(math.log10(high - low))
    choices = [
        choice
        for power in (decade - 1, decade)
        for mantissa in (1, 2, Fraction(5, 2), 5)
        if (choice := _in_steps(first, last, mantissa * Fraction(10) ** power))
    ]
    _, step, start, steps = min(choices, key=lambda choice: (choice[0], -choice[1]))
    return start * step, (start + steps) * step


def _in_steps(low: Fraction, high: Fraction, step: Fraction) -> tuple[Fraction, Fraction, int, int] | None:
    """Length, step, first step and number of steps of limits around two numbers; None for too many steps."""
    start = math.floor(low / step)
    wanted = math.ceil(high / step) - start
    steps = next((number for number in _STEPS if number >= wanted), None)
    return None if steps is None else (steps * step, step, start, steps)


def nothing() -> FloatArray:
    """What a pass finds where there are no connections, shape (ALL_ROWS, 1)."""
    rows = np.zeros((ALL_ROWS, 1))
    for name, value in (("least", np.inf), ("largest", -np.inf), ("limit_low", np.inf), ("limit_high", -np.inf)):
        rows[ROWS.index(name)] = value
    return rows


def counted(weights: FloatArray, at_limit: BoolArray, limits: Sequence[FloatArray], bins: Bins | None) -> FloatArray:
    """What a pass finds of weights, shape (ALL_ROWS, 1).

    Args:
        weights: Shape (n,).
        at_limit: Which are at a limit of their synapse, shape (n,).
        limits: Arrays of such limits, not finite where there is none.
        bins: None where only extents are asked for.
    """
    rows = nothing()
    named = {name: rows[i] for i, name in enumerate(ROWS)}
    named["least"][0], named["largest"][0] = weights.min(initial=np.inf), weights.max(initial=-np.inf)
    if bins is None:
        every = np.concatenate(limits)
        every = every[np.isfinite(every)]
        named["limit_low"][0], named["limit_high"][0] = every.min(initial=np.inf), every.max(initial=-np.inf)
        return rows
    edges, per_unit = bins.table
    places = np.searchsorted(edges, weights, side="right")
    rows[ROWS.index("counts") :, 0] = np.bincount(places, minlength=BINS + 2)
    with np.errstate(over="ignore"):
        numbers = np.rint(np.clip(weights * per_unit, -MOST_UNITS, MOST_UNITS)).astype(np.int64).tolist()
    named["at_limit"][0] = at_limit.sum()
    for names, value in ((_TOTAL, sum(numbers)), (_SQUARES, sum(number * number for number in numbers))):
        for name, limb in zip(names, _limbs(value), strict=True):
            named[name][0] = limb
    return rows


def _limbs(value: int) -> list[int]:
    return [value >> 32 * i & 0xFFFFFFFF for i in range(_LIMBS - 1)] + [value >> 32 * (_LIMBS - 1)]


def together(one: FloatArray, other: FloatArray) -> FloatArray:
    """What two passes found, of connections of one rule each, as one."""
    result = one + other
    for name, pick in (("least", np.minimum), ("limit_low", np.minimum), ("largest", np.maximum)):
        result[ROWS.index(name)] = pick(one[ROWS.index(name)], other[ROWS.index(name)])
    result[ROWS.index("limit_high")] = np.maximum(one[ROWS.index("limit_high")], other[ROWS.index("limit_high")])
    return result


def extents(rows: FloatArray) -> tuple[float, float, float, float]:
    """Smallest and largest weight, and smallest and largest limit, that a pass found; inf and -inf for none."""
    least, largest, low, high = (
        float(rows[ROWS.index(name), 0]) for name in ("least", "largest", "limit_low", "limit_high")
    )
    return least, largest, low, high


def bins_for(least: float, largest: float, low: float, high: float, given: tuple[float, float] | None) -> Bins:
    """Bins for weights between two numbers, whose synapses have limits between two others; as `extents` has them.

    Args:
        least: Smallest weight.
        largest: Largest weight.
        low: Smallest limit of a synapse.
        high: Largest limit of a synapse.
        given: Limits of the bins; None for round ones around all of this.
    """
    size = max(abs(least), abs(largest))
    if given is not None:
        return Bins.between(*given, size)
    reached = [limit for limit in (low, high) if abs(limit) * _REACHED <= size]  # false for inf
    return Bins.between(*rounded(min(least, *reached, 0.0), max(largest, *reached, 0.0)), size)


def record(rows: FloatArray) -> npt.NDArray[np.void]:
    """Record of what a pass found, shape ()."""
    result = np.zeros((), RECORD)
    for name in RECORD.names or ():
        row = ROWS.index(name)
        result[name] = rows[row:, 0] if name == "counts" else rows[row, 0]
    return result


def empty_records(number: int) -> npt.NDArray[np.void]:
    """Records of no connections, shape (number,)."""
    return np.full(number, record(nothing()), RECORD)


def merge(into: npt.NDArray[np.void], other: npt.NDArray[np.void]) -> None:
    """Add the record(s) `other` to `into`, elementwise, in place."""
    into["least"] = np.minimum(into["least"], other["least"])
    into["largest"] = np.maximum(into["largest"], other["largest"])
    for name in (*ADDED, "counts"):
        into[name] += other[name]


def read(merged: npt.NDArray[np.void], bins: Bins) -> WeightHistogram:
    """Readable form of one merged record."""
    below, *counts, above = merged["counts"].tolist()
    number = below + sum(counts) + above
    total, squares = (sum(int(merged[name]) << 32 * i for i, name in enumerate(names)) for names in (_TOTAL, _SQUARES))
    unit = 2.0**bins.exponent
    return WeightHistogram(
        edges=bins.edges,
        counts=tuple(counts),
        below=below,
        above=above,
        mean=total / number * unit if number else 0.0,
        sd=math.sqrt((number * squares - total * total) / number**2) * unit if number else 0.0,
        least=float(merged["least"]) + 0.0 if number else 0.0,  # not -0.0
        largest=float(merged["largest"]) + 0.0 if number else 0.0,
        at_limit=float(merged["at_limit"]) / number if number else 0.0,
    )

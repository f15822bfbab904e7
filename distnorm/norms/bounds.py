"""Norms inside bounds: the change of a target's weights that meets a norm while each |w| stays in its box.

A weight of size m goes to clip(c m, low, high), or to clip(m + s, low, high) when the mode is subtractive; a signed sum
clips w + s between bounds of the weight's own sign. The norm of the result grows with c (or s), and as a function of
x = c^p (or x = s) it is a chain of straight lines: its slope is the sum over the weights strictly inside the box. So a
pass over the weights (`tally`) gives the line at the present c and the next few bends to either side; where the chain
meets the target norm within them, the search is over (`Search`). Otherwise the next pass is made where the last line
meets it. A bracket closes around the answer with each pass, and is halved when that makes no headway, so the search
always ends.

The method is the variable fixing of separable problems: K. C. Kiwiel, "Variable fixing algorithms for the continuous
quadratic knapsack problem", J. Optim. Theory Appl. 136 (2008) 445-458.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..rules.node_ids import Int64Array
from .sums import FloatArray, exact_sums, powers
from .units import Units

# What a negative weight becomes that is brought to zero: several models of NEST take -0.0 for positive, and refuse it.
LEAST = 2.0**-1074

EVENTS = 6  # with each tally, to either side

# Rows of a tally. "low" and "high" are weights exactly at a bound after the change, "outside" those that it would bring
# beyond one; "bound" is the sum of their bounds. Rows of a plain measurement are the first three.
ROWS = (
    "total",  # sum of |w|^p, or of w, where no change is tallied
    "count",  # connections
    "scale",  # sum of |w|, for a signed sum
    "free",
    "free_count",
    "low",
    "low_count",
    "high",
    "high_count",
    "bound",
    "outside_count",
    # Events: where the next weights reach or leave a bound as x falls (negated) or rises, nearest first, inf: no more;
    # and by how much the slope changes there.
    *(f"{side}_{what}{i}" for side in ("left", "right") for what in ("edge", "slope") for i in range(EVENTS)),
)


@dataclass(frozen=True, kw_only=True, eq=False)
class Weights:
    """Connections of a rule with the bounds of their |w|; arrays of shape (n,).

    A weight of zero has the sign of the side that it is on; zero keeps the sign that it has in NEST.
    """

    weights: FloatArray
    targets: Int64Array
    low: FloatArray
    high: FloatArray

    def ends(self, signed: bool, flat: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """What is changed, and the least and largest it may become."""
        if not signed:
            sizes = np.abs(self.weights)
            return np.where((sizes == 0) & (flat[self.targets] > 0), 1.0, sizes), self.low, self.high
        negative = np.signbit(self.weights)
        return self.weights, np.where(negative, -self.high, self.low), np.where(negative, -self.low, self.high)


def scaled(of: Weights, at: FloatArray, units: Units | None = None) -> FloatArray:
    """The weights times factors; arguments as `changed`."""
    weights = of.weights if units is None else units.of_weights(of.weights, of.targets)
    product = weights * at[of.targets]
    if units is not None:
        product = units.plain(product, of.targets)
    return np.where((product == 0) & (of.weights < 0), -LEAST, product)


def changed(
    of: Weights, at: FloatArray, flat: FloatArray, shifts: bool, signed: bool, units: Units | None = None
) -> FloatArray:
    """The weights after a change, shape (n,).

    Args:
        of: The connections.
        at: Factor or shift per target, shape (num_targets,); NaN leaves the weights alone.
        flat: Above zero for targets whose weights become equal, shape (num_targets,).
        shifts: True to add, False to multiply.
        signed: True where the norm is a signed sum and the mode subtractive.
        units: See `Pass`.
    """
    value, low, high = of.ends(signed, flat)
    if units is not None:
        value = units.of_weights(value, of.targets)
    x = at[of.targets]
    with np.errstate(invalid="ignore", over="ignore"):
        moved = value + x if shifts else x * value
        moved = moved if units is None else units.plain(moved, of.targets)
        moved = np.where(moved < low, low, np.where(moved > high, high, moved))
    moved = np.where((moved == 0) & (of.weights < 0), -LEAST, np.copysign(moved, of.weights))
    return np.where(np.isnan(x), of.weights, moved)


def tally(
    of: Weights,
    at: FloatArray,
    flat: FloatArray,
    shifts: bool,
    signed: bool,
    power: float,
    units: Units | None = None,
) -> FloatArray:
    """What `Search` asks of the weights at a change; arguments as `changed`.

    Returns:
        Array of shape (len(ROWS), num_targets).
    """
    keep = ~np.isnan(at[of.targets])
    value, low, high = (values[keep] for values in of.ends(signed, flat))
    targets, x = of.targets[keep], at[of.targets[keep]]
    if units is not None:
        value = units.of_weights(value, targets)
        low, high = units.of_norms(low, targets), units.of_norms(high, targets)
    n = len(at)
    result = np.zeros((len(ROWS), n))
    out = dict(zip(ROWS, result, strict=True))
    with np.errstate(all="ignore"):
        edge_low, edge_high = (low - value, high - value) if shifts else (_edge(low, value), _edge(high, value))
    term = value if shifts else powers(value, power)
    bound_low, bound_high = (low, high) if shifts else (powers(low, power), powers(high, power))
    # By x, not by the changed weight: rounding must not put a weight on another side of the edge that is reported.
    under, over = x < edge_low, ~(x < edge_low) & (x > edge_high)
    at_low, at_high = ~under & ~over & (x == edge_low), ~under & ~over & (x == edge_high) & (x != edge_low)
    free = ~(under | over | at_low | at_high)
    for name, where in (("free", free), ("low", at_low), ("high", at_high)):
        out[name][:] = exact_sums(term[where], targets[where], n)
        out[f"{name}_count"][:] = np.bincount(targets[where], minlength=n)
    outside = under | over
    out["total"][:] = exact_sums(term, targets, n)
    out["count"][:] = np.bincount(targets, minlength=n)
    out["scale"][:] = exact_sums(np.abs(value), targets, n) if signed else 0.0
    out["bound"][:] = exact_sums(np.where(under, bound_low, bound_high)[outside], targets[outside], n)
    out["outside_count"][:] = np.bincount(targets[outside], minlength=n)
    slope = np.ones_like(term) if shifts else term
    right = ((under, edge_low, slope), (under | free | at_low, edge_high, -slope))
    left = ((over, -edge_high, slope), (over | free | at_high, -edge_low, -slope))
    for side, events in (("left", left), ("right", right)):
        last = np.inf if shifts or side == "right" else 0.0
        found = [(targets[which], edges[which], slopes[which]) for which, edges, slopes in events]
        columns = [np.concatenate(parts) for parts in zip(*found, strict=True)]
        _keep_nearest(out, side, *(column[columns[1] < last] for column in columns))
    return result


def _edge(bound: FloatArray, value: FloatArray) -> FloatArray:
    """The factors that bring values to their bounds; none rounds to zero, from where nothing leads back."""
    factor = bound / value
    return np.where((factor == 0) & (bound > 0), LEAST, factor)


def _keep_nearest(
    out: dict[str, FloatArray], side: str, targets: Int64Array, edges: FloatArray, slopes: FloatArray
) -> None:
    """Write the nearest events of each target into the rows of a side."""
    for i in range(EVENTS):
        out[f"{side}_edge{i}"][:] = np.inf
    order = np.lexsort((slopes, edges, targets))
    targets, edges, slopes = targets[order], edges[order], slopes[order]
    place = np.arange(len(targets)) - np.searchsorted(targets, targets)
    for i in range(EVENTS):
        which = place == i
        out[f"{side}_edge{i}"][targets[which]] = edges[which]
        out[f"{side}_slope{i}"][targets[which]] = slopes[which]


def tally_largest(of: Weights, target_norm: FloatArray, flat: FloatArray) -> FloatArray:
    """What `SearchLargest` asks: in "free" the largest |w| of those that may reach the target norm; in "low" and "high"
    the largest lower and upper bound. Shapes as `tally`.
    """
    keep = ~np.isnan(target_norm[of.targets])
    value, low, high = (values[keep] for values in of.ends(False, flat))
    targets = of.targets[keep]
    result = np.zeros((len(ROWS), len(target_norm)))
    out = dict(zip(ROWS, result, strict=True))
    np.maximum.at(out["low"], targets, low)
    can = value > 0
    np.maximum.at(out["high"], targets[can], high[can])
    can &= high >= target_norm[targets]
    np.maximum.at(out["free"], targets[can], value[can])
    outside = (value < low) | (value > high)
    out["outside_count"][:] = np.bincount(targets[outside], minlength=len(target_norm))
    return result

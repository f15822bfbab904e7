"""One pass over the connections of a rule, and what it does with weights that are at hand in numpy."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from ..rules.rule import Rule
from .bounds import ROWS, Weights, changed, scaled, tally, tally_largest
from .histogram import ALL_ROWS, Bins
from .histogram import nothing as empty_histogram
from .sums import FloatArray, measure
from .units import Units

MOMENTS = ("count", "sum", "squares", "least", "largest")
COUNTED = ("above", "below", "close_to_zero")

_RESULT_ROWS = {"measure": 3, "tally": len(ROWS), "moments": len(MOMENTS), "histogram": ALL_ROWS}


@dataclass(frozen=True, kw_only=True, eq=False)
class Pass:
    """What to do with each connection."""

    # "measure" sums up, "tally" says what a change would do, "scale" multiplies, "move" changes inside bounds, "update"
    # makes the changes that NEST has yet to make, "collect" writes the rows of a table, "moments" are those of MOMENTS,
    # "histogram" counts weights by bin, of all targets together
    kind: Literal["measure", "tally", "scale", "move", "update", "collect", "moments", "histogram"]
    # Factor or shift per target (its target norm where a tally is of the largest |w|), shape (n,); NaN leaves a target
    # alone. None: no change, for any number of targets.
    at: FloatArray | None = None
    flat: FloatArray | None = None  # above zero for targets whose weights become equal, shape (n,); None for none
    # Those that the weights and bounds of each target count in, and `at` leads between; None: all are 1
    units: Units | None = None
    largest: bool = False  # True to measure the largest |w| in place of the rule's norm
    # True for "scale" and "move" where they are not made: of each target it is counted how many weights (rows of
    # COUNTED) they would bring beyond the synapse's own limits, and how many are close to zero before
    counts: bool = False
    bins: Bins | None = (
        None  # of a histogram; None to find only between which weights, and limits, there should be some
    )
    # Which weights "measure", "tally" and "histogram" are of, in place of those of the rule
    weights: Literal["stored", "current"] | None = None
    sizes: bool = False  # True for "moments" of |w| in place of w
    columns: Any = None  # of the table that "collect" fills, as the kernel takes it
    # True for the same rows once more below those of the result: what the rounding of each sum leaves
    rests: bool = False

    @property
    def rows(self) -> int:
        """Number of rows of the result."""
        return (1 + self.rests) * (len(COUNTED) if self.counts else _RESULT_ROWS.get(self.kind, 0))

    def nothing(self, num_targets: int) -> FloatArray:
        """Result of the pass without connections, shape (rows, num_targets); of a histogram (rows, 1)."""
        return empty_histogram() if self.kind == "histogram" else np.zeros((self.rows, num_targets))

    def part(self, first: int, last: int) -> Pass:
        """The pass for some of the targets."""
        which = slice(first, last)
        at, flat = (None if array is None else array[which] for array in (self.at, self.flat))
        return replace(self, at=at, flat=flat, units=None if self.units is None else self.units[which])


def summed_by(a_pass: Pass, rule: Rule, of: Weights, num_targets: int) -> FloatArray:
    """Result of a pass of kind "measure" or "tally" over some weights, shape (rows, num_targets)."""
    at, flat = _arrays(a_pass, rule, num_targets)
    if a_pass.kind == "measure":
        values = of.weights if a_pass.units is None else a_pass.units.of_weights(of.weights, of.targets)
        return measure(values, of.targets, num_targets, "linf" if a_pass.largest else rule.norm, rule.power)
    if rule.power == math.inf:
        return tally_largest(of, at, flat)
    return tally(of, at, flat, rule.shifts, rule.shifts and rule.norm == "sum", rule.power, a_pass.units)


def changed_by(a_pass: Pass, rule: Rule, of: Weights, num_targets: int) -> FloatArray:
    """The weights after a pass of kind "scale" or "move", shape of the weights."""
    at, flat = _arrays(a_pass, rule, num_targets)
    if a_pass.kind == "scale":
        return scaled(of, at, a_pass.units)
    return changed(of, at, flat, rule.shifts, rule.shifts and rule.norm == "sum", a_pass.units)


def _arrays(a_pass: Pass, rule: Rule, num_targets: int) -> tuple[FloatArray, FloatArray]:
    none = np.full(num_targets, 0.0 if rule.shifts else 1.0)
    return none if a_pass.at is None else a_pass.at, np.zeros(num_targets) if a_pass.flat is None else a_pass.flat

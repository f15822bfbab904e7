"""Between which weights a synapse model keeps its connections, and on which side of zero: as kernel/passes/range.h.

A model without `Wmin` keeps the size |w| up to |Wmax|, on the side of `Wmax`; one with it keeps w between the two. A
weight that is zero is on that side too, whatever its sign: depressed to nothing, an inhibitory weight is +0.0 in
several models of NEST.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..norms.sums import BoolArray, FloatArray

NAMES = ("Wmin", "Wmax")

# A weight is close to zero below this fraction of the largest that its synapse allows. STDP takes steps of lambda times
# Wmax, by default a hundredth of Wmax: one step is then more than a hundred times the weight.
CLOSE = 1e-4


def common_limits(nest: Any, synapse_model: str) -> dict[str, float]:
    """Those of `Wmin` and `Wmax` that a synapse model has, as its connections share them or begin with them."""
    defaults = nest.GetDefaults(synapse_model)
    within = defaults.get("optimizer")  # the e-prop models have them there
    found = {**(within if isinstance(within, dict) else {}), **defaults}
    return {name: float(found[name]) for name in NAMES if name in found}


def own_limits(connections: Any) -> list[str]:
    """Those of `Wmin` and `Wmax` that each of these connections, of one model, has for itself."""
    status = connections[0].get() if len(connections) else {}
    return [name for name in NAMES if name in status]


@dataclass(frozen=True, eq=False)
class Limits:
    """`Wmin` and `Wmax` of connections, each of shape (n,); NaN where a model has none."""

    least: FloatArray
    most: FloatArray

    @classmethod
    def of(cls, nest: Any, synapse_model: str, status: Mapping[str, npt.NDArray[Any]]) -> Limits:
        """Those of connections of one model.

        Args:
            nest: The imported module.
            synapse_model: Its name.
            status: "weight" and, where each connection has its own, "Wmin" and "Wmax", each of shape (n,).
        """
        common = common_limits(nest, synapse_model)
        shape = status["weight"].shape
        least, most = (
            status[name].astype(np.float64) if name in status else np.full(shape, common.get(name, np.nan))
            for name in NAMES
        )
        return cls(least, most)

    def on_side(self, weights: FloatArray) -> FloatArray:
        """The weights, shape (n,), each zero with the sign of its side; its own where the model has no side."""
        negative = (self.most < 0) | ((self.most == 0) & (self.least < 0))
        positive = (self.most >= 0) & ~(self.least < 0)
        zero = weights == 0
        result = np.where(zero & negative, -0.0, weights)
        return np.where(zero & positive, 0.0, result)

    def sizes(self, weights: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Smallest and largest |w| of weights with these signs, each of shape (n,)."""
        negative = np.signbit(weights)
        low = np.where(negative, -self.most, self.least)
        high = np.where(negative, -self.least, self.most)
        ranged = ~np.isnan(self.least)
        low = np.where(ranged & (low > 0), low, 0.0)
        high = np.where(ranged, np.maximum(high, 0.0), np.abs(self.most))
        return low, np.where(np.isnan(high), np.inf, high)

    def above(self, weights: FloatArray) -> BoolArray:
        """Which weights NEST brings down to `Wmax`, shape (n,)."""
        result: BoolArray = np.where(np.isnan(self.least), np.abs(weights) > np.abs(self.most), weights > self.most)
        return result

    def reached(self, weights: FloatArray) -> BoolArray:
        """Which weights are zero, or at or beyond `Wmax` or `Wmin`, shape (n,)."""
        at_most = np.where(np.isnan(self.least), np.abs(weights) >= np.abs(self.most), weights >= self.most)
        result: BoolArray = (weights == 0) | at_most | (weights <= self.least)
        return result

    def close_to_zero(self, weights: FloatArray) -> BoolArray:
        """Which weights are almost nothing beside what their synapse allows, shape (n,)."""
        _, largest = self.sizes(weights)
        result: BoolArray = np.isfinite(largest) & (np.abs(weights) < CLOSE * largest)
        return result

    def below(self, weights: FloatArray) -> BoolArray:
        """Which weights NEST lifts to `Wmin`, shape (n,)."""
        result: BoolArray = weights < self.least
        return result

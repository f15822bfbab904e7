"""What a run did to its weights, and how far it came from the exact run of the same network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...norms.sums import FloatArray

BOUNDS = (0.1, 0.05, 0.02, 0.01, 0.005)
EXACT, NOISE = "exact", "exact, other noise"
BY_BOUND = {f"{100 * bound:g} %": bound for bound in BOUNDS}
WAYS = (*BY_BOUND, EXACT, NOISE)
QUANTILES = (0.05, 0.5, 0.95)


@dataclass(frozen=True, kw_only=True, eq=False)
class Course:
    """What one run did.

    Attributes:
        way: One of WAYS.
        seed: Of the network.
        times_ms: When weights were read, shape (times,).
        weights: Plastic weights relative to their mean, by source and target, shape (times, connections).
        normalizations: Number of them; audits of an exact run.
        drift_max: Largest drift at any measurement but the first.
        rate_hz: Of the recorded neurons.
        seconds: Wall time of simulating and normalizing, of the slowest rank.
    """

    way: str
    seed: int
    times_ms: FloatArray
    weights: FloatArray
    normalizations: int
    drift_max: float
    rate_hz: float
    seconds: float

    def distances(self, other: Course) -> FloatArray:
        """Sum of |difference of weights| over the sum of weights at each time, shape (times,)."""
        difference: FloatArray = np.abs(self.weights - other.weights).mean(axis=1)
        return difference

    def quantiles(self) -> list[float]:
        """Of the last weights."""
        return [float(each) for each in np.quantile(self.weights[-1], QUANTILES)]


def exact_run(courses: Sequence[Course], of: Course) -> Course:
    """The exact run of the same seed."""
    return next(each for each in courses if each.way == EXACT and each.seed == of.seed)


def distances_of(courses: Sequence[Course], way: str) -> FloatArray:
    """From the exact run of the same seed, shape (seeds, times)."""
    return np.array([each.distances(exact_run(courses, each)) for each in courses if each.way == way])

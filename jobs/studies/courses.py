"""What a run did to its weights, and how far it came from the exact run of the same network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from distnorm.norms.sums import FloatArray

EXACT, NOISE = "exact", "exact, other noise"
BY_BOUND = {f"{100 * bound:g} %": bound for bound in (0.1, 0.05, 0.02, 0.01, 0.005)}
RUNS = (*BY_BOUND, EXACT, NOISE)
QUANTILES = (0.05, 0.5, 0.95)


@dataclass(frozen=True, kw_only=True, eq=False)
class Course:
    """What one run did.

    Attributes:
        run: One of RUNS.
        seed: Of the network.
        times_ms: When weights were read, shape (times,).
        weights: Plastic weights relative to their mean, by source and target, shape (times, connections).
        normalizations: Number of them; audits of an exact run.
        drift_max: Largest drift at any measurement but the first.
        rate_hz: Of the recorded neurons.
        seconds: Wall time of simulating and normalizing, of the slowest rank.
    """

    run: str
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
        return [float(weight) for weight in np.quantile(self.weights[-1], QUANTILES)]


def exact_run(courses: Sequence[Course], of: Course) -> Course:
    """The exact run of the same seed."""
    return next(course for course in courses if course.run == EXACT and course.seed == of.seed)


def distances_of(courses: Sequence[Course], run: str) -> FloatArray:
    """From the exact run of the same seed, shape (seeds, times)."""
    return np.array([course.distances(exact_run(courses, course)) for course in courses if course.run == run])

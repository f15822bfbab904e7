"""What a measurement has found on this rank, for the agreement of all ranks."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..norms import drift
from ..norms.drift import Drift
from .message import new_message
from .ranks import Ranks


@dataclass(frozen=True, eq=False)
class Records:
    """Drift records, one per rule, or none where there is nothing of the kind.

    Attributes:
        message: All of them, as they are sent; the others are parts of it.
        drifts: Of the distance from the target norms.
        since_start: Of the distance from the norms at the first measurement, when observing.
        other_weights: When observing, as `drifts`, of the weights that a rule does not ask for: current ones in place
            of stored ones, or the other way round. Of no target where that makes no difference, or is not known.
        within_slices: Of the largest distances at the ends of slices, where models hold the norms.
        weights: Histograms of the weights, where they are watched.
    """

    message: npt.NDArray[np.void]
    drifts: npt.NDArray[np.void]
    since_start: npt.NDArray[np.void]
    other_weights: npt.NDArray[np.void]
    within_slices: npt.NDArray[np.void]
    weights: npt.NDArray[np.void]

    @classmethod
    def of(cls, rules: int, *, observe: bool, within_slices: bool, watched: bool) -> Records:
        """Empty records."""
        numbers = (rules, rules * observe, rules * observe, rules * within_slices)
        message = new_message(sum(numbers), rules * watched)
        ends = itertools.accumulate(numbers)
        drifts, start, other, slices = (
            message["drift"][end - number : end] for number, end in zip(numbers, ends, strict=True)
        )
        return cls(message, drifts, start, other, slices, message["weights"])

    def agreed(
        self, ranks: Ranks, error: BaseException | None, *, with_histograms: bool
    ) -> tuple[list[tuple[Drift, ...]], npt.NDArray[np.void]]:
        """The drifts of all ranks, one tuple for each of the fields of drifts, and merged histograms. Collective."""
        merged = ranks.agree(self.message, error)
        drifts = (drift.read(record, with_histogram=with_histograms) for record in merged["drift"])
        fields = (self.drifts, self.since_start, self.other_weights, self.within_slices)
        return [tuple(itertools.islice(drifts, len(field))) for field in fields], merged["weights"]

"""What a measurement has found on this rank, for the agreement of all ranks."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice

import numpy as np
import numpy.typing as npt

from ..norms import drift, histogram
from ..norms.drift import Drift
from .ranks import Ranks


@dataclass(frozen=True, kw_only=True, eq=False)
class Records:
    """Drift records, one per rule, or none where there is nothing of the kind.

    Attributes:
        drifts: Of the distance from the target norms.
        since_start: Of the distance from the norms at the first measurement, when observing.
        other_weights: When observing, as `drifts`, of the weights that a rule does not ask for: current ones in place
            of stored ones, or the other way round. Of no target where that makes no difference, or is not known.
        within_slices: Of the largest distances at the ends of slices, where models hold the norms.
        weights: Histograms of the weights, where they are watched.
    """

    drifts: npt.NDArray[np.void]
    since_start: npt.NDArray[np.void]
    other_weights: npt.NDArray[np.void]
    within_slices: npt.NDArray[np.void]
    weights: npt.NDArray[np.void]

    @classmethod
    def of(cls, rules: int, *, observe: bool, within_slices: bool, watched: bool) -> Records:
        """Empty records."""
        return cls(
            drifts=np.zeros(rules, drift.RECORD),
            since_start=np.zeros(rules * observe, drift.RECORD),
            other_weights=np.zeros(rules * observe, drift.RECORD),
            within_slices=np.zeros(rules * within_slices, drift.RECORD),
            weights=histogram.empty_records(rules * watched),
        )

    def agreed(self, ranks: Ranks, error: BaseException | None) -> tuple[list[tuple[Drift, ...]], npt.NDArray[np.void]]:
        """The drifts of all ranks, one tuple for each of the fields of drifts, and merged histograms. Collective."""
        fields = (self.drifts, self.since_start, self.other_weights, self.within_slices)
        drifts, weights = ranks.agree_on(np.concatenate(fields), self.weights, error)
        merged = iter(drifts)
        return [tuple(drift.read(record) for record in islice(merged, len(field))) for field in fields], weights

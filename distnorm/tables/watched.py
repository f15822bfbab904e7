"""Histograms of the weights under all rules: bins that the ranks agree on, and a pass that rides along with another."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ..mpi.ranks import Ranks
from ..norms import histogram
from ..norms.histogram import Bins, WeightHistogram
from ..norms.passes import Pass
from ..norms.sums import FloatArray
from ..synapses.access import Synapses, run_all

_NO_BINS = Bins.between(0.0, 1.0, 1.0)  # of a rule without connections so far


class WatchedWeights:
    """What is made of the weights beside their norms.

    Attributes:
        asked: Whether histograms are.
        bins: Of each rule; None until it has connections.
    """

    def __init__(self, rules: int, ranks: Ranks, watch: bool | tuple[float, float]) -> None:
        """Nothing is known yet; `watch` tells whether to make histograms, or between which weights."""
        self.asked = watch is not False
        self.bins: list[Bins | None] = [None] * rules
        self._given = watch if isinstance(watch, tuple) else None
        self._ranks = ranks

    def state(self) -> tuple[Bins | None, ...]:
        """What `restore` needs: the bins, nothing where histograms are not asked for."""
        return tuple(self.bins) if self.asked else ()

    def restore(self, bins: Sequence[Bins | None]) -> None:
        """Go on with the bins of a run before, unless others are asked for."""
        if self.asked and len(bins) == len(self.bins):
            self.bins = [each if each and self._given in (None, each.limits) else None for each in bins]

    def fix(self, synapses: Sequence[Synapses]) -> None:
        """Agree on bins for the rules that have none yet, and have connections. Collective."""
        if not self.asked or all(self.bins):
            return
        error, numbers = None, np.zeros(4 * len(synapses), np.int64)
        try:
            found = run_all(synapses, [None if bins else Pass(kind="histogram") for bins in self.bins])
            numbers = np.concatenate([_as_largest(rows) for rows in found])
        except Exception as raised:
            error = raised
        largest = self._ranks.settle(error, *numbers.tolist())
        for i in [i for i, bins in enumerate(self.bins) if not bins]:
            extents = _extents(largest[4 * i : 4 * i + 4])
            if np.isfinite(extents[:2]).all():  # else there is no connection, or a weight that the measurement refuses
                self.bins[i] = histogram.bins_for(*extents, self._given)

    def run(
        self, synapses: Sequence[Synapses], passes: Sequence[Pass], records: npt.NDArray[np.void]
    ) -> list[FloatArray | None]:
        """As `run_all`, and in the same way through memory fill in a record of the weights of each rule."""
        if not self.asked:
            return run_all(synapses, passes)
        every = [each for bins in self._all_bins() for each in (None, Pass(kind="histogram", bins=bins))]
        every[::2] = passes
        found = run_all([each for each in synapses for _ in range(2)], every)
        for i, rows in enumerate(found[1::2]):
            assert rows is not None
            records[i] = histogram.record(rows)
        return found[::2]

    def read(self, merged: npt.NDArray[np.void]) -> tuple[WeightHistogram, ...]:
        """Readable form of merged records, one per rule; nothing of none."""
        return tuple(histogram.read(*pair) for pair in zip(merged, self._all_bins(), strict=self.asked))

    def _all_bins(self) -> list[Bins]:
        return [bins or _NO_BINS for bins in self.bins]


def _as_largest(rows: FloatArray | None) -> npt.NDArray[np.int64]:
    """Extents as whole numbers, of which the largest over all ranks is wanted, shape (4,)."""
    least, largest, low, high = histogram.extents(histogram.nothing() if rows is None else rows)
    return _flipped(np.array([-least, largest, -low, high]).view(np.int64))


def _extents(numbers: Sequence[int]) -> tuple[float, float, float, float]:
    """What `_as_largest` had."""
    least, largest, low, high = _flipped(np.array(numbers)).view(np.float64).tolist()
    return -least, largest, -low, high


def _flipped(bits: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The bits of doubles as whole numbers in the same order, and the other way round."""
    result: npt.NDArray[np.int64] = np.where(bits < 0, bits ^ np.int64(2**63 - 1), bits)
    return result

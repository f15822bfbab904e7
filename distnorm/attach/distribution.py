"""How values are distributed over all ranks: a message that does not grow with their number."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

_BITS = 10  # of the mantissa that are kept: values to 1 part in 2,000, whole numbers up to 2,048 exactly
_SHIFT = np.uint64(52 - _BITS)
_HALF = np.uint64(1 << (51 - _BITS))


@dataclass(frozen=True, kw_only=True)
class Distribution:
    """Distribution of positive numbers."""

    smallest: float = 0.0  # smallest value; 0 without any
    largest: float = 0.0  # largest value; 0 without any
    counts: Counter[float]  # how many values there are of each, by value rounded to 11 bits

    @classmethod
    def of(cls, values: npt.NDArray[np.float64]) -> Distribution:
        """That of an array of any shape."""
        if values.size == 0:
            return cls(counts=Counter())
        bits = ((np.ravel(values).astype(np.float64).view(np.uint64) + _HALF) >> _SHIFT) << _SHIFT
        rounded, counts = np.unique(bits.view(np.float64), return_counts=True)
        return cls(
            smallest=float(values.min()),
            largest=float(values.max()),
            counts=Counter(dict(zip(rounded.tolist(), counts.tolist(), strict=True))),
        )

    @classmethod
    def merged(cls, parts: Iterable[Distribution]) -> Distribution:
        """That of all values together."""
        given = [part for part in parts if part.counts]
        return cls(
            smallest=min((part.smallest for part in given), default=0.0),
            largest=max((part.largest for part in given), default=0.0),
            counts=sum((part.counts for part in given), Counter()),
        )

    @property
    def median(self) -> float:
        """The lower median, to 1 part in 2,000; 0 without values."""
        left = (self.counts.total() + 1) // 2
        for value in sorted(self.counts):
            left -= self.counts[value]
            if left <= 0:
                return min(max(value, self.smallest), self.largest)
        return 0.0

    def __str__(self) -> str:
        return f"{self.smallest:,.4g} / {self.median:,.4g} / {self.largest:,.4g}" if self.counts else "-"

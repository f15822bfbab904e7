"""How long to simulate between two normalizations.

A controller is immutable settings with two pure functions: state in, state out. Only simulated time and statistics
that all ranks agree on enter, so all ranks choose the same interval, and the same one in the next run.
"""

from __future__ import annotations

import math
import numbers
from dataclasses import dataclass
from typing import Any, Protocol

from .drift import Drift
from .errors import RuleError


class Interval(Protocol):
    """What a Normalizer asks of a controller; write your own with these two methods."""

    def first(self) -> tuple[float, Any]:
        """First interval in ms, and a state to be handed to `next`."""
        ...

    def next(self, state: Any, elapsed_ms: float, drift: Drift) -> tuple[float, Any]:
        """Next interval in ms, and the new state, from the interval just simulated and the drift at its end."""
        ...


@dataclass(frozen=True)
class FixedInterval:
    """The same interval each time.

    Attributes:
        interval_ms: Simulated time between two normalizations in ms; a multiple of the resolution.

    Raises:
        RuleError: Not a positive, finite number.
    """

    interval_ms: float

    def __post_init__(self) -> None:
        if isinstance(self.interval_ms, bool) or not isinstance(self.interval_ms, numbers.Real):
            raise RuleError(f"interval is {self.interval_ms!r}; give simulated time in ms")
        if not (math.isfinite(self.interval_ms) and self.interval_ms > 0):
            raise RuleError(f"interval is {self.interval_ms} ms; it must be positive and finite")

    def first(self) -> tuple[float, None]:
        return self.interval_ms, None

    def next(self, state: None, elapsed_ms: float, drift: Drift) -> tuple[float, None]:
        return self.interval_ms, None

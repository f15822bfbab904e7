"""How long to simulate until the next measurement, and whether to normalize at it.

A controller is immutable settings with pure functions: state in, state out. Only simulated time and statistics that all
ranks agree on enter, so all ranks decide the same, and the same in the next run.
"""

from __future__ import annotations

import numbers
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from ..errors import RuleError
from ..files.typed_json import shown
from ..norms.drift import Drift

LONGEST_MS = 1e15
"""The clock of NEST ends soon after it."""


@dataclass(frozen=True, kw_only=True)
class Clock:
    """What a controller may know of the network."""

    resolution_ms: float  # time step of NEST
    min_delay_ms: float  # smallest delay of the network


class Interval(Protocol):
    """What a Normalizer asks of a controller; write your own with these two methods (and that of Hintable)."""

    def first(self, clock: Clock) -> tuple[float, Any]:
        """Time in ms to the first measurement, and a state to be handed on; norms are at their targets then."""
        ...

    def decide(self, state: Any, elapsed_ms: float, drifts: Sequence[Drift], forced: bool) -> tuple[bool, float, Any]:
        """Whether to normalize now, time in ms to the next measurement, and the new state.

        Args:
            state: What the last call returned.
            elapsed_ms: Simulated time since the last normalization.
            drifts: Drift of each rule's targets over all ranks.
            forced: The caller normalizes now in any case; the answer must be True.
        """
        ...


@runtime_checkable
class Hintable(Interval, Protocol):
    """A controller that wants to know when a change is expected; one without this method is not told."""

    def expect_change(self, state: Any) -> Any:
        """The new state, when the user says that the drift may change now; a measurement at the same time follows."""
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
        check_time(self.interval_ms, "interval_ms")

    def first(self, clock: Clock) -> tuple[float, None]:
        return self.interval_ms, None

    def decide(self, state: None, elapsed_ms: float, drifts: Sequence[Drift], forced: bool) -> tuple[bool, float, None]:
        return True, self.interval_ms, None


def check_time(value: Any, name: str) -> None:
    """Refuse what is not a positive, finite time.

    Raises:
        RuleError: With the name, the value, and what to give.
    """
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise RuleError(f"{name} is {shown(value)}; give simulated time in ms")
    try:
        sound = 0 < float(value) <= LONGEST_MS
    except OverflowError:  # an integer beyond the largest double
        sound = False
    if not sound:
        raise RuleError(f"{name} is {shown(value)} ms; it must be positive and finite, at most {LONGEST_MS:g}")

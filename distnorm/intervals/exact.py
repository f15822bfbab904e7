"""Exact normalization: when to check it. The synapse models themselves hold the norm, in every time slice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..norms.drift import Drift
from .controller import Clock, check_time


@dataclass(frozen=True, kw_only=True)
class ExactInterval:
    """Hold the norms of stored weights in every time slice, by models from `install_models`.

    Each target's weights are stored in units of one factor, which follows what its connections learn; nothing is
    communicated. Audits measure the norms in place, report the true drift, and start from what was measured.

    Attributes:
        audit_ms: Simulated time between two audits in ms; a multiple of the resolution.

    Raises:
        RuleError: Not a positive, finite number.
    """

    audit_ms: float = 1_000.0

    def __post_init__(self) -> None:
        check_time(self.audit_ms, "audit_ms")

    def first(self, clock: Clock) -> tuple[float, None]:
        return self.audit_ms, None

    def decide(self, state: None, elapsed_ms: float, drifts: Sequence[Drift], forced: bool) -> tuple[bool, float, None]:
        return True, self.audit_ms, None

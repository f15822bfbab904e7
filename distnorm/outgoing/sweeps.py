"""Incoming and outgoing norms of the same connections, in turn until both hold.

Where each can be met beside the other, this converges (R. Sinkhorn & P. Knopp, Pacific J. Math. 21, 1967, 343-348: for
factors and sums, if the matrix of weights has total support). Where not, it ends after so many sweeps.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import RuleError
from ..files.typed_json import shown
from ..mpi.ranks import Ranks
from ..norms.correction import Correction
from ..rules.overlap import overlapping
from ..rules.rule import Rule
from ..rules.validation import as_number

MOST_SWEEPS = 100
SWEEP_TOLERANCE = 1e-10


def checked_sweeps(sweeps: Any, tolerance: Any) -> tuple[int, float]:
    """How often norms of both ways are rescaled in turn, and the drift at which that ends."""
    if isinstance(sweeps, bool) or not isinstance(sweeps, int) or sweeps < 1:
        raise RuleError(f"sweeps is {shown(sweeps)}; give a whole number, at least 1")
    if not 0 <= as_number(tolerance) < 1:
        raise RuleError(f"sweep_tolerance is {shown(tolerance)}; give a drift from 0 to below 1, such as 1e-10")
    return sweeps, float(tolerance)


@dataclass(frozen=True, kw_only=True)
class Swept:
    """What was done. A sweep rescales outgoing norms, and those before the last one incoming norms after that.

    Attributes:
        sweeps: Number of sweeps; 0 where no connection has norms of both ways.
        left: Largest drift of the incoming norms after the last one.
        within: Whether that is within the tolerance.
    """

    sweeps: int
    left: float
    within: bool


class Sweeps:
    """How both are brought together.

    Attributes:
        crossing: Whether some connections have norms of both ways.

    Args:
        rules: All rules.
        ranks: All ranks.
        most: Number of sweeps at most. Rules with `rate` or `tau_ms` have one.
        tolerance: Drift of incoming norms at which it ends.
    """

    def __init__(self, rules: Sequence[Rule], ranks: Ranks, most: int, tolerance: float) -> None:
        incoming, outgoing = ([rule for rule in rules if rule.of == of] for of in ("incoming", "outgoing"))
        self.crossing = overlapping(incoming, outgoing) is not None
        self._ranks, self._tolerance = ranks, tolerance
        self._most = 1 if any(rule.soft for rule in rules) else most

    def run(
        self,
        outgoing: Callable[[], list[Correction]],
        rescale_outgoing: Callable[[list[Correction]], object],
        incoming: Callable[[], list[Correction]],
        rescale_incoming: Callable[[list[Correction]], object],
    ) -> Swept:
        """Go on after incoming norms were rescaled, where connections are crossing. Collective, as are all of these."""
        for sweep in range(1, self._most + 1):
            rescale_outgoing(outgoing())
            corrections = incoming()
            mine = np.array([max(each.largest_drift for each in corrections)]).view(np.int64)
            (largest,) = self._ranks.settle(None, int(mine[0]))  # of what is not below zero, bits ascend
            left = float(np.array([largest]).view(np.float64)[0])
            if left <= self._tolerance or sweep == self._most:
                return Swept(sweeps=sweep, left=left, within=left <= self._tolerance)
            rescale_incoming(corrections)
        raise AssertionError("there is at least one sweep")

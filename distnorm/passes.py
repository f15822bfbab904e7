"""One pass over the connections of a rule."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from .norms import FloatArray

COUNTED = ("above", "below", "close_to_zero")


@dataclass(frozen=True, kw_only=True, eq=False)
class Pass:
    """What to do with each connection.

    Attributes:
        kind: "measure" sums up, "tally" says what a change would do, "scale" multiplies, "move" changes inside bounds.
        at: Factor or shift per target (a goal where a tally is of the largest |w|), shape (n,); NaN leaves a target
            alone. None: no change, for any number of targets.
        flat: Above zero for targets whose weights become equal, shape (n,); None for none.
        counts: True for "scale" and "move" where they are not made: of each target it is counted how many weights (rows
            of COUNTED) they would bring beyond the synapse's own limits, and how many are close to zero before.
    """

    kind: Literal["measure", "tally", "scale", "move"]
    at: FloatArray | None = None
    flat: FloatArray | None = None
    counts: bool = False

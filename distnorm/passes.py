"""One pass over the connections of a rule."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from .norms import FloatArray


@dataclass(frozen=True, kw_only=True, eq=False)
class Pass:
    """What to do with each connection.

    Attributes:
        kind: "measure" sums up, "tally" says what a change would do, "scale" multiplies, "move" changes inside bounds.
        at: Factor or shift per target (a goal where a tally is of the largest |w|), shape (n,); NaN leaves a target
            alone. None: no change, for any number of targets.
        flat: Above zero for targets whose weights become equal, shape (n,); None for none.
        own_bounds: True for a tally with the synapses' own `Wmax` in place of the rule's bounds, and of no norm but L1.
    """

    kind: Literal["measure", "tally", "scale", "move"]
    at: FloatArray | None = None
    flat: FloatArray | None = None
    own_bounds: bool = False

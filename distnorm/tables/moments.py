"""Moments of the weights of each target, in one pass."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from ..norms.passes import MOMENTS, Pass
from ..norms.sums import FloatArray
from ..rules.node_ids import Int64Array
from .selection import Selection, no_such


@dataclass(frozen=True, kw_only=True, eq=False)
class Moments:
    """Of the incoming weights of the targets on this rank that have any, in ascending order; each of shape (n,).

    Attributes:
        target: Node IDs.
        count: Number of connections.
        sum: Sum of the weights.
        mean: Their mean.
        sd: Their standard deviation, with the count as divisor.
        least: The smallest.
        largest: The largest.
    """

    target: Int64Array
    count: Int64Array
    sum: FloatArray
    mean: FloatArray
    sd: FloatArray
    least: FloatArray
    largest: FloatArray


def moments(*args: Any, of: Literal["weight", "size"] = "weight", **selection: Any) -> Moments:
    """Moments of the incoming weights of each target on this rank. Collective.

    Args:
        *args: Which connections, as of `connections`.
        of: "weight" for weights, "size" for their sizes |w|.
        **selection: As `args`; also `weights`.

    Raises:
        RuleError: A value that makes no sense.
        KernelError: The kernel cannot be compiled.
    """
    opened = Selection(*(args or (None,)), **selection)

    def read() -> Moments:
        if of not in ("weight", "size"):
            raise no_such("of", of, ("weight", "size"))
        if opened.synapses is None:
            rows, node_ids = np.zeros((len(MOMENTS), 0)), np.zeros(0, np.int64)
        else:
            rows = opened.synapses.run(Pass(kind="moments", sizes=of == "size"))
            node_ids = opened.synapses.node_ids
        order = np.argsort(node_ids)
        order = order[rows[0, order] > 0]
        count, total, squares, least, largest = rows[:, order]
        mean = total / count
        variance = np.maximum(squares / count - mean**2, 0.0)
        return Moments(
            target=node_ids[order],
            count=count.astype(np.int64),
            sum=total,
            mean=mean,
            sd=np.sqrt(variance),
            least=least,
            largest=largest,
        )

    return opened.ranks.together(read)

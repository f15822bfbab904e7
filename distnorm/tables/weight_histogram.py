"""One histogram of the weights of all ranks."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import WeightError
from ..mpi.message import new_message
from ..norms.histogram import WeightHistogram, checked_watch
from ..norms.passes import Pass
from ..norms.sums import FloatArray
from ..rules.node_ids import Int64Array
from .selection import Selection
from .watched import WatchedWeights


def weight_histogram(*args: Any, limits: tuple[float, float] | None = None, **selection: Any) -> WeightHistogram:
    """Histogram, mean and spread of the weights of all ranks, in one pass through memory. Collective.

    Args:
        *args: Which connections, as of `connections`.
        limits: Between which weights to count; None for round ones around all of them, which takes a pass more.
        **selection: As `args`; also `weights`.

    Returns:
        The same on all ranks.

    Raises:
        RuleError: A value that makes no sense.
        WeightError: A weight is not finite.
        KernelError: The kernel cannot be compiled.
    """
    opened = Selection(*(args or (None,)), limits=limits, **selection)
    watch = opened.ranks.together(lambda: True if limits is None else checked_watch(limits))
    watched = WatchedWeights(1, opened.ranks, watch)
    message = new_message(0, 1)
    error: BaseException | None = None
    if opened.synapses is not None:
        watched.fix([opened.synapses])
        try:
            (sums,) = watched.run([opened.synapses], [Pass(kind="measure")], message["weights"])
            assert sums is not None
            error = _why_refused(opened.synapses.node_ids, sums[0])
        except Exception as raised:
            error = raised
    (found,) = watched.read(opened.ranks.agree(message, error)["weights"])
    return found


def _why_refused(node_ids: Int64Array, sums: FloatArray) -> WeightError | None:
    wrong = node_ids[~np.isfinite(sums)]
    if not wrong.size:
        return None
    return WeightError(
        f"the weights onto neuron {wrong.min()} are not all finite, or their sum is not; see distnorm.connections"
    )

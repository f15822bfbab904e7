"""The mathematics in plain numpy: the reference that the compiled kernel is compared with.

A sum over the connections of a target is the double nearest to the exact sum. It therefore does not depend on the
order of the connections, which differs between thread counts and between NEST's ways of sorting. `sums` gets there
with `math.fsum`, the kernel with two doubles per target (Knuth's TwoSum, The Art of Computer Programming, vol. 2,
4.2.2): its error of about 2^-100 changes the nearest double only where the exact sum is that close to a tie.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from .node_ids import Int64Array

FloatArray = npt.NDArray[np.float64]


def sums(weights: FloatArray, targets: Int64Array, num_targets: int, power: int) -> tuple[FloatArray, Int64Array]:
    """Sum of |w|^power and number of connections per target.

    Args:
        weights: Weight of each connection, shape (n,).
        targets: Number 0 ... num_targets - 1 of each connection's target, shape (n,).
        num_targets: Number of targets.
        power: 1 or 2.

    Returns:
        Sums and counts, each of shape (num_targets,).
    """
    terms = np.abs(weights) if power == 1 else weights * weights
    counts = np.bincount(targets, minlength=num_targets)
    ends = np.cumsum(counts)
    terms = terms[np.argsort(targets, kind="stable")]
    result = np.zeros(num_targets)
    for target in np.flatnonzero(counts):
        part = terms[ends[target] - counts[target] : ends[target]]
        try:
            result[target] = math.fsum(part)
        except (OverflowError, ValueError):  # beyond the largest double, or inf: for the caller to find
            result[target] = math.inf
    return result, counts.astype(np.int64)


def norms(power_sums: FloatArray, power: int) -> FloatArray:
    """Norm (sum |w|^p)^(1/p) from the sum, elementwise."""
    return power_sums if power == 1 else np.sqrt(power_sums)


def present(norm: FloatArray, target_norm: FloatArray) -> npt.NDArray[np.bool_]:
    """Whether a norm can be brought to its target: above zero, and not so small that the factor would overflow."""
    result: npt.NDArray[np.bool_] = norm > target_norm * 2.0**-1000  # False where a target is not known: NaN
    return result


def factors(norm: FloatArray, target_norm: FloatArray, tolerance: float = 0.0) -> FloatArray:
    """Factor that brings each norm to its target, elementwise: target / norm.

    It is 1 where the norm is not `present`, and where its drift is at most `tolerance`.

    Source: w_i <- w_target * w_i / |w|_1, the recipe in NEST's documentation (synapses/weight_normalization).
    """
    result = np.ones_like(norm)
    np.divide(target_norm, norm, out=result, where=present(norm, target_norm))
    if tolerance > 0:
        result[drift(norm, target_norm) <= tolerance] = 1.0
    return result


def drift(norm: FloatArray, target_norm: FloatArray) -> FloatArray:
    """|norm / target - 1|, elementwise."""
    result: FloatArray = np.abs(norm / target_norm - 1.0)
    return result

"""The mathematics in plain numpy: the reference that the compiled kernel is compared with.

A sum over the connections of a target is the double nearest to the exact sum. It therefore does not depend on the
order of the connections, which differs between thread counts and between NEST's ways of sorting. `exact_sums` gets
there with `math.fsum`, the kernel with two doubles per target (Knuth's TwoSum, The Art of Computer Programming, vol. 2,
4.2.2; three for a sum whose terms cancel): its error of about 2^-100 changes the nearest double only where the exact
sum is that close to a tie.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from ..errors import WeightError
from ..rules.node_ids import Int64Array
from ..rules.rule import Rule

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

LARGEST_WHOLE_POWER = 8  # that is multiplied out


def powers(values: FloatArray, power: float) -> FloatArray:
    """Non-negative values to a power, elementwise, as in the kernel: small whole powers multiplied out, others by the C
    library's `pow`.

    numpy has a `pow` of its own, whose last bit may differ.
    """
    if power in range(1, LARGEST_WHOLE_POWER + 1):
        result = values
        with np.errstate(over="ignore", under="ignore"):
            for _ in range(int(power) - 1):
                result = result * values
        return result
    if power == 0.5:
        return np.sqrt(values)
    return np.array([_power(value, power) for value in values.tolist()], dtype=np.float64)


def _power(value: float, power: float) -> float:
    try:
        return math.pow(value, power)
    except OverflowError:
        return math.inf


def exact_sums(terms: FloatArray, targets: Int64Array, num_targets: int) -> FloatArray:
    """Sum of the terms per target, each rounded once; inf where it is beyond the largest double, or not finite.

    Args:
        terms: One per connection, shape (n,).
        targets: Number 0 ... num_targets - 1 of each connection's target, shape (n,).
        num_targets: Number of targets.
    """
    ends = np.cumsum(np.bincount(targets, minlength=num_targets))
    terms = terms[np.argsort(targets, kind="stable")]
    result, start = np.zeros(num_targets), 0
    for target, end in enumerate(ends.tolist()):
        if end > start:
            try:
                result[target] = math.fsum(terms[start:end])
            except (OverflowError, ValueError):
                result[target] = math.inf
        start = end
    return result


def measure(weights: FloatArray, targets: Int64Array, num_targets: int, norm: str, power: float) -> FloatArray:
    """Sum of |w|^p, or of w, or the largest |w|; number of connections; and sum of |w| where norm is "sum".

    Args:
        weights: Weight of each connection, shape (n,).
        targets: Number 0 ... num_targets - 1 of each connection's target, shape (n,).
        num_targets: Number of targets.
        norm: As in `Rule`.
        power: As in `Rule`.

    Returns:
        Array of shape (3, num_targets).
    """
    result = np.zeros((3, num_targets))
    sizes = np.abs(weights)
    result[1] = np.bincount(targets, minlength=num_targets)
    if norm == "linf":
        with np.errstate(invalid="ignore"):  # NaN stays NaN
            np.maximum.at(result[0], targets, sizes)
    elif norm == "sum":
        result[0] = exact_sums(weights, targets, num_targets)
        result[2] = exact_sums(sizes, targets, num_targets)
    else:
        result[0] = exact_sums(powers(sizes, power), targets, num_targets)
    return result


def norms(power_sums: FloatArray, power: float) -> FloatArray:
    """Norm (sum |w|^p)^(1/p) from the sum, elementwise; the sum itself if p is 1 or inf."""
    return power_sums if power in (1, math.inf) else powers(power_sums, 1 / power)


def present(norm: FloatArray, target_norm: FloatArray) -> BoolArray:
    """Whether a factor brings a norm to its target: not zero, and of the same sign."""
    result: BoolArray = norm * np.sign(target_norm) > 0  # False where a target is not known: NaN
    return result


def factors(norm: FloatArray, target_norm: FloatArray) -> FloatArray:
    """Factor that brings each norm to its target, elementwise: target / norm; 1 where the norm is not `present`.

    Source: w_i <- w_target * w_i / |w|_1, the recipe in NEST's documentation (synapses/weight_normalization).
    """
    result = np.ones_like(norm)
    np.divide(target_norm, norm, out=result, where=present(norm, target_norm))
    return result


def drift(norm: FloatArray, target_norm: FloatArray) -> FloatArray:
    """|norm / target - 1|, elementwise."""
    result: FloatArray = np.abs(norm / target_norm - 1.0)
    return result


def check_finite(sums: FloatArray, node_ids: Int64Array, rule: Rule) -> None:
    """Refuse weights that are no numbers.

    Args:
        sums: Of each neuron that has a norm, shape (n,).
        node_ids: Likewise, node IDs.
        rule: Their rule.

    Raises:
        WeightError: With the first of these neurons.
    """
    wrong = np.flatnonzero(~np.isfinite(sums))
    if wrong.size:
        way = "target" if rule.of == "incoming" else "source"
        raise WeightError(
            f"neuron {node_ids[wrong[0]]} has an {rule.of} {' or '.join(rule.synapse_models)} weight "
            f"that is not finite ({wrong.size} such neurons on this rank); find it with nest.GetConnections({way}=...)"
        )

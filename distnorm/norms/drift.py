"""Drift of one rule: what is measured on a rank, and how the ranks' measurements merge.

The drift of a target is |norm / target norm - 1| just before normalizing. A record holds maxima, integer counts and an
exact sum in fixed point: merging is commutative and associative to the last bit, so it does not matter how the network
is split into ranks.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from ..errors import RuleError, WeightError
from ..files.typed_json import NOT_WRITTEN
from ..rules.node_ids import Int64Array
from . import sums as norms
from .sums import FloatArray

# Edges between the bins of the histogram: from 2^-30 to beyond 2^10, each 17/16 of the one before, so a quantile is
# known to 1 part in 16. A product of two doubles is the same on every machine.
STEP = 17 / 16
LOWEST = 2.0**-30
EDGES = np.multiply.accumulate(np.array([LOWEST, *[STEP] * 458]))
BINS = len(EDGES) + 1
FRACTION = 2.0**32
LARGEST = 2.0**40

RECORD = np.dtype(
    [
        ("max", np.float64),
        ("worst_target", np.int64),  # node ID of the target with the largest drift; the smallest of several
        ("sum_whole", np.int64),
        ("sum_fraction", np.int64),  # in units of 2^-32
        ("targets", np.int64),  # with a norm above zero: those that have a drift
        ("no_input", np.int64),
        ("zero_norm", np.int64),
        ("connections", np.int64),
        ("unreachable", np.int64),
        ("unreachable_max", np.float64),
        ("at_bound", np.int64),
        ("clipped_off", np.int64),
        ("clipped_off_max", np.float64),
        ("above_wmax", np.int64),
        ("below_wmin", np.int64),
        ("near_zero", np.int64),
        ("late_initial", np.int64),
        ("parrots", np.int64),
        ("histogram", np.uint32, BINS),  # of 4.3e9 targets at most
    ]
)
_MAXIMA = ("max", "unreachable_max", "clipped_off_max")
ADDED = tuple(name for name in RECORD.names or () if name not in (*_MAXIMA, "worst_target", "histogram"))
"""Numbers of a record of which the sum is taken over ranks; so it is with the histogram."""

_IN_WORDS = {
    "no_input": "without input",
    "zero_norm": "with norm zero",
    "unreachable": "out of reach",
    "at_bound": "weights at a bound",
    "clipped_off": "left off their target by clipping",
    "above_wmax": "weights above Wmax",
    "below_wmin": "weights below Wmin",
    "parrots": "parrots",
}

Statistic = Literal["max", "mean", "q50", "q90", "q99"]
STATISTICS: tuple[Statistic, ...] = get_args(Statistic)


@dataclass(frozen=True, kw_only=True, slots=True)
class Drift:
    """Drift of the targets of a rule over all ranks.

    Attributes:
        max: Largest drift; 0 without targets.
        mean: Mean drift over the targets with a norm above zero.
        q50: Drift that half of the targets do not exceed; q90 and q99 alike. Rounded up by at most 1/16.
        q90: Likewise.
        q99: Likewise.
        worst_target: Node ID of the target with the largest drift; 0 without targets.
        targets: Number of targets with a norm above zero.
        no_input: Targets that the rule names and that have no connection of it; left alone. 0 if it names none.
        zero_norm: Targets whose weights are all zero; left alone.
        connections: Connections in the norms.
        unreachable: Targets whose target norm the rule's bounds, or signs, make impossible (with `ExactInterval` the
            bounds of their connections). Their drift is that from the nearest norm that is possible.
        at_bound: Weights at or beyond a bound of the rule (zero is one in subtractive mode) when measured; beyond only
            for the norm "linf". With `bounds="clip"`, those that the change brings to a bound, or beyond it.
        clipped_off: With `bounds="clip"`, targets whose norm will be off what it was to become, as weights are clipped.
        above_wmax: At the first measurement, weights beyond the `Wmax` of their synapse after normalizing; NEST clips
            them at their next spike.
        below_wmin: At the first measurement, weights below the `Wmin` of their synapse after normalizing, where the
            model has one; NEST lifts them at their next spike.
        near_zero: At the first measurement, where the target norm is "initial", targets each of whose weights is less
            than 1/10,000 of its synapse's `Wmax`.
        late_initial: Where the target norm is "initial", targets whose norm was measured for the first time, after
            something was simulated.
        parrots: At the first measurement, targets that are parrot neurons, which ignore weights.
        unreachable_max: Largest |nearest norm / target norm - 1| of the unreachable targets.
        clipped_off_max: Largest |norm / what it was to become - 1| of the targets left off by clipping.
        histogram: Number of targets per bin of drift, shape (BINS,), uint32; None where only the statistics are kept.
    """

    max: float
    mean: float
    q50: float
    q90: float
    q99: float
    worst_target: int
    targets: int
    no_input: int
    zero_norm: int
    connections: int
    unreachable: int
    at_bound: int
    above_wmax: int
    below_wmin: int
    near_zero: int
    late_initial: int
    parrots: int
    unreachable_max: float
    clipped_off: int
    clipped_off_max: float
    histogram: npt.NDArray[np.uint32] | None = field(default=None, repr=False, compare=False, metadata=NOT_WRITTEN)

    def __str__(self) -> str:
        worst = f" (neuron {self.worst_target})" if self.worst_target else ""
        counts = [f"{getattr(self, name):,} {text}" for name, text in _IN_WORDS.items() if getattr(self, name)]
        return (
            f"drift at most {100 * self.max:.3g} %{worst}, mean {100 * self.mean:.3g} %, of {self.targets:,} targets "
            f"with {self.connections:,} connections" + "".join(f", {count}" for count in counts)
        )

    def statistic(self, name: Statistic) -> float:
        """One number for the drift of all targets; "q90" is the quantile 0.9."""
        return float(getattr(self, name))

    def quantile(self, q: float) -> float:
        """Drift that at least the fraction `q` of the targets does not exceed, rounded up by at most 1/16.

        Beyond a drift of 1,000 all that is known is the maximum.

        Raises:
            RuleError: The histogram was not kept.
        """
        if self.histogram is None:
            raise RuleError(
                f"quantile {q} is not in the log, which keeps q50, q90 and q99; take it from the Measurement that a "
                "normalization returns and on_measurement gets"
            )
        return _quantiles(self.histogram, self.targets, self.max, (q,))[0]


def _quantiles(histogram: npt.NDArray[np.uint32], targets: int, largest: float, of: tuple[float, ...]) -> list[float]:
    if targets == 0:
        return [0.0] * len(of)
    enough = np.cumsum(histogram, dtype=np.int64).searchsorted([q * targets for q in of]).tolist()
    return [largest if i >= len(EDGES) else min(float(EDGES[i]), largest) for i in enough]


def summarize(
    norm: FloatArray, target_norm: FloatArray, counts: Int64Array, node_ids: Int64Array
) -> npt.NDArray[np.void]:
    """Record of the local targets of a rule.

    Args:
        norm: Norm of each target's incoming weights, shape (n,).
        target_norm: What it should be, shape (n,); NaN where not known yet.
        counts: Number of connections of each target, shape (n,).
        node_ids: Node ID of each target, shape (n,).

    Returns:
        Array of shape () and dtype RECORD.

    Raises:
        WeightError: A norm is beyond 2^40 times its target.
    """
    present = norms.present(norm, target_norm)
    record = tabulate(norms.drift(norm[present], target_norm[present]), present, counts, node_ids)
    record["zero_norm"] = ((counts > 0) & ~present).sum()
    return record


def tabulate(
    values: FloatArray, present: npt.NDArray[np.bool_], counts: Int64Array, node_ids: Int64Array
) -> npt.NDArray[np.void]:
    """Record of given drifts, of the targets that are present; other arguments and Raises as `summarize`."""
    record = np.zeros((), RECORD)
    record["targets"] = present.sum()
    record["no_input"] = (counts == 0).sum()
    record["connections"] = counts.sum()
    if not present.any():
        return record
    ids = node_ids[present]
    record["max"] = values.max()
    record["worst_target"] = ids[values == values.max()].min()
    if values.max() > LARGEST:
        times = f"{values.max():.3g}" if np.isfinite(values.max()) else f"more than {sys.float_info.max:.2g}"
        raise WeightError(
            f"neuron {record['worst_target']}: the norm of its incoming weights is {times} times its target; look for "
            "a run-away learning rate or a wrong target_norm"
        )
    whole = np.floor(values)
    record["sum_whole"] = whole.astype(np.int64).sum()
    record["sum_fraction"] = ((values - whole) * FRACTION).astype(np.int64).sum()
    record["histogram"] = np.bincount(EDGES.searchsorted(values, side="right"), minlength=BINS)
    return record


def merge(into: npt.NDArray[np.void], other: npt.NDArray[np.void]) -> None:
    """Add the record(s) `other` to `into`, elementwise, in place."""
    tie = other["max"] == into["max"]
    larger = other["max"] > into["max"]
    ids = np.stack((into["worst_target"], other["worst_target"]))
    smallest = np.where((ids > 0).all(axis=0), ids.min(axis=0), ids.max(axis=0))
    into["worst_target"] = np.where(tie, smallest, np.where(larger, ids[1], ids[0]))
    for name in _MAXIMA:
        into[name] = np.maximum(into[name], other[name])
    for name in (*ADDED, "histogram"):
        into[name] += other[name]


def read(record: npt.NDArray[np.void], *, with_histogram: bool = True) -> Drift:
    """Readable form of one merged record."""
    stored = dict(zip(RECORD.names or (), record.item(), strict=True))
    total = stored.pop("sum_whole") + stored.pop("sum_fraction") / FRACTION
    histogram, targets = stored.pop("histogram"), stored["targets"]
    q50, q90, q99 = _quantiles(histogram, targets, stored["max"], (0.5, 0.9, 0.99))
    mean, kept = total / targets if targets else 0.0, histogram if with_histogram else None
    return Drift(mean=mean, q50=q50, q90=q90, q99=q99, histogram=kept, **stored)

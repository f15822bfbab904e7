"""What one measurement found and did: the same object in memory, in a run log, in a figure and in a table."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ..norms.drift import Drift
from ..norms.histogram import WeightHistogram

PHASES = ("simulate", "measure", "agree", "rescale")
ALL_PHASES = (*PHASES, "compare")
"""With the pass of observing over `other_weights`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Measurement:
    """What one measurement found and did; the same on every rank but for the seconds.

    Attributes:
        time_ms: Simulated time in ms since ResetKernel, also where nest.biological_time was set since.
        elapsed_ms: Time since the last normalization, in ms.
        normalized: True if an interval ended and the weights were rescaled; False for a probe part-way in an interval,
            and when only observing.
        next_measurement_ms: Time to the next measurement, in ms.
        drifts: Drift of each rule's targets over all ranks, before any rescaling.
        since_start: When only observing, the drift from each target's own norm at the first measurement; else empty.
        other_weights: When only observing, the drift of the weights that a rule does not ask for: current ones where
            `Rule.weights` is "stored", and the other way round. Of no targets where both are the same, as without
            plasticity, or where nobody knows, as of `stdp_dopamine_synapse` or through PyNEST. Else empty.
        within_slices: With `ExactInterval`, per rule, how far norms were from their targets at the end of a time slice
            since the last measurement, before the factor followed; else empty. Its `zero_norm` counts the targets that
            were let go since then: all their weights became zero.
        weights: Where the Normalizer was asked for it, a histogram of each rule's weights over all ranks, before any
            rescaling; else empty.
        sweeps: How often outgoing norms were rescaled, where connections have norms of both ways (docs/outgoing.md).
        left_by_sweeps: Largest drift of incoming norms after the last of these.
        sent_bytes: Bytes that this rank has sent to others for outgoing norms since the last measurement.
        waited_s: Wall time, of that to agree, in which this rank waited for the one that came last.
        slowest_rank: That rank.
        seconds: Wall time on this rank of "simulate" (since the last measurement), "measure", "agree" and "rescale",
            and of "compare", the pass over `other_weights`.
    """

    time_ms: float
    elapsed_ms: float
    normalized: bool
    next_measurement_ms: float
    drifts: tuple[Drift, ...]
    since_start: tuple[Drift, ...]
    other_weights: tuple[Drift, ...]
    within_slices: tuple[Drift, ...]
    weights: tuple[WeightHistogram, ...]
    seconds: dict[str, float]
    sweeps: int = 0
    left_by_sweeps: float = 0.0
    sent_bytes: int = 0
    waited_s: float = 0.0
    slowest_rank: int = 0

    def __str__(self) -> str:
        done = "normalized" if self.normalized else "measured"
        lines = [f"{self.time_ms:,.10g} ms, {self.elapsed_ms:,.6g} ms after the last normalization: {done}"]
        several = len(self.drifts) > 1
        lines += [f"  {f'rule {i}: ' if several else ''}{drift}" for i, drift in enumerate(self.drifts, start=1)]
        return "\n".join([*lines, f"  next measurement in {self.next_measurement_ms:,.6g} ms"])

    @property
    def drift_max(self) -> float:
        """Largest drift of all rules and ranks."""
        return max(drift.max for drift in self.drifts)


def without_histograms(measurement: Measurement) -> Measurement:
    """The same with only the statistics of each drift, some 0.7 kB in place of 6: what a log keeps.

    Histograms of weights stay, 1 kB each: they are what is looked at over time.
    """
    return replace(
        measurement,
        drifts=_slim(measurement.drifts),
        since_start=_slim(measurement.since_start),
        other_weights=_slim(measurement.other_weights),
        within_slices=_slim(measurement.within_slices),
    )


def _slim(drifts: tuple[Drift, ...]) -> tuple[Drift, ...]:
    return tuple(replace(drift, histogram=None) for drift in drifts)

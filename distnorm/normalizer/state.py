"""What a Normalizer knows beside the network, and whether what was read of it makes sense."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..files.typed_json import NOT_WRITTEN
from ..intervals.adaptive import State
from ..norms.histogram import Bins
from ..norms.sums import FloatArray
from ..rules.node_ids import Int64Array

_MANY = 2**53  # steps that a double counts
_FAR = 1e100  # no time in ms, and no drift, comes near it


@dataclass(frozen=True, kw_only=True)
class NormalizerState:
    """What a Normalizer knows beside the network's weights.

    Attributes:
        time_steps: Simulated time since the very beginning, in steps of the resolution.
        steps_left: Steps to the next measurement.
        normalized_ms: Time of the last normalization since the very beginning in ms.
        hint: Whether a change was announced that no measurement has followed yet.
        state: Of the controller. Checkpoints know those of an `AdaptiveInterval`; the others of a job have none.
        bins: Of the histograms of weights, for each rule; None where it has no connections yet. Empty where weights are
            not watched.
        initial_norms: Targets on this rank and their norms when first measured, arrays of shape (n,): for each rule,
            then for what observing compares with. Checkpoints have them in files of their own.
    """

    time_steps: int
    steps_left: int
    normalized_ms: float
    hint: bool
    state: State | None
    bins: tuple[Bins | None, ...] = ()
    initial_norms: tuple[tuple[Int64Array, FloatArray], ...] = field(
        default=(), repr=False, compare=False, metadata=NOT_WRITTEN
    )

    def check(self) -> None:
        """Refuse numbers that no run comes to."""
        if not 0 <= self.time_steps < _MANY or not abs(self.steps_left) < _MANY:
            raise ValueError(f"memory is of step {self.time_steps}, {self.steps_left} before the next measurement")
        if not 0 <= self.normalized_ms < _FAR:
            raise ValueError(f"memory.normalized_ms is {self.normalized_ms}")
        for bins in filter(None, self.bins):
            bins.check()
        if self.state is not None and not _is_sound(self.state):
            raise ValueError(f"memory.state is {self.state}")


def _is_sound(state: State) -> bool:
    """Whether a forecast can be made from a state: logarithms and quotients of its numbers exist."""
    growth, measurement = state.growth, state.before
    positive, not_negative = [growth.sxx], [growth.across, growth.within]
    if growth.reach_ms is not None:
        positive.append(growth.reach_ms)
    if measurement is not None:
        positive.append(measurement.drift)
        not_negative += [measurement.grown_ms, measurement.time_ms]
    return (
        all(0 < number < _FAR for number in positive)
        and all(0 <= number < _FAR for number in not_negative)
        and all(0 <= count < _MANY for count in (growth.intervals, growth.measurements, growth.agreeing))
        and abs(growth.sxy) < _FAR
    )

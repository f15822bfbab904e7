"""What a run did: what a log says, or what a Normalizer remembers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..files.typed_json import shown
from ..normalizer.measurement import ALL_PHASES, Measurement
from ..norms.drift import STATISTICS


@dataclass(frozen=True, kw_only=True)
class Header:
    """What runs."""

    distnorm: str  # version of this package
    nest: str  # version of NEST
    ranks: int  # number of MPI ranks
    threads: int  # threads per rank
    seed: int  # seed of NEST's random numbers
    resolution_ms: float  # time step
    min_delay_ms: float  # smallest delay of the network
    simulate_ms: float | None  # simulated time that was asked for; None where a script simulates
    observe: bool  # whether no weight is changed
    bound: float | None  # what the drift should stay below; None without one
    statistic: str  # which statistic of the drift that is about
    rules: tuple[dict[str, Any], ...]  # each rule as `Rule.as_json` has it
    started: str  # when, in ISO 8601
    run: str | None  # identifies a run with checkpoints; None for others

    def check(self) -> None:
        """Refuse what no run writes, with a ValueError that says what is wrong."""
        if self.statistic not in STATISTICS:
            raise ValueError(f"statistic is {shown(self.statistic)}; known: {', '.join(STATISTICS)}")
        if self.bound is not None and not 0 < self.bound < 1:
            raise ValueError(f"bound is {self.bound}")
        if not self.rules:
            raise ValueError("rules is empty")
        for i, rule in enumerate(self.rules):
            if not isinstance(rule.get("text"), str):
                raise ValueError(f"rules[{i}].text is {shown(rule.get('text'))}")
            if rule.get("weights") not in ("stored", "current"):
                raise ValueError(f"rules[{i}].weights is {shown(rule.get('weights'))}")


def check_measurement(measurement: Measurement, num_rules: int) -> None:
    """Refuse what no run of so many rules writes, with a ValueError that says what is wrong."""
    for phase in ALL_PHASES:
        if phase not in measurement.seconds:
            raise ValueError(f"seconds has no {phase}")
    if len(measurement.drifts) != num_rules:
        raise ValueError(f"drifts of {len(measurement.drifts)} rules; the header has {num_rules}")
    for name in ("since_start", "other_weights", "within_slices", "weights"):
        drifts = getattr(measurement, name)
        if len(drifts) not in (0, num_rules):
            raise ValueError(f"{name} of {len(drifts)} rules; the header has {num_rules}")
    for i, weights in enumerate(measurement.weights):
        try:
            weights.check()
        except ValueError as error:
            raise ValueError(f"weights[{i}]: {error}") from None


@dataclass(frozen=True, kw_only=True)
class Resume:
    """The run goes on from a checkpoint; fields as in `Header`."""

    time_ms: float  # simulated time at the checkpoint
    simulate_ms: float
    ranks: int
    threads: int
    seed: int
    started: str


@dataclass(frozen=True, kw_only=True)
class End:
    """How the run ended."""

    time_ms: float  # simulated time
    wall_s: float  # wall time of rank 0 spent simulating, measuring, agreeing and rescaling
    simulate_s: float  # the part of it that was spent simulating after the last measurement
    reason: str  # in words


@dataclass(frozen=True, kw_only=True)
class RunRecord:
    """All of it, in order."""

    header: Header  # what runs
    measurements: list[Measurement]  # in order
    resumes: list[Resume]  # in order
    end: End | None  # None if the run goes on or was cut off
    torn: bool = False  # whether the last line of the log was cut off in the middle

    @property
    def planned_ms(self) -> float | None:
        """Simulated time that was asked for last; None where a script simulates."""
        return self.resumes[-1].simulate_ms if self.resumes else self.header.simulate_ms

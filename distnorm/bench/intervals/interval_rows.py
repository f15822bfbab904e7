"""Numbers of played and simulated intervals, one row per network, bound and controller."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass, field

import numpy as np

from .traces import Played, wilson

STEP_WINDOW = 3  # intervals that end after a change and are examined for its consequences
STEP_LATER = 10  # intervals after a change until which the drift should have settled
_SETTLED = 5  # intervals before means are taken


@dataclass(frozen=True, kw_only=True)
class Row:
    """A controller on a scenario with a bound; numbers over all seeds.

    Attributes:
        scenario: Name.
        bound: As a fraction.
        controller: Its name.
        intervals: That ended.
        above: Of these with a drift above the bound.
        above_low: Lower end of the 95 % interval of the fraction above.
        above_high: Upper end.
        worst: Largest drift at the end of an interval / bound.
        mean: Mean drift at the end of an interval / bound, settled.
        of_oracle: Mean interval / that of the oracle, settled.
        measurements: Per interval.
        of_fixed: Normalizations / those of the longest fixed interval with no larger worst drift.
        exponent: Learned, mean over seeds.
    """

    scenario: str
    bound: float
    controller: str
    intervals: int
    above: int
    above_low: float
    above_high: float
    worst: float
    mean: float
    of_oracle: float
    measurements: float
    of_fixed: float
    exponent: float


@dataclass(frozen=True, kw_only=True)
class StepRow:
    """A controller after a change, over all seeds and starts.

    Attributes:
        scenario: Name.
        bound: As a fraction.
        controller: Its name.
        steps: Changes played.
        several: Of these with more than one of the next STEP_WINDOW intervals above the bound.
        worst: Largest drift / bound in these.
        high: Quantile 0.9 over the changes of the largest drift / bound.
        back: The last of these intervals with a drift above the bound, at most; the first is that with the change.
        later: Share of the next intervals, up to STEP_LATER after the change, above the bound.
    """

    scenario: str
    bound: float
    controller: str
    steps: int
    several: int
    worst: float
    high: float
    back: int
    later: float


@dataclass
class Results:
    """What was played, by scenario, bound and controller, and the same of simulations."""

    played: dict[tuple[str, float, str], list[Played]] = field(default_factory=lambda: defaultdict(list))
    simulated: dict[tuple[str, float, str], list[Played]] = field(default_factory=lambda: defaultdict(list))
    steps: dict[tuple[str, float, str], list[tuple[Played, int]]] = field(default_factory=lambda: defaultdict(list))
    # Of each scenario and fixed interval in steps: worst drift and number of intervals over all seeds.
    fixed: dict[str, dict[int, tuple[float, int]]] = field(default_factory=lambda: defaultdict(dict))
    # Of each scenario and seed: largest drift in one step, drift per 100 ms and spikes/s in the first and second state.
    regimes: dict[str, list[tuple[float, ...]]] = field(default_factory=lambda: defaultdict(list))

    def add(self, other: Results) -> None:
        """The same of another seed."""
        for mine, theirs in ((self.played, other.played), (self.simulated, other.simulated)):
            for key, played in theirs.items():
                mine[key] += played
        for key, steps in other.steps.items():
            self.steps[key] += steps
        for name, regimes in other.regimes.items():
            self.regimes[name] += regimes
        for name, fixed in other.fixed.items():
            for length, (drift, number) in fixed.items():
                before, count = self.fixed[name].get(length, (0.0, 0))
                self.fixed[name][length] = max(before, drift), count + number

    def rows(self) -> list[Row]:
        return [self._row(key, played) for key, played in self.played.items()]

    def step_rows(self) -> list[StepRow]:
        return [_step_row(key, played) for key, played in self.steps.items()]

    def simulated_rows(self) -> list[Row]:
        return [self._row(key, played) for key, played in self.simulated.items()]

    def _row(self, key: tuple[str, float, str], played: list[Played]) -> Row:
        scenario, bound, controller = key
        drifts = np.concatenate([each.drifts for each in played]) / bound
        above = int((drifts > 1).sum())
        low, high = wilson(above, len(drifts))
        settled = np.concatenate([each.drifts[_SETTLED:] for each in played]) / bound
        worst = float(drifts.max(initial=0))
        oracle = self.played[scenario, bound, "oracle"]
        return Row(
            scenario=scenario,
            bound=bound,
            controller=controller,
            intervals=len(drifts),
            above=above,
            above_low=low,
            above_high=high,
            worst=worst,
            mean=float(settled.mean()) if len(settled) else math.nan,
            of_oracle=_mean_length(played) / _mean_length(oracle),
            measurements=sum(each.measurements for each in played) / max(len(drifts), 1),
            of_fixed=self._of_fixed(scenario, worst * bound, played),
            exponent=float(np.mean([each.exponent for each in played])),
        )

    def _of_fixed(self, scenario: str, worst: float, played: list[Played]) -> float:
        """Normalizations relative to the longest fixed interval whose worst drift is no larger."""
        good = {length: number for length, (drift, number) in self.fixed[scenario].items() if drift <= worst}
        if not good or max(good) == max(self.fixed[scenario]):
            return math.nan  # none is good enough, or all are
        per_run = good[max(good)] / len(self.regimes[scenario])
        return sum(len(each.ends) for each in played) / len(played) / per_run


def _mean_length(played: list[Played]) -> float:
    """Steps per settled interval, over all runs."""
    lengths = np.concatenate([each.lengths[_SETTLED:] for each in played])
    return float(lengths.mean()) if len(lengths) else math.nan


def _step_row(key: tuple[str, float, str], played: list[tuple[Played, int]]) -> StepRow:
    after = [each.drifts[each.ends > change][:STEP_LATER] / key[1] for each, change in played]
    soon = [each[:STEP_WINDOW] for each in after if len(each)]
    later = np.concatenate([each[STEP_WINDOW:] for each in after])
    largest = [float(each.max()) for each in soon]
    return StepRow(
        scenario=key[0],
        bound=key[1],
        controller=key[2],
        steps=len(soon),
        several=sum(int((each > 1).sum() > 1) for each in soon),
        worst=max(largest, default=0.0),
        high=float(np.quantile(largest, 0.9)) if largest else 0.0,
        back=max((int(np.flatnonzero(each > 1)[-1]) + 1 for each in soon if (each > 1).any()), default=0),
        later=float((later > 1).mean()) if len(later) else 0.0,
    )

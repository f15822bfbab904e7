"""Numbers of played and simulated intervals: a row per network, bound and controller."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import binomtest
from traces import Played

KEY = ["scenario", "bound", "controller"]
STEP_WINDOW = 3  # intervals that end after a change and are examined for its consequences
STEP_LATER = 10  # intervals after a change until which the drift should have settled
_SETTLED = 5  # intervals before means are taken

Key = tuple[str, float, str]


@dataclass
class Results:
    """What was found, one tuple per run or recording.

    Attributes:
        played: Scenario, bound, controller, and what it played.
        simulated: The same of simulations.
        steps: The same of scenarios with one change, and its step.
        fixed: Scenario, fixed interval in steps, worst drift, and number of intervals.
        regimes: Scenario, largest drift in one step, drift in 100 ms in the first and second state, and spikes/s.
    """

    played: list[tuple[str, float, str, Played]] = field(default_factory=list)
    simulated: list[tuple[str, float, str, Played]] = field(default_factory=list)
    steps: list[tuple[str, float, str, Played, int]] = field(default_factory=list)
    fixed: list[tuple[str, int, float, int]] = field(default_factory=list)
    regimes: list[tuple[Any, ...]] = field(default_factory=list)

    def add(self, other: Results) -> None:
        """The same of another seed."""
        for name, found in vars(other).items():
            getattr(self, name).extend(found)


def rows_of(results: Results, runs: Sequence[tuple[str, float, str, Played]]) -> Any:
    """A table of pandas with a row per scenario, bound and controller of runs that were played or simulated.

    intervals                        that ended
    above, above_low, above_high     of these with a drift above the bound; 95 % interval of the fraction above
    worst, mean                      largest drift at the end of an interval, and mean drift once settled / bound
    of_oracle                        mean interval / that of the oracle, settled
    measurements                     per interval
    of_fixed                         normalizations / those of the longest fixed interval with no larger worst drift
    exponent                         learned, mean over seeds
    """
    names = ["scenario", "length", "worst", "intervals"]
    by_length = pd.DataFrame(results.fixed, columns=names).groupby(["scenario", "length"])
    fixed = by_length.agg({"worst": "max", "intervals": "mean"})
    oracles = {key[:2]: list(same["run"]) for key, same in by_key(results.played) if key[2] == "oracle"}
    return pd.DataFrame(
        [_row(key, list(same["run"]), oracles[key[:2]], fixed.loc[key[0]]) for key, same in by_key(runs)]
    )


def by_key(runs: Sequence[tuple[Any, ...]], *more: str) -> Any:
    """Runs grouped by scenario, bound and controller, in their order; `more` names what follows in each tuple."""
    return pd.DataFrame(runs, columns=[*KEY, "run", *more]).groupby(KEY, sort=False)


def _row(key: Key, runs: Sequence[Played], oracle: Sequence[Played], fixed: Any) -> dict[str, Any]:
    drifts = np.concatenate([run.drifts for run in runs]) / key[1]
    settled = np.concatenate([run.drifts[_SETTLED:] for run in runs]) / key[1]
    above, worst = int((drifts > 1).sum()), float(drifts.max(initial=0))
    low, high = binomtest(above, len(drifts)).proportion_ci(method="wilson") if len(drifts) else (0.0, 1.0)
    return dict(zip(KEY, key, strict=True)) | {
        "intervals": len(drifts),
        "above": above,
        "above_low": low,
        "above_high": high,
        "worst": worst,
        "mean": float(settled.mean()) if len(settled) else math.nan,
        "of_oracle": _mean_length(runs) / _mean_length(oracle),
        "measurements": sum(run.measurements for run in runs) / max(len(drifts), 1),
        "of_fixed": len(drifts) / len(runs) / _fixed_intervals(fixed, worst * key[1]),
        "exponent": float(np.mean([run.exponent for run in runs])),
    }


def _fixed_intervals(fixed: Any, worst: float) -> float:
    """Number of the longest fixed intervals whose worst drift is no larger; NaN if none are, or all."""
    good = fixed[fixed["worst"] <= worst]
    if good.empty or good.index.max() == fixed.index.max():
        return math.nan
    return float(good["intervals"][good.index.max()])


def _mean_length(runs: Sequence[Played]) -> float:
    """Steps per settled interval, over all runs."""
    lengths = np.concatenate([run.lengths[_SETTLED:] for run in runs])
    return float(lengths.mean()) if len(lengths) else math.nan


def step_rows_of(results: Results) -> Any:
    """A table of pandas with a row per controller after a change, over all seeds and starts.

    steps      changes played
    several    of these with more than one of the next STEP_WINDOW intervals above the bound
    worst      largest drift / bound in these
    high       quantile 0.9 over the changes of the largest drift / bound
    back       the last of these intervals with a drift above the bound, at most; the first is that with the change
    later      share of the next intervals, up to STEP_LATER after the change, above the bound
    """
    return pd.DataFrame([_step_row(key, same) for key, same in by_key(results.steps, "change")])


def _step_row(key: Key, same: Any) -> dict[str, Any]:
    after = [
        run.drifts[run.ends > change][:STEP_LATER] / key[1]
        for run, change in zip(same["run"], same["change"], strict=True)
    ]
    soon = [drifts[:STEP_WINDOW] for drifts in after if len(drifts)]
    later = np.concatenate([drifts[STEP_WINDOW:] for drifts in after])
    largest = [float(drifts.max()) for drifts in soon]
    return dict(zip(KEY, key, strict=True)) | {
        "steps": len(soon),
        "several": sum(int((drifts > 1).sum() > 1) for drifts in soon),
        "worst": max(largest, default=0.0),
        "high": float(np.quantile(largest, 0.9)) if largest else 0.0,
        "back": max((int(np.flatnonzero(drifts > 1)[-1]) + 1 for drifts in soon if (drifts > 1).any()), default=0),
        "later": float((later > 1).mean()) if len(later) else 0.0,
    }

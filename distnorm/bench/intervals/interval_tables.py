"""The report of `distnorm bench interval`: markdown tables, CSV files and a figure."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from ...files.outputs import write_figure
from ..tables import write_csv, write_text
from .interval_rows import Results, Row, StepRow

CHANGING = ("step up", "step down", "learning on", "bursts", "stimuli")
CONTROLLERS = ("default", "default, hints", "4 probes", "8 probes")  # that are compared with fixed intervals there
_STEP_S = 3e-3  # of recording


def report(results: Results, intervals: int, starts: int) -> str:
    """All tables as text; rows with fewer than `intervals` intervals are marked."""
    rows = results.rows()
    parts = [
        "Networks, mean over seeds; drift: the largest over the targets, as a fraction of the target norm",
        _regimes(results),
        "Played. above: intervals that ended above the bound; worst and mean: drift / bound; oracle: mean interval / "
        "that of the longest intervals below the bound; fixed: normalizations / those of the best fixed interval with "
        f"the same worst drift. * fewer than {intervals} intervals",
        _played(rows, intervals),
        f"After a change, {starts} starts per seed, in the first three intervals, of which the first has the change in "
        "it. several: changes with more than one of these above the bound; worst and 0.9 quantile: drift / bound; "
        "back: the last of these above the bound; later: share above the bound of the fourth to tenth interval",
        _steps(results.step_rows()),
    ]
    if results.simulated:
        parts += ["Simulated, beside the same networks played, all seeds of either", _simulated(results, rows)]
    parts += ["Targets", _targets(rows, results.step_rows())]
    return "\n\n".join(part for part in parts if part)


def write(results: Results, text: str, output: Path) -> None:
    """The report, its rows and a figure into a folder for results.

    Raises:
        RuleError: It cannot be written.
    """
    write_text(output / "interval.md", text)
    for name, rows in (
        ("interval.csv", [*results.rows(), *results.simulated_rows()]),
        ("interval_steps.csv", results.step_rows()),
    ):
        if rows:
            write_csv(output / name, [asdict(row) for row in rows])
    _figure(results, output / "interval.png")


def _table(columns: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    rule = ["---", *("---:" for _ in columns[1:])]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (columns, rule, *lines))


def _number(value: float, digits: int = 2) -> str:
    return "" if math.isnan(value) else f"{value:.{digits}f}"


def _regimes(results: Results) -> str:
    lines = []
    for name, each in results.regimes.items():
        floor, before, after, slow, fast = np.mean(each, axis=0)
        lines.append([name, f"{floor:.3%}", f"{before:.2%}", f"{after:.2%}", f"{slow:.1f}", f"{fast:.1f}"])
    columns = ("network", "drift in 3 ms", "in 100 ms", "changed", "spikes/s", "changed")
    return _table(columns, lines)


def _played(rows: list[Row], intervals: int) -> str:
    columns = (
        "network",
        "bound",
        "controller",
        "intervals",
        "above",
        "95 %",
        "worst",
        "mean",
        "oracle",
        "measurements",
    )
    return _table((*columns, "fixed", "exponent"), (_cells(row, intervals) for row in rows))


def _cells(row: Row, intervals: int) -> list[str]:
    return [
        row.scenario,
        f"{row.bound:.0%}",
        row.controller,
        f"{row.intervals}{'*' * (row.intervals < intervals)}",
        f"{row.above / max(row.intervals, 1):.1%}",
        f"{row.above_low:.1%} to {row.above_high:.1%}",
        _number(row.worst),
        _number(row.mean),
        _number(row.of_oracle),
        _number(row.measurements),
        _number(row.of_fixed),
        _number(row.exponent),
    ]


def _steps(rows: list[StepRow]) -> str:
    columns = ("network", "bound", "controller", "changes", "several", "worst", "0.9 quantile", "back", "later")
    lines = [
        [
            *(r.scenario, f"{r.bound:.0%}", r.controller, str(r.steps), str(r.several)),
            *(_number(r.worst), _number(r.high), str(r.back), f"{r.later:.1%}"),
        ]
        for r in rows
    ]
    return _table(columns, lines) if lines else ""


def _simulated(results: Results, rows: list[Row]) -> str:
    lines = []
    for row in results.simulated_rows():
        same = [each for each in rows if (each.scenario, each.bound) == (row.scenario, row.bound)]
        lines += [_cells(each, 0) for each in same if each.controller == "default"] + [_cells(row, 0)]
    columns = (
        "network",
        "bound",
        "controller",
        "intervals",
        "above",
        "95 %",
        "worst",
        "mean",
        "oracle",
        "measurements",
    )
    return _table((*columns, "fixed", "exponent"), lines)


def _targets(rows: list[Row], steps: list[StepRow]) -> str:
    still = [r for r in rows if r.scenario.startswith("stationary") and r.controller == "default"]
    straight = [r for r in still if r.exponent >= 0.8 and not math.isnan(r.of_oracle)]
    moving = [r for r in rows if r.scenario in CHANGING and r.controller in CONTROLLERS and not math.isnan(r.of_fixed)]
    up = [r for r in steps if r.scenario == "step up" and "simulated" not in r.controller]
    lines: list[list[str]] = []

    def add(target: str, chosen: Sequence[Any], value: Callable[[Any], float], limit: float, most: bool = True) -> None:
        if chosen:
            found = (max if most else min)(map(value, chosen))
            lines.append([target, f"{found:.3g}", "yes" if (found <= limit if most else found >= limit) else "no"])

    add("stationary: at most 1 % above the bound", still, lambda r: r.above / r.intervals, 0.01)
    add("stationary: worst at most 1.2 times the bound", still, lambda r: r.worst, 1.2)
    add("stationary: mean drift at least 0.7 of the bound", still, lambda r: r.mean, 0.7, False)
    for row in straight:
        add(f"{row.scenario}, {row.bound:.0%}: 0.8 of the oracle's interval", [row], lambda r: r.of_oracle, 0.8, False)
    add("step of 4: steps with several violations", up, lambda r: r.several, 0)
    add("step of 4: last interval above the bound", up, lambda r: r.back, 2)
    add("step of 4: at most 1 % above the bound later", up, lambda r: r.later, 0.01)
    for step in up:
        if "hints" in step.controller:
            limit = 1.2
        elif (measurements := step.controller.split()[0]) != "0":
            limit = 1 + 3 / (1 if measurements == "default" else int(measurements))
        else:
            continue
        add(f"step of 4, {step.controller}: worst at most {limit:g}", [step], lambda r: r.worst, limit)
    for row in moving:
        add(f"{row.scenario}, {row.controller}: half the normalizations", [row], lambda r: r.of_fixed, 0.5)
    return _table(("target", "found", "holds"), lines)


def _figure(results: Results, path: Path) -> None:
    """Drift / bound at the end of each interval over time, one seed per network, with the default controller."""
    from matplotlib.figure import Figure  # comes with NEST, and only files need it

    shown = {key[0]: (key[1], played) for key, played in results.played.items() if key[2] == "default"}
    figure = Figure(figsize=(11, 2.2 * math.ceil(len(shown) / 2)), layout="constrained")
    axes = figure.subplots(math.ceil(len(shown) / 2), 2, sharey=True, squeeze=False).flat
    for axis, (scenario, (bound, played)) in zip(axes, shown.items(), strict=False):
        first = played[0]
        axis.plot(first.ends * _STEP_S, first.drifts / bound, ".-", color="#0072B2", linewidth=0.8, markersize=3)
        axis.axhline(1, color="0.15", linestyle="--", linewidth=1)
        axis.set_title(f"{scenario}, bound {bound:.0%}", loc="left", fontsize=9)
        for key, changes in results.steps.items():
            if key == (scenario, bound, "default"):
                axis.axvline(changes[0][1] * _STEP_S, color="#D55E00", linewidth=1)
        axis.set_ylim(bottom=0)
        axis.set_xlabel("biological time (s)")
        axis.set_ylabel("drift / bound")
    write_figure(figure, path)

"""The report of the study of the adaptive interval: markdown tables, CSV files and a figure."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
from interval_rows import Results, by_key, rows_of, step_rows_of
from matplotlib.figure import Figure

from distnorm.bench.shared.tables import table, write_text
from distnorm.files.outputs import write_figure

CHANGING = ("step up", "step down", "learning on", "bursts", "stimuli")
CONTROLLERS = ("default", "default, hints", "4 probes", "8 probes")  # that are compared with fixed intervals there
_STEP_S = 3e-3  # of recording
_REGIMES = ("network", "drift in 3 ms", "in 100 ms", "changed", "spikes/s", "changed")
_KEY = ("network", "bound", "controller")
_NUMBERS = ("worst", "mean", "oracle", "measurements", "fixed", "exponent")
_ROWS = (*_KEY, "intervals", "above", "95 %", *_NUMBERS)
_STEPS = (*_KEY, "changes", "several", "worst", "0.9 quantile", "back", "later")


def report(results: Results, intervals: int, starts: int) -> str:
    """All tables as text; rows with fewer than `intervals` intervals are marked."""
    rows, steps = rows_of(results, results.played), step_rows_of(results)
    parts = [
        "Networks, mean over seeds; drift: the largest over the targets, as a fraction of the target norm",
        _regimes(results),
        "Played. above: intervals that ended above the bound; worst and mean: drift / bound; oracle: mean interval / "
        "that of the longest intervals below the bound; fixed: normalizations / those of the best fixed interval with "
        f"the same worst drift. * fewer than {intervals} intervals",
        _rows(rows, intervals),
        f"After a change, {starts} starts per seed, in the first three intervals, of which the first has the change in "
        "it. several: changes with more than one of these above the bound; worst and 0.9 quantile: drift / bound; "
        "back: the last of these above the bound; later: share above the bound of the fourth to tenth interval",
        _steps(steps) if results.steps else "",
    ]
    if results.simulated:
        beside = [_beside(row, rows) for _, row in rows_of(results, results.simulated).iterrows()]
        parts += ["Simulated, beside the same networks played, all seeds of either", _rows(pd.concat(beside), 0)]
    return "\n\n".join(part for part in [*parts, "Targets", _targets(rows, steps)] if part)


def write(results: Results, text: str, output: Path) -> None:
    """The report, its rows and a figure into a folder for results.

    Raises:
        RuleError: It cannot be written.
    """
    write_text(output / "interval.md", text)
    write_text(output / "interval.csv", _csv(rows_of(results, results.played + results.simulated)))
    if results.steps:
        write_text(output / "interval_steps.csv", _csv(step_rows_of(results)))
    _figure(results, output / "interval.png")


def _csv(rows: Any) -> str:
    return str(rows.to_csv(index=False, na_rep="nan")).rstrip("\n")


def _regimes(results: Results) -> str:
    regimes = pd.DataFrame(results.regimes, columns=["name", "floor", "before", "after", "slow", "fast"])
    means = regimes.groupby("name", sort=False).mean()
    return table(
        _REGIMES,
        [
            (
                row.Index,
                f"{row.floor:.3%}",
                f"{row.before:.2%}",
                f"{row.after:.2%}",
                f"{row.slow:.1f}",
                f"{row.fast:.1f}",
            )
            for row in means.itertuples()
        ],
    )


def _number(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.2f}"


def _rows(rows: Any, intervals: int) -> str:
    numbers = ("worst", "mean", "of_oracle", "measurements", "of_fixed", "exponent")
    lines = [
        (
            *(row["scenario"], f"{row['bound']:.0%}", row["controller"]),
            f"{row['intervals']}{'*' * (row['intervals'] < intervals)}",
            f"{row['above'] / max(row['intervals'], 1):.1%}",
            f"{row['above_low']:.1%} to {row['above_high']:.1%}",
            *(_number(row[name]) for name in numbers),
        )
        for _, row in rows.iterrows()
    ]
    return table(_ROWS, lines)


def _beside(simulated: Any, rows: Any) -> Any:
    """The default controller as it was played on the same networks, and then what was simulated."""
    same = (rows["scenario"] == simulated["scenario"]) & (rows["bound"] == simulated["bound"])
    return pd.concat([rows[same & (rows["controller"] == "default")], simulated.to_frame().T])


def _steps(rows: Any) -> str:
    lines = [
        (
            *(row["scenario"], f"{row['bound']:.0%}", row["controller"], str(row["steps"]), str(row["several"])),
            *(_number(row["worst"]), _number(row["high"]), str(row["back"]), f"{row['later']:.1%}"),
        )
        for _, row in rows.iterrows()
    ]
    return table(_STEPS, lines)


def _targets(rows: Any, steps: Any) -> str:
    lines: list[tuple[str, str, str]] = []

    def add(target: str, chosen: Any, value: Callable[[Any], Any], limit: float, most: bool = True) -> None:
        """Whether a value of all chosen rows is at most, or at least, the limit."""
        if len(chosen):
            values = value(chosen)
            found = values.max() if most else values.min()
            lines.append((target, f"{found:.3g}", "yes" if (found <= limit if most else found >= limit) else "no"))

    still = rows[rows["scenario"].str.startswith("stationary") & (rows["controller"] == "default")]
    add("stationary: at most 1 % above the bound", still, lambda r: r["above"] / r["intervals"], 0.01)
    add("stationary: worst at most 1.2 times the bound", still, lambda r: r["worst"], 1.2)
    add("stationary: mean drift at least 0.7 of the bound", still, lambda r: r["mean"], 0.7, False)
    for _, row in still[(still["exponent"] >= 0.8) & still["of_oracle"].notna()].iterrows():
        name = f"{row['scenario']}, {row['bound']:.0%}: 0.8 of the oracle's interval"
        add(name, row.to_frame().T, lambda r: r["of_oracle"], 0.8, False)
    if len(steps):
        up = steps[(steps["scenario"] == "step up") & ~steps["controller"].str.contains("simulated")]
        add("step of 4: steps with several violations", up, lambda r: r["several"], 0)
        add("step of 4: last interval above the bound", up, lambda r: r["back"], 2)
        add("step of 4: at most 1 % above the bound later", up, lambda r: r["later"], 0.01)
        for controller, row in up.groupby("controller", sort=False):
            if (limit := _overshoot(controller)) is not None:
                add(f"step of 4, {controller}: worst at most {limit:g}", row, lambda r: r["worst"], limit)
    moving = rows[rows["scenario"].isin(CHANGING) & rows["controller"].isin(CONTROLLERS) & rows["of_fixed"].notna()]
    for _, row in moving.iterrows():
        name = f"{row['scenario']}, {row['controller']}: half the normalizations"
        add(name, row.to_frame().T, lambda r: r["of_fixed"], 0.5)
    return table(("target", "found", "holds"), lines)


def _overshoot(controller: str) -> float | None:
    """How far, relative to the bound, a controller may get after a step of 4."""
    if "hints" in controller:
        return 1.2
    if controller == "0 probes":
        return None
    return 1 + 3 / (1 if controller == "default" else int(controller.removesuffix(" probes")))


def _figure(results: Results, path: Path) -> None:
    """Drift / bound at the end of each interval over time, one seed per network, with the default controller."""
    first = by_key(results.played)["run"].first()
    shown = {name: (bound, run) for (name, bound, controller), run in first.items() if controller == "default"}
    changes = by_key(results.steps, "change")["change"].first() if results.steps else {}
    rows = math.ceil(len(shown) / 2)
    figure = Figure(figsize=(11, 2.2 * rows), layout="constrained")
    axes = figure.subplots(rows, 2, sharey=True, squeeze=False).flat
    for axis, (scenario, (bound, run)) in zip(axes, shown.items(), strict=False):
        axis.plot(run.ends * _STEP_S, run.drifts / bound, ".-", color="#0072B2", linewidth=0.8, markersize=3)
        axis.axhline(1, color="0.15", linestyle="--", linewidth=1)
        axis.set_title(f"{scenario}, bound {bound:.0%}", loc="left", fontsize=9)
        if (scenario, bound, "default") in changes:
            axis.axvline(changes[scenario, bound, "default"] * _STEP_S, color="#D55E00", linewidth=1)
        axis.set_ylim(bottom=0)
        axis.set(xlabel="biological time (s)", ylabel="drift / bound")
    write_figure(figure, path)

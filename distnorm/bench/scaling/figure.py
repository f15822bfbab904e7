"""The figure of scaling series, as the field draws it: a column per series, and rows of

wall time, stacked by phase | real-time factor | share of normalization | efficiency
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ...files.outputs import write_figure
from ...normalizer.measurement import PHASES
from ...records.figure import COLOURS, STYLE
from .frame import SERIES

_BLUE = "#0072B2"
_STACK = {"construction (s)": "#E69F00", **{f"{phase} (s per s)": COLOURS[phase] for phase in PHASES}}
_ROWS = (
    "wall time (s): construction\nand 1 s of biological time",
    "real-time factor",
    "normalization\n(% of wall time)",
    "efficiency",
)


def draw(frame: Any, outputs: Sequence[Path]) -> None:
    """Write the figure to each path.

    Raises:
        RuleError: It cannot be written.
    """
    by_series = frame.groupby(SERIES, sort=False)
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(1.6 + 3.6 * len(by_series), 8.6), layout="constrained")
        axes = figure.subplots(4, len(by_series), squeeze=False, height_ratios=[3, 2, 2, 2], sharey="row")
        for (times, factors, shares, efficiencies), ((name, job), series) in zip(axes.T, by_series, strict=True):
            times.set_title(f"{name} scaling\n{job}")
            _stack(times, series)
            _line(factors, series, "real-time factor", "", _BLUE)
            _line(shares, series, "share (%)", "measure, agree, rescale", _BLUE)
            _line(shares, series, "agree (% of wall)", "agree alone", COLOURS["agree"])
            efficiencies.axhline(1, color="0.6", linestyle="--", linewidth=0.8)
            _line(efficiencies, series, "efficiency", "all", _BLUE)
            _line(efficiencies, series, "own efficiency", "normalization", COLOURS["rescale"])
            for axis in (times, factors, shares, efficiencies):
                _ticks(axis, series)
            efficiencies.set_xlabel("ranks \N{MULTIPLICATION SIGN} threads")
        for row, label in zip(axes, _ROWS, strict=True):
            row[0].set_ylabel(label)
            row[0].set_ylim(bottom=0)
            if row[-1].get_legend_handles_labels()[1]:
                row[-1].legend(loc="upper left", bbox_to_anchor=(1.03, 1))
        figure.align_ylabels(axes[:, 0])
        for path in outputs:
            write_figure(figure, path)


def _stack(axis: Axes, series: Any) -> None:
    """Means over seeds on each other, and the standard deviation of all together."""
    means = series.groupby("split", sort=False)[[*_STACK]].mean()
    means = means.rename(columns=lambda name: name.partition(" (")[0])  # for the legend
    style: dict[str, Any] = {"color": [*_STACK.values()], "edgecolor": "0.5", "linewidth": 0.4, "width": 0.6}
    means.plot.bar(stacked=True, ax=axis, legend=False, grid=False, **style)
    axis.grid(axis="y")
    together = series.assign(together=series[[*_STACK]].sum(axis=1, skipna=False))
    _line(axis, together, "together", "", "0.2", fmt="none", linewidth=1)


def _line(
    axis: Axes, series: Any, column: str, label: str, colour: str, fmt: str = "o-", linewidth: float = 1.2
) -> None:
    """Mean and standard deviation over seeds of points with times."""
    seeds = series.groupby("split", sort=False)[column]
    mean, spread = seeds.mean().to_numpy(), seeds.std().fillna(0.0).to_numpy()  # one seed has none
    timed = np.isfinite(mean)
    style: dict[str, Any] = {"fmt": fmt, "color": colour, "linewidth": linewidth, "markersize": 4, "capsize": 3}
    axis.errorbar(np.flatnonzero(timed), mean[timed], spread[timed], label=label or None, **style)


def _ticks(axis: Axes, series: Any) -> None:
    splits = series.groupby("split", sort=False)
    labels = [split.replace("x", "\N{MULTIPLICATION SIGN}") for split in splits.groups]
    axis.set_xticks(range(len(labels)), labels, rotation=0)
    axis.set_xlim(-0.6, len(labels) - 0.4)
    axis.set_xlabel("")
    for x, (_, same) in enumerate(splits):
        if same["wall_s"].isna().all():
            why = "broken" if same["error"].notna().all() else "oversubscribed"
            axis.annotate(why, (x, 0), (0, 4), "data", "offset points", rotation=90, ha="center", color="0.4")

"""The figure of scaling series, as the field draws it: a column per series, and rows of

wall time, stacked by phase | real-time factor | share of normalization | efficiency
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ...files.outputs import write_figure
from ...records.figure import COLOURS, STYLE
from .groups import Group, Number, Series, efficiency, own_s
from .points import PHASES, Point

_STACK = {"construction": "#E69F00", **{phase: COLOURS[phase] for phase in PHASES}}
_MARK = {"markersize": 4, "linewidth": 1.2, "capsize": 3}


def draw(series: Series, outputs: Sequence[Path]) -> None:
    """Write the figure to each path."""
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(1.6 + 3.6 * len(series), 8.6), layout="constrained")
        axes = figure.subplots(4, len(series), squeeze=False, height_ratios=[3, 2, 2, 2], sharey="row")
        for column, ((name, job), groups) in zip(axes.T, series.items(), strict=True):
            column[0].set_title(f"{name} scaling\n{job}")
            _phases(column[0], groups)
            _line(column[1], groups, lambda point: point.real_time_factor)
            _share(column[2], groups)
            _efficiencies(column[3], groups)
            column[3].set_xlabel("ranks \N{MULTIPLICATION SIGN} threads")
            for axis in column:
                _ticks(axis, groups)
        wall = "wall time (s): construction\nand 1 s of biological time"
        labels = (wall, "real-time factor", "normalization\n(% of wall time)", "efficiency")
        for row, label in zip(axes, labels, strict=True):
            row[0].set_ylabel(label)
            row[0].set_ylim(bottom=0)
        for row in (axes[0], axes[2], axes[3]):
            row[-1].legend(loc="upper left", bbox_to_anchor=(1.03, 1))
        figure.align_ylabels(axes[:, 0])
        for path in outputs:
            write_figure(figure, path)


def _timed(groups: Sequence[Group]) -> list[tuple[int, Group]]:
    return [(x, each) for x, each in enumerate(groups) if each.timed]


def _phases(axis: Axes, groups: Sequence[Group]) -> None:
    timed = _timed(groups)
    xs = [x for x, _ in timed]
    bottom = np.zeros(len(timed))
    for phase, colour in _STACK.items():
        heights = np.array([each.over_seeds(lambda p, phase=phase: _seconds(p, phase)).mean for _, each in timed])  # type: ignore[misc]
        axis.bar(xs, heights, 0.6, bottom, color=colour, label=phase, edgecolor="0.5", linewidth=0.4)
        bottom += heights
    spread = [each.over_seeds(lambda p: sum(_seconds(p, phase) for phase in _STACK)).spread for _, each in timed]
    axis.errorbar(xs, bottom, spread, fmt="none", ecolor="0.2", capsize=3, linewidth=1)


def _seconds(point: Point, phase: str) -> float:
    """To build the network, or in a phase of 1 s of biological time."""
    return point.construction_s if phase == "construction" else point.total(phase) / point.simulated_s


def _line(
    axis: Axes, groups: Sequence[Group], value: Callable[[Point], float], label: str = "", colour: str = "#0072B2"
) -> None:
    timed = _timed(groups)
    numbers = [each.over_seeds(value) for _, each in timed]
    _errors(axis, [x for x, _ in timed], numbers, label, colour)


def _errors(axis: Axes, xs: Sequence[int], numbers: Sequence[Number], label: str, colour: str) -> None:
    means, spreads = [each.mean for each in numbers], [each.spread for each in numbers]
    axis.errorbar(xs, means, spreads, fmt="o-", color=colour, label=label or None, **_MARK)  # type: ignore[arg-type]


def _share(axis: Axes, groups: Sequence[Group]) -> None:
    def percent(point: Point) -> float:
        return 100 * point.share

    _line(axis, groups, percent, "measure, agree, rescale")
    _line(axis, groups, lambda p: 100 * p.total("agree") / p.wall_s, "agree alone", COLOURS["agree"])


def _efficiencies(axis: Axes, groups: Sequence[Group]) -> None:
    xs = [x for x, _ in _timed(groups)]
    axis.axhline(1, color="0.6", linestyle="--", linewidth=0.8)
    _errors(axis, xs, list(efficiency(groups, lambda p: p.wall_s).values()), "all", "#0072B2")
    _errors(axis, xs, list(efficiency(groups, own_s).values()), "normalization", COLOURS["rescale"])


def _ticks(axis: Axes, groups: Sequence[Group]) -> None:
    axis.set_xticks(range(len(groups)), [each.label.replace("x", "\N{MULTIPLICATION SIGN}") for each in groups])
    axis.set_xlim(-0.6, len(groups) - 0.4)
    for x, each in enumerate(groups):
        if not each.timed:
            why = "oversubscribed" if each.whole else "broken"
            axis.annotate(why, (x, 0), (0, 4), "data", "offset points", rotation=90, ha="center", color="0.4")

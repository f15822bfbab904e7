"""The figure of `bench convergence`: distance from the exact run over time, final weights, and wall time."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from ...files.outputs import write_figure
from ...records.figure import STYLE
from .courses import BY_BOUND, EXACT, NOISE, WAYS, Course, distances_of

_COLOURS = dict(
    zip(WAYS, [*matplotlib.colormaps["viridis_r"](np.linspace(0.1, 0.9, len(BY_BOUND))), "black", "0.5"], strict=True)
)
_BINS = np.linspace(0.0, 2.5, 51).tolist()


def draw(courses: Sequence[Course], outputs: Sequence[Path]) -> None:
    """Write the figure to each path.

    Raises:
        RuleError: It cannot be written.
    """
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(11.0, 3.6), layout="constrained")
        left, middle, right = figure.subplots(1, 3, width_ratios=(1.3, 1.3, 1.0))
        _distances(left, courses)
        _weights(middle, courses)
        _wall_times(right, courses)
        for path in outputs:
            write_figure(figure, path)


def _distances(axis: Axes, courses: Sequence[Course]) -> None:
    seconds = courses[0].times_ms / 1e3
    for way in (*BY_BOUND, NOISE):
        distances = 100 * distances_of(courses, way)
        style = "--" if way == NOISE else "o-"
        axis.plot(seconds, distances.mean(axis=0), style, color=_COLOURS[way], markersize=3, linewidth=1.2, label=way)
        axis.fill_between(
            seconds, distances.min(axis=0), distances.max(axis=0), color=_COLOURS[way], alpha=0.2, linewidth=0
        )
    axis.set_xscale("log")
    axis.set_yscale("log")
    for each in (axis.xaxis, axis.yaxis):
        each.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_title("weights against exact")
    axis.set_xlabel("biological time (s)")
    axis.set_ylabel("mean |difference| (% of mean weight)")
    axis.legend(loc="lower right", title="bound of drift")


def _weights(axis: Axes, courses: Sequence[Course]) -> None:
    for way in (*BY_BOUND, EXACT):
        last = np.concatenate([each.weights[-1] for each in courses if each.way == way])
        axis.hist(
            last, _BINS, histtype="step", density=True, color=_COLOURS[way], linewidth=1.2 if way == EXACT else 0.9
        )
    axis.set_title("weights at the end")
    axis.set_xlabel("weight / mean weight")
    axis.set_ylabel("density")


def _wall_times(axis: Axes, courses: Sequence[Course]) -> None:
    ways = (*BY_BOUND, EXACT)
    for i, way in enumerate(ways):
        seconds = [each.seconds for each in courses if each.way == way]
        axis.bar(i, np.mean(seconds), color=_COLOURS[way], width=0.7)
        axis.plot([i] * len(seconds), seconds, ".", color="0.3", markersize=4)
    axis.set_xticks(range(len(ways)), ways)
    axis.set_title("cost")
    axis.set_xlabel("bound of drift")
    axis.set_ylabel("wall time (s)")

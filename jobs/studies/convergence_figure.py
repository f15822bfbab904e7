"""The figure of the study of convergence: distance from the exact run over time, final weights, and wall time."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib
import numpy as np
from courses import BY_BOUND, EXACT, NOISE, RUNS, Course, distances_of
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import StrMethodFormatter

from distnorm.files.outputs import write_figure
from distnorm.records.figure import STYLE

_BY_BOUND = matplotlib.colormaps["viridis_r"](np.linspace(0.1, 0.9, len(BY_BOUND)))
_COLOURS = dict(zip(RUNS, [*_BY_BOUND, "black", "0.5"], strict=True))
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
    for name in (*BY_BOUND, NOISE):
        distances, colour = 100 * distances_of(courses, name), _COLOURS[name]
        style = "--" if name == NOISE else "o-"
        axis.plot(seconds, distances.mean(axis=0), style, color=colour, markersize=3, linewidth=1.2, label=name)
        low, high = distances.min(axis=0), distances.max(axis=0)
        axis.fill_between(seconds, low, high, color=colour, alpha=0.2, linewidth=0)
    axis.set(xscale="log", yscale="log", title="weights against exact")
    axis.set(xlabel="biological time (s)", ylabel="mean |difference| (% of mean weight)")
    for side in (axis.xaxis, axis.yaxis):
        side.set_major_formatter(StrMethodFormatter("{x:g}"))
    axis.legend(loc="lower right", title="bound of drift")


def _weights(axis: Axes, courses: Sequence[Course]) -> None:
    for name in (*BY_BOUND, EXACT):
        last = np.concatenate([course.weights[-1] for course in courses if course.run == name])
        width = 1.2 if name == EXACT else 0.9
        axis.hist(last, _BINS, histtype="step", density=True, color=_COLOURS[name], linewidth=width)
    axis.set(title="weights at the end", xlabel="weight / mean weight", ylabel="density")


def _wall_times(axis: Axes, courses: Sequence[Course]) -> None:
    names = (*BY_BOUND, EXACT)
    for i, name in enumerate(names):
        seconds = [course.seconds for course in courses if course.run == name]
        axis.bar(i, np.mean(seconds), color=_COLOURS[name], width=0.7)
        axis.plot([i] * len(seconds), seconds, ".", color="0.3", markersize=4)
    axis.set_xticks(range(len(names)), names)
    axis.set(title="cost", xlabel="bound of drift", ylabel="wall time (s)")

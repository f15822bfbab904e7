"""The figure of jobs/competition.py: predicted ratios, neurons under both ways of normalizing, and other methods."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from distnorm.files.outputs import write_figure
from distnorm.records.figure import STYLE

if TYPE_CHECKING:
    from competition import Course

_BLUE, _VERMILION = "#0072B2", "#D55E00"


def draw(
    fast: Sequence[Course],
    slow: Sequence[Course],
    main: tuple[str, str],
    predicted: Callable[[float], float],
    output: Path,
) -> None:
    """Write the figure.

    Args:
        fast: Courses with each correlation.
        slow: Those of slow learning, with the last one.
        main: Names of the multiplicative and the subtractive method.
        predicted: The ratio by the correlation.
        output: Where to.

    Raises:
        RuleError: It cannot be written.
    """
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(11.0, 3.6), layout="constrained")
        left, middle, right = figure.subplots(1, 3, width_ratios=(1.0, 1.2, 1.2))
        _ratios(left, [course for course in fast if course.method == main[0]], predicted)
        _shares(middle, fast, main)
        last = slow[-1].correlation
        others = [course for course in fast if course.correlation == last and course.method != main[1]]
        _methods(right, others, slow, predicted(last))
        write_figure(figure, output)


def _ratios(axis: Axes, courses: Sequence[Course], predicted: Callable[[float], float]) -> None:
    """Dots of all seeds, and what is predicted, within 5 %."""
    ends = [course.correlation for course in courses]
    correlations = np.linspace(min(ends), max(ends), 50)
    ratios = np.array([predicted(correlation) for correlation in correlations])
    axis.fill_between(correlations, 0.95 * ratios, 1.05 * ratios, color="0.9", label="within 5 %")
    axis.plot(correlations, ratios, color="0.4", linewidth=1.0, label="predicted")
    simulated = [(course.correlation, course.ratio()) for course in courses]
    axis.plot(*np.array(simulated).T, "o", color=_BLUE, markersize=4, alpha=0.7, label="simulated, one seed")
    axis.set(
        title="L1: a finite ratio", xlabel="correlation within first group", ylabel="weights, first / second group"
    )
    axis.legend(loc="upper left")


def _shares(axis: Axes, courses: Sequence[Course], main: tuple[str, str]) -> None:
    """Every neuron of the first seed and correlation."""
    for name, colour, label in zip(main, (_BLUE, _VERMILION), ("multiplicative", "subtractive"), strict=True):
        course = next(course for course in courses if course.method == name)
        times = np.linspace(0.0, 5.0 * len(course.shares), len(course.shares) + 1)[1:]
        lines = axis.plot(times, 100 * course.shares, color=colour, linewidth=0.6, alpha=0.6)
        lines[0].set_label(label)
    axis.set(title=f"equal groups, {course.correlation:g}", xlabel="biological time (s)", ylim=(-3, 103))
    axis.set_ylabel("share of first group in a neuron's norm (%)")
    for text in axis.legend(loc="upper left").get_lines():
        text.set(linewidth=2.0, alpha=1.0)


def _methods(axis: Axes, fast: Sequence[Course], slow: Sequence[Course], predicted: float) -> None:
    """A row per method, with a dot per seed."""
    rows = [(course.method, course.ratio()) for course in fast]
    rows += [(f"{course.method} (slow)", course.ratio()) for course in slow]
    names = list(dict.fromkeys(name for name, _ in rows))
    for name, ratio in rows:
        axis.plot(ratio, names.index(name), "o", color=_BLUE, markersize=4, alpha=0.7)
    axis.axvspan(0.95 * predicted, 1.05 * predicted, color="0.9", linewidth=0)
    axis.axvline(predicted, color="0.4", linewidth=1.0)
    axis.set_yticks(range(len(names)), names)
    axis.invert_yaxis()
    axis.grid(visible=False)
    axis.set(title=f"other ways, correlation {slow[-1].correlation:g}", xlabel="weights, first / second group")

"""The figure of the study of pending changes: one neuron's norm over time, normalized as stored and as current."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib
from matplotlib.figure import Figure

from distnorm.files.outputs import write_figure
from distnorm.norms.sums import FloatArray
from distnorm.records.figure import STYLE

_LINES = {  # colour and width
    "delivered next": ("0.6", 1.0),
    "current": ("#D55E00", 1.4),
    "stored": ("#0072B2", 1.4),
}


@dataclass(frozen=True, kw_only=True, eq=False)
class Course:
    """Norms of one neuron.

    Attributes:
        weights: By which it was normalized.
        times_ms: Shape (n,).
        norms: As fractions of its target norm, by kind, each of shape (n,).
    """

    weights: str
    times_ms: FloatArray
    norms: dict[str, FloatArray]


def draw(courses: Sequence[Course], output: Path) -> None:
    """Write the figure.

    Raises:
        RuleError: It cannot be written.
    """
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(11.0, 3.4), layout="constrained")
        axes = figure.subplots(1, len(courses), sharey=True)
        for axis, course in zip(axes, courses, strict=True):
            for kind, (colour, width) in _LINES.items():
                axis.plot(course.times_ms, 100 * course.norms[kind], color=colour, linewidth=width, label=kind)
            axis.axhline(100, color="0.15", linestyle="--", linewidth=0.8, label="target norm")
            axis.set(title=f"{course.weights} weights normalized", xlabel="biological time (ms)")
        axes[0].set_ylabel("norm (% of the target norm)")
        axes[-1].legend(loc="upper left", bbox_to_anchor=(1.02, 1))
        write_figure(figure, output)

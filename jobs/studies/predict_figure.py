"""The figure of predict.py: how well points kept out were predicted, and the share on larger machines."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import matplotlib
import numpy as np
from cost_model import Tested
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, StrMethodFormatter

from distnorm.files.outputs import write_figure
from distnorm.records.figure import COLOURS, STYLE

_BLUE = "#0072B2"
_PUBLISHED_RANKS = (2, 128)

Rows = Sequence[dict[str, float]]


def draw(tested: Sequence[Tested], rows: Rows, machine: argparse.Namespace, outputs: Sequence[Path]) -> None:
    """Write the figure to each path.

    Raises:
        RuleError: It cannot be written.
    """
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(9.6, 4.2), layout="constrained")
        left, right = figure.subplots(1, 2)
        _kept_out(left, tested)
        _shares(right, rows, machine)
        for path in outputs:
            write_figure(figure, path)


def _kept_out(axis: Axes, tested: Sequence[Tested]) -> None:
    measured = np.array([point.sample.seconds for point in tested]) * 1e3
    predicted = np.array([point.predicted for point in tested]) * 1e3
    ends = np.array([min(measured.min(), predicted.min()) / 1.5, max(measured.max(), predicted.max()) * 1.5])
    axis.fill_between(ends, 0.8 * ends, 1.2 * ends, color="0.92", label="within 20 %")
    axis.plot(ends, ends, color="0.5", linewidth=0.8)
    axis.plot(measured, predicted, "o", color=_BLUE, markersize=5, label="point kept out")
    axis.set(xscale="log", yscale="log", xlim=ends, ylim=ends, title="on this machine")
    axis.set(xlabel="measured (ms per normalization)", ylabel="predicted (ms)")
    for side in (axis.xaxis, axis.yaxis):
        side.set_major_formatter(StrMethodFormatter("{x:g}"))
        side.set_minor_locator(LogLocator(subs=(2, 3, 5, 7)))
        side.set_minor_formatter(StrMethodFormatter("{x:g}"))
    axis.legend(loc="upper left")


def _shares(axis: Axes, rows: Rows, machine: argparse.Namespace) -> None:
    ranks = [row["ranks"] for row in rows]
    low, high = [100 * row["share_low"] for row in rows], [100 * row["share_high"] for row in rows]
    axis.fill_between(ranks, low, high, color=COLOURS["measure"], alpha=0.4, linewidth=0)
    axis.plot(
        ranks, high, color=_BLUE, linewidth=1.2, label=f"{machine.bandwidth:g} GB/s a rank, real-time factor stays"
    )
    axis.plot(
        ranks, low, color=COLOURS["rescale"], linewidth=1.2, label=f"{machine.peak:g} GB/s a rank, factor grows on"
    )
    axis.axvspan(*_PUBLISHED_RANKS, color="0.93", zorder=0.5)
    axis.text(_PUBLISHED_RANKS[1] / 1.1, 0.75 * max(high), "real-time factors\npublished", color="0.4", ha="right")
    axis.set_xscale("log", base=2)
    axis.xaxis.set_major_formatter(StrMethodFormatter("{x:,g}"))
    axis.set(ylim=(0, 1.25 * max(high)), title="hpc_benchmark as on JURECA-DC", xlabel="ranks of 64 threads")
    axis.set_ylabel(f"normalization every {machine.interval:g} ms\n(% of wall time, predicted)")
    axis.legend(loc="upper right")

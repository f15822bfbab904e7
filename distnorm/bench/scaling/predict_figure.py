"""The figure of `bench predict`: how well points kept out were predicted, and the share on larger machines."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from ...files.outputs import write_figure
from ...records.figure import COLOURS, STYLE
from .cost_model import Tested

if TYPE_CHECKING:
    from .predict import Machine, Row

_PUBLISHED_RANKS = (2, 128)


def draw(tested: Sequence[Tested], rows: Sequence[Row], machine: Machine, outputs: Sequence[Path]) -> None:
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
    measured = np.array([each.sample.seconds for each in tested]) * 1e3
    predicted = np.array([each.predicted for each in tested]) * 1e3
    ends = np.array([min(measured.min(), predicted.min()) / 1.5, max(measured.max(), predicted.max()) * 1.5])
    axis.fill_between(ends, 0.8 * ends, 1.2 * ends, color="0.92", label="within 20 %")
    axis.plot(ends, ends, color="0.5", linewidth=0.8)
    axis.plot(measured, predicted, "o", color="#0072B2", markersize=5, label="point kept out")
    axis.set_xscale("log")
    axis.set_yscale("log")
    axis.set_xlim(*ends)
    axis.set_ylim(*ends)
    axis.set_title("on this machine")
    axis.set_xlabel("measured (ms per normalization)")
    axis.set_ylabel("predicted (ms)")
    for each in (axis.xaxis, axis.yaxis):
        each.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        each.set_minor_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.legend(loc="upper left")


def _shares(axis: Axes, rows: Sequence[Row], machine: Machine) -> None:
    ranks = [each.ranks for each in rows]
    low, high = [100 * each.share_low for each in rows], [100 * each.share_high for each in rows]
    memory = f"{machine.bandwidth_GB_s:g} GB/s of memory a rank"
    axis.fill_between(ranks, low, high, color=COLOURS["measure"], alpha=0.4, linewidth=0)
    axis.plot(ranks, high, color="#0072B2", linewidth=1.2, label=f"{memory}, real-time factor stays")
    axis.plot(ranks, low, color=COLOURS["rescale"], linewidth=1.2, label="threads as fast as here, factor grows on")
    axis.axvspan(*_PUBLISHED_RANKS, color="0.93", zorder=0.5)
    axis.text(_PUBLISHED_RANKS[1] / 1.1, 0.75 * max(high), "real-time factors\npublished", color="0.4", ha="right")
    axis.set_xscale("log", base=2)
    axis.set_ylim(0, 1.25 * max(high))
    axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
    axis.set_title("hpc_benchmark as on JURECA-DC")
    axis.set_xlabel("ranks of 64 threads")
    axis.set_ylabel(f"normalization every {machine.interval_ms:g} ms\n(% of wall time, predicted)")
    axis.legend(loc="upper right")

"""Figure of runs: drift, intervals, weights and wall time over biological time, a column per run.

The colours are those of Okabe & Ito (https://jfly.uni-koeln.de/color/), which colour-blind readers can tell apart.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter

from ..files.outputs import write_figure
from ..normalizer.measurement import ALL_PHASES, Measurement
from ..norms.sums import FloatArray
from .run_record import RunRecord
from .summary import above_bound, edges_ms, ends_interval, largest, settled, ways_of
from .weights_figure import MOST_RULES, draw_weights, finish_weights, number_watched

STYLE: dict[Any, Any] = {
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "0.4",
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.axisbelow": True,
    "grid.color": "0.9",
    "xtick.color": "0.3",
    "ytick.color": "0.3",
    "legend.frameon": False,
    "legend.borderaxespad": 0,
}
_BLUE, _GREEN, _ORANGE, _VERMILION, _PURPLE, _SKY = "#0072B2", "#009E73", "#E69F00", "#D55E00", "#CC79A7", "#56B4E9"
_LINES = {"max": ("largest", _BLUE), "mean": ("mean", _ORANGE)}
_WAYS = {"incoming": _BLUE, "outgoing": _PURPLE}
COLOURS = {  # from the bottom
    "measure": _SKY,
    "compare": _ORANGE,
    "agree": _PURPLE,
    "rescale": _GREEN,
    "simulate": "0.93",
}
_BINS = 50


def draw(runs: Mapping[str, RunRecord], output: Path) -> None:
    """Write a figure of runs by title."""
    with matplotlib.rc_context(STYLE):
        write_figure(figure_of(runs), output)


def figure_of(runs: Mapping[str, RunRecord]) -> Figure:
    """A figure of runs by title."""
    longest_ms = max(max([run.planned_ms or 0.0, *_times(run.measurements)]) for run in runs.values())
    unit, unit_ms = ("s", 1_000.0) if longest_ms >= 2_000 else ("ms", 1.0)
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(3.2 + 4.6 * len(runs), 6.4), layout="constrained")
        watched = min(max(number_watched(run) for run in runs.values()), MOST_RULES)
        figure.set_figheight(6.4 + 2 * watched)
        heights = [3, 2, *[2.5] * watched, 2]
        axes = figure.subplots(len(heights), len(runs), sharex=True, sharey="row", squeeze=False, height_ratios=heights)
        shares = []
        for column, (title, run) in zip(axes.T, runs.items(), strict=True):
            column[0].set_title(title, pad=20)
            column[0].annotate(_setting(run), (0, 1), (0, 7), "axes fraction", "offset points", color="0.35")
            _drift(column[0], run, unit_ms)
            _intervals(column[1], run, unit_ms)
            for i, axis in enumerate(column[2:-1]):
                draw_weights(axis, run, i, unit_ms)
            shares.append(_shares(column[-1], run, unit_ms))
            column[-1].set_xlabel(f"biological time ({unit})")
        axes[0, 0].set_xlim(0, longest_ms / unit_ms or 1)
        _scale(axes[0], "drift (% of the target norm)")
        _scale(axes[1], "interval (ms)")
        for row in axes[2:-1]:
            finish_weights(row)
        axes[-1, 0].set_ylabel("share of wall time (%)")
        axes[-1, 0].set_ylim(0, min(100, max(1, 1.3 * max(shares))))  # simulating is the rest, most of it beyond
        for row in axes:
            _legend(row)
        figure.align_ylabels(axes[:, 0])
    return figure


def _setting(run: RunRecord) -> str:
    ranks, threads = run.header.ranks, run.header.threads
    split = f"{ranks} rank{'s' * (ranks > 1)} \N{MULTIPLICATION SIGN} {threads} thread{'s' * (threads > 1)}"
    kind = "observed, no weight changed" if run.header.observe else "normalized"
    return f"{kind}, {split}" + ("" if run.end else ", no end in the log")


def _drift(axis: Axes, run: RunRecord, unit_ms: float) -> None:
    statistic, bound = run.header.statistic, run.header.bound

    def plot(measurements: list[Measurement], name: str, style: str, rules: Any = None, **how: Any) -> None:
        axis.plot(
            np.array(_times(measurements)) / unit_ms,
            [100 * largest(measurement, name, rules) for measurement in measurements],
            style,
            **how,
        )

    ending = [measurement for measurement in settled(run) if ends_interval(run, measurement)]
    ways = ways_of(run)
    for way, rules in ways.items() if len(ways) > 1 else ():
        plot(ending, "max", "-", rules, color=_WAYS[way], linewidth=1.2, label=f"largest, {way}")
    names = dict.fromkeys(("max", statistic, "mean"))
    if len(ways) > 1:
        del names["max"]
    for name in names:
        label, colour = _LINES.get(name, (f"{name[1:]} % quantile", _GREEN))
        plot(ending, name, "-", color=colour, linewidth=1.2, label=label)
    if bound is not None:
        axis.axhline(100 * bound, color="0.15", linestyle="--", linewidth=1, label="bound")
    above = above_bound(run)
    if above and not run.header.observe:  # an observed run is not meant to stay below
        circles = {"markersize": 5, "fillstyle": "none", "color": _VERMILION, "clip_on": False}
        plot(above, statistic, "o", label="above the bound", **circles)
    probes = [measurement for measurement in settled(run) if not ends_interval(run, measurement)]
    if probes:
        plot(probes, statistic, ".", markersize=3, color="0.55", zorder=1.5, label="probe")


def _intervals(axis: Axes, run: RunRecord, unit_ms: float) -> None:
    edges = np.array(edges_ms(run))
    if len(edges) > 1:
        lengths = np.diff(edges)
        axis.step(edges / unit_ms, np.append(lengths[:1], lengths), where="pre", color=_BLUE, linewidth=1.2)


def _shares(axis: Axes, run: RunRecord, unit_ms: float) -> float:
    """Draw the shares; the largest that is no simulating, in %."""
    if not settled(run):
        return 0.0
    edges, seconds = _binned_seconds(run)
    total = seconds.sum(axis=1, keepdims=True)
    percent = 100 * np.divide(seconds, total, out=np.zeros_like(seconds), where=total > 0)
    top = np.zeros(len(percent))
    for phase, colour in COLOURS.items():
        of_phase = percent[:, ALL_PHASES.index(phase)]
        if not of_phase.any():
            continue
        below, top = top, top + of_phase
        axis.stairs(top, edges / unit_ms, baseline=below, fill=True, color=colour, label=phase)
    return float(below.max(initial=0))  # below the last, which is simulating


def _binned_seconds(run: RunRecord) -> tuple[FloatArray, FloatArray]:
    """Edges of bins in ms, shape (bins + 1,), and wall time in them by phase in s, shape (bins, phases)."""
    measurements = settled(run)
    times = np.array([edges_ms(run)[0], *_times(measurements)])
    seconds = np.array([[measurement.seconds[phase] for phase in ALL_PHASES] for measurement in measurements])
    spent = np.vstack([np.zeros(len(ALL_PHASES)), np.cumsum(seconds, axis=0)])
    edges = np.linspace(times[0], times[-1], min(_BINS, len(measurements)) + 1)
    return edges, np.diff([np.interp(edges, times, of_phase) for of_phase in spent.T]).T


def _times(measurements: list[Measurement]) -> list[float]:
    return [measurement.time_ms for measurement in measurements]


def _scale(row: list[Axes], label: str) -> None:
    """Linear from zero, but logarithmic where half of a line would lie in the lowest thirtieth."""
    row[0].set_ylabel(label)
    lines = [np.asarray(line.get_ydata()) for axis in row for line in axis.lines]
    highest = max((line.max() for line in lines if line.size), default=0.0)
    medians = [float(np.median(line[line > 0])) for line in lines if np.any(line > 0)]
    if highest > 30 * min(medians, default=highest):
        row[0].set_yscale("log")
        row[0].set_ylim(min(medians) / 10, 2 * highest)  # the first measurements of a run lie decades lower
        row[0].yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
        row[0].yaxis.set_minor_formatter(NullFormatter())
    else:
        row[0].set_ylim(0, 1.1 * highest or 1)


def _legend(row: list[Axes]) -> None:
    """One legend for a row, right of it."""
    entries: dict[str, Artist] = {}
    for axis in row:
        handles, labels = axis.get_legend_handles_labels()
        entries.update(zip(labels, handles, strict=True))
    if entries:
        row[-1].legend(list(entries.values()), list(entries), loc="upper left", bbox_to_anchor=(1.03, 1))

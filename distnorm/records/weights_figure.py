"""Figures of weights: those of a rule over time as an image, a row for each rule that is watched; and histograms."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullLocator

from ..files.outputs import write_figure
from ..norms.histogram import WeightHistogram
from ..norms.sums import FloatArray
from .run_record import RunRecord

MOST_RULES = 6
"""Of which the weights are drawn."""
_LEAST_SHARE = 1e-4  # of the weights in a bin, that has a colour of its own
_COLUMNS = 400
_MEAN = "#D55E00"


def number_watched(run: RunRecord) -> int:
    """Number of rules of which a run has histograms."""
    return max((len(measurement.weights) for measurement in run.measurements), default=0)


def draw_weights(axis: Axes, run: RunRecord, rule: int, unit_ms: float) -> None:
    """Draw the weights of a rule; nothing where a run has none of them."""
    found = [
        (measurement.time_ms / unit_ms, measurement.weights[rule])
        for measurement in run.measurements
        if len(measurement.weights) > rule and measurement.weights[rule].connections
    ]
    axis.grid(visible=False)
    if not found:
        return
    for edges, group in itertools.groupby(found, lambda each: each[1].edges):
        part = list(group)
        times, shares = _image([time for time, _ in part], [weights for _, weights in part])
        axis.pcolormesh(
            times,
            edges,
            np.ma.masked_equal(shares, 0.0).T,
            norm=LogNorm(_LEAST_SHARE, 1.0, clip=True),
            cmap="YlGnBu",
            rasterized=True,
        )
    at = [time for time, _ in found]
    mean, sd = (np.array([getattr(weights, name) for _, weights in found]) for name in ("mean", "sd"))
    axis.plot(at, mean, "-", color=_MEAN, linewidth=1.2, label="mean")
    for line, label in ((mean - sd, "mean \N{PLUS-MINUS SIGN} s.d."), (mean + sd, None)):
        axis.plot(at, line, ":", color=_MEAN, linewidth=1.0, label=label)
    axis.set_ylim(min(weights.edges[0] for _, weights in found), max(weights.edges[-1] for _, weights in found))
    axis.set_title(run.header.rules[rule]["text"], fontsize="medium", fontweight="normal", color="0.35")


def _image(times: list[float], found: list[WeightHistogram]) -> tuple[FloatArray, FloatArray]:
    """Times between which the columns lie, and the share of the weights by column and bin.

    Each column is around the time of a measurement; of very many, several are in one.
    """
    shares = np.array([np.array(weights.counts) / weights.connections for weights in found])
    middles = (np.array(times[1:]) + np.array(times[:-1])) / 2
    edges = np.array([times[0], *middles, times[-1]])
    if len(times) == 1:
        edges = np.array([times[0], times[0] + 1e-9])
    first = np.unique(np.linspace(0, len(found), min(len(found), _COLUMNS) + 1).astype(int))
    numbers = np.diff(first)[:, np.newaxis]
    return edges[first], np.add.reduceat(shares, first[:-1], axis=0) / numbers


def finish_weights(row: list[Axes]) -> None:
    """Label a row, and put the colours beside it."""
    row[0].set_ylabel("weight")
    for axis in row:
        if not axis.collections:
            axis.set_visible(False)
    mesh = next((axis.collections[0] for axis in row if axis.collections), None)
    if mesh is None:
        return
    place = row[-1].inset_axes((1.03, 0.0, 0.03, 0.6))
    bar = row[0].figure.colorbar(mesh, cax=place, format=FuncFormatter(lambda value, _: f"{100 * value:g}"))
    bar.ax.yaxis.set_minor_locator(NullLocator())
    bar.set_label("% of weights")


def draw_histograms(found: Mapping[str, WeightHistogram], output: Path) -> None:
    """Write a figure of histograms by title, each with its mean and spread."""
    figure = Figure(figsize=(6.4, 3.8), layout="constrained")
    axis = figure.subplots()
    for title, weights in found.items():
        density = np.array(weights.counts) / max(weights.connections, 1) / np.diff(weights.edges)
        text = f"{title}: {weights.connections:,}, mean {weights.mean:.4g}, s.d. {weights.sd:.3g}"
        axis.stairs(density, np.array(weights.edges), label=text, fill=len(found) == 1, alpha=0.9)
    axis.set_xlabel("weight")
    axis.set_ylabel("density of weights")
    axis.set_ylim(bottom=0)
    figure.legend(loc="outside upper left", frameon=False)
    write_figure(figure, output)

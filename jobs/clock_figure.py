"""The figure of the clock network: weights over rounds, between clusters, eigenvalues, and spontaneous activity."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from distnorm.files.outputs import write_figure
from distnorm.records.figure import STYLE

_COLOURS = {"within clusters": "#0072B2", "to the next": "#D55E00", "others": "0.5"}
_SHOWN_BINS = 100  # of spontaneous activity


def draw(found: Mapping[str, Mapping[str, Any]], output: Path) -> None:
    """Draw a column for each interval, by its title."""
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(3.4 * len(found), 9.6), layout="constrained")
        axes = figure.subplots(4, len(found), squeeze=False, sharey="row", height_ratios=[3, 3, 3, 2])
        largest = max(each["between"].max() for each in found.values())
        least = min(each["between"].min() for each in found.values())
        for column, (title, each) in zip(axes.T, found.items(), strict=True):
            column[0].set_title(title)
            _course(column[0], each["course"])
            image = column[1].imshow(each["between"], vmin=least, vmax=largest, cmap="YlGnBu", origin="lower")
            column[1].grid(visible=False)
            column[1].set_xlabel("from cluster")
            _spectrum(column[2], each["eigenvalues"])
            _activity(column[3], each["rates"])
        axes[0, 0].legend(loc="center left")
        for row, label in zip(axes, ("mean weight (mV)", "to cluster", "imaginary part (mV)", "cluster"), strict=True):
            row[0].set_ylabel(label)
        figure.colorbar(image, ax=axes[1], label="mean weight (mV)", shrink=0.8)
        write_figure(figure, output)


def _course(axis: Axes, course: Any) -> None:
    for i, (label, colour) in enumerate(_COLOURS.items(), start=1):
        axis.plot(course[:, 0], course[:, i], color=colour, label=label)
    axis.set_xlabel("round")


def _spectrum(axis: Axes, values: Any) -> None:
    axis.plot(values.real[1:], values.imag[1:], ".", color="#0072B2", markersize=2)  # the first is that of the mean
    axis.set_xlabel("real part (mV), largest left out")


def _activity(axis: Axes, rates: Any) -> None:
    axis.imshow(rates[:_SHOWN_BINS].T, aspect="auto", cmap="Greys", vmin=0, vmax=0.3, origin="lower")
    axis.grid(visible=False)
    axis.set_xlabel("5 ms of spontaneous activity")

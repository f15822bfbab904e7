"""Points as a table of pandas: a row each, by series and job, from few to many virtual processes.

Times are NaN where a point has none.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any

import pandas as pd

from ...normalizer.measurement import PHASES
from .points import OWN, Point

SERIES = ["series", "job"]
STORED = ["series", "job", "ranks", "threads", "seed", "scale", "error", "oversubscribed", "neurons", "targets"]
STORED += ["plastic_connections", "interval_ms", "intervals", "allreduces", "message_bytes"]
SUMMED = ["connections", "spikes", "memory_bytes"]  # over ranks
TIMES = ["construction_s", *(f"{phase}_s" for phase in PHASES), "waited_s"]
TIMERS = ["time_simulate", "time_communicate_prepare"]  # NEST's own


def frame_of(points: Sequence[Point]) -> Any:
    """The table, with the points themselves in the column `point`."""
    order = sorted(points, key=lambda point: (point.series, point.job, point.virtual_processes, point.ranks))
    columns = ["point", "split", "virtual_processes", *STORED, *SUMMED, *TIMES, *TIMERS]
    frame = pd.DataFrame([_row(point) for point in order], columns=columns)
    simulated_s = frame["intervals"] * frame["interval_ms"] / 1e3
    own_s = frame[[f"{phase}_s" for phase in OWN]].sum(axis=1, skipna=False)
    wall_s = frame["simulate_s"] + own_s
    frame = frame.assign(own_s=own_s, wall_s=wall_s, spikes_per_s=frame["spikes"] / frame["neurons"] / simulated_s)
    per_s = {f"{phase} (s per s)": frame[f"{phase}_s"] / simulated_s for phase in PHASES}
    per_interval = {f"{phase} (ms)": frame[f"{phase}_s"] / frame["intervals"] * 1e3 for phase in OWN}
    per_interval["waiting (ms)"] = frame["waited_s"] / frame["intervals"] * 1e3
    shares = {"share (%)": 100 * own_s / wall_s, "agree (% of wall)": 100 * frame["agree_s"] / wall_s}
    efficiencies = {"efficiency": efficiency(frame, "wall_s"), "own efficiency": efficiency(frame, "own_s")}
    named = {"construction (s)": frame["construction_s"], "real-time factor": wall_s / simulated_s}
    return frame.assign(**per_s, **per_interval, **shares, **efficiencies, **named)


def _row(point: Point) -> dict[str, Any]:
    row: dict[str, Any] = {"point": point, "split": point.split, "virtual_processes": point.virtual_processes}
    row |= {name: getattr(point, name) for name in STORED} | {name: point.summed(name) for name in SUMMED}
    if point.timed:
        row |= {"construction_s": point.construction_s, "waited_s": point.waited_s}
        row |= {f"{phase}_s": point.total(phase) for phase in PHASES}
        row |= {name: statistics.fmean(record.timers[name] for record in point.per_rank) for name in TIMERS}
    return row


def efficiency(frame: Any, column: str) -> Any:
    """Of each point with times, against the first split of its series: the time it would ideally take / what it took.

    Weak: the same time on more virtual processes. Strong: a time that falls with their number.
    """
    timed = frame[frame[column].notna()]
    series = timed.groupby(SERIES)
    is_first = timed["split"] == series["split"].transform("first")
    first_s = timed[column].where(is_first).groupby([timed[name] for name in SERIES]).transform("mean")
    more = timed["virtual_processes"] / series["virtual_processes"].transform("first")
    return first_s / (timed[column] * more.where(timed["series"] == "strong", 1.0))

"""What a folder of scaling points shows: a table, a CSV file per series, and the figure.

read     points, broken and oversubscribed ones included     points
compute  a row per point                                     frame
write    SERIES-JOB.csv, scaling.md, scaling.png, scaling.pdf
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ...errors import RuleError
from ..shared.tables import table, write_text
from .points import Point, read_folder

# What is given with mean and standard deviation over seeds, and digits.
_DIGITS = {
    "construction (s)": 1,
    "simulate (s per s)": 2,
    "measure (ms)": 2,
    "agree (ms)": 2,
    "waiting (ms)": 2,
    "rescale (ms)": 2,
    "share (%)": 2,
    "agree (% of wall)": 3,
    "real-time factor": 2,
    "efficiency": 2,
}
_COLUMNS = ("ranks x threads", "seeds", "neurons", "plastic", "GB", "spikes/s", *_DIGITS)


def report(folders: Sequence[Path], output: Path | None = None) -> str:
    """Write table, CSV files and figure of a folder.

    Args:
        folders: One, with points.
        output: Figure, as PNG; the PDF and the table lie beside it. None for scaling.png in the folder.

    Returns:
        The table, and where the figure is.

    Raises:
        RuleError: There are no points or several paths, something cannot be written, or a package is missing.
    """
    if len(folders) > 1:
        raise RuleError(f"{', '.join(map(str, folders))}: give one folder of points, or run logs, not both")
    (folder,) = folders
    points = read_folder(folder)
    output = folder / "scaling.png" if output is None else output
    try:
        from .figure import draw
        from .frame import SERIES, STORED, SUMMED, TIMERS, TIMES, frame_of
    except ImportError as error:
        raise RuleError(
            f'a report of points needs pandas and matplotlib: pip install "distnorm[bench]" ({error})'
        ) from None
    frame = frame_of(points)
    parts = []
    for (name, job), series in frame.groupby(SERIES, sort=False):
        write_text(folder / f"{name}-{job}.csv", series[[*STORED, *SUMMED, *TIMES, *TIMERS]].to_csv(index=False)[:-1])
        parts += [f"### {name} scaling of {job}", *_text(series)]
    text = "\n\n".join(parts)
    write_text(output.with_suffix(".md"), text)
    draw(frame, [output, output.with_suffix(".pdf")])
    return f"{text}\n\nfigure: {output}"


def _text(series: Any) -> list[str]:
    """How the points of a series were made, their table, and what broke."""
    whole = list(series[series["error"].isna()]["point"])
    broken = [f"- {point.name}: {point.error}" for point in series[series["error"].notna()]["point"]]
    lines = table(_COLUMNS, [_cells(split, same) for split, same in series.groupby("split", sort=False)])
    return [*([_setting(whole)] if whole else []), lines, *(["Broken:\n" + "\n".join(broken)] if broken else [])]


def _cells(split: str, same: Any) -> list[str]:
    """Points that differ in their seed only."""
    whole = same[same["error"].isna()]
    timed = whole[~whole["oversubscribed"]]
    head = [split, f"{len(whole)} of {len(same)}"]
    if whole.empty:
        cells = [*head, "", "", "", "", "broken"]
    else:
        first = whole.iloc[0]
        head += [f"{first['neurons']:,}", f"{first['plastic_connections']:,}", f"{first['memory_bytes'] / 1e9:.2f}"]
        cells = [*head, f"{whole['spikes_per_s'].mean():.1f}", "oversubscribed, not timed"]
    if timed.empty:
        return [*cells, *[""] * (len(_COLUMNS) - len(cells))]
    mean, spread = timed[[*_DIGITS]].mean(), timed[[*_DIGITS]].std().fillna(0.0)  # one seed has none
    return [*cells[:-1], *(f"{mean[name]:,.{n}f} ± {spread[name]:,.{n}f}" for name, n in _DIGITS.items())]


def _setting(points: Sequence[Point]) -> str:
    point = points[0]
    where = point.provenance
    parameters = ", ".join(f"{name} = {value}" for name, value in point.parameters.items() if name != "scale")
    allreduces = sorted({(point.allreduces / point.intervals, point.message_bytes) for point in points})
    said = ", ".join(f"{number:g} per normalization of {size:,} bytes" for number, size in allreduces)
    return (
        f"{point.intervals} intervals of {point.interval_ms:g} ms{'; ' + parameters if parameters else ''}. "
        f"Allreduces: {said}. {where['cpu']}; NEST {where['nest']}, {where['mpi'] or 'no MPI'}; distnorm "
        f"{where['distnorm']}, {'commit ' + where['commit'][:12] if where['commit'] else 'no commit known'}. "
        "± standard deviation over seeds; times are means over ranks."
    )

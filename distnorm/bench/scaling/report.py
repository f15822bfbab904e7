"""What a folder of scaling points shows: a table, a CSV file per series, and the figure.

read     points, broken and oversubscribed ones included (`points.py`)
group    by series, job and number of ranks and threads (`groups.py`)
write    SERIES-JOB.csv, scaling.md, scaling.png, scaling.pdf
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ...errors import RuleError
from ..tables import table, write_csv, write_text
from .groups import Group, Number, Series, efficiency, group
from .points import PHASES, Point, read_folder


def report(folder: Path, output: Path | None = None) -> str:
    """Write table, CSV files and figure of a folder.

    Args:
        folder: With points.
        output: Figure, as PNG; the PDF and the table lie beside it. None for scaling.png in the folder.

    Returns:
        The table, and where the figure is.

    Raises:
        RuleError: There are no points, something cannot be written, or matplotlib is missing.
    """
    series = group(read_folder(folder))
    output = folder / "scaling.png" if output is None else output
    text = tables(series)
    try:
        from .scaling_figure import draw
    except ImportError as error:
        raise RuleError(f'a figure needs matplotlib: pip install "distnorm[report]" ({error})') from None
    for (name, job), groups in series.items():
        rows = [_row(point) for each in groups for point in each.points]
        write_csv(folder / f"{name}-{job}.csv", rows)
    write_text(output.with_suffix(".md"), text)
    draw(series, [output, output.with_suffix(".pdf")])
    return f"{text}\n\nfigure: {output}"


def tables(series: Series) -> str:
    """Markdown, one table per series and job."""
    parts = []
    for (name, job), groups in series.items():
        parts += [f"### {name} scaling of {job}", _setting(groups), _rows(groups), *_broken(groups)]
    return "\n\n".join(part for part in parts if part)


_COLUMNS: dict[str, tuple[Callable[[Point], float], int]] = {
    "construction (s)": (lambda p: p.construction_s, 1),
    "simulate (s per s)": (lambda p: p.total("simulate") / p.simulated_s, 2),
    "measure (ms)": (lambda p: p.total("measure") / p.intervals * 1e3, 2),
    "agree (ms)": (lambda p: p.total("agree") / p.intervals * 1e3, 2),
    "rescale (ms)": (lambda p: p.total("rescale") / p.intervals * 1e3, 2),
    "share (%)": (lambda p: p.share * 100, 2),
    "agree (% of wall)": (lambda p: p.total("agree") / p.wall_s * 100, 3),
    "real-time factor": (lambda p: p.real_time_factor, 2),
}


def _rows(groups: Sequence[Group]) -> str:
    columns = ("ranks x threads", "seeds", "neurons", "plastic", "GB", "spikes/s", *_COLUMNS, "efficiency")
    efficiencies = efficiency(groups, lambda point: point.wall_s)
    return table(columns, [_cells(each, efficiencies) for each in groups])


def _cells(each: Group, efficiencies: dict[str, Number]) -> list[str]:
    number = f"{len(each.whole)} of {len(each.points)}"
    if not each.whole:
        return [each.label, number, *[""] * 4, "broken", *[""] * len(_COLUMNS)]
    first = each.whole[0]
    head = [each.label, number, f"{first.neurons:,}", f"{first.plastic_connections:,}"]
    head.append(f"{first.summed('memory_bytes') / 1e9:.2f}")
    head.append(f"{statistics.fmean(point.spikes_per_s for point in each.whole):.1f}")
    if not each.timed:
        return [*head, "oversubscribed, not timed", *[""] * len(_COLUMNS)]
    values = [each.over_seeds(value).text(digits) for value, digits in _COLUMNS.values()]
    return [*head, *values, efficiencies[each.label].text(2)]


def _setting(groups: Sequence[Group]) -> str:
    whole = [point for each in groups for point in each.whole]
    if not whole:
        return ""
    point = whole[0]
    where = point.provenance
    parameters = ", ".join(f"{name} = {value}" for name, value in point.parameters.items() if name != "scale")
    allreduces = {(each.allreduces / each.intervals, each.message_bytes) for each in whole}
    said = ", ".join(f"{each:g} per normalization of {size:,} bytes" for each, size in sorted(allreduces))
    return (
        f"{point.intervals} intervals of {point.interval_ms:g} ms{'; ' + parameters if parameters else ''}. "
        f"Allreduces: {said}. {where['cpu']}; NEST {where['nest']}, {where['mpi'] or 'no MPI'}; distnorm "
        f"{where['distnorm']}, {'commit ' + where['commit'][:12] if where['commit'] else 'no commit known'}. "
        "± standard deviation over seeds; times are means over ranks."
    )


def _broken(groups: Sequence[Group]) -> list[str]:
    found = [f"- {each.name}: {each.error}" for split in groups for each in split.points if each.error is not None]
    return ["Broken:\n" + "\n".join(found)] if found else []


def _row(point: Point) -> dict[str, Any]:
    names = ("series", "job", "ranks", "threads", "seed", "scale", "error", "oversubscribed", "neurons", "targets")
    more = ("plastic_connections", "interval_ms", "intervals", "allreduces", "message_bytes")
    sums = {name: point.summed(name) for name in ("connections", "spikes", "memory_bytes")}
    row = {name: getattr(point, name) for name in (*names, *more)} | sums
    row["construction_s"] = point.construction_s if point.timed else ""
    for phase in PHASES:
        row[f"{phase}_s"] = point.total(phase) if point.timed else ""
    for timer in ("time_simulate", "time_communicate_prepare"):
        row[timer] = statistics.fmean(each.timers[timer] for each in point.per_rank) if point.timed else ""
    return row

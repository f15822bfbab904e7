"""A scaling series on one machine: its points one after the other, each in processes of its own.

The seeds go round the points, so that slow changes of the machine spread over all of them. This process imports no
NEST: one that has initialized MPI cannot start others.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ...errors import RuleError
from ...files.outputs import results_folder
from ...runs.job_file import read_job
from .. import processes
from ..processes import launcher
from . import provenance
from .points import UNFINISHED, Point, path_of, read, write
from .report import report


@dataclass(frozen=True, kw_only=True)
class Series:
    """What to run.

    Attributes:
        job: Job file.
        settings: Changes to it, as "key=value".
        series: "weak" or "strong".
        splits: Ranks and threads of each point.
        seeds: Number of seeds, from that of the job on.
        warm_up: Intervals before the measured ones.
        intervals: To measure.
        folder: For the files.
        mpiexec: Command that takes -n; None for the mpiexec of this Python.
        timeout_s: Seconds a point may take.
    """

    job: Path
    settings: Sequence[str]
    series: str
    splits: Sequence[tuple[int, int]]
    seeds: int
    warm_up: int
    intervals: int
    folder: Path
    mpiexec: str | None = None
    timeout_s: float = 3_600.0


def run(series: Series, tell: Callable[[str], None]) -> str:
    """Measure all points, and return the report of the folder.

    A point that breaks is kept with its error, and the next one follows.

    Args:
        series: What to run.
        tell: Takes a line after each point.

    Raises:
        RuleError: The job makes no sense, there is no mpiexec, or a point is in the folder already.
    """
    job = read_job(series.job, series.settings)
    launcher(max(ranks for ranks, _ in series.splits), series.mpiexec)  # whether there is one
    points = [
        _broken(series, ranks, threads, job.seed + i) for i in range(series.seeds) for ranks, threads in series.splits
    ]
    for path in (path_of(point, series.folder) for point in points):
        if path.exists():
            raise RuleError(f"point {path} exists already and is kept; give another folder, or move it away")
    results_folder(series.folder)
    for point in points:
        start = time.perf_counter()
        done = _measure(series, point)
        tell(f"{done.name}: {done.error or 'done'} ({time.perf_counter() - start:.0f} s)")
    return report(series.folder)


def _broken(series: Series, ranks: int, threads: int, seed: int) -> Point:
    """The point as it is where its processes leave nothing."""
    return Point(
        series=series.series,
        job=series.job.stem,
        ranks=ranks,
        threads=threads,
        seed=seed,
        scale=0.0,
        parameters={},
        provenance=provenance.of_machine(),
    )


def _measure(series: Series, point: Point) -> Point:
    command = launcher(point.ranks, series.mpiexec)
    command += [sys.executable, "-m", "distnorm", "bench", "point", str(series.job), *_arguments(series, point)]
    failed = processes.run(command, series.timeout_s).error
    path = path_of(point, series.folder)
    done = read(path) if path.exists() else None
    if done is None or done.error == UNFINISHED:
        done = replace(done or point, error=failed or UNFINISHED)
        write(done, series.folder)
    return done


def _arguments(series: Series, point: Point) -> Iterator[str]:
    numbers = {"threads": point.threads, "seed": point.seed, "warm-up": series.warm_up, "intervals": series.intervals}
    yield from (f"--{name}={value}" for name, value in numbers.items())
    yield from (f"--series={series.series}", f"--output={series.folder}")
    yield from (f"--set={each}" for each in series.settings)

"""A scaling series on one machine: its points one after the other, each in processes of its own.

The seeds go round the points, so that slow changes of the machine spread over all of them. This process imports no
NEST: one that has initialized MPI cannot start others.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from ...files.outputs import results_folder
from ...runs.job_file import read_job
from ...runs.options import count
from ..shared.arguments import add_command
from ..shared.processes import launcher, run_process, say
from . import provenance
from .point import add_series
from .points import UNFINISHED, Point, check_free, path_of, read, write
from .report import report


def add_to(commands: Any) -> None:
    """Add `bench scaling`."""
    parser = add_command(commands, "scaling", "a weak or strong series over ranks x threads on this machine", run)
    add_series(parser)
    about = "ranks x threads (default 1x1,1x2,2x1)"
    parser.add_argument("--points", type=_splits, default=((1, 1), (1, 2), (2, 1)), help=about)
    parser.add_argument("--seeds", type=count, default=3, help="seeds per point (default 3)")
    parser.add_argument("--mpiexec", metavar="COMMAND", help="what takes -n, as 'mpiexec --bind-to none'")
    parser.add_argument("--timeout", type=count, default=3_600, metavar="S", help="seconds per point (default 3600)")


def _splits(text: str) -> tuple[tuple[int, int], ...]:
    parts = [split.split("x") for split in text.split(",")]
    if not all(len(numbers) == 2 for numbers in parts):
        raise argparse.ArgumentTypeError(f"{text} is not a list of ranks x threads, as in 1x1,1x2,2x1")
    return tuple((count(ranks), count(threads)) for ranks, threads in parts)


def run(options: argparse.Namespace) -> None:
    """Measure all points, and print the report of the folder.

    A point that breaks is kept with its error, and the next one follows.

    Raises:
        RuleError: The job makes no sense, there is no mpiexec, or a point is in the folder already.
    """
    seed = read_job(options.job, options.set).seed
    launcher(max(ranks for ranks, _ in options.points), options.mpiexec)  # whether there is one
    points = [
        _unmeasured(options, ranks, threads, seed + turn)
        for turn in range(options.seeds)
        for ranks, threads in options.points
    ]
    for point in points:
        check_free(point, options.output)
    results_folder(options.output)
    for point in points:
        _measure(options, point)
    print(report([options.output]))


def _unmeasured(options: argparse.Namespace, ranks: int, threads: int, seed: int) -> Point:
    """The point as it is where its processes leave nothing."""
    return Point(
        series=options.series,
        job=options.job.stem,
        ranks=ranks,
        threads=threads,
        seed=seed,
        scale=0.0,
        parameters={},
        provenance=provenance.of_machine(),
    )


def _measure(options: argparse.Namespace, point: Point) -> None:
    command = launcher(point.ranks, options.mpiexec)
    command += [sys.executable, "-m", "distnorm", "bench", "point", str(options.job), *_arguments(options, point)]
    ended = run_process(command, options.timeout)
    path = path_of(point, options.output)
    done = read(path) if path.exists() else None
    if done is None or done.error == UNFINISHED:
        done = replace(done or point, error=ended.error or UNFINISHED)
        write(done, options.output)
    say(f"{done.name}: {done.error or 'done'} ({ended.seconds:.0f} s)")


def _arguments(options: argparse.Namespace, point: Point) -> Iterator[str]:
    yield from (f"--threads={point.threads}", f"--seed={point.seed}")
    yield from (f"--warm-up={options.warm_up}", f"--intervals={options.intervals}")
    yield from (f"--series={options.series}", f"--output={options.output}")
    yield from (f"--set={setting}" for setting in options.set)

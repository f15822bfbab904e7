"""The benchmarks of scaling on the command line. NEST is imported late."""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..errors import RuleError
from ..runs.options import add_set, count, path
from . import everything
from .compare import compare
from .scaling import predict
from .scaling import report as points

_SIZES = (10_000_000, 20_000_000, 50_000_000, 100_000_000)


def add_to(which: Any) -> None:
    """Add the benchmarks to the subparsers of `distnorm bench`."""
    overhead = which.add_parser("overhead", help="share of wall time, and observed against plain; run it under mpiexec")
    overhead.add_argument("job", type=path, help="job file, such as jobs/balanced_stdp.toml")
    overhead.add_argument("--pairs", type=count, default=7, help="plain and observed stretches (default 7)")
    add_set(overhead)
    overhead.set_defaults(run=_overhead)
    duration = which.add_parser("duration", help="what a normalization costs after more and more simulated time")
    duration.add_argument("job", type=path, help="job file, such as jobs/balanced_stdp.toml")
    duration.add_argument("--seconds", type=_positive, default=60.0, metavar="S", help="biological time (default 60)")
    duration.add_argument("--stretches", type=count, default=10, help="lines of the table (default 10)")
    add_set(duration)
    duration.set_defaults(run=_duration)
    exact = which.add_parser("exact", help="models that hold norms against their parents, with the same spikes")
    exact.add_argument("job", type=path, help="job file, such as jobs/balanced_stdp.toml")
    exact.add_argument("--models", nargs="+", default=["stdp_synapse", "stdp_synapse_hom_hpc"], metavar="MODEL")
    exact.add_argument("--pairs", type=count, default=7, help="stretches of each model and its twin (default 7)")
    exact.add_argument("--stretch", type=count, default=500, metavar="MS", help="ms of a stretch (default 500)")
    add_set(exact)
    exact.set_defaults(run=_exact)

    convergence = which.add_parser("convergence", help="how near runs come to an exact one, by the bound of the drift")
    convergence.add_argument("job", type=path, help="job file, such as jobs/balanced_stdp.toml")
    convergence.add_argument("--seeds", type=count, default=3, help="networks (default 3)")
    convergence.add_argument("-o", "--output", type=path, required=True, metavar="FOLDER", help="where to")
    add_set(convergence)
    convergence.set_defaults(run=_convergence)
    scaling = which.add_parser("scaling", help="a weak or strong series over ranks x threads on this machine")
    scaling.add_argument("job", type=path, help="job file whose model has a parameter scale")
    _add_series(scaling)
    scaling.add_argument(
        "--points", type=_splits, default=((1, 1), (1, 2), (2, 1)), help="ranks x threads (default 1x1,1x2,2x1)"
    )
    scaling.add_argument("--seeds", type=count, default=3, help="seeds per point (default 3)")
    scaling.add_argument("--mpiexec", metavar="COMMAND", help="what takes -n, as 'mpiexec --bind-to none'")
    scaling.add_argument("--timeout", type=count, default=3_600, metavar="S", help="seconds per point (default 3600)")
    scaling.set_defaults(run=_scaling)
    point = which.add_parser("point", help="one point of a series, on the ranks this is started on by mpiexec or srun")
    point.add_argument("job", type=path, help="job file whose model has a parameter scale")
    _add_series(point)
    point.add_argument("--threads", type=count, default=1, help="of each rank (default 1)")
    point.add_argument("--seed", type=count, default=1, help="of NEST (default 1)")
    point.set_defaults(run=_point)
    _add_comparisons(which)


def _add_comparisons(which: Any) -> None:
    sizes = which.add_parser("sizes", help="nanoseconds per connection over sizes of network; run it under mpiexec")
    sizes.add_argument(
        "--connections", type=_counts, default=_SIZES, help="of each size, in all (default 1e7,2e7,5e7,1e8: 12 GB)"
    )
    sizes.add_argument("--indegree", type=count, default=1_000, help="connections per neuron (default 1000)")
    sizes.add_argument("--synapse-model", default="stdp_synapse", help="default stdp_synapse")
    sizes.add_argument("--threads", type=count, default=1, help="of each rank (default 1)")
    sizes.add_argument("--repetitions", type=count, default=10, help="of each pass, twice (default 10)")
    sizes.add_argument("-o", "--output", metavar="FOLDER", type=path, help="also write sizes.md and sizes.csv there")
    sizes.set_defaults(run=_sizes)
    compare = which.add_parser("compare", help="the documented recipe, PyNEST, and Brian2, beside distnorm")
    compare.add_argument("--connections", type=count, default=1_000_000, help="plastic ones (default 1000000)")
    compare.add_argument("--job", type=path, default=Path("jobs/balanced_stdp.toml"), help="where the network is")
    compare.add_argument("--ranks", type=count, default=2, help="of NEST (default 2)")
    compare.add_argument("--threads", type=count, default=1, help="of each rank (default 1)")
    compare.add_argument("--simulate", type=count, default=1_000, metavar="MS", help="biological time (default 1000)")
    compare.add_argument("--neurons", type=count, default=200, help="that the recipe normalizes (default 200)")
    compare.add_argument("-o", "--output", metavar="FOLDER", type=path, help="also write compare.md there")
    compare.set_defaults(run=_compare)
    predict = which.add_parser("predict", help="a cost model fitted on points, and the share on larger machines")
    predict.add_argument("folder", type=path, help="of bench scaling, with weak and strong series")
    predict.add_argument("--latency", type=_positive, default=2.0, metavar="US", help="of the interconnect (default 2)")
    predict.add_argument(
        "--bandwidth", type=_positive, default=140.0, metavar="GB/S", help="of a rank's memory (default 140)"
    )
    predict.add_argument("--interval", type=_positive, default=100.0, metavar="MS", help="default 100")
    predict.set_defaults(run=_predict)
    everything = which.add_parser("all", help="every table and figure of README and docs, made anew")
    everything.add_argument("-o", "--output", metavar="FOLDER", type=path, help="for all of it")
    everything.add_argument("--only", nargs="+", default=[], metavar="STEP", help="these steps (default: all)")
    everything.add_argument("--list", action="store_true", help="say what there is to make and how long it takes")
    everything.set_defaults(run=_all)


def report(paths: Sequence[Path], output: Path | None) -> str:
    """The report of one folder of points.

    Raises:
        RuleError: There are several paths, or no points in the folder.
    """
    if len(paths) > 1:
        raise RuleError(f"{', '.join(map(str, paths))}: give one folder of points, or run logs, not both")
    return points.report(paths[0], output)


def _add_series(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--series", choices=("weak", "strong"), required=True)
    parser.add_argument("--warm-up", type=count, default=1, metavar="N", help="intervals not recorded (default 1)")
    parser.add_argument("--intervals", type=count, default=5, metavar="N", help="intervals to measure (default 5)")
    parser.add_argument("-o", "--output", metavar="FOLDER", type=path, required=True, help="for the points")
    add_set(parser)


def _splits(text: str) -> tuple[tuple[int, int], ...]:
    parts = [each.split("x") for each in text.split(",")]
    if not all(len(each) == 2 for each in parts):
        raise argparse.ArgumentTypeError(f"{text} is not a list of ranks x threads, as in 1x1,1x2,2x1")
    return tuple((count(ranks), count(threads)) for ranks, threads in parts)


def _counts(text: str) -> tuple[int, ...]:
    return tuple(count(each) for each in text.split(","))


def _positive(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"{text} is not a positive number")
    return value


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _exact(options: argparse.Namespace) -> None:
    from . import exact

    print(exact.run(options.job, options.set, options.models, options.pairs, float(options.stretch)), end="")


def _convergence(options: argparse.Namespace) -> None:
    from .intervals import convergence

    print(convergence.run(options.job, options.set, options.seeds, options.output), end="")


def _overhead(options: argparse.Namespace) -> None:
    from . import overhead

    print(overhead.run(options.job, options.set, options.pairs), end="")


def _duration(options: argparse.Namespace) -> None:
    from . import duration

    print(duration.run(options.job, options.set, options.seconds, options.stretches), end="")


def _scaling(options: argparse.Namespace) -> None:
    from .scaling import scaling

    series = scaling.Series(
        job=options.job,
        settings=options.set,
        series=options.series,
        splits=options.points,
        seeds=options.seeds,
        warm_up=options.warm_up,
        intervals=options.intervals,
        folder=options.output,
        mpiexec=options.mpiexec,
        timeout_s=options.timeout,
    )
    print(scaling.run(series, _tell))


def _point(options: argparse.Namespace) -> None:
    from .scaling import point

    plan = point.Plan(
        job=options.job,
        settings=options.set,
        series=options.series,
        threads=options.threads,
        seed=options.seed,
        warm_up=options.warm_up,
        intervals=options.intervals,
        folder=options.output,
    )
    print(point.run(plan), end="")


def _sizes(options: argparse.Namespace) -> None:
    from . import sizes

    settings = (options.indegree, options.synapse_model, options.threads, options.repetitions)
    print(sizes.run(options.connections, *settings, options.output), end="")


def _compare(options: argparse.Namespace) -> None:
    comparison = compare.Comparison(
        job=options.job,
        connections=options.connections,
        ranks=options.ranks,
        threads=options.threads,
        simulate_ms=float(options.simulate),
        neurons=options.neurons,
    )
    print(compare.run(comparison, options.output))


def _predict(options: argparse.Namespace) -> None:
    machine = predict.Machine(
        latency_us=options.latency, bandwidth_GB_s=options.bandwidth, interval_ms=options.interval
    )
    print(predict.run(options.folder, machine))


def _all(options: argparse.Namespace) -> None:
    steps = everything.choose(options.only)
    if options.list:
        print(everything.listed(steps))
    elif options.output is None:
        raise RuleError("bench all needs a folder for what it makes: -o FOLDER")
    else:
        everything.make(steps, options.output, _tell)

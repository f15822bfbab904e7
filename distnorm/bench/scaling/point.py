"""One point of a scaling series, on the ranks that this was started on.

place    a file that says the point did not finish     rank 0; a kill leaves it
build    the network, sized for the series             timed
warm up  intervals that are not recorded
measure  intervals, each phase on each rank, and NEST's own timers in between
merge    one file                                      rank 0
"""

from __future__ import annotations

import argparse
import inspect
import resource
from dataclasses import replace
from typing import Any

import numpy as np

from ...errors import RuleError
from ...intervals.controller import FixedInterval
from ...mpi.ranks import Ranks, world
from ...normalizer.measurement import PHASES
from ...runs.job_file import Job, read_job
from ...runs.model_file import load_build
from ...runs.options import count, path
from ..shared.arguments import add_command, add_job
from ..shared.networks import JobNetwork, network_of
from ..shared.timing import seconds_of
from . import provenance
from .points import Point, RankRecord, check_free, path_of, write


def add_to(commands: Any) -> None:
    """Add `bench point`."""
    parser = add_command(
        commands, "point", "one point of a series, on the ranks this is started on by mpiexec or srun", run
    )
    add_series(parser)
    parser.add_argument("--threads", type=count, default=1, help="of each rank (default 1)")
    parser.add_argument("--seed", type=count, default=1, help="of NEST (default 1)")


def add_series(parser: argparse.ArgumentParser) -> None:
    """Add what all points of a series have in common."""
    add_job(parser, "job file whose model has a parameter scale")
    about = "weak: the job's scale times ranks times threads; strong: the job's scale"
    parser.add_argument("--series", choices=("weak", "strong"), required=True, help=about)
    parser.add_argument("--warm-up", type=count, default=1, metavar="N", help="intervals not recorded (default 1)")
    parser.add_argument("--intervals", type=count, default=5, metavar="N", help="intervals to measure (default 5)")
    parser.add_argument("-o", "--output", metavar="FOLDER", type=path, required=True, help="for the points")


def run(options: argparse.Namespace) -> None:
    """Measure and write the point; rank 0 prints where it is. Collective.

    Raises:
        DistnormError: It could not be measured; the file says why.
    """
    job = replace(read_job(options.job, options.set), seed=options.seed, threads=options.threads)
    if not isinstance(job.interval, FixedInterval):
        raise RuleError(
            f"{options.job}: a scaling series needs interval.kind fixed, so that all points normalize alike"
        )
    import nest

    ranks, folder = world(nest.build_info["have_mpi"]), options.output
    virtual_processes = ranks.size * options.threads
    scale = ranks.together(lambda: _scale(job)) * (virtual_processes if options.series == "weak" else 1)
    job = replace(job, parameters=job.parameters | {"scale": scale})
    point = Point(
        series=options.series,
        job=options.job.stem,
        ranks=ranks.size,
        threads=options.threads,
        seed=options.seed,
        scale=scale,
        parameters=job.parameters,
        provenance=provenance.of_machine() | provenance.of_nest(nest),
    )
    ranks.from_first(lambda: check_free(point, folder))
    ranks.from_first(lambda: write(point, folder))
    try:
        done = _measured(nest, point, job, options, ranks)
    except Exception as error:
        if ranks.rank == 0:
            write(replace(point, error=f"{type(error).__name__}: {error}"), folder)
        raise
    ranks.from_first(lambda: write(done, folder))
    if ranks.rank == 0:
        print(path_of(point, folder))


def _scale(job: Job) -> float:
    parameters = inspect.signature(load_build(job.model)).parameters
    if "scale" not in parameters:
        raise RuleError(f"build(...) of {job.model} has no parameter scale; a scaling series sizes the network by it")
    return float(job.parameters.get("scale", parameters["scale"].default))


def _measured(nest: Any, point: Point, job: Job, options: argparse.Namespace, ranks: Ranks) -> Point:
    from ...normalizer.normalizer import Normalizer

    networks: list[JobNetwork] = []
    construction_s = seconds_of(lambda: networks.append(network_of(job)))
    normalizer = Normalizer(networks[0].rules, interval=job.interval)
    _simulate(nest, normalizer, options.warm_up)
    first = len(normalizer.log)
    agreed, sent = ranks.allreduces, ranks.allreduced_bytes
    timers, spikes = _simulate(nest, normalizer, options.intervals)
    agreed, sent = ranks.allreduces - agreed, ranks.allreduced_bytes - sent
    measurements = normalizer.log[first:]
    record = RankRecord(
        construction_s=construction_s,
        seconds={phase: [measurement.seconds[phase] for measurement in measurements] for phase in PHASES},
        waited_s=[measurement.waited_s for measurement in measurements],
        timers=timers,
        memory_bytes=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        connections=int(nest.num_connections),
        spikes=spikes,
        cores=provenance.cores(),
    )
    drifts = measurements[-1].drifts
    models = [name for rule in normalizer.rules for name in rule.synapse_models]
    point = replace(
        point,
        neurons=len(nest.GetNodes({"element_type": "neuron"})),
        targets=sum(drift.targets for drift in drifts),
        plastic_connections=sum(drift.connections for drift in drifts),
        plastic_bytes=max(int(nest.GetDefaults(name)["sizeof"]) for name in models),
        interval_ms=float(np.mean([measurement.elapsed_ms for measurement in measurements])),
        intervals=len(measurements),
        allreduces=agreed,
        message_bytes=sent // agreed,
    )
    return _merged(point, record, ranks)


def _merged(point: Point, record: RankRecord, ranks: Ranks) -> Point:
    """The point with what all ranks recorded, on rank 0; without times where there were too few cores."""
    crowded = provenance.crowded(ranks, point.threads)
    if crowded:
        record = replace(record, construction_s=None, seconds={}, waited_s=[], timers={})
    records, machines = ranks.gather(record), ranks.gather(provenance.machine_id())
    if records is None or machines is None:
        return point
    where = point.provenance | {"machines": len(set(machines))}
    return replace(point, error=None, oversubscribed=crowded, provenance=where, per_rank=records)


def _simulate(nest: Any, normalizer: Any, intervals: int) -> tuple[dict[str, float], int]:
    """Simulate so many intervals; NEST's own timers, which start anew with each Simulate, and spikes. Collective."""
    timers: dict[str, float] = {}
    spikes = 0
    for _ in range(intervals):
        normalizer.simulate(normalizer.next_interval)
        status: dict[str, Any] = nest.GetKernelStatus()
        spikes += int(status["local_spike_counter"])
        for name, value in status.items():
            if name.startswith("time_") and not name.startswith("time_construction") and not name.endswith("_cpu"):
                timers[name] = timers.get(name, 0.0) + float(np.mean(value))
    return timers, spikes

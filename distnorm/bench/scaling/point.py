"""One point of a scaling series, on the ranks that this was started on.

place    a file that says the point did not finish     rank 0; a kill leaves it
build    the network, sized for the series             timed
warm up  intervals that are not recorded
measure  intervals, each phase on each rank, and NEST's own timers in between
merge    one file                                      rank 0
"""

from __future__ import annotations

import inspect
import resource
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import nest
import numpy as np

from ...errors import RuleError
from ...intervals.controller import FixedInterval
from ...mpi.ranks import Ranks, world
from ...normalizer.normalizer import Normalizer
from ...runs.job_file import Job, read_job
from ...runs.model_file import load_build
from ...runs.run import build_network
from . import provenance
from .points import PHASES, Point, RankRecord, path_of, write


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What to measure.

    Attributes:
        job: Job file.
        settings: Changes to it, as "key=value".
        series: "weak": `scale` of the job times ranks times threads; "strong": `scale` as it is.
        threads: Of each rank.
        seed: Of NEST.
        warm_up: Intervals before the measured ones.
        intervals: To measure.
        folder: For the file.
    """

    job: Path
    settings: list[str]
    series: str
    threads: int
    seed: int
    warm_up: int
    intervals: int
    folder: Path


def run(plan: Plan) -> str:
    """Measure and write the point; the path on rank 0, nothing on the others. Collective.

    Raises:
        DistnormError: It could not be measured; the file says why.
    """
    job = replace(read_job(plan.job, plan.settings), seed=plan.seed, threads=plan.threads)
    if not isinstance(job.interval, FixedInterval):
        raise RuleError(f"{plan.job}: a scaling series needs interval.kind fixed, so that all points normalize alike")
    ranks = world(nest.build_info["have_mpi"])
    scale = ranks.together(lambda: _scale(job)) * (ranks.size * plan.threads if plan.series == "weak" else 1)
    job = replace(job, parameters=job.parameters | {"scale": scale})
    point = Point(
        series=plan.series,
        job=plan.job.stem,
        ranks=ranks.size,
        threads=plan.threads,
        seed=plan.seed,
        scale=scale,
        parameters=job.parameters,
        provenance=provenance.of_machine() | provenance.of_nest(nest),
    )
    ranks.together(lambda: _place(point, plan.folder) if ranks.rank == 0 else None)
    try:
        point = _measured(point, job, plan, ranks)
    except Exception as error:
        if ranks.rank == 0:
            write(replace(point, error=f"{type(error).__name__}: {error}"), plan.folder)
        raise
    ranks.together(lambda: write(point, plan.folder) if ranks.rank == 0 else None)
    return f"{path_of(point, plan.folder)}\n" if ranks.rank == 0 else ""


def _scale(job: Job) -> float:
    parameters = inspect.signature(load_build(job.model)).parameters
    if "scale" not in parameters:
        raise RuleError(f"build(...) of {job.model} has no parameter scale; a scaling series sizes the network by it")
    return float(job.parameters.get("scale", parameters["scale"].default))


def _place(point: Point, folder: Path) -> None:
    path = path_of(point, folder)
    if path.exists():
        raise RuleError(f"point {path} exists already and is kept; give another folder, or move it away")
    write(point, folder)


def _measured(point: Point, job: Job, plan: Plan, ranks: Ranks) -> Point:
    start = time.perf_counter()
    network = build_network(job, ranks)
    built = time.perf_counter() - start
    normalizer = Normalizer(job.rules_of(network), interval=job.interval)
    _intervals(normalizer, plan.warm_up)
    first = len(normalizer.log)
    agreed, sent = ranks.allreduces, ranks.allreduced_bytes
    timers, spikes = _intervals(normalizer, plan.intervals)
    agreed, sent = ranks.allreduces - agreed, ranks.allreduced_bytes - sent
    measurements = normalizer.log[first:]
    record = RankRecord(
        construction_s=built,
        seconds={phase: [each.seconds[phase] for each in measurements] for phase in PHASES},
        timers=timers,
        memory_bytes=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        connections=int(nest.num_connections),
        spikes=spikes,
        cores=provenance.cores(),
    )
    point = replace(
        point,
        neurons=len(nest.GetNodes({"element_type": "neuron"})),
        targets=sum(each.targets for each in measurements[-1].drifts),
        plastic_connections=sum(each.connections for each in measurements[-1].drifts),
        plastic_bytes=max(int(nest.GetDefaults(n)["sizeof"]) for r in normalizer.rules for n in r.synapse_models),
        interval_ms=float(np.mean([each.elapsed_ms for each in measurements])),
        intervals=len(measurements),
        allreduces=agreed,
        message_bytes=sent // agreed,
    )
    return _merged(point, record, ranks)


def _merged(point: Point, record: RankRecord, ranks: Ranks) -> Point:
    """The point with what all ranks recorded, on rank 0."""
    crowded = provenance.crowded(ranks, point.threads)
    records, machines = ranks.gather(record), ranks.gather(provenance.machine_id())
    if records is None or machines is None:
        return point
    return replace(
        point,
        error=None,
        oversubscribed=crowded,
        provenance=point.provenance | {"machines": len(set(machines))},
        per_rank=[_untimed(each) for each in records] if crowded else records,
    )


def _untimed(record: RankRecord) -> RankRecord:
    return replace(record, construction_s=None, seconds={}, timers={})


def _intervals(normalizer: Normalizer, number: int) -> tuple[dict[str, float], int]:
    """Simulate so many intervals; NEST's own timers, which start anew with each Simulate, and spikes. Collective."""
    timers: dict[str, float] = {}
    spikes = 0
    for _ in range(number):
        normalizer.simulate(normalizer.next_interval)
        status: dict[str, Any] = nest.GetKernelStatus()
        spikes += int(status["local_spike_counter"])
        for name, value in status.items():
            if name.startswith("time_") and not name.startswith("time_construction") and not name.endswith("_cpu"):
                timers[name] = timers.get(name, 0.0) + float(np.mean(value))
    return timers, spikes

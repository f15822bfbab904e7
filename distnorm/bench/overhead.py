"""What normalization adds to a simulation: its share of wall time, and observed against plain.

Stretches of plain `nest.Simulate` and of an observing Normalizer alternate on one network in one run, so that slow
changes of the machine hit both alike. Before each stretch the weights are normalized outside the clocks, which keeps
the network in its regime.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import nest
import numpy as np

from ..mpi.ranks import world
from ..normalizer.measurement import Measurement
from ..normalizer.normalizer import Normalizer
from ..runs.job_file import read_job
from ..runs.run import build_network

_INTERVALS_PER_STRETCH = 5
_WARM_UP_MS = 500.0
_OWN = ("measure", "agree", "rescale")


def run(job_file: str, settings: list[str], pairs: int) -> str:
    """Measure on all ranks; the report on rank 0, nothing on the others. Collective.

    Args:
        job_file: Job with a fixed interval, whose model returns `recorded` and `spikes` as jobs/balanced_stdp.py does.
        settings: Changes to the job, as "key=value".
        pairs: Number of plain and of observed stretches.

    Raises:
        DistnormError: The job or a setting makes no sense.
    """
    job = read_job(Path(job_file), settings)
    ranks = world(nest.build_info["have_mpi"])
    network = build_network(job, ranks)
    rules = job.rules_of(network)
    keep = Normalizer(rules, interval=job.interval)
    watch = Normalizer(rules, interval=job.interval, observe=True)
    interval_ms = keep.next_interval
    threads = job.num_threads(ranks.size)
    keep.simulate(_WARM_UP_MS)
    watch.normalize()

    stretch_ms = _INTERVALS_PER_STRETCH * interval_ms
    ratios = []
    for _ in range(pairs):
        keep.normalize()
        plain = _seconds(nest.Simulate, stretch_ms)
        keep.normalize()
        ratios.append(_seconds(watch.simulate, stretch_ms) / plain)

    keep.normalize()
    done, events = len(keep.log), network.spikes.n_events
    keep.simulate(pairs * stretch_ms)
    spikes = ranks.gather(network.spikes.n_events - events)
    all_logs = ranks.gather([each.seconds for each in keep.log[done:]])
    if spikes is None or all_logs is None:
        return ""
    rate = sum(spikes) / len(network.recorded) / (pairs * stretch_ms) * 1e3
    return _report(keep.log[done:], all_logs, ratios, rate, ranks.size, threads, interval_ms)


def _seconds(action: Callable[[float], object], argument: float) -> float:
    start = time.perf_counter()
    action(argument)
    return time.perf_counter() - start


def _report(
    log: list[Measurement],
    seconds_by_rank: list[list[dict[str, float]]],
    ratios: list[float],
    rate: float,
    ranks: int,
    threads: int,
    interval_ms: float,
) -> str:
    totals = {name: [sum(s[name] for s in rank) for rank in seconds_by_rank] for name in ("simulate", *_OWN)}
    wall = [sum(totals[name][i] for name in totals) for i in range(ranks)]
    shares = [sum(totals[name][i] for name in _OWN) / wall[i] for i in range(ranks)]
    drifts = [each.drift_max for each in log]
    lines = [
        f"{log[-1].drifts[0].connections:,} plastic connections, {rate:.1f} spikes/s, {ranks} ranks x {threads} "
        f"threads, interval {interval_ms:g} ms, {len(log)} normalizations, largest drift {min(drifts):.2%} "
        f"to {max(drifts):.2%}",
        "",
        "| phase | ms per normalization, mean over ranks | share of wall time |",
        "|---|---:|---:|",
    ]
    for name, values in totals.items():
        lines.append(f"| {name} | {np.mean(values) / len(log) * 1e3:.2f} | {np.mean(values) / np.mean(wall):.2%} |")
    lines += [
        "",
        f"(measure + agree + rescale) / wall: {max(shares):.2%} on the rank where it is largest",
        f"observed / plain, {len(ratios)} interleaved pairs: median {np.median(ratios):.3f}, "
        f"range {min(ratios):.3f} to {max(ratios):.3f}",
    ]
    return "\n".join(lines) + "\n"

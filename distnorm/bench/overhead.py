"""What normalization adds to a simulation: its share of wall time, and observed against plain.

Stretches of plain `nest.Simulate` and of an observing Normalizer alternate on one network in one run, so that slow
changes of the machine hit both alike. Before each stretch the weights are normalized outside the clocks, which keeps
the network in its regime.
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np

from ..normalizer.measurement import PHASES
from ..runs.job_file import read_job
from ..runs.options import count
from .shared.arguments import add_command, add_job
from .shared.networks import network_of
from .shared.tables import table
from .shared.timing import seconds_of

_INTERVALS_PER_STRETCH = 5
_WARM_UP_MS = 500.0
_COLUMNS = ("phase", "ms per normalization, mean over ranks", "share of wall time")


def add_to(commands: Any) -> None:
    """Add `bench overhead`."""
    about = "share of wall time, and observed against plain; run it under mpiexec"
    parser = add_command(commands, "overhead", about, run)
    add_job(parser)
    parser.add_argument("--pairs", type=count, default=7, help="plain and observed stretches (default 7)")


def run(options: argparse.Namespace) -> None:
    """Measure on all ranks; rank 0 prints. Collective.

    The job has a fixed interval; its model returns `recorded` and `spikes` as jobs/balanced_stdp.py does.

    Raises:
        DistnormError: The job or a setting makes no sense.
    """
    job = read_job(options.job, options.set)
    import nest

    from ..normalizer.normalizer import Normalizer

    network = network_of(job)
    ranks, spikes = network.ranks, network.made.spikes
    keep = Normalizer(network.rules, interval=job.interval)
    watch = Normalizer(network.rules, interval=job.interval, observe=True)
    interval_ms = keep.next_interval
    stretch_ms = _INTERVALS_PER_STRETCH * interval_ms
    keep.simulate(_WARM_UP_MS)
    watch.normalize()

    def observed_to_plain() -> float:
        keep.normalize()
        plain_s = seconds_of(lambda: nest.Simulate(stretch_ms))
        keep.normalize()
        return seconds_of(lambda: watch.simulate(stretch_ms)) / plain_s

    ratios = [observed_to_plain() for _ in range(options.pairs)]
    keep.normalize()
    done, events = len(keep.log), spikes.n_events
    keep.simulate(options.pairs * stretch_ms)
    log = keep.log[done:]
    all_events = ranks.gather(spikes.n_events - events)
    # Of all ranks and phases, shape (ranks, phases).
    seconds = ranks.gather([sum(measurement.seconds[phase] for measurement in log) for phase in PHASES])
    if all_events is None or seconds is None:
        return
    rate = sum(all_events) / len(network.made.recorded) / (options.pairs * stretch_ms) * 1e3
    drifts = [measurement.drift_max for measurement in log]
    print(
        f"{log[-1].drifts[0].connections:,} plastic connections, {rate:.1f} spikes/s, {network.split}, interval "
        f"{interval_ms:g} ms, {len(log)} normalizations, largest drift {min(drifts):.2%} to {max(drifts):.2%}\n"
    )
    print(_report(np.array(seconds), len(log), ratios))


def _report(seconds: Any, normalizations: int, ratios: list[float]) -> str:
    wall = seconds.sum(axis=1)
    own = seconds[:, 1:].sum(axis=1) / wall  # all but simulating
    lines = [
        (phase, f"{mean / normalizations * 1e3:.2f}", f"{mean / wall.mean():.2%}")
        for phase, mean in zip(PHASES, seconds.mean(axis=0), strict=True)
    ]
    return (
        f"{table(_COLUMNS, lines)}\n\n"
        f"(measure + agree + rescale) / wall: {own.max():.2%} on the rank where it is largest\n"
        f"observed / plain, {len(ratios)} interleaved pairs: median {np.median(ratios):.3f}, "
        f"range {min(ratios):.3f} to {max(ratios):.3f}"
    )

"""What a normalization costs after more and more simulated time: it should cost the same.

NEST 3.10 appends to `spike_buffer_resize_log` while it simulates, and copies all of it with each kernel status. How
long that takes is printed beside: a normalization that reads a status would have to pay it.
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np

from ..normalizer.measurement import PHASES
from ..runs.job_file import read_job
from ..runs.options import count
from .shared.arguments import add_command, add_job, positive
from .shared.networks import network_of
from .shared.tables import table
from .shared.timing import seconds_of

_OWN = PHASES[1:]  # all but simulating
_PHASES = tuple(f"{phase} (ms)" for phase in _OWN)
_COLUMNS = ("simulated (s)", "measurements", "each (ms)", *_PHASES, "kernel status (ms)")


def add_to(commands: Any) -> None:
    """Add `bench duration`."""
    parser = add_command(commands, "duration", "what a normalization costs after more and more simulated time", run)
    add_job(parser)
    parser.add_argument("--seconds", type=positive, default=60.0, metavar="S", help="biological time (default 60)")
    parser.add_argument("--stretches", type=count, default=10, help="lines of the table (default 10)")


def run(options: argparse.Namespace) -> None:
    """Measure on all ranks; rank 0 prints. Collective.

    Raises:
        DistnormError: The job or a setting makes no sense.
    """
    job = read_job(options.job, options.set)
    import nest

    from ..normalizer.normalizer import Normalizer

    network = network_of(job)
    normalizer = Normalizer(network.rules, interval=job.interval)
    costs, lines = [], []
    for _ in range(options.stretches):
        done = len(normalizer.log)
        normalizer.simulate(options.seconds * 1e3 / options.stretches)
        log = normalizer.log[done:]
        seconds = network.ranks.gather([[measurement.seconds[phase] for phase in _OWN] for measurement in log])
        status_ms = 1e3 * seconds_of(lambda: nest.kernel_status)
        if seconds is None:
            continue
        slowest_ms = 1e3 * np.array(seconds).max(axis=0)  # shape (measurements, phases)
        costs.append(float(np.median(slowest_ms.sum(axis=1))))
        cells = [costs[-1], *np.median(slowest_ms, axis=0), status_ms]
        lines.append([f"{log[-1].time_ms / 1e3:g}", f"{len(log)}", *(f"{cell:.3f}" for cell in cells)])
    if lines:
        connections = f"{normalizer.log[-1].drifts[0].connections:,} plastic connections"
        print(f"{connections}, {network.split}; medians of the slowest rank\n\n{table(_COLUMNS, lines)}\n")
        print(f"dearest stretch / cheapest: {max(costs) / min(costs):.3f}")

"""What a normalization costs after more and more simulated time: it should cost the same.

NEST 3.10 appends to `spike_buffer_resize_log` while it simulates, and copies all of it with each kernel status. How
long that takes is printed beside: a normalization that reads a status would have to pay it.
"""

from __future__ import annotations

import time
from pathlib import Path

import nest
import numpy as np

from ..mpi.ranks import world
from ..normalizer.normalizer import Normalizer
from ..runs.job_file import read_job
from ..runs.run import build_network
from .tables import table

_OWN = ("measure", "agree", "rescale")


def run(job_file: str, settings: list[str], seconds: float, stretches: int) -> str:
    """Measure on all ranks; the report on rank 0, nothing on the others. Collective.

    Args:
        job_file: Job whose model returns a network.
        settings: Changes to the job, as "key=value".
        seconds: Simulated time in all.
        stretches: Parts of it, each a line of the table.

    Raises:
        DistnormError: The job or a setting makes no sense.
    """
    job = read_job(Path(job_file), settings)
    ranks = world(nest.build_info["have_mpi"])
    normalizer = Normalizer(job.rules_of(build_network(job, ranks)), interval=job.interval)
    stretch_ms = seconds * 1e3 / stretches
    costs, lines = [], []
    for _ in range(stretches):
        done = len(normalizer.log)
        normalizer.simulate(stretch_ms)
        mine = [[each.seconds[name] for name in _OWN] for each in normalizer.log[done:]]
        everyone = ranks.gather(mine)
        status_ms = _ms_of_a_kernel_status()
        if everyone is None:
            continue
        slowest = 1e3 * np.array(everyone).max(axis=0)
        costs.append(float(np.median(slowest.sum(axis=1))))
        cells = [costs[-1], *np.median(slowest, axis=0), status_ms]
        lines.append([f"{normalizer.log[-1].time_ms / 1e3:g}", f"{len(mine)}", *(f"{each:.3f}" for each in cells)])
    if not lines:
        return ""
    columns = ("simulated (s)", "measurements", "each (ms)", *(f"{each} (ms)" for each in _OWN), "kernel status (ms)")
    connections = normalizer.log[-1].drifts[0].connections
    return (
        f"{connections:,} plastic connections, {ranks.size} ranks x {job.num_threads(ranks.size)} threads; medians of "
        f"the slowest rank\n\n{table(columns, lines)}\n\ndearest stretch / cheapest: {max(costs) / min(costs):.3f}\n"
    )


def _ms_of_a_kernel_status() -> float:
    start = time.perf_counter()
    assert nest.kernel_status
    return (time.perf_counter() - start) * 1e3

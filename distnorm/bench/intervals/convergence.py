"""How near a run comes to one whose norms hold in every time slice, by the bound of its drift.

All runs of a seed begin with the same network and the same noise. A network of spiking neurons is chaotic, so any two
runs part in the end; how far apart they can get is told by a second exact run of the same network with other noise.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import nest
import numpy as np

from ...errors import RuleError
from ...files.outputs import results_folder
from ...intervals.adaptive import AdaptiveInterval
from ...intervals.exact import ExactInterval
from ...mpi.ranks import Ranks, world
from ...normalizer.normalizer import Normalizer
from ...norms.sums import FloatArray
from ...runs.job_file import Job, read_job
from ...runs.run import build_network
from ...synapses.connection_rows import ROW, Connections
from ..tables import table, write_csv, write_text
from .courses import BY_BOUND, NOISE, WAYS, Course, distances_of, exact_run

_TIMES_MS = (50.0, 100.0, 200.0, 500.0, 1000.0)  # and from there on every second


def run(job_file: str, settings: list[str], seeds: int, folder: Path) -> str:
    """Run every way with every seed; write convergence.md, .csv, .png and .pdf on rank 0. Collective.

    Args:
        job_file: Job whose model takes `synapse_model`, and returns `spikes` and `recorded`, as jobs/balanced_stdp.py.
        settings: Changes to the job, as "key=value".
        seeds: Number of networks.
        folder: Where to.

    Returns:
        The table on rank 0, nothing on the others.

    Raises:
        DistnormError: The job or a setting makes no sense, or something cannot be written.
    """
    job = read_job(Path(job_file), settings)
    ranks = world(nest.build_info["have_mpi"])
    ranks.from_first(lambda: results_folder(folder))
    # Seeds on the outside: slow changes of the machine spread over all ways.
    courses = [_course(job, way, job.seed + i, ranks) for i in range(seeds) for way in WAYS]
    text = ranks.from_first(lambda: _write(job, courses, folder))
    return text if ranks.rank == 0 else ""


def _course(job: Job, way: str, seed: int, ranks: Ranks) -> Course:
    exact = way not in BY_BOUND
    parameters = dict(job.parameters)
    if exact:
        parameters["synapse_model"] = f"{parameters.get('synapse_model', 'stdp_synapse')}_normalized"
    interval = ExactInterval() if exact else AdaptiveInterval(bound=BY_BOUND[way])
    job = replace(job, seed=seed, interval=interval, parameters=parameters)
    network = build_network(job, ranks)
    if way == NOISE:
        nest.rng_seed = seed + 1_000_003
    rules = job.rules_of(network)
    normalizer = Normalizer(rules, interval=interval)
    connections = Connections(nest, ranks, [name for rule in rules for name in rule.synapse_models])
    times = [each for each in _TIMES_MS if each < job.simulate_ms]
    times += [each for each in np.arange(2e3, job.simulate_ms, 1e3)] + [job.simulate_ms]
    weights, seconds, now = [], 0.0, 0.0
    for until in times:
        ranks.barrier()
        start = time.perf_counter()
        normalizer.simulate(until - now)
        ranks.barrier()
        seconds += time.perf_counter() - start
        now = until
        weights.append(_weights(connections, ranks))
    events = ranks.gather(int(network.spikes.n_events))
    return Course(
        way=way,
        seed=seed,
        times_ms=np.array(times),
        weights=np.array(weights),
        normalizations=sum(each.normalized for each in normalizer.log),
        drift_max=max((each.drift_max for each in normalizer.log[1:]), default=0.0),
        rate_hz=ranks.from_first(lambda: sum(events or []) / len(network.recorded) / job.simulate_ms * 1e3),
        seconds=seconds,
    )


def _weights(connections: Connections, ranks: Ranks) -> FloatArray:
    """Of all ranks' connections, by source and target, relative to their mean, shape (connections,). Collective."""
    mine = []
    for thread in range(len(connections.virtual)):
        for i, model in enumerate(connections.models):
            rows = np.zeros(connections.count(thread, model), ROW)
            connections.read(thread, i, 0, rows, np.zeros((len(rows), len(model.state))))
            mine.append(rows)
    every = ranks.gather(np.concatenate(mine))

    def aligned() -> FloatArray:
        rows = np.concatenate(every or [])
        rows = rows[np.lexsort((rows["weight"], rows["target"], rows["source"]))]
        relative: FloatArray = rows["weight"] / rows["weight"].mean()
        return relative

    return ranks.from_first(aligned)


def _write(job: Job, courses: Sequence[Course], folder: Path) -> str:
    seeds = len({each.seed for each in courses})
    text = "\n\n".join(
        [
            f"{courses[0].weights.shape[1]:,} plastic connections, {job.simulate_ms / 1e3:g} s, {seeds} seeds; means "
            "over seeds. Distance from exact: sum of |difference of weights| over the sum of weights.",
            summary(courses),
        ]
    )
    write_text(folder / "convergence.md", text)
    times = [f"{each:g}" for each in courses[0].times_ms]
    write_csv(
        folder / "convergence.csv",
        [
            {"way": each.way, "seed": each.seed, "normalizations": each.normalizations, "drift_max": each.drift_max}
            | {"rate_hz": each.rate_hz, "seconds": each.seconds}
            | {
                f"distance_{at}_ms": value
                for at, value in zip(times, each.distances(exact_run(courses, each)), strict=True)
            }
            for each in courses
        ],
    )
    try:
        from .convergence_figure import draw
    except ImportError as error:
        raise RuleError(f'a figure needs matplotlib: pip install "distnorm[report]" ({error})') from None
    draw(courses, [folder / "convergence.png", folder / "convergence.pdf"])
    return f"{text}\n\nfigure: {folder / 'convergence.png'}\n"


def summary(courses: Sequence[Course]) -> str:
    """A row per way."""
    early = int(np.searchsorted(courses[0].times_ms, 200.0, side="right")) - 1
    loosest = np.mean([each.seconds for each in courses if each.way == WAYS[0]])
    lines = []
    for way in WAYS:
        those = [each for each in courses if each.way == way]
        distances = distances_of(courses, way).mean(axis=0)
        quantiles = np.mean([each.quantiles() for each in those], axis=0)
        lines.append(
            [
                way,
                f"{np.mean([each.normalizations for each in those]):.0f}",
                f"{max(each.drift_max for each in those):.1e}",
                f"{np.mean([each.rate_hz for each in those]):.2f}",
                " ".join(f"{each:.3f}" for each in quantiles),
                f"{np.mean([each.weights[-1].std() for each in those]):.4f}",
                f"{distances[early]:.1e}",
                f"{distances[-1]:.4f}",
                f"{np.mean([each.seconds for each in those]) / loosest:.2f}",
            ]
        )
    columns = ("bound", "normalizations", "worst drift", "spikes/s", "weights: 5, 50, 95 %", "CV of weights")
    at = f"{courses[0].times_ms[early]:g} ms"
    return table((*columns, f"distance at {at}", "at the end", f"wall time, {WAYS[0]} = 1"), lines)

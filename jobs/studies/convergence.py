"""How near a run comes to one whose norms hold in every time slice, by the bound of its drift.

    python jobs/studies/convergence.py jobs/balanced_stdp.toml --set simulate_ms=4000 -o FOLDER

All runs of a seed begin with the same network and the same noise. A network of spiking neurons is chaotic, so any two
runs part in the end; how far apart they can get is told by a second exact run of the same network with other noise.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import nest
import numpy as np
import study
from convergence_figure import draw
from courses import BY_BOUND, NOISE, RUNS, Course, distances_of, exact_run

from distnorm.bench.shared.arguments import add_job
from distnorm.bench.shared.networks import network_of
from distnorm.bench.shared.tables import table, write_csv, write_text
from distnorm.bench.shared.timing import seconds_of_all
from distnorm.files.outputs import results_folder
from distnorm.intervals.adaptive import AdaptiveInterval
from distnorm.intervals.exact import ExactInterval
from distnorm.mpi.ranks import Ranks, world
from distnorm.normalizer.normalizer import Normalizer
from distnorm.norms.sums import FloatArray
from distnorm.runs.job_file import Job, read_job
from distnorm.runs.options import count, path
from distnorm.synapses.connection_rows import ROW, Connections

_TIMES_MS = (50.0, 100.0, 200.0, 500.0, 1000.0)  # and from there on every second
_COLUMNS = ("bound", "normalizations", "worst drift", "spikes/s", "weights: 5, 50, 95 %", "CV of weights")


def run(job_file: Path, settings: list[str], seeds: int, folder: Path) -> str:
    """Make every run with every seed; write convergence.md, .csv, .png and .pdf on rank 0. Collective.

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
    job = read_job(job_file, settings)
    ranks = world(nest.build_info["have_mpi"])
    ranks.from_first(lambda: results_folder(folder))
    # Seeds on the outside: slow changes of the machine spread over all runs.
    courses = [_course(job, name, job.seed + i) for i in range(seeds) for name in RUNS]
    text = ranks.from_first(lambda: _write(job, courses, folder))
    return text if ranks.rank == 0 else ""


def _course(job: Job, name: str, seed: int) -> Course:
    parameters = dict(job.parameters)
    interval: AdaptiveInterval | ExactInterval = ExactInterval()
    if name in BY_BOUND:
        interval = AdaptiveInterval(bound=BY_BOUND[name])
    else:
        parameters["synapse_model"] = f"{parameters.get('synapse_model', 'stdp_synapse')}_normalized"
    network = network_of(replace(job, seed=seed, interval=interval, parameters=parameters))
    ranks, made, rules = network.ranks, network.made, network.rules
    if name == NOISE:
        nest.rng_seed = seed + 1_000_003
    normalizer = Normalizer(rules, interval=interval)
    connections = Connections(nest, ranks, [model for rule in rules for model in rule.synapse_models])
    times = np.array([*_TIMES_MS, *np.arange(2e3, job.simulate_ms, 1e3)])
    times = np.append(times[times < job.simulate_ms], job.simulate_ms)
    weights, seconds = [], 0.0
    for duration_ms in np.diff(times, prepend=0.0).tolist():
        seconds += seconds_of_all(lambda duration_ms=duration_ms: normalizer.simulate(duration_ms), ranks)  # type: ignore[misc]
        weights.append(_weights(connections, ranks))
    events = ranks.gather(int(made.spikes.n_events))
    return Course(
        run=name,
        seed=seed,
        times_ms=times,
        weights=np.array(weights),
        normalizations=sum(measurement.normalized for measurement in normalizer.log),
        drift_max=max((measurement.drift_max for measurement in normalizer.log[1:]), default=0.0),
        rate_hz=ranks.from_first(lambda: sum(events or []) / len(made.recorded) / job.simulate_ms * 1e3),
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
    of_all = ranks.gather(np.concatenate(mine))

    def aligned() -> FloatArray:
        rows = np.concatenate(of_all or [])
        rows = rows[np.lexsort((rows["weight"], rows["target"], rows["source"]))]
        relative: FloatArray = rows["weight"] / rows["weight"].mean()
        return relative

    return ranks.from_first(aligned)


def _write(job: Job, courses: Sequence[Course], folder: Path) -> str:
    seeds = len({course.seed for course in courses})
    text = (
        f"{courses[0].weights.shape[1]:,} plastic connections, {job.simulate_ms / 1e3:g} s, {seeds} seeds; means over "
        f"seeds. Distance from exact: sum of |difference of weights| over the sum of weights.\n\n{summary(courses)}"
    )
    write_text(folder / "convergence.md", text)
    write_csv(folder / "convergence.csv", [_row(course, exact_run(courses, course)) for course in courses])
    draw(courses, [folder / "convergence.png", folder / "convergence.pdf"])
    return f"{text}\n\nfigure: {folder / 'convergence.png'}"


def _row(course: Course, exact: Course) -> dict[str, object]:
    names = ("run", "seed", "normalizations", "drift_max", "rate_hz", "seconds")
    distances = zip(course.times_ms, course.distances(exact), strict=True)
    return {name: getattr(course, name) for name in names} | {f"distance_{at:g}_ms": value for at, value in distances}


def summary(courses: Sequence[Course]) -> str:
    """A row per kind of run, means over seeds."""
    early = int(np.searchsorted(courses[0].times_ms, 200.0, side="right")) - 1
    loosest_s = np.mean([course.seconds for course in courses if course.run == RUNS[0]])
    lines = []
    for name in RUNS:
        seeds = [course for course in courses if course.run == name]
        distances = distances_of(courses, name).mean(axis=0)
        quantiles = np.mean([course.quantiles() for course in seeds], axis=0)
        lines.append(
            (
                name,
                f"{np.mean([course.normalizations for course in seeds]):.0f}",
                f"{max(course.drift_max for course in seeds):.1e}",
                f"{np.mean([course.rate_hz for course in seeds]):.2f}",
                " ".join(f"{quantile:.3f}" for quantile in quantiles),
                f"{np.mean([course.weights[-1].std() for course in seeds]):.4f}",
                f"{distances[early]:.1e}",
                f"{distances[-1]:.4f}",
                f"{np.mean([course.seconds for course in seeds]) / loosest_s:.2f}",
            )
        )
    at = f"{courses[0].times_ms[early]:g} ms"
    return table((*_COLUMNS, f"distance at {at}", "at the end", f"wall time, {RUNS[0]} = 1"), lines)


def parser() -> argparse.ArgumentParser:
    """Its arguments."""
    made = argparse.ArgumentParser(description="How near runs come to an exact one, by the bound of the drift.")
    add_job(made)
    made.add_argument("--seeds", type=count, default=3, help="networks (default 3)")
    made.add_argument("-o", "--output", type=path, required=True, metavar="FOLDER", help="where to")
    return made


if __name__ == "__main__":
    study.main(parser(), lambda options: run(options.job, options.set, options.seeds, options.output))

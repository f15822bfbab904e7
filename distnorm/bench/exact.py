"""What exact normalization adds to a simulation: each model's twin against the model itself, with the same spikes.

Without learning (rate 0) both networks do the same, so all that differs is the way through a target's account. Networks
of parent and twin are built and simulated in turn, in one run.
"""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import nest
import numpy as np

from ..errors import DistnormError
from ..intervals.exact import ExactInterval
from ..mpi.ranks import Ranks, world
from ..normalizer.normalizer import Normalizer
from ..rules.rule import Rule
from ..runs.job_file import Job, read_job
from ..runs.run import build_network

_WARM_UP_MS = 100.0


def run(job_file: str, settings: list[str], models: list[str], pairs: int, stretch_ms: float) -> str:
    """Measure on all ranks; the report on rank 0, nothing on the others. Collective.

    Args:
        job_file: Job whose model takes `synapse_model` and `learning_rate`, as jobs/balanced_stdp.py does.
        settings: Changes to the job, as "key=value".
        models: Parents, such as "stdp_synapse" or "stdp_synapse_hom_hpc".
        pairs: Number of stretches of each.
        stretch_ms: Simulated time of a stretch.

    Raises:
        DistnormError: The job or a setting makes no sense, or the spikes of a twin differ from its parent's.
    """
    job = replace(read_job(Path(job_file), settings), interval=ExactInterval())
    ranks = world(nest.build_info["have_mpi"])
    lines = [
        f"{stretch_ms:g} ms without learning, {ranks.size} ranks x {job.num_threads(ranks.size)} threads",
        "",
        "| model | bytes | connections | spikes | parent, s | twin / parent, median | range |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for model in models:
        stretches = [_pair(job, model, ranks, stretch_ms) for _ in range(pairs)]
        ratios = [twin / parent for parent, twin in stretches]
        size, connections, spikes = _facts(job, ranks)
        lines.append(
            f"| {model} | {size} | {connections:,} | {spikes:,} | {np.median([parent for parent, _ in stretches]):.2f} "
            f"| {np.median(ratios):.3f} | {min(ratios):.3f} to {max(ratios):.3f} |"
        )
    return "\n".join(lines) + "\n" if ranks.rank == 0 else ""


def _pair(job: Job, model: str, ranks: Ranks, stretch_ms: float) -> tuple[float, float]:
    """Seconds of the slowest rank for the parent and for the twin."""
    base, variant = model.removesuffix("_hpc"), "_hpc" if model.endswith("_hpc") else ""
    parent, spikes = _stretch(job, model, ranks, stretch_ms)
    twin, same = _stretch(job, f"{base}_normalized{variant}", ranks, stretch_ms)
    if spikes != same:
        raise DistnormError(f"{model}: {spikes} spikes, its twin {same}; without learning they should be the same")
    return parent, twin


def _stretch(job: Job, model: str, ranks: Ranks, stretch_ms: float) -> tuple[float, int]:
    network = _network(job, model, ranks)
    if "_normalized" in model:
        rule = Rule(job.rules_of(network)[0].synapse_models, target_norm="initial")
        simulate = Normalizer(rule, interval=ExactInterval(audit_ms=1e6)).simulate
    else:
        simulate = nest.Simulate
    simulate(_WARM_UP_MS)
    before = network.spikes.n_events
    ranks.barrier()
    start = time.perf_counter()
    simulate(stretch_ms)
    seconds = ranks.gather(time.perf_counter() - start)
    events = ranks.gather(int(network.spikes.n_events - before))
    return ranks.from_first(lambda: (max(seconds or []), sum(events or [])))


def _network(job: Job, model: str, ranks: Ranks) -> Any:
    parameters = {**job.parameters, "synapse_model": model, "learning_rate": 0.0}
    return build_network(replace(job, parameters=parameters), ranks)


def _facts(job: Job, ranks: Ranks) -> tuple[int, int, int]:
    """Bytes of a connection, and numbers of connections and recorded spikes, of the network as it stands."""
    name = job.rules[0].table["synapse_model"]
    defaults = nest.GetDefaults(name)
    spikes = nest.GetNodes({"model": "spike_recorder"})
    events = ranks.gather(int(spikes[0].n_events))
    connections = ranks.gather(int(defaults["num_connections"]))
    return ranks.from_first(lambda: (defaults["sizeof"], sum(connections or []), sum(events or [])))

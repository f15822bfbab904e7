"""What exact normalization adds to a simulation: each normalized model against the model itself, with the same spikes.

Without learning (rate 0) both networks do the same, so all that differs is the way through a target's account. Networks
of either model are built and simulated in turn, in one run.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..errors import DistnormError
from ..intervals.exact import ExactInterval
from ..rules.rule import Rule
from ..runs.job_file import Job, read_job
from ..runs.options import count
from .shared.arguments import add_command, add_job
from .shared.networks import JobNetwork, network_of
from .shared.tables import table
from .shared.timing import seconds_of_all

_WARM_UP_MS = 100.0
_COLUMNS = ("model", "bytes", "connections", "spikes", "parent, s", "normalized / parent, median", "range")


def add_to(commands: Any) -> None:
    """Add `bench exact`."""
    parser = add_command(commands, "exact", "models that hold norms against their parents, with the same spikes", run)
    add_job(parser)
    parser.add_argument("--models", nargs="+", default=["stdp_synapse", "stdp_synapse_hom_hpc"], metavar="MODEL")
    parser.add_argument("--pairs", type=count, default=7, help="stretches of each model and its normalized (default 7)")
    parser.add_argument("--stretch", type=count, default=500, metavar="MS", help="ms of a stretch (default 500)")


def run(options: argparse.Namespace) -> None:
    """Measure on all ranks; rank 0 prints. Collective.

    The job's model takes `synapse_model` and `learning_rate`, as jobs/balanced_stdp.py does.

    Raises:
        DistnormError: The job or a setting makes no sense, or both models' spikes differ.
    """
    job = replace(read_job(options.job, options.set), interval=ExactInterval())
    lines = []
    for model in options.models:
        pairs = [_pair(job, model, float(options.stretch)) for _ in range(options.pairs)]
        ratios = [normalized.seconds / parent.seconds for parent, normalized in pairs]
        last = pairs[-1][1]
        median_s = f"{np.median([parent.seconds for parent, _ in pairs]):.2f}"
        spread = f"{min(ratios):.3f} to {max(ratios):.3f}"
        counts = (str(last.connection_bytes), f"{last.connections:,}", f"{last.all_spikes:,}")
        lines.append((model, *counts, median_s, f"{np.median(ratios):.3f}", spread))
    if last.network.ranks.rank == 0:
        print(f"{options.stretch:g} ms without learning, {last.network.split}\n\n{table(_COLUMNS, lines)}")


@dataclass(frozen=True, kw_only=True)
class _Stretch:
    """What one model did: wall time of the slowest rank, and spikes in it; spikes and connections in all."""

    network: JobNetwork
    seconds: float
    spikes: int
    all_spikes: int
    connections: int
    connection_bytes: int


def _pair(job: Job, model: str, stretch_ms: float) -> tuple[_Stretch, _Stretch]:
    """A stretch of a model, and one of its normalized model."""
    base, variant = model.removesuffix("_hpc"), "_hpc" if model.endswith("_hpc") else ""
    parent = _stretch(job, model, stretch_ms)
    normalized = _stretch(job, f"{base}_normalized{variant}", stretch_ms)
    if parent.spikes != normalized.spikes:
        raise DistnormError(
            f"{model}: {parent.spikes} spikes, its normalized model {normalized.spikes}; "
            "without learning they should be the same"
        )
    return parent, normalized


def _stretch(job: Job, model: str, stretch_ms: float) -> _Stretch:
    import nest

    from ..normalizer.normalizer import Normalizer

    network = network_of(replace(job, parameters={**job.parameters, "synapse_model": model, "learning_rate": 0.0}))
    ranks, recorder = network.ranks, network.made.spikes
    models = network.rules[0].synapse_models
    simulate = nest.Simulate
    if "_normalized" in model:
        rule = Rule(models, target_norm="initial")
        simulate = Normalizer(rule, interval=ExactInterval(audit_ms=1e6)).simulate
    simulate(_WARM_UP_MS)
    before = recorder.n_events
    seconds = seconds_of_all(lambda: simulate(stretch_ms), ranks)
    defaults = nest.GetDefaults(models[0])
    counts = ranks.gather((recorder.n_events - before, recorder.n_events, defaults["num_connections"]))
    spikes, all_spikes, connections = ranks.from_first(lambda: np.sum(counts or [], axis=0).tolist())
    return _Stretch(
        network=network,
        seconds=seconds,
        spikes=spikes,
        all_spikes=all_spikes,
        connections=connections,
        connection_bytes=defaults["sizeof"],
    )

"""Run a job: build its network, simulate it normalized, say what was done."""

from __future__ import annotations

import statistics
import time
from typing import Any

import nest

from .config import Job
from .errors import RuleError
from .job import check_parameters, load_build
from .normalizer import Normalization, Normalizer
from .parallel import Ranks, world


def run(job: Job, observe: bool) -> None:
    """Run a job on all ranks; rank 0 prints a summary. Collective.

    Args:
        job: The job.
        observe: Measure drift but change no weight.

    Raises:
        DistnormError: The job does not fit the model or this NEST; nothing was simulated.
    """
    ranks = world(nest.build_info["have_mpi"])
    start = time.perf_counter()
    network = build_network(job, ranks)
    built = time.perf_counter() - start
    normalizer = Normalizer([each.rule(network) for each in job.rules], interval=job.interval, observe=observe)
    start = time.perf_counter()
    normalizer.simulate(job.simulate_ms)
    if ranks.rank == 0:
        print(_summary(job, normalizer, ranks, built, time.perf_counter() - start))


def build_network(job: Job, ranks: Ranks) -> Any:
    """Set up NEST as the job says and return what `build(...)` of its model returns. Collective.

    Raises:
        RuleError: The model cannot be loaded or fails.
    """
    build = load_build(job.model)
    check_parameters(build, job.parameters)
    nest.ResetKernel()
    nest.verbosity = nest.VerbosityLevel.ERROR
    nest.local_num_threads = job.num_threads(ranks.size)
    nest.resolution = job.resolution_ms
    nest.rng_seed = job.seed

    def built() -> Any:
        try:
            return build(**job.parameters)
        except Exception as error:
            raise RuleError(f"build(...) of {job.model} failed: {type(error).__name__}: {error}") from error

    return ranks.together(built)


def _summary(job: Job, normalizer: Normalizer, ranks: Ranks, built: float, wall: float) -> str:
    log = normalizer.log
    lines = [
        f"NEST {nest.__version__}, {ranks.size} rank(s) x {nest.local_num_threads} threads; network built in "
        f"{built:.1f} s, {job.simulate_ms:g} ms simulated in {wall:.1f} s",
    ]
    for rule, first, last in zip(normalizer.rules, log[0].drifts, log[-1].drifts, strict=True):
        lines.append(
            f"  {', '.join(rule.synapse_models)}: {last.connections:,} connections onto {last.targets:,} neurons"
            + (f", {last.no_input:,} without input" if last.no_input else "")
            + (f", {last.zero_norm:,} with norm zero" if last.zero_norm else "")
            + f"; initially at most {first.max:.2%} from the target norm"
        )
    lines.append(_drifts(log[1:], observed=not log[0].rescaled))
    spent = sum(sum(seconds for phase, seconds in each.seconds.items() if phase != "simulate") for each in log)
    lines.append(f"  measuring, agreeing and rescaling took {spent:.2f} s, {spent / wall:.1%} of the wall time")
    return "\n".join(lines)


def _drifts(log: list[Normalization], observed: bool) -> str:
    if not log:
        return "  no interval ended within the simulated time"
    drifts = [each.drift_max for each in log]
    if observed:
        return (
            f"  observed {len(log)} times, not normalized; largest drift {drifts[0]:.2%} after the first interval, "
            f"{drifts[-1]:.2%} at the end"
        )
    return (
        f"  normalized {len(log)} times; largest drift per interval: median {statistics.median(drifts):.2%}, "
        f"worst {max(drifts):.2%}"
    )

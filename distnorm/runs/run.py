"""Run a job: build its network, simulate it normalized, log every measurement, say what was done."""

from __future__ import annotations

import inspect
import logging
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import nest

from ..errors import AllocationEnds, RuleError
from ..intervals.exact import ExactInterval
from ..mpi.ranks import Ranks, world
from ..normalizer.normalizer import Normalizer
from ..synapses.normalized import install_models
from .checkpoint.claim import Claim
from .checkpoint.find import Found, find
from .job_file import Job
from .model_file import check_parameters, load_build
from .session import JobSession
from .stop_requests import REQUEUE, STOPPED

log = logging.getLogger(__name__)


def run(job: Job, observe: bool, log_path: Path | None, checkpoint: Path | None = None, resume: bool = False) -> int:
    """Run a job on all ranks; rank 0 logs, shows progress and prints a summary. Collective.

    Args:
        job: The job.
        observe: Measure drift but change no weight, every 20 ms where the job has no fixed interval.
        log_path: File for the run log, which must not exist unless the run goes on; None for none.
        checkpoint: Folder for checkpoints; None for none.
        resume: Go on from the last checkpoint there, if there is one.

    Returns:
        Exit code: 0, or that of a run that was asked to stop.

    Raises:
        DistnormError: The job does not fit the model or this NEST, or a rank failed; the log says when.
    """
    job.log.check(log_path, goes_on=resume)
    with ExitStack() as stack:
        claim = stack.enter_context(Claim(checkpoint)) if checkpoint else None
        # It hears signals while the network is built.
        session = JobSession(job, claim, stack, observe=observe, resume=resume, log_path=log_path)
        ranks = world(nest.build_info["have_mpi"])
        found = _find(job, claim, observe, resume, ranks) if claim else None
        begun_ms = found.manifest.time_ms if found else 0.0
        start = time.perf_counter()
        network = build_network(job, ranks, begun_ms)
        built_s = time.perf_counter() - start
        rules = ranks.together(lambda: job.rules_of(network))
        recorded = ranks.together(lambda: job.recorded(network))
        normalizer = Normalizer(
            rules,
            interval=job.interval,
            observe=observe,
            weights=job.log.weights,
            sweeps=job.sweeps,
            sweep_tolerance=job.sweep_tolerance,
            on_measurement=session.measured,
            on_chunk=session.chunk,
        )
        until_ms = normalizer._loop.time_ms + job.simulate_ms  # build(...) may have simulated
        if found and begun_ms > until_ms:
            raise RuleError(f"simulate_ms is {job.simulate_ms:g}, and checkpoint {found.path} is at {begun_ms:g} ms")
        session.open(normalizer, ranks, found, until_ms, recorded)
        stopped = session.simulate(max(until_ms - normalizer._loop.time_ms, 0.0))
    if stopped:
        if ranks.rank == 0:
            log.info("stopped (%s); --checkpoint %s --resume goes on", stopped, checkpoint)
        return ranks.ending.end_with(REQUEUE if isinstance(stopped, AllocationEnds) else STOPPED)
    if ranks.rank == 0:
        split = f"{ranks.size} rank(s) x {job.num_threads(ranks.size)} thread(s)"
        since = f"; going on from {begun_ms:g} ms, and what follows is about the time since" if found else ""
        print(
            f"NEST {nest.__version__}, {split}; network built in {built_s:.1f} s{since}",
            *session.summary(),
            sep="\n  ",
        )
    return 0


def _find(job: Job, claim: Claim, observe: bool, resume: bool, ranks: Ranks) -> Found | None:
    found = find(claim, job, observe, resume, ranks)
    if resume and ranks.rank == 0:
        if found:
            log.info("going on from %s, %g ms", found.path, found.manifest.time_ms)
        else:
            log.info("beginning: no checkpoint in %s", claim.folder)
    return found


def build_network(job: Job, ranks: Ranks, start_ms: float = 0.0) -> Any:
    """Set up NEST as the job says and return what `build(...)` of its model returns. Collective.

    Args:
        job: The job.
        ranks: All ranks.
        start_ms: Time at which a run goes on. It is the parameter `start_ms` of a `build` that has one, which shifts
            stimuli by it: the clock of the network begins at 0.
    """
    build = ranks.together(lambda: load_build(job.model))
    ranks.together(lambda: check_parameters(build, job.parameters))
    parameters = dict(job.parameters)
    if "start_ms" in inspect.signature(build).parameters:
        parameters["start_ms"] = start_ms
    elif start_ms and ranks.rank == 0:
        log.warning(
            "build(...) of %s has no parameter start_ms: stimuli with times of their own begin again at %g ms",
            job.model,
            start_ms,
        )
    nest.ResetKernel()
    nest.verbosity = nest.VerbosityLevel.ERROR
    nest.local_num_threads = job.num_threads(ranks.size)
    try:
        nest.resolution = job.resolution_ms
    except Exception as error:  # NEST raises it on every rank
        raise RuleError(f"resolution_ms is {job.resolution_ms}, which NEST refuses: {error}") from None
    nest.rng_seed = job.seed
    if isinstance(job.interval, ExactInterval):
        install_models()

    def built() -> Any:
        try:
            return build(**parameters)
        except SystemExit as error:
            raise RuleError(f"build(...) of {job.model} called sys.exit({error.code!r}) before anything ran") from error
        except Exception as error:
            raise RuleError(f"build(...) of {job.model} failed: {type(error).__name__}: {error}") from error

    return ranks.of_user(built)

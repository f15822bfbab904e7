"""Run a job: build its network, simulate it normalized, log every measurement, say what was done."""

from __future__ import annotations

import inspect
import logging
import statistics
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import nest

from ..errors import AllocationEnds, Interruption, RuleError
from ..intervals.adaptive import AdaptiveInterval
from ..intervals.controller import FixedInterval
from ..intervals.exact import ExactInterval
from ..mpi.ranks import Ranks, world
from ..normalizer.measurement import Measurement
from ..normalizer.normalizer import Normalizer
from ..records.history import header_fields
from ..synapses.normalized import install_models
from .checkpoint.claim import Claim
from .checkpoint.find import Found, find
from .job_file import Job
from .model_file import check_parameters, load_build
from .saver import Saver
from .stop_requests import REQUEUE, STOPPED
from .teller import Teller

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
    with ExitStack() as stack:
        claim = stack.enter_context(Claim(checkpoint)) if checkpoint else None
        saver = Saver(claim, job.checkpoint, stack)  # hears signals while the network is built
        ranks = world(nest.build_info["have_mpi"])
        found = _find(job, claim, observe, resume, ranks) if claim else None
        start = time.perf_counter()
        network = build_network(job, ranks, found.time_ms if found else 0.0)
        built = time.perf_counter() - start
        rules = ranks.together(lambda: job.rules_of(network))
        teller = Teller(job, ranks, stack, log_path)

        def on_chunk(time_ms: float) -> None:
            teller.chunk(time_ms)
            saver.check(ranks)

        normalizer = Normalizer(
            rules, interval=job.interval, observe=observe, on_measurement=teller.measurement, on_chunk=on_chunk
        )
        until_ms = normalizer.time_ms + job.simulate_ms  # build(...) may have simulated
        _check_time(job, found, until_ms)
        saver.open(job, observe, normalizer, found, ranks, teller)
        # Asking NEST on one rank only would hang.
        of_run = claim.run if claim else None
        header = header_fields(nest, normalizer, seed=job.seed, simulate_ms=until_ms, run=of_run)
        ranks.together(lambda: teller.start(header, found, resume, normalizer, until_ms))
        try:
            saver.simulate(normalizer, until_ms)
        except Interruption as reason:
            teller.end(f"stopped: {reason}")
            stack.close()
            return ranks.end_with(_stopped(reason, checkpoint, ranks))
        except BaseException as error:
            teller.end(f"{type(error).__name__}: {error}")
            raise
        teller.end("finished")
    if ranks.rank == 0:
        print(_summary(job, normalizer, ranks, built, found, until_ms))
    return 0


def _find(job: Job, claim: Claim, observe: bool, resume: bool, ranks: Ranks) -> Found | None:
    found = find(claim, job, observe, resume, ranks)
    if resume and ranks.rank == 0:
        begins = f"beginning: no checkpoint in {claim.folder}"
        text = f"going on from {found.path}, {found.time_ms:g} ms" if found else begins
        print(f"distnorm: {text}", file=sys.stderr)
    return found


def _check_time(job: Job, found: Found | None, until_ms: float) -> None:
    if found and found.time_ms > until_ms:
        raise RuleError(f"simulate_ms is {job.simulate_ms:g}, and checkpoint {found.path} is at {found.time_ms:g} ms")


def _stopped(reason: Interruption, checkpoint: Path | None, ranks: Ranks) -> int:
    if ranks.rank == 0:
        print(f"distnorm: stopped ({reason}); --checkpoint {checkpoint} --resume goes on", file=sys.stderr)
    return REQUEUE if isinstance(reason, AllocationEnds) else STOPPED


def build_network(job: Job, ranks: Ranks, start_ms: float = 0.0) -> Any:
    """Set up NEST as the job says and return what `build(...)` of its model returns. Collective.

    Args:
        job: The job.
        ranks: All ranks.
        start_ms: Time at which a run goes on. It is the parameter `start_ms` of a `build` that has one, which shifts
            stimuli by it: the clock of the network begins at 0.

    Raises:
        RuleError: The model cannot be loaded or fails.
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


def _summary(job: Job, normalizer: Normalizer, ranks: Ranks, built: float, found: Found | None, until_ms: float) -> str:
    measurements, wall = normalizer.log, normalizer.wall_s
    begun_ms = found.time_ms if found else until_ms - job.simulate_ms
    threads = job.num_threads(ranks.size)
    lines = [
        f"NEST {nest.__version__}, {ranks.size} rank(s) x {threads} thread(s); network built in {built:.1f} s, "
        f"{until_ms - begun_ms:g} ms simulated in {wall:.1f} s"
        + (f", going on from {begun_ms:g} ms; what follows is about these" if found else ""),
    ]
    if not measurements:
        return "\n".join([*lines, "  no interval ended within the simulated time"])
    lines += what_was_done(normalizer, resumed=found is not None)
    spent = sum(sum(seconds for phase, seconds in each.seconds.items() if phase != "simulate") for each in measurements)
    lines.append(f"  measuring, agreeing and rescaling took {spent:.2f} s, {spent / wall:.2%} of the wall time")
    return "\n".join(lines)


def what_was_done(normalizer: Normalizer, resumed: bool = False) -> list[str]:
    """Lines about the connections of each rule and their drift; after the first measurement, which is not that of the
    beginning where the run was resumed.
    """
    log, lines = normalizer.log, []
    for rule, first, last in zip(normalizer.rules, log[0].drifts, log[-1].drifts, strict=True):
        lines.append(
            f"  {rule.text}: {last.connections:,} connections onto {last.targets:,} neurons"
            + (f", {last.no_input:,} without input" if last.no_input else "")
            + (f", {last.zero_norm:,} with norm zero" if last.zero_norm else "")
            + (f", {last.unreachable:,} out of reach by up to {last.unreachable_max:.2%}" if last.unreachable else "")
            + f"; at first at most {first.max:.2%} from the target norm"
        )
    observed = not any(each.normalized for each in log) and isinstance(normalizer.interval, FixedInterval)
    return lines + _drifts(log if resumed else log[1:], normalizer.interval, observed)


def _drifts(measurements: list[Measurement], interval: object, observed: bool) -> list[str]:
    if not measurements:
        return ["  no interval ended within the simulated time"]
    if observed:
        return [
            f"  observed {len(measurements)} times, not normalized; largest drift {measurements[0].drift_max:.2%} "
            f"after the first interval, {measurements[-1].drift_max:.2%} at the end"
        ]
    if isinstance(interval, ExactInterval):
        return [_held(measurements)]
    ends = [each for each in measurements if each.normalized]
    lengths = [each.elapsed_ms for each in ends]
    drifts = [each.drift_max for each in ends]
    if not ends:
        return [f"  measured {len(measurements)} times, and never had to normalize"]
    lines = [
        f"  normalized {len(ends)} times, measured {len(measurements) - len(ends)} times in between; intervals of "
        f"{min(lengths):g} to {max(lengths):g} ms, median {statistics.median(lengths):g} ms",
        f"  largest drift per interval: median {statistics.median(drifts):.2%}, worst {max(drifts):.2%}",
    ]
    if isinstance(interval, AdaptiveInterval):
        lines.append(_violations(measurements, interval))
    return lines


def _held(measurements: list[Measurement]) -> str:
    drift = max(measurement.drift_max for measurement in measurements)
    within = max(each.max for measurement in measurements for each in measurement.within_slices)
    let_go = sum(each.zero_norm for measurement in measurements for each in measurement.within_slices)
    return (
        f"  held in every time slice: audited {len(measurements)} times, drift at most {drift:.1e}; "
        f"within slices at most {within:.1e}" + (f"; {let_go:,} times a target was let go" if let_go else "")
    )


def _violations(measurements: list[Measurement], interval: AdaptiveInterval) -> str:
    measured = [(each, interval.measure(each.drifts)) for each in measurements]
    over = [(each, drift) for each, drift in measured if drift > interval.bound]
    text = f"  above the bound of {interval.bound:.2%}: {len(over)} of {len(measurements)} measurements"
    if over:
        shortest = min(each.elapsed_ms for each in measurements)
        hopeless = sum(each.elapsed_ms <= shortest for each, _ in over)
        text += f", at worst {max(drift for _, drift in over):.2%}"
        text += f"; {hopeless} of them after the shortest possible interval of {shortest:g} ms" if hopeless else ""
    return text

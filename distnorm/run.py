"""Run a job: build its network, simulate it normalized, log every look, say what was done."""

from __future__ import annotations

import statistics
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import nest

from .adaptive import AdaptiveInterval
from .config import Job
from .errors import RuleError
from .history import header_fields, look_fields
from .interval import FixedInterval, Interval
from .job import check_parameters, load_build
from .look import Look
from .normalizer import Normalizer
from .parallel import Ranks, world
from .progress import Progress
from .runlog import RunLog

_OBSERVE_MS = 20.0


def run(job: Job, observe: bool, log: Path | None) -> None:
    """Run a job on all ranks; rank 0 logs, shows progress and prints a summary. Collective.

    Args:
        job: The job.
        observe: Measure drift but change no weight, every 20 ms where the job has no fixed interval.
        log: File for the run log, which must not exist; None for none.

    Raises:
        DistnormError: The job does not fit the model or this NEST, or a rank failed; the log says when.
    """
    ranks = world(nest.build_info["have_mpi"])
    start = time.perf_counter()
    network = build_network(job, ranks)
    built = time.perf_counter() - start
    interval = observing(job.interval) if observe else job.interval
    with ExitStack() as stack:
        teller = _Teller(job, interval, ranks, stack, log)
        normalizer = Normalizer(
            job.rules_of(network),
            interval=interval,
            observe=observe,
            on_look=teller.look,
            on_slice=teller.slice,
        )
        start = time.perf_counter()
        # Asking NEST on one rank only would hang.
        header = header_fields(nest, normalizer, seed=job.seed, simulate_ms=job.simulate_ms)
        ranks.together(lambda: teller.start(header))
        try:
            normalizer.simulate(job.simulate_ms)
        except Exception as error:
            teller.end(f"{type(error).__name__}: {error}", time.perf_counter() - start)
            raise
        wall = time.perf_counter() - start
        teller.end("finished", wall)
    if ranks.rank == 0:
        print(_summary(job, normalizer, ranks, built, wall))


def observing(interval: Interval) -> Interval:
    """The interval in which to look where nothing is normalized."""
    return interval if isinstance(interval, FixedInterval) else FixedInterval(_OBSERVE_MS)


def build_network(job: Job, ranks: Ranks) -> Any:
    """Set up NEST as the job says and return what `build(...)` of its model returns. Collective.

    Raises:
        RuleError: The model cannot be loaded or fails.
    """
    build = ranks.together(lambda: load_build(job.model))
    check_parameters(build, job.parameters)
    nest.ResetKernel()
    nest.verbosity = nest.VerbosityLevel.ERROR
    nest.local_num_threads = job.num_threads(ranks.size)
    try:
        nest.resolution = job.resolution_ms
    except Exception as error:  # NEST raises it on every rank
        raise RuleError(f"resolution_ms is {job.resolution_ms}, which NEST refuses: {error}") from None
    nest.rng_seed = job.seed

    def built() -> Any:
        try:
            return build(**job.parameters)
        except Exception as error:
            raise RuleError(f"build(...) of {job.model} failed: {type(error).__name__}: {error}") from error

    return ranks.together(built)


class _Teller:
    """Log and progress of rank 0; silent on the others."""

    def __init__(self, job: Job, interval: object, ranks: Ranks, stack: ExitStack, log: Path | None) -> None:
        self._job = job
        self._interval = interval
        self._ranks = ranks
        self._stack = stack
        self._path = log
        self._log: RunLog | None = None
        self._progress: Progress | None = None
        self._last: Look | None = None

    def start(self, header: dict[str, Any]) -> None:
        if self._ranks.rank != 0:
            return
        bound = getattr(self._interval, "bound", None)
        self._progress = Progress(self._job.simulate_ms, bound)
        self._stack.callback(self._progress.close)
        if self._path is None:
            return
        self._log = self._stack.enter_context(RunLog(self._path))
        self._log.header(**header)

    def look(self, look: Look) -> None:
        self._last = look
        if self._log is not None:
            self._log.look(look_fields(look))
        self.slice(look.time_ms)

    def slice(self, time_ms: float) -> None:
        if self._progress is not None and self._last is not None:
            self._progress.update(time_ms, self._last.drift_max, self._last.next_look_ms)

    def end(self, reason: str, wall_s: float) -> None:
        if self._log is not None:
            self._log.end(time_ms=self._last.time_ms if self._last else 0.0, wall_s=wall_s, reason=reason)


def _summary(job: Job, normalizer: Normalizer, ranks: Ranks, built: float, wall: float) -> str:
    log = normalizer.log
    threads = job.num_threads(ranks.size)
    lines = [
        f"NEST {nest.__version__}, {ranks.size} rank(s) x {threads} thread(s); network built in {built:.1f} s, "
        f"{job.simulate_ms:g} ms simulated in {wall:.1f} s",
    ]
    lines += what_was_done(normalizer)
    spent = sum(sum(seconds for phase, seconds in each.seconds.items() if phase != "simulate") for each in log)
    lines.append(f"  measuring, agreeing and rescaling took {spent:.2f} s, {spent / wall:.1%} of the wall time")
    return "\n".join(lines)


def what_was_done(normalizer: Normalizer) -> list[str]:
    """Lines about the connections of each rule and their drift; after the first look."""
    log, lines = normalizer.log, []
    for rule, first, last in zip(normalizer.rules, log[0].drifts, log[-1].drifts, strict=True):
        lines.append(
            f"  {', '.join(rule.synapse_models)}: {last.connections:,} connections onto {last.targets:,} neurons"
            + (f", {last.no_input:,} without input" if last.no_input else "")
            + (f", {last.zero_norm:,} with norm zero" if last.zero_norm else "")
            + (f", {last.unreachable:,} out of reach by up to {last.unreachable_max:.2%}" if last.unreachable else "")
            + f"; initially at most {first.max:.2%} from the target norm"
        )
    return lines + _drifts(log, normalizer.interval)


def _drifts(log: list[Look], interval: object) -> list[str]:
    looks = log[1:]
    if not looks:
        return ["  no interval ended within the simulated time"]
    if not log[0].normalized:
        return [
            f"  observed {len(looks)} times, not normalized; largest drift {looks[0].drift_max:.2%} after the first "
            f"interval, {looks[-1].drift_max:.2%} at the end"
        ]
    ends = [each for each in looks if each.normalized]
    lengths = [each.elapsed_ms for each in ends]
    drifts = [each.drift_max for each in ends]
    if not ends:
        return [f"  looked {len(looks)} times, and never had to normalize"]
    lines = [
        f"  normalized {len(ends)} times, looked {len(looks) - len(ends)} times in between; intervals of "
        f"{min(lengths):g} to {max(lengths):g} ms, median {statistics.median(lengths):g} ms",
        f"  largest drift per interval: median {statistics.median(drifts):.2%}, worst {max(drifts):.2%}",
    ]
    if isinstance(interval, AdaptiveInterval):
        lines.append(_violations(looks, interval))
    return lines


def _violations(looks: list[Look], interval: AdaptiveInterval) -> str:
    measured = [(each, interval.measure(each.drifts)) for each in looks]
    over = [(each, drift) for each, drift in measured if drift > interval.bound]
    text = f"  above the bound of {interval.bound:.2%}: {len(over)} of {len(looks)} looks"
    if over:
        shortest = min(each.elapsed_ms for each in looks)
        hopeless = sum(each.elapsed_ms <= shortest for each, _ in over)
        text += f", at worst {max(drift for _, drift in over):.2%}"
        text += f"; {hopeless} of them after the shortest possible interval of {shortest:g} ms" if hopeless else ""
    return text

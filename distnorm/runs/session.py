"""A session: a run with its log, its progress and its checkpoints.

`distnorm attach` has one for each network of the script, with a log alone. That of `distnorm run` has all three.
"""

from __future__ import annotations

import logging
import time
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import Any

import nest

from ..errors import Interruption, RuleError
from ..mpi.ranks import Ranks
from ..normalizer.loop import Loop
from ..normalizer.measurement import Measurement
from ..normalizer.normalizer import Normalizer
from ..normalizer.progress import Progress
from ..records.history import end_of, header_of, now
from ..records.run_log import RunLog, ends_finished
from ..records.run_record import End, Header, Resume, RunRecord
from ..records.summary import summary
from ..tables.recorder import WeightRecorder
from .checkpoint.checkpoints import Checkpoints
from .checkpoint.claim import Claim
from .checkpoint.find import Found
from .checkpoint.recorders import name_anew
from .job_file import Job, beside
from .stop_requests import Signals, Timer, seed_of

log = logging.getLogger(__name__)


class Session:
    """A run with its log; the file is on rank 0 alone."""

    _loop: Loop
    _header: Header

    def __init__(self) -> None:
        self._log: RunLog | None = None
        self._resume: Resume | None = None
        self._end: End | None = None
        self._recorder: WeightRecorder | None = None

    def begin(self, loop: Loop, header: Header, resume: Resume | None = None) -> None:
        """The run begins or, with a `resume`, goes on."""
        self._loop, self._header, self._resume = loop, header, resume

    def write_to(self, run_log: RunLog) -> Path:
        """Log from now on, and first what runs, or that it goes on; on rank 0. The path of the log."""
        self._log = run_log
        run_log.write(self._resume or self._header)
        return run_log.path

    def record(self, log_path: Path, targets: Any, from_ms: float | None = None) -> None:
        """Write weights beside the log after each measurement. Collective.

        Args:
            log_path: The log.
            targets: Of these connections; None for none.
            from_ms: Time in ms from which a run goes on, -1 if from its beginning; None for a new file.
        """
        if targets is None:
            return
        models = dict.fromkeys(name for rule in self._loop.rules for name in rule.synapse_models)
        self._recorder = WeightRecorder(beside(log_path), tuple(models), targets=targets, from_ms=from_ms)

    def measured(self, measurement: Measurement) -> None:
        """Log a measurement, after what all ranks do together: writing the log can fail on rank 0 alone."""
        if self._recorder is not None:
            self._recorder(measurement)
        if self._log is not None:
            self._log.write(measurement)

    def end(self, reason: str) -> None:
        """Log how the run ended."""
        self._end = end_of(self._loop, reason)
        if self._log is not None:
            self._log.write(self._end)

    def close(self) -> None:
        """Close the log; again does nothing."""
        if self._log is not None:
            self._log.close()

    def summary(self) -> list[str]:
        """What was done since the run began, or went on, line by line."""
        resumes = [self._resume] if self._resume else []
        measurements = self._loop.log
        return summary(RunRecord(header=self._header, measurements=measurements, resumes=resumes, end=self._end))


class JobSession(Session):
    """The session of a job: shows progress, writes checkpoints between two chunks of a Run, and stops when asked to."""

    def __init__(
        self, job: Job, claim: Claim | None, stack: ExitStack, *, observe: bool, resume: bool, log_path: Path | None
    ) -> None:
        """Hear signals from now on, until the stack is closed, if there is a claim on a folder for checkpoints."""
        super().__init__()
        self._job, self._claim, self._stack = job, claim, stack
        self._observe, self._is_to_resume, self._log_path = observe, resume, log_path
        self._signals = stack.enter_context(Signals()) if claim else None
        self._timer = Timer(job.checkpoint.every_s, job.checkpoint.grace_s)
        self._progress: Progress | None = None
        self._last: Measurement | None = None
        self._checkpoints: Checkpoints | None = None
        self._said = self._warned = False

    def open(
        self, normalizer: Normalizer, ranks: Ranks, found: Found | None, until_ms: float, recorded: Any = None
    ) -> None:
        """Bring the network, as it stands, to where the checkpoint was, and begin or go on with the log. Collective.

        Args:
            normalizer: What simulates.
            ranks: All ranks.
            found: The checkpoint to go on from; None to begin.
            until_ms: Simulated time at the end of the run.
            recorded: Targets whose weights are written beside the log; None for none.

        Raises:
            DistnormError: Its weights cannot be kept, it is not the network of the checkpoint, or the log cannot be
                begun, or is not the one that the checkpoint goes with.
        """
        self._ranks, self._normalizer = ranks, normalizer
        if self._claim is not None:
            self._open_checkpoints(normalizer, found)
        # Asking NEST on one rank only would hang.
        of_run = self._claim.run if self._claim else None
        header = header_of(nest, normalizer._loop, seed=self._job.seed, simulate_ms=until_ms, run=of_run)
        self.begin(normalizer._loop, header, self._resumed(found, until_ms) if found else None)
        ranks.from_first(lambda: self._show_and_log(until_ms, found, of_run))
        if self._log_path is not None:
            begun_ms = -1.0 if self._is_to_resume else None
            self.record(self._log_path, recorded, found.manifest.time_ms if found else begun_ms)

    def _show_and_log(self, until_ms: float, found: Found | None, of_run: str | None) -> None:
        self._progress = Progress(until_ms, self._header.bound)
        self._stack.callback(self._progress.close)
        if self._log_path is not None:
            self.write_to(self._stack.enter_context(self._open_log(self._log_path, found, of_run)))

    def _open_log(self, path: Path, found: Found | None, run: str | None) -> RunLog:
        """A new log, or that of the run that goes on."""
        if found is not None:
            if found.manifest.log_bytes is None:
                raise RuleError(f"the run wrote no log before checkpoint {found.path}; leave out --log")
            return RunLog.go_on(path, found.manifest.log_bytes, run)
        if not (self._is_to_resume and path.exists()):
            return RunLog(path)
        if path.stat().st_size and ends_finished(path):
            raise RuleError(f"log {path} is of a run that finished, but there is no checkpoint of it")
        return RunLog.go_on(path, 0, run)

    def _open_checkpoints(self, normalizer: Normalizer, found: Found | None) -> None:
        assert self._claim is not None
        ranks, resumes = self._ranks, found.manifest.resumes + 1 if found else 0
        normalizer._loop.chunks.save = self._save
        self._checkpoints = Checkpoints(self._claim, self._job, self._observe, normalizer, ranks, resumes)
        self._checkpoints.open(found)
        if found:
            nest.rng_seed = seed_of(self._job.seed, resumes)
            if (named := name_anew(nest, ranks, found.manifest.time_ms)) and ranks.rank == 0:
                log.info(named)
        ranks.from_first(self._timer.check_time_left)

    def _resumed(self, found: Found, until_ms: float) -> Resume:
        return Resume(
            time_ms=found.manifest.time_ms,
            simulate_ms=until_ms,
            ranks=self._ranks.size,
            threads=self._job.num_threads(self._ranks.size),
            seed=seed_of(self._job.seed, found.manifest.resumes + 1),
            started=now(),
        )

    def measured(self, measurement: Measurement) -> None:
        """Log a measurement, and show it."""
        super().measured(measurement)
        self._last = measurement
        self._show(measurement.time_ms)

    def chunk(self, time_ms: float) -> None:
        """Between two chunks, on any rank, at a simulated time.

        Raises:
            Interruption: Simulating is to be left.
        """
        self._show(time_ms)
        if self._signals:
            self._signals.check()
            if self._ranks.rank == 0:
                self._timer.check()

    def _show(self, time_ms: float) -> None:
        if self._progress is not None and self._last is not None:
            self._progress.update(time_ms, self._last.drift_max, self._last.next_measurement_ms)

    def simulate(self, time_ms: float) -> Interruption | None:
        """Simulate with checkpoints, one at the end included; why the run is to stop, or None. Collective.

        Raises:
            DistnormError: Something was wrong on some rank; the same error on every rank.
        """
        stopped: Interruption | None = None
        try:
            try:
                self._normalizer.simulate(time_ms)
            except Interruption as reason:
                stopped = reason
            self._save()
        except BaseException as error:
            self.end(f"{type(error).__name__}: {error}")
            raise
        self.end(f"stopped: {stopped}" if stopped else "finished")
        return stopped

    def _save(self) -> None:
        """Write a checkpoint, if there are to be any. Collective."""
        if self._checkpoints is None:
            return
        start = time.monotonic()
        path, size = self._checkpoints.save(None if self._log is None else self._log.size)
        seconds = time.monotonic() - start
        chunk_s = self._timer.longest_s
        self._timer.restart()
        if self._ranks.rank == 0:
            self._say_once(path, size, seconds, chunk_s)

    def _say_once(self, path: Path, size: int, seconds: float, chunk_s: float) -> None:
        """Say what the first checkpoint took, and when it is seen that the last one may come too late."""
        if not self._said:
            self._said = True
            log.info("checkpoint %s: %s MB in %.2f s; %s", path, f"{size / 1e6:,.1f}", seconds, self._plan())
        # A stop may come just when a checkpoint is begun: then it waits for that one, and writes another.
        needed, grace_s = chunk_s + 2 * seconds, self._job.checkpoint.grace_s
        if self._timer.end is not None and needed > grace_s and not self._warned:
            self._warned = True
            log.warning(
                "a second of simulation and two checkpoints take %.0f s, and checkpoint.grace_s is %g: the last "
                "checkpoint may come too late; give a longer grace_s",
                needed,
                grace_s,
            )

    def _plan(self) -> str:
        settings = self._job.checkpoint
        plan = f"one every {settings.every_s:g} s, and within about a second of SIGTERM or SIGUSR1"
        if self._timer.end is not None:
            end = datetime.fromtimestamp(self._timer.end).astimezone()
            plan += f", and {settings.grace_s:g} s before the allocation ends at {end:%Y-%m-%d %H:%M:%S}"
        return plan

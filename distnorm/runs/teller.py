"""Log and progress of rank 0; silent on the others."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from ..errors import RuleError
from ..mpi.ranks import Ranks
from ..normalizer.measurement import Measurement
from ..normalizer.normalizer import Normalizer
from ..normalizer.progress import Progress
from ..records.history import end_fields, measurement_fields
from ..records.run_log import RunLog, ends_finished
from .checkpoint.find import Found
from .job_file import Job
from .stop_requests import seed_of


class Teller:
    """Tells what a run does."""

    def __init__(self, job: Job, ranks: Ranks, stack: ExitStack, log: Path | None) -> None:
        self._job = job
        self._ranks = ranks
        self._stack = stack
        self._path = log
        self._log: RunLog | None = None
        self._progress: Progress | None = None
        self._normalizer: Normalizer | None = None
        self._last: Measurement | None = None

    def start(
        self, header: dict[str, Any], found: Found | None, resume: bool, normalizer: Normalizer, until_ms: float
    ) -> None:
        """The run begins, or goes on from the checkpoint that was found.

        Raises:
            RuleError: The log cannot be begun, or is not the one that the checkpoint goes with.
        """
        if self._ranks.rank != 0:
            return
        self._normalizer = normalizer
        self._progress = Progress(until_ms, getattr(normalizer.interval, "bound", None))
        self._stack.callback(self._progress.close)
        if self._path is None:
            return
        if found is None and not (resume and self._path.exists()):
            self._log = self._stack.enter_context(RunLog(self._path))
        else:
            size = self._bytes_to_keep(self._path, found)
            self._log = self._stack.enter_context(RunLog.go_on(self._path, size, header["run"]))
        if found:
            self._resumed(self._log, found, until_ms)
        else:
            self._log.header(**header)

    def _bytes_to_keep(self, path: Path, found: Found | None) -> int:
        if found is None:
            if path.stat().st_size and ends_finished(path):
                raise RuleError(f"log {path} is of a run that finished, but there is no checkpoint of it")
            return 0
        if found.log_bytes is None:
            raise RuleError(f"the run wrote no log before checkpoint {found.path}; leave out --log")
        return found.log_bytes

    def _resumed(self, log: RunLog, found: Found, until_ms: float) -> None:
        log.resume(
            time_ms=found.time_ms,
            simulate_ms=until_ms,
            ranks=self._ranks.size,
            threads=self._job.num_threads(self._ranks.size),
            seed=seed_of(self._job.seed, found.resumes + 1),
            started=_now(),
        )

    def measurement(self, measurement: Measurement) -> None:
        self._last = measurement
        if self._log is not None:
            self._log.measurement(measurement_fields(measurement))
        self.chunk(measurement.time_ms)

    def chunk(self, time_ms: float) -> None:
        if self._progress is not None and self._last is not None:
            self._progress.update(time_ms, self._last.drift_max, self._last.next_measurement_ms)

    def end(self, reason: str) -> None:
        if self._log is not None and self._normalizer is not None:
            self._log.end(**end_fields(self._normalizer, reason))

    def say(self, text: str) -> None:
        """A line on stderr, by rank 0."""
        if self._ranks.rank == 0:
            print(f"distnorm: {text}", file=sys.stderr, flush=True)

    @property
    def log_bytes(self) -> int | None:
        """Size of the log; None without one, and on other ranks."""
        return None if self._log is None else self._log.size


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="seconds")

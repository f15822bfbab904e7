"""When checkpoints are written during a run, and what is said about it."""

from __future__ import annotations

import time
from contextlib import ExitStack
from datetime import datetime

import nest

from ..errors import Interruption
from ..mpi.ranks import Ranks
from ..normalizer.normalizer import Normalizer
from .checkpoint.checkpoints import Checkpoints
from .checkpoint.claim import Claim
from .checkpoint.find import Found
from .checkpoint.recorders import name_anew
from .job_file import CheckpointSettings, Job
from .stop_requests import Signals, Timer, seed_of
from .teller import Teller


class Saver:
    """Writes checkpoints between two chunks of a Run, and leaves the simulation when asked to."""

    def __init__(self, claim: Claim | None, settings: CheckpointSettings, stack: ExitStack) -> None:
        """Hear signals from now on, until the stack is closed; without a folder claimed, do nothing at all."""
        self._claim = claim
        self._settings = settings
        self._signals = stack.enter_context(Signals()) if claim else None
        self._timer = Timer(settings.every_s, settings.grace_s)
        self._said = self._warned = False
        self._checkpoints: Checkpoints | None = None

    def open(
        self, job: Job, observe: bool, normalizer: Normalizer, found: Found | None, ranks: Ranks, teller: Teller
    ) -> None:
        """Be ready for the network as it stands, and bring it to where the checkpoint was. Collective.

        Raises:
            DistnormError: Its weights cannot be kept, or it is not the network of the checkpoint.
        """
        self._teller = teller
        if self._claim is None:
            return
        resumes = found.resumes + 1 if found else 0
        normalizer.chunks.save = self._save
        self._checkpoints = Checkpoints(self._claim, job, observe, normalizer, ranks, resumes)
        self._checkpoints.open(found)
        if found:
            nest.rng_seed = seed_of(job.seed, resumes)
            if named := name_anew(nest, ranks, found.time_ms):
                teller.say(named)
        ranks.from_first(self._timer.check_time_left)

    def check(self, ranks: Ranks) -> None:
        """Between two chunks, on any rank.

        Raises:
            Interruption: Simulating is to be left.
        """
        if self._signals:
            self._signals.check()
            if ranks.rank == 0:
                self._timer.check()

    def simulate(self, normalizer: Normalizer, until_ms: float) -> None:
        """Simulate with checkpoints, one at the end included. Collective.

        Raises:
            Interruption: The run is to stop; the last checkpoint is of this time.
            DistnormError: Something was wrong on some rank; the same error on every rank.
        """
        left_ms = max(until_ms - normalizer.time_ms, 0.0)
        if self._checkpoints is None:
            normalizer.simulate(left_ms)
            return
        try:
            normalizer.simulate(left_ms)
        except Interruption:
            self._save()
            raise
        self._save()

    def _save(self) -> None:
        assert self._checkpoints is not None
        start = time.monotonic()
        path, size = self._checkpoints.save(self._teller.log_bytes)
        seconds = time.monotonic() - start
        chunk_s = self._timer.longest_s
        self._timer.restart()
        if not self._said:
            self._said = True
            self._teller.say(f"checkpoint {path}: {size / 1e6:,.1f} MB in {seconds:.2f} s; {self._plan()}")
        # A stop may come just when a checkpoint is begun: then it waits for that one, and writes another.
        needed = chunk_s + 2 * seconds
        if self._timer.end is not None and needed > self._settings.grace_s and not self._warned:
            self._warned = True
            self._teller.say(
                f"a second of simulation and two checkpoints take {needed:.0f} s, and checkpoint.grace_s is "
                f"{self._settings.grace_s:g}: the last checkpoint may come too late; give a longer grace_s"
            )

    def _plan(self) -> str:
        plan = f"one every {self._settings.every_s:g} s, and within about a second of SIGTERM or SIGUSR1"
        if self._timer.end is not None:
            end = datetime.fromtimestamp(self._timer.end).astimezone()
            plan += f", and {self._settings.grace_s:g} s before the allocation ends at {end:%Y-%m-%d %H:%M:%S}"
        return plan

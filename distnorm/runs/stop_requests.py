"""When to leave a run between two slices: a signal on any rank, the end of the allocation near, a checkpoint due.

PyNEST keeps the interpreter to itself while it simulates, so a handler only notes the signal, and the session
looks between two chunks. What is found is raised; it travels to all ranks as an error does.
"""

from __future__ import annotations

import os
import signal
import time
from datetime import datetime
from types import FrameType
from typing import Any

import numpy as np

from ..errors import AllocationEnds, CheckpointDue, RuleError, StopRequest
from ..files.typed_json import shown

STOPPED = 143
"""Exit code after SIGTERM, as of a program that it ended: 128 + 15."""
REQUEUE = 75
"""Exit code where the run should be started again to go on: EX_TEMPFAIL of sysexits.h."""

_STOP, _REQUEUE = signal.SIGTERM, signal.SIGUSR1


class Signals:
    """Notes SIGTERM and SIGUSR1 instead of dying of them."""

    def __init__(self) -> None:
        self._heard: set[int] = set()
        self._before: dict[int, Any] = {}

    def check(self) -> None:
        """Raise what was asked for.

        Raises:
            StopRequest: After SIGTERM.
            AllocationEnds: After SIGUSR1.
        """
        if _STOP in self._heard:
            raise StopRequest("SIGTERM")
        if _REQUEUE in self._heard:
            raise AllocationEnds("SIGUSR1")

    def _note(self, number: int, _: FrameType | None) -> None:
        self._heard.add(number)

    def __enter__(self) -> Signals:
        for number in (_STOP, _REQUEUE):
            self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)


class Timer:
    """Wall time, on rank 0: the end of the allocation, and the next checkpoint."""

    def __init__(self, every_s: float, grace_s: float) -> None:
        """Start at the first checkpoint, which is due at once.

        Args:
            every_s: Seconds between the end of a checkpoint and the next.
            grace_s: Seconds before the end of the allocation at which to stop.
        """
        self._every_s = every_s
        self._grace_s = grace_s
        self._due = time.monotonic()
        self.end = allocation_end()
        self.longest_s = 0.0  # from one check to the next: a slice, and perhaps measurements
        self._checked: float | None = None

    def check(self) -> None:
        """Raise what is due.

        Raises:
            AllocationEnds: Less than the grace period is left.
            CheckpointDue: It is.
        """
        now = time.monotonic()
        if self._checked is not None:
            self.longest_s = max(self.longest_s, now - self._checked)
        self._checked = now
        if self.end is not None and self.end - time.time() < self._grace_s:
            raise AllocationEnds(f"{max(self.end - time.time(), 0):.0f} s are left of the allocation")
        if now >= self._due:
            raise CheckpointDue

    def check_time_left(self) -> None:
        """Refuse to begin where all the time there is belongs to the end: each requeue would do next to nothing."""
        if self.end is not None and (left := self.end - time.time()) < self._grace_s:
            raise RuleError(
                f"{left:.0f} s are left of the allocation, less than checkpoint.grace_s of {self._grace_s:g}; ask for "
                "more time, or give a shorter grace_s"
            )

    def restart(self) -> None:
        """A checkpoint was just written."""
        self._due, self._checked = time.monotonic() + self._every_s, None


def allocation_end() -> float | None:
    """When SLURM will end the job, in seconds since 1970; None if it does not say."""
    text = os.environ.get("SLURM_JOB_END_TIME", "")
    if not text:
        return None
    try:
        end = float(text)
        datetime.fromtimestamp(end)  # is to be said
    except (ValueError, OverflowError, OSError):
        raise RuleError(f"SLURM_JOB_END_TIME is {shown(text)}; give seconds since 1970, or unset it") from None
    return end


def seed_of(seed: int, resumes: int) -> int:
    """Seed of NEST for a run that was resumed so often: the old one would give the same noise again."""
    return int(np.random.SeedSequence([seed, resumes]).generate_state(1)[0]) % (2**32 - 1) + 1

"""Benchmarks in processes of their own, under mpiexec or not: one that has initialized MPI cannot start others."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...errors import DistnormError, RuleError
from ...mpi.launch import find_mpiexec, last_words, started_processes


@dataclass(frozen=True, kw_only=True)
class Ended:
    """A process that ended.

    Attributes:
        said: Its standard output.
        error: What went wrong; None if nothing did.
        seconds: Wall time.
    """

    said: str
    error: str | None
    seconds: float


def run_process(command: Sequence[str], timeout_s: float) -> Ended:
    """Run a command, and end it with all it started if it takes too long or this process is interrupted."""
    start = time.perf_counter()
    error: str | None = None
    with subprocess.Popen(
        command,
        env=os.environ | {"PYNEST_QUIET": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        start_new_session=True,
    ) as process:
        try:
            said, wrong = process.communicate(timeout=timeout_s)
            error = _error(process.returncode, wrong) if process.returncode else None
        except BaseException as reason:
            os.killpg(process.pid, signal.SIGKILL)  # mpiexec and its ranks
            process.communicate()
            if not isinstance(reason, subprocess.TimeoutExpired):
                raise
            said, error = "", f"not done within {timeout_s:g} s"
    return Ended(said=said, error=error, seconds=time.perf_counter() - start)


def _error(code: int, said: str) -> str:
    end = signal.Signals(-code).name if code < 0 else f"exit code {code}"
    return ": ".join(filter(None, [end, last_words(said)]))


def ask(command: Sequence[str], settings: Mapping[str, Any], timeout_s: float) -> dict[str, Any]:
    """What a command answers, as the JSON of the last line it prints, to settings as JSON in its last argument.

    Raises:
        DistnormError: It failed.
    """
    ended = run_process([*command, json.dumps(settings)], timeout_s)
    lines = [line for line in ended.said.splitlines() if line.startswith("{")]
    if ended.error is not None or not lines:
        raise DistnormError(ended.error or "no answer")
    answer: dict[str, Any] = json.loads(lines[-1])
    return answer


def launcher(ranks: int, given: str | None = None) -> list[str]:
    """The command in front of a program to start it on so many ranks; none for one rank without mpiexec.

    Raises:
        RuleError: There is no mpiexec for several ranks, or this process is under one already.
    """
    if started_processes() > 1:
        raise RuleError("this benchmark starts mpiexec itself, but is under mpiexec already; leave it out")
    found = given or find_mpiexec()
    if found is None and ranks > 1:
        raise RuleError(f"{ranks} ranks need mpiexec, which was not found; load the MPI that NEST was built with")
    return [*shlex.split(found), "-n", str(ranks)] if found else []


def say(line: str) -> None:
    """Tell how it goes, on stderr."""
    print(line, file=sys.stderr, flush=True)

"""How ranks come to an end: all at once, and none of them left waiting for another."""

from __future__ import annotations

import logging
import math
import os
import signal
import sys
import time
from typing import Any

log = logging.getLogger(__name__)

_PATIENCE_SECONDS = 5.0
_POLL_SECONDS = 0.01


class Ending:
    """The ends of a rank.

    Args:
        communicator: Of all ranks, by mpi4py; None if this one is alone.
    """

    def __init__(self, communicator: Any) -> None:
        self._comm = communicator
        self._leaving = False

    def end_with(self, code: int) -> int:
        """End all ranks with this exit code, at the same moment; a single process returns it. Collective.

        A launcher that kills what is left of a program when one rank has failed would otherwise kill ranks that are
        still freeing their memory, and hand on the code of that.
        """
        if self._comm is None:
            return code
        from mpi4py import MPI

        sys.stdout.flush()
        sys.stderr.flush()
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        MPI.Finalize()
        os._exit(code)

    def abort(self, code: int = 1) -> None:
        """End all ranks at once, from any of them, with an exit code; does nothing on a single rank."""
        if self._comm is not None:
            sys.stdout.flush()
            sys.stderr.flush()
            self._comm.Abort(code)

    def leave(self, code: int) -> None:
        """Wait until all ranks are about to end. A rank that failed ends all if they do not come soon. Once.

        NEST's exit hook waits in MPI_Finalize for ranks that may wait for this one in a simulation.

        Args:
            code: Exit code of this rank; not 0 if it failed.
        """
        if not self._leaving:
            self._leaving = True
            self.meet(code)

    def meet(self, code: int, last_words: str = "") -> None:
        """Wait for all ranks; one with a code for an error says its last words and ends all if they do not come."""
        if self._comm is None:
            return
        request = self._comm.Ibarrier()
        deadline = time.monotonic() + _PATIENCE_SECONDS if code else math.inf
        while not request.Test():
            if time.monotonic() > deadline:
                if last_words:
                    log.error(last_words)
                self.abort(code)
            time.sleep(_POLL_SECONDS)

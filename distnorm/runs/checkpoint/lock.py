"""A file that one process at a time has, on any node that sees it, until it ends.

POSIX locks (fcntl): NFS, Lustre, GPFS and CephFS hand them on between nodes, and the system takes them back from a
process that was killed, and from a node that is gone, some time later. Not every file system has them.
"""

from __future__ import annotations

import errno
import fcntl
import logging
import os
import re
import socket
import time
from pathlib import Path

from ...errors import CheckpointError, RuleError
from .npy import open_file

log = logging.getLogger(__name__)

_LEASE_SECONDS = 120.0  # an NFS server takes back the locks of a node that is gone after 90 s, by default
_PAUSE_SECONDS = 1.0
_HELD = (errno.EACCES, errno.EAGAIN)
_HOLDER = re.compile(rb"(?:([!-~]+) ([0-9]+))?")  # host and process
_LONGEST = 300


class Lock:
    """A lock of this process, in a file of its own: closing any other descriptor of the file would unlock it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = -1

    def is_one(self) -> bool:
        """Whether the file is one that a `Lock` has made: empty, or with a holder in it."""
        if self._file >= 0:  # not opened a second time: closing it would unlock it
            return _HOLDER.fullmatch(os.pread(self._file, _LONGEST, 0)) is not None
        try:
            with open_file(self._path) as file:
                return _HOLDER.fullmatch(file.read(_LONGEST)) is not None
        except (CheckpointError, OSError):
            return False

    def take(self, wait: bool) -> None:
        """Take it.

        Args:
            wait: Whether a process on another node may have had it that is gone, which takes time to be known.

        Raises:
            RuleError: Another process has it.
            OSError: The file cannot be made.
        """
        end = time.monotonic() + (_LEASE_SECONDS if wait else 0.0)
        told = False
        while not self._try():
            host, process = self._holder()
            self.close()
            if host == socket.gethostname() or time.monotonic() >= end:
                who = f"host {host}, process {process}"
                raise RuleError(
                    f"another run is at work in {self._path.parent} ({who}); wait for its end, or give another folder"
                )
            if not told:
                log.warning("%s is locked by host %s; waiting %g s: it may be gone", self._path, host, _LEASE_SECONDS)
                told = True
            time.sleep(_PAUSE_SECONDS)
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, f"{socket.gethostname()} {os.getpid()}".encode(), 0)

    def remove(self) -> None:
        """Remove the file, while this process has the lock."""
        self._path.unlink(missing_ok=True)

    def close(self) -> None:
        """Let go of it."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _try(self) -> bool:
        """Whether the file is locked by this process now, and is still the one of that name."""
        self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
        try:
            fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in _HELD:
                return False
            log.warning("%s: %s; a second run there is noticed only when it writes", self._path, error.strerror)
        if os.path.lexists(self._path) and os.path.samestat(os.fstat(self._file), os.lstat(self._path)):
            return True
        self.close()  # whoever had it has removed it
        return self._try()

    def _holder(self) -> tuple[str, str]:
        """Host and process that have it, as they wrote it."""
        found = _HOLDER.fullmatch(os.pread(self._file, _LONGEST, 0))
        return (found[1].decode(), found[2].decode()) if found and found[1] else ("unknown", "unknown")

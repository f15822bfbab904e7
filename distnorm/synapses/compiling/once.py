"""A file that one process makes while all others wait, on one node or many, without file locks.

Who makes it is decided by mkdir, which only one process can do, on a shared file system too. The folder is the maker's
claim and its workshop; while it works it writes to the file `beat` in it every half second. A claim without a new beat
for some seconds is of a process that was killed: the next process takes the next number, and removes the old folder
when it is done. The file appears by rename, complete. If its maker fails, each waiting process tries for itself at
once, so a maker's error is everybody's own.
"""

from __future__ import annotations

import re
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

BEAT_SECONDS = 0.5
_DEAD_SECONDS = 5.0
_POLL_SECONDS = 0.1, 1.0  # at first, and after some time: many processes may ask one file server
_LEFTOVER_SECONDS = 3600.0
_MARK = b"distnorm "  # a folder without it in its beat is none of ours, whatever its name


def obtain(target: Path, make: Callable[[Path], Path]) -> None:
    """Have a file made, unless it is there or another process is making it; then wait for it.

    Args:
        target: The file. Its folder exists.
        make: Makes it inside of a folder and returns its path there; calls `beat` every `BEAT_SECONDS`.

    Raises:
        OSError: The folder of the file cannot be written.
        Exception: What `make` raises.
    """
    while not target.exists():
        last = max(_claims(target), default=0)
        if last and not _is_dead(_claim(target, last), target):
            if not target.exists():  # its maker failed
                _make(target, Path(tempfile.mkdtemp(dir=target.parent, prefix=f"{target.name}.making-alone-")), make)
            return
        try:
            _claim(target, last + 1).mkdir(mode=0o700)
        except FileExistsError:
            continue  # another process was faster
        _make(target, _claim(target, last + 1), make)


def beat(claim: Path) -> None:
    """Tell the waiting processes that the maker is at work.

    By rename: killed while it writes, a process would else leave an empty beat, and so a folder that is nobody's.
    """
    following = claim / "next"
    following.write_bytes(_MARK + str(time.monotonic_ns()).encode())
    following.replace(claim / "beat")


def _make(target: Path, claim: Path, make: Callable[[Path], Path]) -> None:
    try:
        if not target.exists():  # mkdir has made a network file system look again
            beat(claim)
            make(claim).replace(target)
            _remove_leftovers(target)
    except Exception:
        if not target.exists():  # nobody else, who thought this process dead, has made it meanwhile
            raise
    finally:
        shutil.rmtree(claim, ignore_errors=True)


def _is_dead(claim: Path, target: Path) -> bool:
    """Wait until the claim ends (False), or its process has shown no sign of life for too long (True)."""
    last, since = b"", time.monotonic()
    pause, longest = _POLL_SECONDS
    while time.monotonic() - since < _DEAD_SECONDS:
        if target.exists() or not claim.exists():
            return False
        now = _read(claim / "beat")
        if now != last:
            last, since = now, time.monotonic()
        time.sleep(pause)
        pause = min(longest, 1.1 * pause)
    return True


def _remove_leftovers(target: Path) -> None:
    """Claims of killed processes: all for this file, which is there now, and old ones for any other."""
    old = target.stat().st_mtime - _LEFTOVER_SECONDS
    for claim in target.parent.glob("*.making-*"):
        try:
            is_due = claim.name.startswith(f"{target.name}.making-") or claim.stat().st_mtime < old
            if is_due and not claim.is_symlink() and _read(claim / "beat").startswith(_MARK):
                shutil.rmtree(claim, ignore_errors=True)
        except FileNotFoundError:
            continue  # another process was faster


def _claims(target: Path) -> list[int]:
    pattern = re.compile(re.escape(f"{target.name}.making-") + r"(\d+)")
    return [int(found[1]) for path in target.parent.iterdir() if (found := pattern.fullmatch(path.name))]


def _claim(target: Path, number: int) -> Path:
    return target.with_name(f"{target.name}.making-{number}")


def _read(path: Path) -> bytes:
    """Opened anew each time: that makes a network file system ask the server."""
    try:
        return path.read_bytes()
    except OSError:
        return b""

"""Whose a folder for checkpoints is, and that one run at a time writes there.

distnorm.jsonl  the marker: a line for each start of the run, with its identity, and one before each checkpoint
distnorm.lock   locked by rank 0 while the run goes on; the system unlocks it when the process ends, however it ends

A folder without the marker must be empty. With it, all that is in it must be what the marker tells of. Where a file
system has no locks, or each node its own, the marker helps: a run that finds another's start in it does not write.
"""

from __future__ import annotations

import os
import socket
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from types import TracebackType
from typing import Any
from uuid import uuid4

from .. import json_lines
from ..errors import CheckpointError, RuleError
from ..typed_json import as_json, from_json, loads
from . import folder as folders
from . import identity
from .identity import Identity
from .lock import Lock
from .manifest import VIRTUAL
from .npy import open_file
from .part import file_names

_MARKER, _LOCK = "distnorm.jsonl", "distnorm.lock"
_NAMED = 3  # of what else is in a folder


@dataclass(frozen=True, kw_only=True)
class Start:
    """A line of the marker: a run starts, or goes on.

    Attributes:
        run: Identifies the run, however often it is resumed.
        start: Identifies this start.
        at: When.
        where: Host and process of rank 0.
        identity: Of the run.
    """

    run: str
    start: str
    at: str
    where: str
    identity: dict[str, str]


@dataclass(frozen=True, kw_only=True)
class Begun:
    """A line of the marker: a checkpoint is about to be written.

    Attributes:
        checkpoint: Its number.
    """

    checkpoint: int


@dataclass(frozen=True, kw_only=True)
class Marker:
    """What a marker says.

    Attributes:
        start: The last start; None in one that is empty or not there.
        begun: Number of the last checkpoint that was begun.
    """

    start: Start | None = None
    begun: int = 0


class Claim:
    """A folder for checkpoints, and the right to write there, which rank 0 has from `take` to the end of the context.

    Attributes:
        folder: Where it is.
        run: Identifies the run; on rank 0, after `take`.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.run: str | None = None
        self._lock = Lock(folder / _LOCK)
        self._made: list[Path] = []
        self._start: Start | None = None

    def take(self, now: Identity, resume: bool) -> None:
        """Find out whether the folder is free, or of this run, and keep other runs out. On rank 0.

        Args:
            now: What is known of this run before its network is built.
            resume: Whether it goes on from a checkpoint, if there is one.

        Raises:
            RuleError: The folder is something else's, or another run is at work there; nothing has been written.
            CheckpointError: The folder cannot be made or read.
        """
        if os.path.lexists(self.folder) and not self.folder.is_dir():
            raise CheckpointError(f"cannot make checkpoint folder {self.folder}: File exists")
        self._check(now, resume)
        self._made = _make(self.folder)
        try:
            self._lock.take(wait=resume)
        except OSError as error:
            raise CheckpointError(f"cannot write checkpoints into {self.folder}: {error.strerror}") from None
        before = self._check(now, resume).start  # nobody else writes there now
        goes_on = resume and before is not None and before.identity == now
        self._start = Start(
            run=before.run if before is not None and goes_on else uuid4().hex,
            start=uuid4().hex,
            at=datetime.now(timezone.utc).isoformat(timespec="seconds"),
            where=f"{socket.gethostname()}, process {os.getpid()}",
            identity=now,
        )
        self.run = self._start.run

    def mark(self) -> None:
        """Write into the marker that the run starts. On rank 0."""
        assert self._start is not None
        self._write(self._start)

    def begin(self) -> tuple[int, Path]:
        """A new folder to write a checkpoint into, and the number it is to have. On rank 0.

        Raises:
            CheckpointError: It cannot be made, or another run has started there.
        """
        self.tidy()
        number = self._begun() + 1
        self._write(Begun(checkpoint=number))
        return number, folders.begin(self.folder, number)

    def tidy(self) -> None:
        """Remove what was left half-written, and all but the last checkpoints. On rank 0.

        Raises:
            CheckpointError: The folder is not there any more, or another run has started there.
        """
        assert self._start is not None
        folders.remove_old(self.folder, self._begun(), file_names(int(self._start.identity[VIRTUAL])))

    def _begun(self) -> int:
        """Number of the last checkpoint that was begun, in a folder that still is this run's."""
        try:
            marker = _parsed(self.folder / _MARKER)
        except CheckpointError as error:
            raise CheckpointError(f"cannot write checkpoints into {self.folder}: {error}") from None
        if marker.start != self._start:
            other = f": {marker.start.where}, at {marker.start.at}" if marker.start else ""
            raise CheckpointError(f"cannot write checkpoints into {self.folder}: another run has started there{other}")
        return marker.begun

    def _check(self, now: Identity, resume: bool) -> Marker:
        marker = _read_marker(self.folder)
        _refuse_others(self.folder, marker.begun)
        start = marker.start
        if not marker.begun or start is None:
            return marker
        if not resume:
            raise RuleError(
                f"{self.folder} holds checkpoints of the run that started at {start.at}; --resume goes on with it, or "
                "give another folder"
            )
        try:
            identity.check(start.identity, now)
        except RuleError as error:
            raise RuleError(f"cannot go on from the checkpoints in {self.folder}: {error}") from None
        return marker

    def _write(self, record: Start | Begun) -> None:
        try:
            flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
            handle = os.open(self.folder / _MARKER, flags, 0o666)
            try:
                json_lines.cut_torn(handle)  # by a kill
                json_lines.append(handle, as_json(record))
                os.fsync(handle)
            finally:
                os.close(handle)
            folders.sync(self.folder)
        except OSError as error:
            raise CheckpointError(f"cannot write checkpoints into {self.folder}: {error.strerror}") from None

    def __enter__(self) -> Claim:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let go of the folder; one without a marker is as it was before."""
        if self.run is not None and not os.path.lexists(self.folder / _MARKER):
            with suppress(OSError):  # something else is in it by now, or it is gone
                self._lock.remove()
                for path in self._made:
                    path.rmdir()
        self._lock.close()


def _make(folder: Path) -> list[Path]:
    """Make a folder, and those it is in; those that were made, the innermost first."""
    missing = [each for each in (folder, *folder.parents) if not os.path.lexists(each)]
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as error:
        raise CheckpointError(f"cannot make checkpoint folder {folder}: {getattr(error, 'strerror', error)}") from None
    return missing


def _refuse_others(folder: Path, begun: int) -> None:
    """Refuse a folder with something in it that the marker does not tell of."""
    others = [name for name in folders.entries(folder) if not _is_told_of(folder, name, begun)]
    if others:
        named = ", ".join(others[:_NAMED]) + (f" and {len(others) - _NAMED:,} more" if len(others) > _NAMED else "")
        raise RuleError(
            f"{folder} holds {named}, which this run did not write; give a folder for its checkpoints alone, or move "
            "that away"
        )


def _is_told_of(folder: Path, name: str, begun: int) -> bool:
    number = folders.number_of(name)
    if number is None:
        return name in (_MARKER, _LOCK)
    return 1 <= number <= begun and folders.is_folder(folder / name)


def _read_marker(folder: Path) -> Marker:
    path = folder / _MARKER
    return _parsed(path) if os.path.lexists(path) else Marker()


def _parsed(path: Path) -> Marker:
    with open_file(path) as file:
        lines = json_lines.whole_lines(file.read())
    start, begun = None, 0
    for number, line in enumerate(lines, start=1):
        try:
            record = _record(loads(line))
        except ValueError as error:
            raise CheckpointError(f"{path}, line {number}: {error}") from None
        if isinstance(record, Start):
            start = record
        else:
            begun = max(begun, record.checkpoint)
    return Marker(start=start, begun=begun)


def _record(given: Any) -> Start | Begun:
    kind = Begun if isinstance(given, dict) and "checkpoint" in given else Start
    record: Start | Begun = from_json(given, kind, "marker")
    return record

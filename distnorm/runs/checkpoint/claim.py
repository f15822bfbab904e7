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
from datetime import datetime, timezone
from pathlib import Path
from uuid import uuid4

from ...errors import CheckpointError, RuleError
from . import folder as folders
from . import identity, marker
from .identity import Identity
from .lock import Lock
from .manifest import VIRTUAL
from .marker import Begun, Start, Told
from .part import file_names

_LOCK = "distnorm.lock"
_NAMED = 3  # of what else is in a folder


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
        self._begun = 0
        self._marker = (0, 0)  # its state when this run last wrote

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
        told = self._check(now, resume)  # nobody else writes there now
        self._begun, before = told.begun, told.start
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
        self._begun += 1
        self._write(Begun(checkpoint=self._begun))
        return self._begun, folders.begin(self.folder, self._begun)

    def tidy(self) -> None:
        """Remove what was left half-written, and all but the last checkpoints. On rank 0.

        Raises:
            CheckpointError: The folder is not there any more, or another run has started there.
        """
        assert self._start is not None
        self._check_ours()
        folders.remove_old(self.folder, self._begun, file_names(int(self._start.identity[VIRTUAL])))

    def _check_ours(self) -> None:
        refused = f"cannot write checkpoints into {self.folder}"
        try:
            if marker.state(self.folder) == self._marker:
                return
            start = marker.read(self.folder).start
        except CheckpointError as error:
            raise CheckpointError(f"{refused}: {error}") from None
        who = f": {start.where}, at {start.at}" if start else ""
        raise CheckpointError(f"{refused}: another run has started there{who}")

    def _check(self, now: Identity, resume: bool) -> Told:
        told = marker.read(self.folder)
        self._refuse_others(told.begun)
        start = told.start
        if not told.begun or start is None:
            return told
        if not resume:
            raise RuleError(
                f"{self.folder} holds checkpoints of the run that started at {start.at}; --resume goes on with it, or "
                "give another folder"
            )
        try:
            identity.check(start.identity, now)
        except RuleError as error:
            raise RuleError(f"cannot go on from the checkpoints in {self.folder}: {error}") from None
        return told

    def _refuse_others(self, begun: int) -> None:
        """Refuse a folder with something in it that the marker does not tell of."""
        others = [name for name in folders.entries(self.folder) if not self._is_told_of(name, begun)]
        if others:
            named = ", ".join(others[:_NAMED]) + (f" and {len(others) - _NAMED:,} more" if len(others) > _NAMED else "")
            raise RuleError(
                f"{self.folder} holds {named}, which this run did not write; give a folder for its checkpoints alone, "
                "or move that away"
            )

    def _is_told_of(self, name: str, begun: int) -> bool:
        number = folders.number_of(name)
        if number is None:
            return name == marker.NAME or (name == _LOCK and self._lock.is_one())
        return 1 <= number <= begun and folders.is_folder(self.folder / name)

    def _write(self, record: Start | Begun) -> None:
        try:
            self._marker = marker.append(self.folder, record)
        except OSError as error:
            raise CheckpointError(f"cannot write checkpoints into {self.folder}: {error.strerror}") from None

    def __enter__(self) -> Claim:
        return self

    def __exit__(self, *_: object) -> None:
        """Let go of the folder; one without a marker is as it was before."""
        if self.run is not None and not os.path.lexists(self.folder / marker.NAME):
            with suppress(OSError):  # something else is in it by now, or it is gone
                self._lock.remove()
                for path in self._made:
                    path.rmdir()
        self._lock.close()


def _make(folder: Path) -> list[Path]:
    """Make a folder, and those it is in; those that were made, the innermost first."""
    missing = [path for path in (folder, *folder.parents) if not os.path.lexists(path)]
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as error:
        raise CheckpointError(f"cannot make checkpoint folder {folder}: {getattr(error, 'strerror', error)}") from None
    return missing

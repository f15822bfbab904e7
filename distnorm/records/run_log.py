"""The record of a run: JSON lines, one per measurement, written by rank 0 and readable while the run goes on.

header       what runs                                  first line
measurement  the drift and what was done about it       one line each
resume       the run goes on from a checkpoint          one line each time
end          how it ended                               last line; absent while running, and after a kill

A line is whole if it ends in a newline. A kill can tear the last one only, because each is one write to the end.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

from ..errors import DistnormError, RuleError
from ..files import json_lines
from ..files.typed_json import as_json, from_json, loads, shown
from ..normalizer.measurement import Measurement
from .run_record import End, Header, Resume, RunRecord, check_measurement

_HEADER_BYTES = 1 << 20


_KINDS = {"header": Header, "measurement": Measurement, "resume": Resume, "end": End}
_KIND_OF = {record: kind for kind, record in _KINDS.items()}


class RunLog:
    """A new log file. On rank 0 only.

    Attributes:
        path: Where it is.
    """

    def __init__(self, path: Path) -> None:
        """Make the file."""
        self.path = path
        try:
            self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o666)
        except FileExistsError:
            raise RuleError(f"log {path} exists already and is kept; give another path, or move it away") from None
        except OSError as error:
            raise RuleError(f"cannot write log {path}: {error.strerror}") from None

    @classmethod
    def go_on(cls, path: Path, size: int, run: str | None) -> RunLog:
        """The log of a run that goes on from a checkpoint; what was written after the checkpoint is set aside.

        Lines beyond `size` belong to simulated time that comes again. They go to the end of `path` + ".undone".

        Args:
            path: The log.
            size: Its bytes when the checkpoint was written.
            run: Which run its header must be of.

        Raises:
            RuleError: It is not there, not of this run, or shorter; or the other file is something else. Both are kept.
        """
        log = cls.__new__(cls)
        log.path, log._file = path, -1
        try:
            log._file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CLOEXEC | os.O_NONBLOCK)
            log._go_back(size, run)
        except OSError as error:
            log.close()
            raise RuleError(
                f"cannot go on with log {path}: {error.strerror}; put it back, or leave out --log"
            ) from None
        except RuleError:
            log.close()
            raise
        return log

    def _go_back(self, size: int, run: str | None) -> None:
        status = os.fstat(self._file)
        if not stat.S_ISREG(status.st_mode) or (status.st_size and not _is_of(self._file, run)):
            raise RuleError(f"log {self.path} is not of the run that goes on, and is kept; give another path")
        if status.st_size < size or (size and os.pread(self._file, 1, size - 1) != b"\n"):
            raise RuleError(
                f"log {self.path} has {status.st_size} bytes, and had {size} at the checkpoint; put it back"
            )
        if status.st_size > size:
            _set_aside(self.path, size)
            os.ftruncate(self._file, size)

    @property
    def size(self) -> int:
        """Bytes so far, brought to the disk."""
        os.fsync(self._file)
        return os.fstat(self._file).st_size

    def write(self, record: Header | Measurement | Resume | End) -> None:
        """Write a line."""
        try:
            if os.fstat(self._file).st_nlink == 0:
                raise DistnormError(f"log {self.path} was removed while the run went on")
            json_lines.append(self._file, {"kind": _KIND_OF[type(record)], **as_json(record)})
        except OSError as error:
            raise DistnormError(f"cannot write log {self.path}: {error.strerror}") from None

    def close(self) -> None:
        """Close the file; again does nothing."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def __enter__(self) -> RunLog:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def ends_finished(path: Path) -> bool:
    """Whether the last line says that the run finished."""
    end = _object(path.read_bytes().rstrip(b"\n").rpartition(b"\n")[2])
    return end.get("kind") == "end" and end.get("reason") == "finished"


def _is_of(file: int, run: str | None) -> bool:
    """Whether a log has the header of this run."""
    header = _object(os.pread(file, _HEADER_BYTES, 0).split(b"\n")[0])
    return header.get("kind") == "header" and header.get("run") == run


def _object(line: bytes) -> dict[str, Any]:
    """A line as JSON; empty where it is no object."""
    try:
        record = loads(line)
    except ValueError:
        return {}
    return record if isinstance(record, dict) else {}


def _set_aside(path: Path, size: int) -> None:
    """Append what follows `size` to the file for lines that were undone, a torn last one left out."""
    undone = path.with_name(path.name + ".undone")
    with path.open("rb") as source, open(undone, "a+b", opener=_not_through_links) as aside:
        aside.seek(0)
        if (first := aside.readline()) and _object(first).get("kind") not in list(_KINDS):
            raise RuleError(f"{undone}, where lines of log {path} are to go, is something else; move it away")
        source.seek(size)
        whole, newline, _ = source.read().rpartition(b"\n")
        aside.write(whole + newline)
        aside.flush()
        os.fsync(aside.fileno())


def _not_through_links(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)


def read_log(path: Path) -> RunRecord:
    """Read a log, of a run that goes on or was killed, too.

    Raises:
        RuleError: The file cannot be read, has no header, or a line other than a torn last one is wrong; the message
            names the line.
    """
    try:
        *lines, rest = path.read_bytes().split(b"\n")
    except OSError as error:
        raise RuleError(f"cannot read log {path}: {error.strerror}") from None
    if not lines:
        raise RuleError(f"log {path} has no header: the run was cut off before its first line, or this is no run log")
    records: list[Any] = []
    for number, line in enumerate(lines, start=1):
        try:
            records.append(_read_line(line, records))
        except ValueError as error:
            raise RuleError(f"log {path}, line {number}: {error}") from None
    end = records.pop() if isinstance(records[-1], End) else None
    if end and rest:
        raise RuleError(f"log {path}, line {len(lines) + 1}: follows the end")
    measurements = [record for record in records if isinstance(record, Measurement)]
    resumes = [record for record in records if isinstance(record, Resume)]
    return RunRecord(header=records[0], measurements=measurements, resumes=resumes, end=end, torn=bool(rest))


def _read_line(line: bytes, before: list[Any]) -> Any:
    given = loads(line)
    kind = given.pop("kind", None) if isinstance(given, dict) else None
    if kind not in list(_KINDS):  # a list compares with what cannot be hashed, too
        raise ValueError(f"kind is {shown(kind)}; known: {', '.join(_KINDS)}")
    if (kind == "header") != (not before):
        raise ValueError("a second header" if before else f"has no header: the first line is of kind {kind!r}")
    if before and isinstance(before[-1], End):
        raise ValueError("follows the end")
    record = from_json(given, _KINDS[kind], kind)
    if isinstance(record, Header):
        record.check()
    elif isinstance(record, Measurement):
        check_measurement(record, len(before[0].rules))
    return record

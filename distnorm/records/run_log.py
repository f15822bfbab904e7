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
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from ..errors import DistnormError, RuleError
from ..files import json_lines
from ..files.typed_json import loads, shown
from ..norms.drift import COUNTS, STATISTICS

PHASES = ("simulate", "measure", "agree", "rescale")

_HEADER_BYTES = 1 << 20
_LARGEST = 1e100  # of any number

_NUMBER = (int, float)
_FIELDS: dict[str, dict[str, tuple[type, ...]]] = {
    "header": {
        **dict.fromkeys(("distnorm", "nest", "statistic", "started"), (str,)),
        **dict.fromkeys(("ranks", "threads", "seed"), (int,)),
        **dict.fromkeys(("resolution_ms", "min_delay_ms"), _NUMBER),
        "simulate_ms": (*_NUMBER, type(None)),  # not known where a script simulates
        "observe": (bool,),
        "bound": (*_NUMBER, type(None)),
        "rules": (list,),
    },
    "measurement": {
        **dict.fromkeys(("time_ms", "elapsed_ms", "next_measurement_ms"), _NUMBER),
        "normalized": (bool,),
        "drift": (list,),
        "seconds": (dict,),
    },
    "resume": {
        **dict.fromkeys(("ranks", "threads", "seed"), (int,)),
        **dict.fromkeys(("time_ms", "simulate_ms"), _NUMBER),
        "started": (str,),
    },
    "end": {**dict.fromkeys(("time_ms", "wall_s", "simulate_s"), _NUMBER), "reason": (str,)},
}
_DRIFT: dict[str, tuple[type, ...]] = {
    **dict.fromkeys((*STATISTICS, "unreachable_max"), _NUMBER),
    **dict.fromkeys(COUNTS, (int,)),
}
_SECONDS: dict[str, tuple[type, ...]] = dict.fromkeys(PHASES, _NUMBER)


class RunLog:
    """A new log file. On rank 0 only."""

    def __init__(self, path: Path) -> None:
        """Make the file.

        Raises:
            RuleError: It exists already, or cannot be made.
        """
        self._path = path
        try:
            self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o666)
        except FileExistsError:
            raise RuleError(f"log {path} exists already and is kept; give another path, or move it away") from None
        except OSError as error:
            raise RuleError(f"cannot write log {path}: {error.strerror}") from None

    def header(self, **fields: Any) -> None:
        """Write what runs; first."""
        self._write({"kind": "header", **fields})

    @classmethod
    def go_on(cls, path: Path, size: int, run: str) -> RunLog:
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
        log._path, log._file = path, -1
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

    def _go_back(self, size: int, run: str) -> None:
        status = os.fstat(self._file)
        if not stat.S_ISREG(status.st_mode) or (status.st_size and not _is_of(self._file, run)):
            raise RuleError(f"log {self._path} is not of the run that goes on, and is kept; give another path")
        if status.st_size < size or (size and os.pread(self._file, 1, size - 1) != b"\n"):
            raise RuleError(
                f"log {self._path} has {status.st_size} bytes, and had {size} at the checkpoint; put it back"
            )
        if status.st_size > size:
            _set_aside(self._path, size)
            os.ftruncate(self._file, size)

    @property
    def size(self) -> int:
        """Bytes so far, brought to the disk."""
        os.fsync(self._file)
        return os.fstat(self._file).st_size

    def resume(self, **fields: Any) -> None:
        """Write that the run goes on."""
        self._write({"kind": "resume", **fields})

    def measurement(self, record: dict[str, Any]) -> None:
        """Write one measurement."""
        self._write({"kind": "measurement", **record})

    def end(self, **fields: Any) -> None:
        """Write how the run ended; last."""
        self._write({"kind": "end", **fields})

    def close(self) -> None:
        """Close the file; again does nothing."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def __enter__(self) -> RunLog:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _write(self, record: dict[str, Any]) -> None:
        try:
            if os.fstat(self._file).st_nlink == 0:
                raise DistnormError(f"log {self._path} was removed while the run went on")
            json_lines.append(self._file, record)
        except OSError as error:
            raise DistnormError(f"cannot write log {self._path}: {error.strerror}") from None


@dataclass(frozen=True, kw_only=True)
class Run:
    """What a log says.

    Attributes:
        header: Fields of the header.
        measurements: Fields of each measurement, in order.
        resumes: Fields of each resume, in order.
        end: Fields of the end; None if the run goes on or was cut off.
        torn: Number of torn lines: 1 if the last was cut off in the middle, else 0.
    """

    header: dict[str, Any]
    measurements: list[dict[str, Any]]
    resumes: list[dict[str, Any]]
    end: dict[str, Any] | None
    torn: int

    @property
    def planned_ms(self) -> float | None:
        """Simulated time that was asked for last; None where a script simulates."""
        planned: float | None = (self.resumes or [self.header])[-1]["simulate_ms"]
        return planned


def ends_finished(path: Path) -> bool:
    """Whether the last line says that the run finished."""
    end = _object(path.read_bytes().rstrip(b"\n").rpartition(b"\n")[2])
    return end.get("kind") == "end" and end.get("reason") == "finished"


def _is_of(file: int, run: str) -> bool:
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
        if (first := aside.readline()) and _object(first).get("kind") not in list(_FIELDS):
            raise RuleError(f"{undone}, where lines of log {path} are to go, is something else; move it away")
        source.seek(size)
        whole, newline, _ = source.read().rpartition(b"\n")
        aside.write(whole + newline)
        aside.flush()
        os.fsync(aside.fileno())


def _not_through_links(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)


def read_log(path: Path) -> Run:
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
    records: list[dict[str, Any]] = []
    for number, line in enumerate(lines, start=1):
        try:
            records.append(_record(line, records))
        except ValueError as error:
            raise RuleError(f"log {path}, line {number}: {error}") from None
    end = records.pop() if records[-1]["kind"] == "end" else None
    if end and rest:
        raise RuleError(f"log {path}, line {len(lines) + 1}: follows the end")
    measurements, resumes = ([each for each in records if each["kind"] == kind] for kind in ("measurement", "resume"))
    return Run(header=records[0], measurements=measurements, resumes=resumes, end=end, torn=1 if rest else 0)


def _record(line: bytes, before: list[dict[str, Any]]) -> dict[str, Any]:
    record = loads(line)
    kind = record.get("kind") if isinstance(record, dict) else None
    if kind not in list(_FIELDS):  # a list compares with what cannot be hashed, too
        raise ValueError(f"kind is {shown(kind)}; known: {', '.join(_FIELDS)}")
    if (kind == "header") != (not before):
        raise ValueError("a second header" if before else f"has no header: the first line is of kind {kind!r}")
    if before and before[-1]["kind"] == "end":
        raise ValueError("follows the end")
    _check(record, _FIELDS[kind], kind)
    if kind == "measurement":
        _check(record["seconds"], _SECONDS, "seconds")
        if len(record["drift"]) != len(before[0]["rules"]):
            raise ValueError(f"drift of {len(record['drift'])} rules; the header has {len(before[0]['rules'])}")
        for each in record["drift"]:
            _check(each, _DRIFT, "drift")
        since_start = record.get("since_start", [])
        _check({"since_start": since_start}, {"since_start": (list,)}, kind)
        for each in since_start:
            _check({"since_start": each}, {"since_start": _NUMBER}, kind)
    elif kind == "header" and record["statistic"] not in STATISTICS:
        raise ValueError(f"statistic is {shown(record['statistic'])}; known: {', '.join(STATISTICS)}")
    elif kind == "header" and record["bound"] is not None and not 0 < record["bound"] < 1:
        raise ValueError(f"bound is {record['bound']}")
    elif kind == "header" and not record["rules"]:
        raise ValueError("rules is empty")
    return record  # type: ignore[no-any-return]  # JSON


def _check(record: Any, fields: dict[str, tuple[type, ...]], what: str) -> None:
    if not isinstance(record, dict):
        raise ValueError(f"{what} is {shown(record)}, not an object")
    for name, kinds in fields.items():
        if name not in record:
            raise ValueError(f"{what} has no {name}")
        value = record[name]
        if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):  # to Python True is an int
            raise ValueError(f"{name} is {shown(value)}")
        if isinstance(value, int | float) and not abs(value) < _LARGEST:
            raise ValueError(f"{name} is {shown(value)}, which no run comes to")

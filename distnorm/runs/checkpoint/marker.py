"""The marker in a folder for checkpoints: JSON lines that say whose the folder is, and what is the run's in it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from ...errors import CheckpointError
from ...files import json_lines
from ...files.typed_json import as_json, from_json, loads
from . import folder as folders
from .npy import open_file

NAME = "distnorm.jsonl"
_BEGINS = b'{"'  # a line, however soon it was torn


@dataclass(frozen=True, kw_only=True)
class Start:
    """A line: a run starts, or goes on."""

    run: str  # identifies the run, however often it is resumed
    start: str  # identifies this start
    at: str  # when
    where: str  # host and process of rank 0
    identity: dict[str, str]  # of the run


@dataclass(frozen=True, kw_only=True)
class Begun:
    """A line: a checkpoint is about to be written."""

    checkpoint: int  # its number


@dataclass(frozen=True, kw_only=True)
class Told:
    """What a marker tells."""

    start: Start | None = None  # the last start; None where there is no marker, or one without a whole line
    begun: int = 0  # number of the last checkpoint that was begun


def read(folder: Path) -> Told:
    """What the marker of a folder tells; nothing where there is none."""
    path = folder / NAME
    if not os.path.lexists(path):
        return Told()
    with open_file(path) as file:
        *lines, torn = file.read().split(b"\n")
    if torn[:2] != _BEGINS[: len(torn)]:
        raise CheckpointError(f"{path} is not the marker of a folder for checkpoints")
    told = Told()
    for number, line in enumerate(lines, start=1):
        try:
            told = _with(told, line)
        except ValueError as error:
            raise CheckpointError(f"{path}, line {number}: {error}") from None
    return told


def _with(told: Told, line: bytes) -> Told:
    given = loads(line)
    if told.start is not None and isinstance(given, dict) and "checkpoint" in given:
        begun: Begun = from_json(given, Begun, "marker")
        return Told(start=told.start, begun=max(told.begun, begun.checkpoint))
    start: Start = from_json(given, Start, "marker")
    return Told(start=start, begun=told.begun)


def append(folder: Path, record: Start | Begun) -> tuple[int, int]:
    """Bring a line to the disk; the state of the marker then."""
    flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    handle = os.open(folder / NAME, flags, 0o666)
    try:
        json_lines.cut_torn(handle)  # by a kill
        json_lines.append(handle, as_json(record))
        os.fsync(handle)
        folders.sync(folder)
        return _state(handle)
    finally:
        os.close(handle)


def state(folder: Path) -> tuple[int, int]:
    """What changes when another run writes into the marker, or puts one in its place."""
    with open_file(folder / NAME) as file:  # opened anew: that makes a network file system ask the server
        return _state(file.fileno())


def _state(handle: int) -> tuple[int, int]:
    status = os.fstat(handle)
    return status.st_ino, status.st_size

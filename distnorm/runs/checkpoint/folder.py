"""Checkpoints on disk: FOLDER/00000007/ with the files of each virtual process and manifest.json.

All is written into a folder whose name begins with a dot, brought to the disk, and renamed, the manifest last: what has
a number and a manifest is whole. The last two are kept. Of what else is in a folder nothing is removed: a checkpoint
goes file by file, by the names that a run writes, the manifest first.
"""

from __future__ import annotations

import json
import os
import re
import stat
import zlib
from collections.abc import Collection
from pathlib import Path
from typing import Any

from ...errors import CheckpointError
from ...files.typed_json import as_json, loads
from .manifest import Manifest
from .npy import open_file

KEPT = 2
_NAME = re.compile(r"([0-9]{8})|\.([0-9]{8})-partial")
_MANIFEST = "manifest.json"


def number_of(name: str) -> int | None:
    """Number of the checkpoint that a folder of this name is of, or is to become; None for any other name."""
    found = _NAME.fullmatch(name)
    return int(found[1] or found[2]) if found else None


def numbers(folder: Path) -> list[int]:
    """Numbers of the whole checkpoints there, the newest first; none where there is no folder."""
    numbered = [(n, path) for n, path in _checkpoints(folder) if path == path_of(folder, n)]
    return sorted((n for n, path in numbered if os.path.lexists(path / _MANIFEST)), reverse=True)


def entries(folder: Path) -> list[str]:
    """Names of all that is in a folder; none where there is none."""
    try:
        return sorted(os.listdir(folder))
    except FileNotFoundError:
        return []
    except (OSError, ValueError) as error:  # ValueError: a name that no file can have
        reason = getattr(error, "strerror", error)
        raise CheckpointError(f"cannot read checkpoints in {folder}: {reason}") from None


def is_folder(path: Path) -> bool:
    """Whether a path is a folder itself, not a link to one."""
    try:
        return stat.S_ISDIR(os.lstat(path).st_mode)
    except OSError:
        return False


def path_of(folder: Path, number: int) -> Path:
    """Where a checkpoint is."""
    return folder / f"{number:08}"


def begin(folder: Path, number: int) -> Path:
    """A new folder to write a checkpoint into."""
    partial = _partial(folder, number)
    try:
        partial.mkdir()
    except OSError as error:
        raise CheckpointError(f"cannot write checkpoint {partial}: {error.strerror}") from None
    return partial


def commit(folder: Path, number: int, manifest: Manifest) -> None:
    """Make the checkpoint whole."""
    partial, path = _partial(folder, number), path_of(folder, number)
    content = as_json(manifest)
    text = json.dumps({"crc32": _checksum(content), "content": content}, allow_nan=False)
    try:
        with (partial / _MANIFEST).open("x") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        sync(partial)
        if os.path.lexists(path):  # rename would replace an empty folder
            raise CheckpointError(f"cannot write checkpoint {path}: there is something of this name")
        partial.rename(path)
        sync(folder)
    except OSError as error:
        raise CheckpointError(f"cannot write checkpoint {path}: {error.strerror}") from None


def remove_old(folder: Path, last: int, files: Collection[str]) -> None:
    """Remove what was left half-written, and all but the newest checkpoints; what cannot be removed stays.

    Args:
        folder: Where they are.
        last: Number of the last checkpoint that was begun there. What has a higher number is not ours.
        files: Names of the files that a run writes into a checkpoint, beside the manifest.
    """
    kept = [path_of(folder, number) for number in numbers(folder)[:KEPT]]
    for number, path in _checkpoints(folder):
        if number <= last and path not in kept:
            _remove(path, files)


def _remove(path: Path, files: Collection[str]) -> None:
    """The manifest first: a kill while files are removed must not leave a part that seems whole."""
    try:
        there = {*os.listdir(path)}
        for name in [_MANIFEST, *sorted(files)]:
            if name in there:
                (path / name).unlink()
        path.rmdir()
    except OSError:
        return  # something else is in it, or this file system does not let go of a file that is open


def read_manifest(folder: Path, number: int) -> Any:
    """What `commit` was given, as JSON."""
    path = path_of(folder, number) / _MANIFEST
    try:
        with open_file(path) as file:
            outer = loads(file.read())
        if _checksum(outer["content"]) != outer["crc32"]:
            raise ValueError
    except OSError as error:
        raise CheckpointError(f"cannot read {path}: {error.strerror}") from None
    except (ValueError, KeyError, TypeError, RecursionError):
        raise CheckpointError(f"{path} is damaged: its checksum is not that of what was written") from None
    return outer["content"]


def sync(folder: Path) -> None:
    """Bring the names in a folder to the disk."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _checkpoints(folder: Path) -> list[tuple[int, Path]]:
    """Number and path of each folder that has the name of a checkpoint, whole or not."""
    named = [(number_of(name), folder / name) for name in entries(folder)]
    return [(number, path) for number, path in named if number is not None and is_folder(path)]


def _checksum(content: Any) -> int:
    return zlib.crc32(json.dumps(content).encode())


def _partial(folder: Path, number: int) -> Path:
    return folder / f".{number:08}-partial"

"""Checkpoints on disk: FOLDER/00000007/ with the files of each virtual process and manifest.json.

All is written into a folder whose name begins with a dot, brought to the disk, and renamed, the manifest last: what has
a number is whole. The last two are kept.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import zlib
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ..errors import CheckpointError
from .npy import Entry
from .rows import Part

KEPT = 2
_NUMBER = re.compile(r"\d{8}")
_MANIFEST = "manifest.json"


def numbers(folder: Path) -> list[int]:
    """Numbers of the checkpoints there, the newest first; none where there is no folder.

    Raises:
        CheckpointError: The folder cannot be read.
    """
    try:
        return sorted((int(each.name) for each in folder.iterdir() if _NUMBER.fullmatch(each.name)), reverse=True)
    except FileNotFoundError:
        return []
    except OSError as error:
        raise CheckpointError(f"cannot read checkpoints in {folder}: {error.strerror}") from None


def make(folder: Path) -> None:
    """Make the folder for checkpoints, unless it is there.

    Raises:
        CheckpointError: It cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CheckpointError(f"cannot make checkpoint folder {folder}: {error.strerror}") from None


def path_of(folder: Path, number: int) -> Path:
    """Where a checkpoint is."""
    return folder / f"{number:08}"


def begin(folder: Path, number: int) -> Path:
    """A new folder to write a checkpoint into, beside nothing left over from one that was cut off.

    Raises:
        CheckpointError: It cannot be made.
    """
    try:
        discard(folder)
        partial = _partial(folder, number)
        partial.mkdir()
    except OSError as error:
        raise CheckpointError(f"cannot write checkpoints into {folder}: {error.strerror}") from None
    return partial


def discard(folder: Path) -> None:
    """Remove what is not a whole checkpoint; what cannot be removed stays."""
    for each in folder.glob(".*"):
        if _NUMBER.fullmatch(each.name.partition("-")[0][1:]):
            shutil.rmtree(each, ignore_errors=True)


def commit(folder: Path, number: int, manifest: dict[str, Any]) -> None:
    """Make the checkpoint whole, then remove all but the last two.

    Raises:
        CheckpointError: It cannot be made.
    """
    partial = _partial(folder, number)
    text = json.dumps({"crc32": _checksum(manifest), "content": manifest}, allow_nan=False)
    try:
        with (partial / _MANIFEST).open("x") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        _sync(partial)
        partial.rename(path_of(folder, number))
        _sync(folder)
        for old in numbers(folder)[KEPT:]:
            # First out of sight: a kill while files are removed must not leave a part under a number.
            path_of(folder, old).rename(_partial(folder, old))
        discard(folder)
    except OSError as error:
        raise CheckpointError(f"cannot write checkpoint {path_of(folder, number)}: {error.strerror}") from None


def read_manifest(folder: Path, number: int) -> dict[str, Any]:
    """What `commit` was given.

    Raises:
        CheckpointError: It is not there, or not as it was written.
    """
    path = path_of(folder, number) / _MANIFEST
    try:
        outer = json.loads(path.read_text())
        if _checksum(outer["content"]) != outer["crc32"]:
            raise ValueError
        return outer["content"]  # type: ignore[no-any-return]
    except OSError as error:
        raise CheckpointError(f"cannot read {path}: {error.strerror}") from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise CheckpointError(f"{path} is damaged: its checksum is not that of what was written") from None


def part_from_json(given: dict[str, Any]) -> Part:
    """A part as `part_as_json` gave it."""
    files = {name: Entry(**given[name]) if given[name] else None for name in ("weights", "state", "norms")}
    return Part(
        virtual=given["virtual"],
        rows=tuple(given["rows"]),
        fingerprints=tuple(given["fingerprints"]),
        **files,  # type: ignore[arg-type]
    )


def part_as_json(part: Part) -> dict[str, Any]:
    """A part for a manifest."""
    return asdict(part)


def _checksum(content: Any) -> int:
    return zlib.crc32(json.dumps(content).encode())


def _partial(folder: Path, number: int) -> Path:
    return folder / f".{number:08}-partial"


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

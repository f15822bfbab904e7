"""Files that commands write. What is there already is replaced only if distnorm made it.

A figure says in its metadata who made it. A folder for results of benchmarks says so by a file in it.
"""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

from ..errors import RuleError

_MARKER = ".distnorm-results"
_NAME = "distnorm"
# What matplotlib is to write into a figure, how such a file begins, and what is then in it.
_FIGURES: dict[str, tuple[str, bytes, bytes]] = {
    ".png": ("Software", b"\x89PNG", b"tEXtSoftware\0distnorm"),
    ".pdf": ("Creator", b"%PDF", b"/Creator (distnorm)"),
    ".svg": ("Creator", b"<?xml", b"<dc:title>distnorm</dc:title>"),
    ".eps": ("Creator", b"%!PS", b"%%Creator: distnorm\n"),
    ".ps": ("Creator", b"%!PS", b"%%Creator: distnorm\n"),
}


def results_folder(folder: Path) -> None:
    """Make a folder for results, in which they may be made anew; one with something else in it is refused."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        there = os.listdir(folder)
        if not there:
            (folder / _MARKER).touch()
        elif _MARKER not in there:
            raise RuleError(
                f"{folder} holds {min(there)}, and distnorm did not make it; give a folder for results alone"
            )
    except OSError as error:
        raise RuleError(f"cannot make folder {folder}: {error.strerror}") from None


def new_folder(folder: Path) -> None:
    """Refuse a folder that cannot be made, or holds something."""
    try:
        if os.path.lexists(folder) and (not folder.is_dir() or any(folder.iterdir())):
            raise RuleError(f"{folder} exists already and is kept; give another path, or move it away")
    except OSError as error:
        raise RuleError(f"cannot read folder {folder}: {error.strerror}") from None
    above = folder.absolute().parent
    if not above.is_dir():
        raise RuleError(f"cannot make folder {folder}: there is no folder {above}; make it")


def check(path: Path) -> None:
    """Refuse to write a file in place of one that distnorm did not make."""
    if os.path.lexists(path) and not _is_ours(Path(os.path.realpath(path))):
        raise RuleError(f"{path} exists already, and distnorm did not make it; give another path, or move it away")


def write(path: Path, content: bytes, what: str = "") -> None:
    """Write a file, whole or not at all; `what` it is, for the message.

    Raises:
        RuleError: It cannot be written, or something else is there.
    """
    check(path)
    target = Path(os.path.realpath(path))
    part = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        try:
            part.write_bytes(content)
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise RuleError(f"cannot write {what}{path}: {error.strerror}") from None


def write_figure(figure: Any, path: Path) -> None:
    """Write a matplotlib figure, of the kind that the suffix says.

    Raises:
        RuleError: It cannot be written, matplotlib knows no such kind, or something else is there.
    """
    kind = path.suffix.lower()
    metadata = {"metadata": {_FIGURES[kind][0]: _NAME}} if kind in _FIGURES else {}
    content = io.BytesIO()
    try:
        figure.savefig(content, format=kind[1:] or "png", dpi=160, **metadata)
    except ValueError as error:
        raise RuleError(f"cannot write figure {path}: {error}") from None
    write(path, content.getvalue(), "figure ")


def _is_ours(path: Path) -> bool:
    if not path.is_file():
        return False
    if (path.parent / _MARKER).is_file():
        return True
    content = path.read_bytes() if path.suffix.lower() in _FIGURES else b""
    return any(content.startswith(begins) and name in content for _, begins, name in _FIGURES.values())

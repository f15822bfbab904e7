"""JSON lines at the end of a file. A line is whole if it ends in a newline; a kill can tear the last one only."""

from __future__ import annotations

import errno
import json
import os
from typing import Any


def append(file: int, record: Any) -> None:
    """Write a line with one write to the end.

    Args:
        file: Descriptor of a file opened with O_APPEND.
        record: What json can write.

    Raises:
        OSError: It cannot be written; the file is as it was.
    """
    line = json.dumps(record, allow_nan=False, separators=(",", ":")).encode() + b"\n"
    written = os.write(file, line)
    if written < len(line):  # a full disk takes what fits; a piece with a line after it could not be read
        os.ftruncate(file, os.fstat(file).st_size - written)
        raise OSError(errno.ENOSPC, f"no space for a line of {len(line)} bytes")


def cut_torn(file: int) -> None:
    """Cut off a torn last line, before one is appended, of a file opened for reading, too."""
    content = os.pread(file, os.fstat(file).st_size, 0)
    os.ftruncate(file, content.rfind(b"\n") + 1)

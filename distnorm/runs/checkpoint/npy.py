"""Arrays written and read a block at a time, as .npy files that numpy.load opens, with a checksum of the whole file."""

from __future__ import annotations

import errno
import os
import stat
import threading
import zlib
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import Any

import numpy as np
import numpy.lib.format as npy
import numpy.typing as npt

from ...errors import CheckpointError

_CHUNK = 1 << 20

# numpy reads a header as Python code, which Python 3.11 cannot do in two threads at once: "recursion depth mismatch".
_HEADER = threading.Lock()


@dataclass(frozen=True, kw_only=True)
class Entry:
    """What a manifest says of a file."""

    name: str  # file name
    bytes: int  # its size
    crc32: int  # checksum of all its bytes, as in zip files


def open_file(path: Path) -> BufferedReader:
    """Open a file of a checkpoint for reading: itself, not what a link leads to.

    Raises:
        CheckpointError: It cannot be opened, or holds no bytes: a pipe would be waited for.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        why = "it is a link, and may lead anywhere" if error.errno == errno.ELOOP else error.strerror
        raise CheckpointError(f"cannot read {path}: {why}") from None
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise CheckpointError(f"{path} is not a file")
    return open(handle, "rb")


class Writer:
    """A new .npy file with a known number of elements."""

    def __init__(self, path: Path, dtype: np.dtype[Any], count: int) -> None:
        """Make the file; OSError if that fails, or if it exists."""
        self._path = path
        self._crc = self._size = 0
        self._file = path.open("xb")
        npy.write_array_header_1_0(
            _Through(self), {"descr": npy.dtype_to_descr(dtype), "fortran_order": False, "shape": (count,)}
        )

    def write(self, array: npt.NDArray[Any]) -> None:
        """Append the elements of a contiguous array."""
        self.write_bytes(array.reshape(-1).view(np.uint8).data)

    def write_bytes(self, data: Any) -> None:
        """Append bytes."""
        self._file.write(data)
        self._crc = zlib.crc32(data, self._crc)
        self._size += len(data)

    def finish(self) -> Entry:
        """Bring the file to the disk."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        return Entry(name=self._path.name, bytes=self._size, crc32=self._crc)

    def __enter__(self) -> Writer:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:  # closing tries to write what is left: the first error says more
            try:
                self._file.close()
            except OSError:
                self._file.raw.close()
            return
        self._file.close()


class _Through:
    """The little of a file that numpy's header writer needs."""

    def __init__(self, writer: Writer) -> None:
        self.write = writer.write_bytes


class Reader:
    """A .npy file of a checkpoint."""

    def __init__(self, folder: Path, entry: Entry, dtype: np.dtype[Any], count: int | None) -> None:
        """Open it; `count` is then its number of elements.

        Args:
            folder: Where it is.
            entry: What the manifest says of it.
            dtype: Of an element.
            count: What the number of elements must be; None for any.

        Raises:
            CheckpointError: It is not there, not as long as it was, or another array.
        """
        self.path = folder / entry.name
        self._entry = entry
        self._file = open_file(self.path)
        try:
            size = os.fstat(self._file.fileno()).st_size
            if size != entry.bytes:
                raise CheckpointError(f"{self.path} has {size} bytes; {entry.bytes} were written")
            self._crc = self._read_header(dtype)
        except OSError as error:
            raise CheckpointError(f"cannot read {self.path}: {error.strerror}") from None
        if count not in (None, self.count):
            raise CheckpointError(f"{self.path} holds {self.count:,} elements, and the manifest has {count:,}")

    def _read_header(self, dtype: np.dtype[Any]) -> int:
        try:
            npy.read_magic(self._file)
            with _HEADER:
                (self.count,), _, found = npy.read_array_header_1_0(self._file)
        except OSError:
            raise
        except Exception as error:  # numpy reads it as Python, and raises whatever that comes to
            raise CheckpointError(f"{self.path} is damaged: {error}") from None
        size = self._file.tell()
        if found != dtype or self.count * dtype.itemsize != self._entry.bytes - size:
            raise CheckpointError(f"{self.path} is damaged: its header is not what was written")
        self._file.seek(0)
        return zlib.crc32(self._file.read(size))

    def read(self, into: npt.NDArray[Any]) -> None:
        """Fill a contiguous array with the next elements."""
        data = into.reshape(-1).view(np.uint8).data
        try:
            read = self._file.readinto(data)
        except OSError as error:
            raise CheckpointError(f"cannot read {self.path}: {error.strerror}") from None
        if read != len(data):
            raise CheckpointError(f"{self.path} ends too soon")
        self._crc = zlib.crc32(data, self._crc)

    def skip(self) -> None:
        """Read what is left, for the checksum."""
        try:
            while data := self._file.read(_CHUNK):
                self._crc = zlib.crc32(data, self._crc)
        except OSError as error:
            raise CheckpointError(f"cannot read {self.path}: {error.strerror}") from None

    def finish(self) -> None:
        """Check the checksum, after the last element."""
        self._file.close()
        if self._crc != self._entry.crc32:
            raise CheckpointError(f"{self.path} is damaged: its checksum is not that of what was written")

    def __enter__(self) -> Reader:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

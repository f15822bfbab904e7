"""Loading of compiled libraries: none that somebody else could have written, and none that computes wrongly.

What was checked is what is loaded: the file is opened once, looked at and loaded as that open file, whatever happens to
its name meanwhile.
"""

from __future__ import annotations

import ctypes
import os
import pwd
import stat
from pathlib import Path

from ...errors import KernelError
from ..kernel_interface import declare

_loaded: dict[tuple[int, int], ctypes.CDLL] = {}  # by device and inode; their files stay open


def load_library(path: Path) -> ctypes.CDLL:
    """Load a compiled library into this process, which has imported nest.

    Raises:
        KernelError: Somebody else can write to it, it cannot be loaded, or its arithmetic is not what norms need.
    """
    descriptor = _open_safe(path)
    status = os.fstat(descriptor)
    identity = status.st_dev, status.st_ino
    if identity in _loaded:
        os.close(descriptor)
    else:
        _loaded[identity] = _load(path, descriptor)
    wrong: bytes | None = _loaded[identity].dn_self_test()
    if wrong:
        raise KernelError(
            f"{path} is not used, because {wrong.decode()}; delete it, and set CXX to a compiler without such options"
        )
    return _loaded[identity]


def _load(path: Path, descriptor: int) -> ctypes.CDLL:
    opened = f"/proc/self/fd/{descriptor}"  # stays open: no other library may have this name later
    try:
        library = ctypes.CDLL(opened)
        declare(library, "every")
    except (OSError, AttributeError) as error:
        reason = str(error).replace(opened, path.name)
        raise KernelError(f"cannot load {path}: {reason}; delete the file to have it made anew") from None
    return library


def check_safe(path: Path) -> None:
    """Refuse a library, or the folder of one, that somebody else could have written.

    The file and its folder belong to this user or root, and nobody else can write to them. Folders above may belong
    to others, but not be open to all, unless they are sticky, as /tmp is.

    Raises:
        KernelError: With the owner or the permissions.
    """
    real = Path(os.path.realpath(path))
    folder = real if real.is_dir() else real.parent
    for place in (folder, real):
        _check_own(place, place.stat())
    for above in folder.parents:
        mode = above.stat().st_mode
        if mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
            raise KernelError(
                f"everybody can rename what is in {above} (mode {stat.S_IMODE(mode):o}), so {folder} is not trusted; "
                "set DISTNORM_CACHE to a folder elsewhere"
            )


def _open_safe(path: Path) -> int:
    try:
        check_safe(path)
        descriptor = os.open(os.path.realpath(path), os.O_RDONLY | os.O_NOFOLLOW)
    except OSError as error:
        raise KernelError(f"cannot load {path}: {error.strerror}") from None
    try:
        _check_own(path, os.fstat(descriptor))
    except KernelError:
        os.close(descriptor)
        raise
    return descriptor


def _check_own(path: Path, status: os.stat_result) -> None:
    if status.st_uid not in (0, os.geteuid()):
        raise KernelError(
            f"{path} belongs to {_name(status.st_uid)}, not to you or root, and so is not trusted; set DISTNORM_CACHE "
            "to a folder of your own (a copy of this one will do)"
        )
    if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise KernelError(
            f"others can write to {path} (mode {stat.S_IMODE(status.st_mode):o}, owner {_name(status.st_uid)}), and so "
            "it is not trusted; take that permission away with chmod go-w, or set DISTNORM_CACHE to a folder of yours"
        )


def _name(user: int) -> str:
    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return f"user {user}"

"""Compile the kernel for the NEST that is installed, once, into a cache outside the repository.

The cache is $DISTNORM_CACHE, else $XDG_CACHE_HOME/distnorm, else ~/.cache/distnorm. The file name is a hash of all that
matters: sources, flags, and NEST's headers and library. A file is complete or absent: it is compiled under another name
and renamed. Under MPI rank 0 compiles; a node that does not see rank 0's file compiles its own.
"""

from __future__ import annotations

import ctypes
import hashlib
import logging
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..errors import KernelError
from ..parallel import Ranks
from .models import WEIGHT_PER_CONNECTION

log = logging.getLogger(__name__)

_SOURCES = Path(__file__).with_name("kernel")
# Boost, ltdl and GSL headers need not be installed: the kernel does without Boost, and an lt_dlhandle is a pointer.
_LTDL_STAND_IN = "typedef struct lt__handle* lt_dlhandle;\n"
_FLAGS = (
    "-std=c++20",
    "-O3",
    "-DNDEBUG",
    "-fopenmp",
    "-fPIC",
    "-shared",
    "-ffp-contract=off",
    "-Wno-non-template-friend",
)


def cache_folder() -> Path:
    """Folder for compiled kernels."""
    base = os.environ.get("DISTNORM_CACHE") or os.path.join(
        os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "distnorm"
    )
    return Path(base)


def build(nest: Any) -> Path:
    """Compile the kernel unless the cache has it; local to this process. A compiler is needed only if it has not.

    Raises:
        KernelError: No compiler, no headers, or a NEST that the kernel does not fit.
    """
    headers = _headers(nest)
    models = "".join(f'#include "{name}.h"\nDN_MODEL( {name} )\n' for name in _models(headers))
    flags = [*_FLAGS, *_abi_flags(), f"-I{headers}"]
    target = cache_folder() / f"kernel-{_key(nest, flags, headers, models)}.so"
    if not target.exists():
        _compile([*find_compiler(), *flags, *_mpi_flags(headers)], models, target, nest.__version__)
    return target


def find_compiler() -> list[str]:
    """The C++ compiler: $CXX, c++ or g++.

    Raises:
        KernelError: There is none.
    """
    command = (os.environ.get("CXX") or shutil.which("c++") or shutil.which("g++") or "").split()
    if not command or not shutil.which(command[0]):
        wrong = f"CXX is {command[0]!r}, which is not there" if command else "no C++ compiler found"
        raise KernelError(f"{wrong}; install g++, or set CXX")
    return command


def build_on(nest: Any, ranks: Ranks) -> Path:
    """Path of the compiled kernel, present on every node. Collective.

    Raises:
        KernelError: As `build`; the same on every rank.
    """
    ranks.from_first(lambda: build(nest))
    leader = ranks.leads_node()
    ranks.together(lambda: build(nest) if leader else None)  # in the cache, unless the node has one of its own
    return ranks.together(lambda: build(nest))


def _compile(command: Sequence[str], models: str, target: Path, version: str) -> None:
    log.info("compiling the kernel for NEST %s into %s", version, target.parent)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent, prefix="build-") as folder:
            Path(folder, "distnorm_models.h").write_text(models)
            Path(folder, "fallback").mkdir()
            Path(folder, "fallback", "ltdl.h").write_text(_LTDL_STAND_IN)
            output = Path(folder, "kernel.so")
            search = [f"-I{folder}", "-idirafter", str(Path(folder, "fallback"))]
            done = subprocess.run(
                [*command, *search, str(_SOURCES / "kernel.cpp"), "-o", str(output)],
                capture_output=True,
                text=True,
                check=False,
            )
            if done.returncode:
                errors = [line for line in done.stderr.splitlines() if "error" in line][:3] or [done.stderr[-300:]]
                raise KernelError(
                    f"the kernel does not compile for NEST {version} with {command[0]}: {'; '.join(errors)}"
                )
            output.replace(target)
    except OSError as error:
        raise KernelError(
            f"cannot compile into {target.parent}: {error}; set DISTNORM_CACHE to a writable folder"
        ) from None


def _headers(nest: Any) -> Path:
    package = Path(nest.__file__).parent
    # pip puts the headers inside the package; CMake, Spack and conda beside lib/python3.X/site-packages.
    for folder in (package / "include" / "nest", package.parents[3] / "include" / "nest"):
        if (folder / "connector_base.h").exists():
            return folder
    raise KernelError(f"no C++ headers of NEST found beside {package}; install NEST with its headers")


def _models(headers: Path) -> list[str]:
    return [name for name in WEIGHT_PER_CONNECTION if (headers / f"{name}.h").exists()]


def _abi_flags() -> list[str]:
    """The string ABI of the NEST in this process: its PyPI wheel has the old one."""
    process = ctypes.CDLL(None)
    old = hasattr(process, "_ZN4nest12ModelManager20get_synapse_model_idESs")
    return ["-D_GLIBCXX_USE_CXX11_ABI=0"] if old else []


def _mpi_flags(headers: Path) -> list[str]:
    """Where mpi.h is, as the MPI compiler wrapper says; none for a NEST without MPI."""
    if "#define HAVE_MPI 1" not in (headers / "config.h").read_text():
        return []
    own = Path(sys.prefix, "bin", "mpicxx")
    wrapper = str(own) if own.exists() else shutil.which("mpicxx")
    if not wrapper:
        raise KernelError(
            "this NEST has MPI, but no mpicxx was found to say where mpi.h is; load the MPI that NEST was built with"
        )
    for option in ("-show", "--showme"):
        shown = subprocess.run([wrapper, option], capture_output=True, text=True, check=False)
        if shown.returncode == 0:
            return [flag for flag in shown.stdout.split() if flag.startswith("-I")]
    raise KernelError(f"{wrapper} does not say where mpi.h is; load the MPI that NEST was built with")


def _key(nest: Any, flags: Sequence[str], headers: Path, models: str) -> str:
    """Hash of what decides whether a compiled kernel fits; the compiler does not, so nodes without one find it."""
    library = next(Path(nest.__file__).parent.glob("nestkernel_api*.so"))
    status = library.stat()
    parts = (
        *(source.read_text() for source in sorted(_SOURCES.iterdir())),
        models,
        _LTDL_STAND_IN,
        " ".join(flags),
        (headers / "config.h").read_text(),
        f"{library} {status.st_size} {status.st_mtime_ns}",
    )
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:20]

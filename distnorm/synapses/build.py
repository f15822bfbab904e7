"""Compile the kernel for the NEST that is installed, once, into a cache outside the repository.

The cache is $DISTNORM_CACHE, else $XDG_CACHE_HOME/distnorm, else ~/.cache/distnorm. The file name is a hash of all that
goes into the kernel: sources, flags, and the contents of NEST's headers. A file is complete or absent, and however many
processes start at once, one compiles (once.py). Under MPI rank 0 does; a node that does not see rank 0's file compiles
its own.
"""

from __future__ import annotations

import ctypes
import functools
import hashlib
import logging
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..errors import KernelError
from ..parallel import Ranks, mpi_library
from .models import BOUNDS_PER_CONNECTION, WEIGHT_PER_CONNECTION
from .once import BEAT_SECONDS, beat, obtain

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
    models = "".join(_lines(name) for name in WEIGHT_PER_CONNECTION if (headers / f"{name}.h").exists())
    flags = [*_FLAGS, *_abi_flags()]
    target = cache_folder() / f"kernel-{_key(flags, headers, models)}.so"
    if not target.exists():
        _compile_once(
            [*find_compiler(), *flags, f"-I{headers}", *_mpi_flags(headers)], models, target, nest.__version__
        )
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
    _prefix(nest)  # on all ranks, before one of them compiles
    ranks.from_first(lambda: build(nest))
    return ranks.once_per_node(lambda: build(nest))  # in the cache, unless the node has one of its own


def _compile_once(command: Sequence[str], models: str, target: Path, version: str) -> None:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        obtain(target, lambda folder: _compile(command, models, folder, version))
    except OSError as error:
        raise KernelError(
            f"cannot compile into {target.parent}: {error}; set DISTNORM_CACHE to a writable folder"
        ) from None


def _compile(command: Sequence[str], models: str, folder: Path, version: str) -> Path:
    """Path of the kernel, compiled in a folder."""
    log.info("compiling the kernel for NEST %s in %s", version, folder)
    (folder / "distnorm_models.h").write_text(models)
    (folder / "fallback").mkdir()
    (folder / "fallback" / "ltdl.h").write_text(_LTDL_STAND_IN)
    output = folder / "kernel.so"
    search = [f"-I{folder}", "-idirafter", str(folder / "fallback")]
    with subprocess.Popen(
        [*command, *search, str(_SOURCES / "kernel.cpp"), "-o", str(output)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as compiler:
        said = _wait(compiler, folder)
    if compiler.returncode:
        errors = [line for line in said.splitlines() if "error" in line][:3] or [said[-300:]]
        raise KernelError(f"the kernel does not compile for NEST {version} with {command[0]}: {'; '.join(errors)}")
    return output


def _wait(compiler: subprocess.Popen[str], folder: Path) -> str:
    """What the compiler says until it ends."""
    try:
        while True:
            try:
                return compiler.communicate(timeout=BEAT_SECONDS)[1]
            except subprocess.TimeoutExpired:
                beat(folder)
    except BaseException:
        compiler.kill()
        raise


@functools.cache
def _prefix(nest: Any) -> Path:
    """Where NEST was installed to. Collective at the first call, as every kernel status of NEST can be."""
    return Path(nest.build_info["prefix"])


def _headers(nest: Any) -> Path:
    package = Path(nest.__file__).parent
    # pip puts the headers inside the package; CMake, Spack and conda into the prefix, which NEST tells, and which lies
    # above lib/python3.X/site-packages, also where the package was reached by a symbolic link.
    prefixes = [package, _prefix(nest), *package.parents[3:4], *package.resolve().parents[3:4]]
    folders = [prefix / "include" / "nest" for prefix in prefixes]
    for folder in folders:
        if (folder / "connector_base.h").exists():
            return folder
    raise KernelError(
        f"no C++ headers of NEST found in {', '.join(dict.fromkeys(map(str, folders)))}; install NEST with its headers"
    )


def _lines(model: str) -> str:
    macros = [f"DN_{bound.upper()}" for bound in BOUNDS_PER_CONNECTION.get(model, ())]
    return f'#include "{model}.h"\n' + "".join(f"{macro}( {model} )\n" for macro in (*macros, "DN_MODEL"))


def _abi_flags() -> list[str]:
    """How this process's NEST was compiled: its PyPI wheel has the old strings; MPI_Comm is an int or a pointer."""
    process = ctypes.CDLL(None)
    old = hasattr(process, "_ZN4nest12ModelManager20get_synapse_model_idESs")
    int_communicator = hasattr(process, "_ZN4nest10MPIManager16set_communicatorEi")
    return [*(["-D_GLIBCXX_USE_CXX11_ABI=0"] if old else []), f"-DDN_MPI_COMM_IS_INT={int(int_communicator)}"]


def _mpi_flags(headers: Path) -> list[str]:
    """Where mpi.h is, as the MPI compiler wrapper says; none for a NEST without MPI."""
    if "#define HAVE_MPI 1" not in (headers / "config.h").read_text():
        return []
    library = mpi_library()
    beside = [path.parents[1] / "bin" / "mpicxx" for path in (library, Path(sys.prefix, "lib", "libmpi")) if path]
    wrapper = next((str(path) for path in beside if path.exists()), shutil.which("mpicxx"))
    if not wrapper:
        raise KernelError(
            "this NEST has MPI, but no mpicxx was found to say where mpi.h is; load the MPI that NEST was built with"
        )
    for option in ("-show", "--showme"):
        shown = subprocess.run([wrapper, option], capture_output=True, text=True, check=False)
        if shown.returncode == 0:
            return [flag for flag in shown.stdout.split() if flag.startswith("-I")]
    raise KernelError(f"{wrapper} does not say where mpi.h is; load the MPI that NEST was built with")


def _key(flags: Sequence[str], headers: Path, models: str) -> str:
    """Hash of what goes into a kernel.

    Not NEST's library, whose headers say all, nor its place and time: a copy on another node is the same NEST. Not the
    compiler, so nodes without one find the kernel.
    """
    hashed = hashlib.sha256()
    for source in (_SOURCES, headers):
        for path in sorted(each for each in source.rglob("*.h*") if each.is_file()):
            hashed.update(f"\0{path.relative_to(source)}\0".encode() + path.read_bytes())
    rest = ((_SOURCES / "kernel.cpp").read_text(), models, _LTDL_STAND_IN, " ".join(flags), platform.machine())
    hashed.update("\0".join(rest).encode())
    return hashed.hexdigest()[:20]

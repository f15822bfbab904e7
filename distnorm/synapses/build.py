"""Compile the kernel for the NEST that is installed, once, into a cache outside the repository.

The cache is $DISTNORM_CACHE, else $XDG_CACHE_HOME/distnorm, else ~/.cache/distnorm. The file name is a hash of all that
goes into the kernel: sources, flags, and the contents of NEST's headers. A file is complete or absent, and however many
processes start at once, one compiles (once.py). Under MPI rank 0 does; a node that does not see rank 0's file compiles
its own.
"""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import logging
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

from ..errors import KernelError
from ..parallel import Ranks, mpi_library
from .models import BOUNDS_PER_CONNECTION, PLASTIC_AT_SPIKES, WEIGHT_PER_CONNECTION
from .once import BEAT_SECONDS, beat, obtain

log = logging.getLogger(__name__)

Source = Literal["kernel", "exact"]

_SOURCES = Path(__file__).with_name("kernel")
# Boost, ltdl and GSL headers need not be installed: the kernel does without Boost, and an lt_dlhandle is a pointer.
LTDL_STAND_IN = "typedef struct lt__handle* lt_dlhandle;\n"
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


def build(nest: Any, prefix: str, source: Source = "kernel") -> Path:
    """Compile the kernel unless the cache has it; local to this process. A compiler is needed only if it has not.

    Args:
        nest: The imported module.
        prefix: What `nest.build_info["prefix"]` says; all ranks must read that together.
        source: "kernel", or "exact" for the kernel with models that normalize themselves.

    Raises:
        KernelError: No compiler, no headers, or a NEST that the kernel does not fit.
    """
    headers = _headers(nest, prefix)
    models = _models(headers, source)
    target = _target(headers, models, source)
    if not target.exists():
        command = _command(nest, prefix, f"{source}.cpp")
        with _writing(target):
            obtain(target, lambda folder: _compile(command, models, folder, "the kernel", nest.__version__))
    return target


def kernel_path(nest: Any, prefix: str) -> Path:
    """Where `build` keeps the kernel, or would.

    Raises:
        KernelError: No headers of NEST.
    """
    headers = _headers(nest, prefix)
    return _target(headers, _models(headers, "kernel"), "kernel")


def _models(headers: Path, source: Source) -> str:
    return "".join(_lines(name, source) for name in WEIGHT_PER_CONNECTION if (headers / f"{name}.h").exists())


def _target(headers: Path, models: str, source: Source) -> Path:
    return cache_folder() / f"{source}-{_key([*_FLAGS, *_abi_flags()], headers, models, source)}.so"


def compile_for(nest: Any, prefix: str, source: str, models: str, target: Path, flags: Sequence[str] = ()) -> None:
    """Compile a source of the kernel against NEST's headers, anew; local to this process.

    Args:
        nest: The imported module.
        prefix: As for `build`.
        source: File in kernel/.
        models: Text of its distnorm_models.h.
        target: The library; an older one is replaced.
        flags: More options for the compiler.

    Raises:
        KernelError: No compiler, no headers, or it does not compile.
    """
    command = [*_command(nest, prefix, source), *flags]
    with _writing(target), tempfile.TemporaryDirectory(dir=target.parent, prefix=f"{target.name}.making-") as folder:
        _compile(command, models, Path(folder), target.stem, nest.__version__).replace(target)


def nest_flags(nest: Any, prefix: str) -> list[str]:
    """Compiler options for NEST's headers; `prefix` as for `build`.

    Raises:
        KernelError: Headers of NEST, or of its MPI, are not found.
    """
    headers = _headers(nest, prefix)
    return [*_abi_flags(), f"-I{headers}", *_mpi_flags(headers)]


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


def build_on(nest: Any, ranks: Ranks, source: Source = "kernel") -> Path:
    """Path of the compiled kernel, present on every node. Collective.

    Raises:
        KernelError: As `build`; the same on every rank.
    """
    prefix = nest.build_info["prefix"]  # on all ranks: a kernel status is collective while connections are new
    ranks.from_first(lambda: build(nest, prefix, source))
    return ranks.once_per_node(lambda: build(nest, prefix, source))  # in the cache, unless the node has one of its own


@contextlib.contextmanager
def _writing(target: Path) -> Iterator[None]:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        raise KernelError(
            f"cannot compile into {target.parent}: {error}; set DISTNORM_CACHE to a writable folder"
        ) from None


def _command(nest: Any, prefix: str, source: str) -> list[str]:
    return [*find_compiler(), *_FLAGS, *nest_flags(nest, prefix), str(_SOURCES / source)]


def _compile(command: Sequence[str], models: str, folder: Path, name: str, version: str) -> Path:
    """Path of a library, compiled in a folder."""
    log.info("compiling %s for NEST %s in %s", name, version, folder)
    (folder / "distnorm_models.h").write_text(models)
    (folder / "fallback").mkdir()
    (folder / "fallback" / "ltdl.h").write_text(LTDL_STAND_IN)
    output = folder / "kernel.so"
    search = [f"-I{folder}", "-idirafter", str(folder / "fallback")]
    with subprocess.Popen(
        [*command, *search, "-o", str(output)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as compiler:
        said = _wait(compiler, folder)
    if compiler.returncode:
        errors = [line for line in said.splitlines() if "error" in line][:3] or [said[-300:]]
        raise KernelError(f"{name} does not compile for NEST {version} with {command[0]}: {'; '.join(errors)}")
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


def _headers(nest: Any, prefix: str) -> Path:
    package = Path(nest.__file__).parent
    # pip puts the headers inside the package; CMake, Spack and conda into the prefix, which NEST tells, and which lies
    # above lib/python3.X/site-packages, also where the package was reached by a symbolic link.
    prefixes = [package, Path(prefix), *package.parents[3:4], *package.resolve().parents[3:4]]
    folders = [each / "include" / "nest" for each in prefixes]
    for folder in folders:
        if (folder / "connector_base.h").exists():
            return folder
    raise KernelError(
        f"no C++ headers of NEST found in {', '.join(dict.fromkeys(map(str, folders)))}; install NEST with its headers"
    )


def _lines(model: str, source: Source) -> str:
    macros = [f"DN_{bound.upper()}( {model} )\n" for bound in BOUNDS_PER_CONNECTION.get(model, ())]
    macros.append(f"DN_MODEL( nest::{model}, weight_, )\n")
    if source == "exact" and model in PLASTIC_AT_SPIKES:
        macros.append(f"DN_NORMALIZED( {model} )\n")
    return f'#include "{model}.h"\n' + "".join(macros)


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


def _key(flags: Sequence[str], headers: Path, models: str, source: Source = "kernel") -> str:
    """Hash of what goes into a kernel.

    Not NEST's library, whose headers say all, nor its place and time: a copy on another node is the same NEST. Not the
    compiler, so nodes without one find the kernel.
    """
    hashed = hashlib.sha256()
    for folder in (_SOURCES, headers):
        for path in sorted(each for each in folder.rglob("*.h*") if each.is_file()):
            hashed.update(f"\0{path.relative_to(folder)}\0".encode() + path.read_bytes())
    programs = [(_SOURCES / f"{name}.cpp").read_text() for name in sorted({"kernel", source})]
    rest = (*programs, models, LTDL_STAND_IN, " ".join(flags), platform.machine())
    hashed.update("\0".join(rest).encode())
    return hashed.hexdigest()[:20]

"""The kernel for the NEST that is installed, compiled once, into a cache outside the repository.

The cache is $DISTNORM_CACHE, else $XDG_CACHE_HOME/distnorm, else ~/.cache/distnorm. The name of a file has two hashes:
of what goes into it (sources, flags, and the contents of NEST's headers), and of the compiler, its version and options.
Where that compiler cannot make it, or there is none, what another made beforehand serves. A file is complete or absent,
and however many processes start at once, one compiles (once.py). Under MPI rank 0 does; a node that does not see rank
0's file compiles its own.
"""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import logging
import os
import platform
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

from ...errors import KernelError
from ...mpi.ranks import Ranks
from ...mpi.same_library import mpi_library
from ..synapse_models import SYNAPSE_MODELS
from .compiler import LTDL_STAND_IN, STRICT, compile_library, find_compiler, key_of
from .headers import headers_of_nest, headers_with
from .loading import check_safe
from .once import obtain

log = logging.getLogger(__name__)

Source = Literal["kernel", "exact"]

_SOURCES = Path(__file__).parents[1] / "kernel"
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
    """Folder for compiled kernels.

    Raises:
        KernelError: It would be in a home folder, and there is none.
    """
    base = os.environ.get("DISTNORM_CACHE") or os.path.join(os.environ.get("XDG_CACHE_HOME") or "~/.cache", "distnorm")
    folder = os.path.expanduser(base)
    if base.startswith("~") and (os.environ.get("HOME") == "" or not os.path.isabs(folder)):
        raise KernelError(f"no home folder for the cache {base}; set HOME, or DISTNORM_CACHE to a folder")
    return Path(folder).absolute()


@contextlib.contextmanager
def writing(folder: Path) -> Iterator[None]:
    """While something is written to a cache folder, which is made if it is not there.

    Raises:
        KernelError: It cannot be written, or somebody else can write to it.
    """
    try:
        for missing in reversed([above for above in (folder, *folder.parents) if not above.exists()]):
            missing.mkdir(mode=0o755, exist_ok=True)  # whatever the umask
        check_safe(folder)
        yield
    except OSError as error:
        raise KernelError(
            f"{folder} cannot be written ({error.strerror}); set DISTNORM_CACHE to a writable folder"
        ) from None


def build(nest: Any, prefix: str, source: Source = "kernel") -> Path:
    """Path of the kernel, compiled unless the cache has it; local to this process.

    Args:
        nest: The imported module.
        prefix: What `nest.build_info["prefix"]` says; all ranks must read that together.
        source: "kernel", or "exact" for the kernel with models that normalize themselves.

    Raises:
        KernelError: No compiler, no headers, a NEST that the kernel does not fit, or a folder that is not safe.
    """
    stem = stem_of(nest, prefix, source)
    try:
        command = find_compiler()
        target = cache_folder() / f"{stem}-{key_of(command)}.so"
        if not target.exists():
            options = [*_FLAGS, *nest_flags(nest, prefix), str(_SOURCES / f"{source}.cpp")]
            arguments = command, options, _generated(_headers(nest, prefix))
            with writing(target.parent):
                obtain(target, lambda folder: compile_library(*arguments, folder, "the kernel", nest.__version__))
    except KernelError as error:
        other = compiled(stem)
        if other is None:
            raise
        log.debug("%s; %s, compiled beforehand, serves", error, other)
        target = other
    check_safe(target)
    return target


def stem_of(nest: Any, prefix: str, source: Source) -> str:
    """Name of a kernel, whichever compiler made it.

    Raises:
        KernelError: No headers of NEST.
    """
    headers = _headers(nest, prefix)
    return f"{source}-{_key([*_FLAGS, *STRICT, *_abi_flags()], headers, source)}"


def compiled(stem: str) -> Path | None:
    """The library with this name in the cache, whichever compiler made it: the newest."""
    found = cache_folder().glob(f"{stem}-{'[0-9a-f]' * 8}.so")
    return max(found, key=lambda path: (path.stat().st_mtime, path.name), default=None)


def _generated(headers: Path) -> dict[str, str]:
    """Text of the headers that are generated, by name, for the synapse models that NEST has headers of."""
    return headers_of_nest([model for model in SYNAPSE_MODELS if (headers / f"{model.name}.h").exists()])


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
    options = [*_FLAGS, *nest_flags(nest, prefix), str(_SOURCES / source), *flags]
    with (
        writing(target.parent),
        tempfile.TemporaryDirectory(dir=target.parent, prefix=f"{target.name}.making-") as folder,
    ):
        made = compile_library(
            find_compiler(), options, headers_with(models), Path(folder), target.stem, nest.__version__
        )
        made.replace(target)


def nest_flags(nest: Any, prefix: str) -> list[str]:
    """Compiler options for NEST's headers; `prefix` as for `build`.

    Raises:
        KernelError: Headers of NEST, or of its MPI, are not found.
    """
    headers = _headers(nest, prefix)
    return [*_abi_flags(), f"-iquote{_SOURCES}", f"-I{headers}", *_mpi_flags(headers)]


def build_on(nest: Any, ranks: Ranks, source: Source = "kernel") -> Path:
    """Path of the compiled kernel, present on every node. Collective.

    Raises:
        KernelError: As `build`; the same on every rank.
    """
    prefix = nest.build_info["prefix"]  # on all ranks: a kernel status is collective while connections are new
    path = ranks.from_first(lambda: build(nest, prefix, source))
    return ranks.once_per_node(lambda: path if path.exists() else build(nest, prefix, source))


def _headers(nest: Any, prefix: str) -> Path:
    package = Path(nest.__file__).parent
    # pip puts the headers inside the package; CMake, Spack and conda into the prefix, which NEST tells, and which lies
    # above lib/python3.X/site-packages, also where the package was reached by a symbolic link.
    prefixes = [package, Path(prefix), *package.parents[3:4], *package.resolve().parents[3:4]]
    folders = [prefix / "include" / "nest" for prefix in prefixes]
    for folder in folders:
        if (folder / "connector_base.h").exists():
            return folder
    raise KernelError(
        f"no C++ headers of NEST found in {', '.join(dict.fromkeys(map(str, folders)))}; install NEST with its headers"
    )


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
            return [flag for flag in shlex.split(shown.stdout) if flag.startswith("-I")]
    raise KernelError(f"{wrapper} does not say where mpi.h is; load the MPI that NEST was built with")


def _key(flags: Sequence[str], headers: Path, source: Source = "kernel") -> str:
    """Hash of what goes into a kernel.

    Not NEST's library, whose headers say all, nor its place and time: a copy on another node is the same NEST.
    """
    hashed = hashlib.sha256()
    for folder in (_SOURCES, headers):
        for path in sorted(header for header in folder.rglob("*.h*") if header.is_file()):
            hashed.update(f"\0{path.relative_to(folder)}\0".encode() + path.read_bytes())
    programs = [(_SOURCES / f"{name}.cpp").read_text() for name in sorted({"kernel", source})]
    generated = [text for header in sorted(_generated(headers).items()) for text in header]
    rest = (*programs, *generated, LTDL_STAND_IN, " ".join(flags), platform.machine())
    hashed.update("\0".join(rest).encode())
    return hashed.hexdigest()[:20]

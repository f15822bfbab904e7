"""Does this machine have what a run needs? Each check says what it found and, where that is not right, what to do.

examine  one check after the other; one that fails is a finding, and the next follows
report   one line per finding
"""

from __future__ import annotations

import importlib.metadata
import os
import re
import shlex
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import DistnormError, KernelError
from ..mpi.launch import find_mpiexec, is_first_rank, started_processes, under_launcher
from ..synapses.compiling.compiler import find_compiler, version_of
from ..synapses.compiling.library import cache_folder, writing
from .cluster import file_system_of, is_shared, loaded_modules, way_for, ways_of_slurm
from .isolated import Facts, ask, count_ranks, find_mpi4py, find_nest, try_kernel

_MARKS = {True: "ok", None: "--", False: "!!"}
_NEST = (3, 10)  # whose connections kernel.cpp knows
_INSTALL_NEST = "distnorm install-nest builds NEST 3.10 with the MPI of this machine"
_WITHOUT = {
    "MPI": "one process with threads; for many ranks: distnorm install-nest",
    "threads": "one core per rank",
    "Boost": "connections of the same pair of neurons may change places from run to run; the norms do not",
    "GSL": "some neuron models are missing",
    "ltdl": "no nest.Install, so no NESTML models",
}
_EXTRAS = {"matplotlib": "figures", "tqdm": "progress bars"}


@dataclass(frozen=True)
class Finding:
    """What one check found.

    Attributes:
        name: What was looked at.
        ok: Whether it is right; None where something optional is missing or nothing could be tried.
        says: What was found and, if it is not right, what to do; one line.
    """

    name: str
    ok: bool | None
    says: str


def examine() -> list[Finding]:
    """Look at all that a run needs; takes seconds, and half a minute if the kernel must be compiled.

    Collective under mpiexec: rank 0 examines, the others only join in where ranks are counted, and find nothing.
    """
    if not is_first_rank():
        _careful("ranks", _started_ranks)
        return []
    nest = _usable_nest()
    checks: dict[str, Callable[[], Iterator[Finding]]] = {
        "Python": _python,
        "NEST": lambda: _nest(nest),
        "mpi4py": lambda: _mpi4py(nest),
        "mpiexec": _mpiexec,
        "ranks": lambda: _ranks(nest),
        "compiler": _compiler,
        "cache": _cache,
        "SLURM": lambda: _slurm(nest),
        "kernel": lambda: _kernel(nest),
        "extras": _extras,
    }
    return [finding for name, check in checks.items() for finding in _careful(name, check)]


def report(findings: Sequence[Finding]) -> str:
    """One line per finding: ok, -- (optional) or !! (wrong), the name, and what it says."""
    width = max((len(finding.name) for finding in findings), default=0)
    return "\n".join(f"{_MARKS[finding.ok]}  {finding.name:<{width}}  {finding.says}" for finding in findings)


def _careful(name: str, check: Callable[[], Iterator[Finding]]) -> list[Finding]:
    try:
        return list(check())
    except DistnormError as error:
        return [Finding(name, False, str(error))]
    except Exception as error:  # whatever it is, the other checks must follow
        return [Finding(name, False, f"could not be checked: {type(error).__name__}: {error}")]


def _python() -> Iterator[Finding]:
    ok = sys.version_info >= (3, 10)
    says = f"{sys.version.split()[0]} ({sys.executable})"
    yield Finding("Python", ok, says if ok else f"{says} is too old; install Python 3.10 or newer")


def _usable_nest() -> Facts:
    """What `find_nest` finds; {"error": what is wrong and what to do} where no run is possible with it."""
    try:
        nest = ask(find_nest)[0]
    except DistnormError as error:
        return {"error": f"cannot be imported: {error}; {_INSTALL_NEST}"}
    number = re.match(r"(\d+)\.(\d+)", nest["version"] or "")
    if not number:
        return {"error": f"{nest['path']} is another package named nest; remove it, or {_INSTALL_NEST}"}
    nest["number"] = int(number[1]), int(number[2])
    if nest["number"] < _NEST:
        says = "is too old: distnorm serves NEST 3.10 only"
        return {"error": f"{nest['version']} ({nest['path']}) {says}; {_INSTALL_NEST}"}
    return nest


def _nest(nest: Facts) -> Iterator[Finding]:
    if "error" in nest:
        yield Finding("NEST", False, nest["error"])
        return
    has = ", ".join(part for part, there in nest["parts"].items() if there)
    says = f"{nest['version']} ({nest['path']}) with {has}; {len(os.sched_getaffinity(0))} core(s) here"
    newer = nest["number"] > _NEST
    yield Finding("NEST", None if newer else True, f"{says}; newer than distnorm knows, see kernel" if newer else says)
    for part, there in nest["parts"].items():
        if not there:
            yield Finding(f"NEST: {part}", None, f"not built in: {_WITHOUT[part]}")


def _mpi4py(nest: Facts) -> Iterator[Finding]:
    if not _has_mpi(nest):
        yield Finding("mpi4py", None, "not tried: needed only with a NEST that has MPI")
        return
    found = ask(find_mpi4py)[0]
    nest["library"] = found["library"]
    yield Finding("mpi4py", True, f"{found['version']} with {found['library']}, as NEST")


def _mpiexec() -> Iterator[Finding]:
    path = find_mpiexec()
    missing = "not found beside Python or on PATH; load or install NEST's own MPI to run on many ranks"
    yield Finding("mpiexec", True if path else None, path or missing)


def _ranks(nest: Facts) -> Iterator[Finding]:
    path = find_mpiexec()
    if under_launcher() and _has_mpi(nest):
        yield from _started_ranks()
    elif under_launcher() and started_processes() > 1:
        says = f"{started_processes()} processes were started, but each is alone: NEST has no MPI; {_INSTALL_NEST}"
        yield Finding("ranks", False, says)
    elif path and _has_mpi(nest):
        yield _compared(f"{path} -n 2", 2, ask(count_ranks, [path, "-n", "2"]))
    else:
        yield Finding("ranks", None, "not tried: needs a NEST that has MPI, and mpiexec")


def _started_ranks() -> Iterator[Finding]:
    """Count the ranks of this run. Collective."""
    yield _compared("this run", started_processes(), ask(count_ranks, alone=False))


def _compared(what: str, started: int, answers: Sequence[Facts]) -> Finding:
    seen = {answer["ranks"] for answer in answers}
    if seen == {started}:
        return Finding("ranks", True, f"{what}: {started} process(es), and NEST sees {started} rank(s)")
    counts = " or ".join(map(str, sorted(seen)))
    says = (
        f"{what}: {started} process(es), but NEST sees {counts} rank(s); start them with the mpiexec of NEST's own MPI"
    )
    return Finding("ranks", False, says)


def _compiler() -> Iterator[Finding]:
    try:
        command = find_compiler()
        version, _, _ = version_of(*command).partition("\n")
    except KernelError as error:
        without = "without it, and without a kernel in the cache, weights are reached through PyNEST"
        yield Finding("compiler", None, f"{error}; {without}, a thousand times slower")
        return
    yield Finding("compiler", True, f"{version} ({shlex.join(command)})")


def _cache() -> Iterator[Finding]:
    folder: Path | None = None
    try:
        folder = cache_folder()
        with writing(folder), tempfile.TemporaryFile(dir=folder):
            kind = file_system_of(folder)
            seen = ", which other machines may share" if is_shared(kind) else ""
            yield Finding("cache", True, f"{folder} can be written" + (f" ({kind}{seen})" if kind else ""))
    except KernelError as error:
        if folder and _is_read_only(folder):  # the kernel's own finding says whether what is compiled there serves
            yield Finding("cache", None, f"{folder} is read-only, as in an image; nothing more is compiled into it")
        else:
            yield Finding("cache", False, str(error))


def _is_read_only(folder: Path) -> bool:
    """Whether it is in a file system to which nobody can write."""
    return folder.is_dir() and bool(os.statvfs(folder).f_flag & os.ST_RDONLY)


def _slurm(nest: Facts) -> Iterator[Finding]:
    """Nothing where there is no cluster."""
    if modules := loaded_modules():
        yield Finding("modules", True, ", ".join(modules))
    ways = ways_of_slurm()
    if ways is None:
        return
    if not ways:
        yield Finding("SLURM", None, "srun is here and names no way to start ranks; is this machine part of a cluster?")
        return
    has = f"srun --mpi={'|'.join(ways)}"
    library = nest.get("library", "")
    if not library or way_for(library) in ways:
        yield Finding("SLURM", True, has + (f"; {library} takes {way_for(library)}" if library else ""))
        return
    says = f"{library} needs {way_for(library)}; set DISTNORM_LAUNCHER=mpiexec, or to what your site's pages say"
    yield Finding("SLURM", None, f"{has}, and {says}")


def _kernel(nest: Facts) -> Iterator[Finding]:
    if "error" in nest:
        yield Finding("kernel", None, "not tried: needs NEST")
        return
    yield Finding("kernel", True, f"{ask(try_kernel)[0]['path']} normalizes, and PyNEST agrees")


def _extras() -> Iterator[Finding]:
    for name, purpose in _EXTRAS.items():
        try:
            yield Finding(name, True, importlib.metadata.version(name))
        except importlib.metadata.PackageNotFoundError:
            yield Finding(name, None, f"not installed; pip install {name} for {purpose}")


def _has_mpi(nest: Facts) -> bool:
    return "error" not in nest and bool(nest["parts"]["MPI"])

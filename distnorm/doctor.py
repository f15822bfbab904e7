"""Does this machine have what a run needs? Each check says what it found and, where that is not right, what to do.

examine  one check after the other; one that fails is a finding, and the next follows
_ask     what may crash (importing NEST, an mpi4py of another MPI, the kernel) runs in a process of its own,
_answer  which prints what it found as a line of JSON
report   one line per finding
"""

from __future__ import annotations

import ctypes
import importlib
import importlib.metadata
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from . import norms
from .cli import _is_first_rank
from .errors import DistnormError, KernelError
from .parallel import _LAUNCHER_SIZES, Ranks, _check_same_library
from .rule import Rule
from .synapses import open_synapses
from .synapses.build import build, cache_folder
from .synapses.pynest import ThroughPyNEST

_SECONDS = 120  # compiling the kernel takes some ten
_MARKS = {True: "ok", None: "--", False: "!!"}
_NEST = (3, 10)  # whose connections kernel.cpp knows
_INSTALL_NEST = "install NEST 3.10, see docs/install.md"
# What a launcher tells its processes; one that starts alone must not read it.
_LAUNCHER_VARIABLES = ("PMI_", "PMIX_", "OMPI_", "HYDI_", "MPI_LOCAL", "SLURM_")
_WITHOUT = {
    "MPI": "one process with threads; for many ranks see docs/install.md",
    "threads": "one core per rank",
    "Boost": "connections of the same pair of neurons may change places from run to run; the norms do not",
    "GSL": "some neuron models are missing",
    "ltdl": "no nest.Install, so no NESTML models",
}
_EXTRAS = {"matplotlib": "figures", "tqdm": "progress bars"}

Facts = dict[str, Any]


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
    if not _is_first_rank():
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
        "kernel": lambda: _kernel(nest),
        "extras": _extras,
    }
    return [finding for name, check in checks.items() for finding in _careful(name, check)]


def report(findings: Sequence[Finding]) -> str:
    """One line per finding: ok, -- (optional) or !! (wrong), the name, and what it says."""
    width = max((len(each.name) for each in findings), default=0)
    return "\n".join(f"{_MARKS[each.ok]}  {each.name:<{width}}  {each.says}" for each in findings)


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
    """What `_find_nest` finds; {"error": what is wrong and what to do} where no run is possible with it."""
    try:
        nest = _ask(_find_nest)[0]
    except DistnormError as error:
        return {"error": f"cannot be imported: {error}; {_INSTALL_NEST}"}
    number = re.match(r"(\d+)\.(\d+)", nest["version"] or "")
    if not number:
        return {"error": f"{nest['path']} is another package named nest; remove it, or {_INSTALL_NEST}"}
    nest["number"] = int(number[1]), int(number[2])
    if nest["number"] < _NEST:
        return {"error": f"{nest['version']} ({nest['path']}) is too old; {_INSTALL_NEST}"}
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
    found = _ask(_find_mpi4py)[0]
    yield Finding("mpi4py", True, f"{found['version']} with {found['library']}, as NEST")


def _mpiexec() -> Iterator[Finding]:
    path = _mpiexec_path()
    missing = "not found beside Python or on PATH; load or install NEST's own MPI to run on many ranks"
    yield Finding("mpiexec", True if path else None, path or missing)


def _ranks(nest: Facts) -> Iterator[Finding]:
    path = _mpiexec_path()
    if _under_launcher() and _has_mpi(nest):
        yield from _started_ranks()
    elif _under_launcher() and _started() > 1:
        says = f"{_started()} processes were started, but each is alone without a NEST that has MPI; {_INSTALL_NEST}"
        yield Finding("ranks", False, says)
    elif path and _has_mpi(nest):
        yield _compared(f"{path} -n 2", 2, _ask(_count_ranks, [path, "-n", "2"]))
    else:
        yield Finding("ranks", None, "not tried: needs a NEST that has MPI, and mpiexec")


def _started_ranks() -> Iterator[Finding]:
    """Count the ranks of this run. Collective."""
    yield _compared("this run", _started(), _ask(_count_ranks, alone=False))


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
    command = os.environ.get("CXX") or shutil.which("c++") or shutil.which("g++")
    without = "install g++, or set CXX; without it weights are reached through PyNEST, a thousand times slower"
    if not command:
        yield Finding("compiler", False, f"no C++ compiler found; {without}")
    elif not shutil.which(command.split()[0]):
        yield Finding("compiler", False, f"CXX is {command!r}, which is not there; {without}")
    else:
        done = subprocess.run([*command.split(), "--version"], capture_output=True, text=True, check=True)
        yield Finding("compiler", True, f"{done.stdout.splitlines()[0]} ({command})")


def _cache() -> Iterator[Finding]:
    folder = cache_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            yield Finding("cache", True, f"{folder} can be written")
    except OSError as error:
        says = f"{folder} cannot be written ({error.strerror}); set DISTNORM_CACHE to a folder that can"
        yield Finding("cache", False, says)


def _kernel(nest: Facts) -> Iterator[Finding]:
    if "error" in nest:
        yield Finding("kernel", None, "not tried: needs NEST")
        return
    yield Finding("kernel", True, f"{_ask(_try_kernel)[0]['path']} normalizes, and PyNEST agrees")


def _extras() -> Iterator[Finding]:
    for name, purpose in _EXTRAS.items():
        try:
            yield Finding(name, True, importlib.metadata.version(name))
        except importlib.metadata.PackageNotFoundError:
            yield Finding(name, None, f"not installed; pip install {name} for {purpose}")


def _has_mpi(nest: Facts) -> bool:
    return "error" not in nest and bool(nest["parts"]["MPI"])


def _mpiexec_path() -> str | None:
    """The mpiexec of this Python's environment, or else the one on the PATH."""
    return shutil.which("mpiexec", path=str(Path(sys.executable).parent)) or shutil.which("mpiexec")


def _under_launcher() -> bool:
    return any(name in os.environ for name in _LAUNCHER_SIZES)


def _started() -> int:
    """Number of processes that the launcher of this one started."""
    return max(int(os.environ.get(name, "1")) for name in _LAUNCHER_SIZES)


def _ask(find: Callable[[], Facts], launcher: Sequence[str] = (), *, alone: bool = True) -> list[Facts]:
    """What `find` returns in a process of its own, or in each of those that the launcher starts.

    Args:
        find: One of the functions below.
        launcher: Command in front of the program.
        alone: False to let the process take this one's place among the ranks of a run.

    Raises:
        DistnormError: It failed there, crashed, or took too long.
    """
    # The child searches for packages where this process does, whatever its working directory holds.
    program = f"import sys; sys.path[:] = {sys.path!r}; from distnorm import doctor; doctor._answer({find.__name__!r})"
    hidden = _LAUNCHER_VARIABLES if alone and _under_launcher() else ()
    environment = {name: value for name, value in os.environ.items() if not name.startswith(hidden)}
    try:
        done = subprocess.run(
            [*launcher, sys.executable, "-c", program],
            env=environment | {"PYNEST_QUIET": "1"},
            close_fds=alone,  # the launcher listens on an inherited file descriptor
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise DistnormError(f"no answer within {_SECONDS} s") from None
    answers: list[Facts] = [json.loads(line) for line in done.stdout.splitlines() if line.startswith('{"')]
    errors = [answer["error"] for answer in answers if "error" in answer]
    if errors or done.returncode or not answers:
        raise DistnormError(errors[0] if errors else _end(done))
    return answers


def _end(done: subprocess.CompletedProcess[str]) -> str:
    end = signal.Signals(-done.returncode).name if done.returncode < 0 else f"exit code {done.returncode}"
    last = [line.strip() for line in done.stderr.splitlines() if line.strip()][-1:]
    return ": ".join([f"the process ended with {end}", *last])


def _answer(name: str) -> None:
    """Print what the function of that name finds in this process, or its error."""
    try:
        found: Facts = globals()[name]()
    except Exception as error:  # whatever it is, the asking process reports it
        text = str(error) if isinstance(error, DistnormError) else f"{type(error).__name__}: {error}"
        found = {"error": " ".join(text.split())}
    sys.stdout.write(f"\n{json.dumps(found)}\n")  # at once: the lines of several ranks must not mix


def _find_nest() -> Facts:
    nest = importlib.import_module("nest")
    info = getattr(nest, "build_info", {})
    parts = {name: bool(info.get(f"have_{name.lower()}")) for name in ("MPI", "threads", "Boost", "GSL")}
    # NEST does not tell, but links it.
    parts["ltdl"] = hasattr(ctypes.CDLL(None), "lt_dlinit")
    path = getattr(nest, "__file__", None) or next(iter(nest.__path__))  # a folder without __init__.py has no file
    return {"version": getattr(nest, "__version__", None), "path": path.removesuffix("/__init__.py"), "parts": parts}


def _find_mpi4py() -> Facts:
    importlib.import_module("nest")
    _check_same_library()
    from mpi4py import MPI

    library = MPI.Get_library_version().splitlines()[0].split(",")[0].replace("Version:", "")
    return {"version": importlib.metadata.version("mpi4py"), "library": " ".join(library.split())}


def _count_ranks() -> Facts:
    return {"ranks": importlib.import_module("nest").num_processes}


def _try_kernel() -> Facts:
    """Normalize ten neurons in place, and measure them through PyNEST."""
    nest = importlib.import_module("nest")
    neurons = nest.Create("iaf_psc_delta", 10)
    nest.Connect(neurons, neurons, syn_spec={"weight": nest.random.uniform(0.2, 0.8)})
    rule = Rule("static_synapse", target_norm=1.0)
    path = build(nest)
    (synapses,) = open_synapses(nest, [rule], Ranks(), "inplace")
    sums, _ = synapses.measure()
    synapses.rescale(norms.factors(sums, np.ones(len(sums))))
    after, _ = ThroughPyNEST(nest, rule).measure()
    if not np.allclose(after, 1.0, rtol=1e-12, atol=0.0):
        raise KernelError(f"{path} left a norm of {after[np.argmax(np.abs(after - 1.0))]} for 1; please report this")
    return {"path": str(path)}

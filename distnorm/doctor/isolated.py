"""What doctor asks in a process of its own, because it may crash: importing NEST, an mpi4py of another MPI, the kernel.

ask     starts the process, or several under a launcher
answer  prints there, as a line of JSON, what one of the functions below it finds
"""

from __future__ import annotations

import ctypes
import importlib
import importlib.metadata
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..errors import DistnormError, KernelError
from ..mpi.launch import last_words, under_launcher
from ..mpi.ranks import Ranks
from ..mpi.same_library import check_same_library
from ..norms import sums as norms
from ..norms.passes import Pass
from ..rules.rule import Rule
from ..synapses.access import open_synapses, verify
from ..synapses.compiling.library import build_on
from ..synapses.through_pynest import ThroughPyNEST

_SECONDS = 300  # compiling the kernel takes half a minute where nothing else runs
# What a launcher tells its processes; one that starts alone must not read it.
_LAUNCHER_VARIABLES = ("PMI_", "PMIX_", "OMPI_", "HYDI_", "MPI_LOCAL", "SLURM_")

Facts = dict[str, Any]


def ask(find: Callable[[], Facts], launcher: Sequence[str] = (), *, alone: bool = True) -> list[Facts]:
    """What `find` returns in a process of its own, or in each of those that the launcher starts.

    Args:
        find: One of the functions below.
        launcher: Command in front of the program.
        alone: False to let the process take this one's place among the ranks of a run.
    """
    # The child searches for packages where this process does, whatever its working directory holds.
    program = (
        f"import sys; sys.path[:] = {sys.path!r}; "
        f"from distnorm.doctor import isolated; isolated.answer({find.__name__!r})"
    )
    hidden = _LAUNCHER_VARIABLES if alone and under_launcher() else ()
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
    return ": ".join(filter(None, [f"the process ended with {end}", last_words(done.stderr)]))


def answer(name: str) -> None:
    """Print what the function of that name finds in this process, or its error."""
    try:
        found: Facts = globals()[name]()
    except Exception as error:  # whatever it is, the asking process reports it
        text = str(error) if isinstance(error, DistnormError) else f"{type(error).__name__}: {error}"
        found = {"error": " ".join(text.split())}
    sys.stdout.write(f"\n{json.dumps(found)}\n")  # at once: the lines of several ranks must not mix


def find_nest() -> Facts:
    """Version, path and parts of NEST."""
    nest = importlib.import_module("nest")
    info = getattr(nest, "build_info", {})
    parts = {name: bool(info.get(f"have_{name.lower()}")) for name in ("MPI", "threads", "Boost", "GSL")}
    # NEST does not tell, but links it.
    parts["ltdl"] = hasattr(ctypes.CDLL(None), "lt_dlinit")
    path = getattr(nest, "__file__", None) or next(iter(nest.__path__))  # a folder without __init__.py has no file
    return {"version": getattr(nest, "__version__", None), "path": path.removesuffix("/__init__.py"), "parts": parts}


def find_mpi4py() -> Facts:
    """Version of mpi4py, and its MPI library, which is that of NEST."""
    importlib.import_module("nest")
    check_same_library()
    from mpi4py import MPI

    library = MPI.Get_library_version().splitlines()[0].split(",")[0].replace("Version:", "")
    return {"version": importlib.metadata.version("mpi4py"), "library": " ".join(library.split())}


def count_ranks() -> Facts:
    """Number of ranks that NEST sees."""
    return {"ranks": importlib.import_module("nest").num_processes}


def try_kernel() -> Facts:
    """Normalize ten neurons in place, and measure them through PyNEST."""
    nest = importlib.import_module("nest")
    neurons = nest.Create("iaf_psc_delta", 10)
    nest.Connect(neurons, neurons, syn_spec={"weight": nest.random.uniform(0.2, 0.8)})
    rule = Rule("static_synapse", target_norm=1.0)
    path = build_on(nest, Ranks())
    (synapses,) = open_synapses(nest, [rule], Ranks(), "inplace")
    verify(nest, synapses, Ranks())
    sums = synapses.run(Pass(kind="measure"))[0]
    synapses.run(Pass(kind="scale", at=norms.factors(sums, np.ones(len(sums)))))
    after = ThroughPyNEST(nest, rule).run(Pass(kind="measure"))[0]
    if not np.allclose(after, 1.0, rtol=1e-12, atol=0.0):
        raise KernelError(f"{path} left a norm of {after[np.argmax(np.abs(after - 1.0))]} for 1; please report this")
    return {"path": str(path)}

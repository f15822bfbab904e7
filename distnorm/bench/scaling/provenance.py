"""Where a measurement comes from: versions, commit, machine, MPI, binding."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from datetime import datetime, timezone
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from ...mpi.ranks import Ranks

_BUILD = ("have_mpi", "have_threads", "have_boost", "have_gsl", "ndebug")


def of_machine() -> dict[str, Any]:
    """What can be told without NEST."""
    return {
        "started": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "distnorm": version("distnorm"),
        "commit": _commit(),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "cpu": _cpu(),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "openmp": {name: value for name, value in sorted(os.environ.items()) if name.startswith("OMP_")},
    }


def of_nest(nest: Any) -> dict[str, Any]:
    """Version and parts of NEST, and the MPI library if it has one."""
    found = {"nest": nest.__version__, "nest_build": {name: nest.build_info.get(name) for name in _BUILD}, "mpi": None}
    if "mpi4py.MPI" in sys.modules:
        version = sys.modules["mpi4py.MPI"].Get_library_version().splitlines()[0].replace("Version:", "")
        found["mpi"] = " ".join(version.strip("\0").split())
    return found


def machine_id() -> str:
    """The same for all processes that share cores, also where one machine plays several nodes of a cluster."""
    path = Path("/proc/sys/kernel/random/boot_id")
    return path.read_text().strip() if path.exists() else platform.node()


def cores() -> list[int]:
    """Numbers of the cores that this process may use."""
    return sorted(os.sched_getaffinity(0))


def crowded(ranks: Ranks, threads: int) -> bool:
    """Whether these ranks have more threads than cores; the same on all. Collective."""
    where, allowed = ranks.gather(machine_id()), ranks.gather(cores())
    return ranks.from_first(lambda: oversubscribed(where or [], allowed or [], threads))


def oversubscribed(machines: list[str], cores_of: list[list[int]], threads: int) -> bool:
    """Whether some machine has more threads than cores that its ranks may use.

    Args:
        machines: Of each rank.
        cores_of: Numbers of the cores of each rank.
        threads: Of each rank.
    """
    for machine in set(machines):
        here = [set(numbers) for numbers, where in zip(cores_of, machines, strict=True) if where == machine]
        if len(here) * threads > len(set.union(*here)) or threads > min(map(len, here)):
            return True
    return False


def _commit() -> str | None:
    """Of the source that runs, with a + if files differ from it; None where it is no git checkout."""
    where = Path(__file__).parents[3]

    def git(*arguments: str) -> str | None:
        try:
            done = subprocess.run(["git", "-C", str(where), *arguments], capture_output=True, text=True, check=False)
        except OSError:
            return None
        return done.stdout.strip() if done.returncode == 0 else None

    top, head = git("rev-parse", "--show-toplevel"), git("rev-parse", "HEAD")
    if head is None or top is None or Path(top) != where.resolve():
        return None
    return head + ("+" if git("status", "--porcelain", "--untracked-files=no") else "")


def _cpu() -> str:
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return f"{names[0]}, {len(names)} logical" if names else platform.processor()

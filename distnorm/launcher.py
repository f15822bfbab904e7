"""How this process was started, as the environment says, before any MPI is asked."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

_RANKS = ("PMI_RANK", "OMPI_COMM_WORLD_RANK", "PMIX_RANK", "SLURM_PROCID")
_SIZES = ("PMI_SIZE", "OMPI_COMM_WORLD_SIZE", "SLURM_STEP_NUM_TASKS")


def is_first_rank() -> bool:
    """Whether this process is the first of those that a launcher started, or the only one."""
    return all(os.environ.get(name, "0") == "0" for name in _RANKS)


def started_processes() -> int:
    """Number of processes that a launcher started for this program; 1 without one."""
    return max(int(os.environ.get(name, "1")) for name in _SIZES)


def find_mpiexec() -> str | None:
    """The mpiexec of this Python's environment, or else the one on the PATH."""
    return shutil.which("mpiexec", path=str(Path(sys.executable).parent)) or shutil.which("mpiexec")


def under_launcher() -> bool:
    """Whether a launcher started this process, alone or with others."""
    return any(name in os.environ for name in _SIZES)

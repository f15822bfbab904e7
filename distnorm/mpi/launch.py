"""How this process was started, as the environment says, before any MPI is asked."""

from __future__ import annotations

import itertools
import os
import shutil
import sys
from pathlib import Path

from ..errors import MPIError
from ..files.typed_json import shown

# Rank and number of processes, as MPICH and its kin, Open MPI, and srun tell each process that they start. One alone is
# not of a launcher of this program: the shell of a SLURM job has SLURM_PROCID.
_LAUNCHERS = (
    ("PMI_RANK", "PMI_SIZE"),
    ("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"),
    ("SLURM_PROCID", "SLURM_STEP_NUM_TASKS"),
)

# Of Open MPI 4, and of 5.
_OVERSUBSCRIBE = {
    "OMPI_MCA_rmaps_base_oversubscribe": "1",
    "PRTE_MCA_rmaps_default_mapping_policy": ":oversubscribe",
}
_BEGUN = "OMPI_MCA_ess"  # how an Open MPI 4 begins
_HELP = {
    "run as root": "set OMPI_ALLOW_RUN_AS_ROOT=1 and OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1",
    "not enough slots": "set " + " and ".join(f"{name}={value}" for name, value in _OVERSUBSCRIBE.items()),
}


def check_environment() -> None:
    """Refuse what no launcher says: the MPI library would end this process for it."""
    for name in itertools.chain(*_LAUNCHERS):
        text = os.environ.get(name, "")
        if text and not _is_number(text):
            raise MPIError(f"{name} is {shown(text)} in the environment, where a launcher has a number; unset it")


def allow_more_ranks_than_cores() -> None:
    """Have an Open MPI that this process starts take more ranks than there are cores, as other MPIs do."""
    for name, value in _OVERSUBSCRIBE.items():
        os.environ.setdefault(name, value)


def forget_lone_mpi() -> None:
    """Forget that the process that started this one, as a notebook, had begun an Open MPI 4 without a launcher.

    That MPI writes so into the environment. An mpiexec that reads it there begins in the same way, and ends without a
    word; other programs do not need it.
    """
    if os.environ.get(_BEGUN) == "singleton":
        del os.environ[_BEGUN]


def last_words(said: str) -> str:
    """The line that tells why a program ended, of what it wrote to stderr, and what to do where that is known."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    if not lines:
        return ""
    line, framed = lines[-1], [i for i, line in enumerate(lines[:-1]) if set(line) == {"-"}]
    if set(line) == {"-"} and lines[1:]:  # Open MPI ends with such a line, and 4 also begins with one; the first tells
        line = lines[framed[0] + 1 if framed else 0]
    return next((f"{line} ({help_})" for sign, help_ in _HELP.items() if sign in line), line)


def is_first_rank() -> bool:
    """Whether this process is the first of those that a launcher started, or the only one."""
    return _started()[0] == 0


def started_processes() -> int:
    """Number of processes that a launcher started for this program; 1 without one."""
    return _started()[1]


def find_mpiexec() -> str | None:
    """The mpiexec of this Python's environment, or else the one on the PATH."""
    return shutil.which("mpiexec", path=str(Path(sys.executable).parent)) or shutil.which("mpiexec")


def under_launcher() -> bool:
    """Whether a launcher started this process, alone or with others."""
    return bool(_told())


def _started() -> tuple[int, int]:
    """Rank and number of processes, by the launcher of most: that of one may be around another, as a shell's."""
    return max(_told(), key=lambda told: told[1], default=(0, 1))


def _told() -> list[tuple[int, int]]:
    """What launchers tell, where it makes sense."""
    pairs = [(os.environ.get(rank, ""), os.environ.get(size, "")) for rank, size in _LAUNCHERS]
    numbers = [(int(rank), int(size)) for rank, size in pairs if _is_number(rank) and _is_number(size)]
    return [(rank, size) for rank, size in numbers if rank < size]


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 10

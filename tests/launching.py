"""Start programs under mpiexec, from a process that no mpiexec started."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from distnorm.mpi.launch import find_mpiexec

TESTS = Path(__file__).parent
PROGRAMS = TESTS / "launch" / "programs"


def mpiexec():
    """Path of mpiexec; without one the test is skipped."""
    found = find_mpiexec()
    if not found:
        pytest.skip("no mpiexec here; tests/run.sh installs one")
    return found


def another_mpi():
    """An MPI that is not the one here, as mpi4py names it, and its library; and the library of the one here."""
    said = subprocess.run([mpiexec(), "--version"], capture_output=True, text=True, check=True).stdout
    libraries = {"mpich": "libmpi.so.12", "openmpi": "libmpi.so.40"}
    here = "openmpi" if "Open MPI" in said or "OpenRTE" in said else "mpich"
    other = "mpich" if here == "openmpi" else "openmpi"
    return other, libraries[other], libraries[here]


def launch(ranks, program, *arguments, timeout=60, **environment):
    """Finished process; the test fails if it takes longer than `timeout` seconds."""
    path = os.pathsep.join(filter(None, (str(TESTS), os.environ.get("PYTHONPATH"))))
    return subprocess.run(
        [mpiexec(), "-n", str(ranks), sys.executable, str(PROGRAMS / program), *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
        env=os.environ | {"PYTHONPATH": path, "OMP_WAIT_POLICY": "passive"} | environment,
    )


def start(folder, *command, ranks=0, timeout=60, merged=False):
    """Finished Python in a folder, under mpiexec if there are ranks; its errors among what it prints, if merged."""
    path = os.pathsep.join(filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep)))
    launcher = [mpiexec(), "-n", str(ranks)] if ranks else []
    return subprocess.run(
        [*launcher, sys.executable, *map(str, command)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT if merged else subprocess.PIPE,
        text=True,
        timeout=timeout,
        check=False,
        cwd=folder,
        env=os.environ | {"PYTHONPATH": path, "PYNEST_QUIET": "1", "OMP_WAIT_POLICY": "passive"},
    )


def own(text):
    """Lines that are not by distnorm."""
    return [line for line in text.splitlines() if not line.startswith("distnorm: ")]


def said(done):
    """Lines by distnorm."""
    return [line for line in done.stderr.splitlines() if line.startswith("distnorm: ")]

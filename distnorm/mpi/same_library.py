"""Which MPI library this process has: NEST and mpi4py must have the same."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path

from ..errors import MPIError

_MPI_LIBRARY = re.compile(rb"libmpi[a-z_]*\.so[.0-9]*")


def check_same_library() -> None:
    """Compare the MPI libraries of NEST (loaded by now) and mpi4py before mpi4py.MPI is imported.

    Two MPI libraries in one process end in a segmentation fault, too late for a message.
    """
    if "mpi4py.MPI" in sys.modules or not sys.platform.startswith("linux"):
        return
    try:
        spec = importlib.util.find_spec("mpi4py.MPI")
    except (ModuleNotFoundError, RuntimeError):  # not installed; no library for it found
        spec = None
    if spec is None or spec.origin is None:
        raise MPIError(
            "this NEST has MPI, but mpi4py or its MPI library was not found; install mpi4py for the same MPI library"
        )
    loaded = {path.name for path in _loaded_mpi()}
    wanted = {name.decode() for name in _MPI_LIBRARY.findall(Path(spec.origin).read_bytes())}
    if loaded and wanted and not any(have.startswith(want) for have in loaded for want in wanted):
        raise MPIError(
            f"NEST uses the MPI library {', '.join(sorted(loaded))}, mpi4py ({spec.origin}) wants "
            f"{', '.join(sorted(wanted))}; install an mpi4py for NEST's MPI, and unset MPI4PY_MPIABI and MPI4PY_LIBMPI"
        )


def mpi_library() -> Path | None:
    """Where the MPI library of this process is: NEST's, once that is imported; None where it has none."""
    return min(_loaded_mpi(), default=None)


def _loaded_mpi() -> set[Path]:
    maps = Path("/proc/self/maps")
    lines = maps.read_text().splitlines() if maps.exists() else []
    loaded = {Path(line.split(maxsplit=5)[5]) for line in lines if ".so" in line and len(line.split(maxsplit=5)) == 6}
    return {path for path in loaded if _MPI_LIBRARY.match(path.name.encode())}

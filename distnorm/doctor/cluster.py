"""What a cluster has: loaded modules, ways of SLURM to start ranks, and the file system of the cache."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

_SECONDS = 20
# Of what MPI says it is: the way in which its ranks find each other under srun; as in slurm/setup.sh.
_WAYS = {"Open MPI": "pmix"}
_OTHER_WAY = "pmi2"
_SHARED = {"nfs", "nfs4", "lustre", "gpfs", "beegfs", "fuse.sshfs"}


def loaded_modules() -> list[str]:
    """Names of loaded modules; none without a module system."""
    return [name for name in os.environ.get("LOADEDMODULES", "").split(":") if name]


def ways_of_slurm() -> list[str] | None:
    """What `srun --mpi` knows; None without SLURM."""
    if not shutil.which("srun"):
        return None
    try:
        asked = subprocess.run(["srun", "--mpi=list"], capture_output=True, text=True, timeout=_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return []
    found = re.findall(r"^(?:srun:)?\s*(\w+)\s*$", asked.stdout + asked.stderr, re.MULTILINE)  # a line each
    return sorted(set(found))


def way_for(library: str) -> str:
    """The way that an MPI library needs."""
    return next((way for kind, way in _WAYS.items() if library.startswith(kind)), _OTHER_WAY)


def file_system_of(folder: Path) -> str:
    """Type of the file system of a folder, or of the nearest one above it that is there; empty where nobody tells."""
    place = next((str(path) for path in (folder, *folder.parents) if path.exists()), "/")
    try:
        mounts = Path("/proc/mounts").read_text(errors="replace").splitlines()
    except OSError:
        return ""
    found = [(len(point), kind) for _, point, kind, *_ in map(str.split, mounts) if _is_inside(place, point)]
    return max(found, default=(0, ""))[1]


def is_shared(kind: str) -> bool:
    """Whether other machines may see a file system of this type."""
    return kind in _SHARED


def _is_inside(place: str, point: str) -> bool:
    return place == point or place.startswith(point.rstrip("/") + "/")

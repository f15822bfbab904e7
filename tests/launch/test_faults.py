"""A fault on one rank ends all ranks soon, with a message and a nonzero exit code."""

import os
import subprocess
import sys

import pytest
from launching import another_mpi, launch
from run_logs import measurement, write

SECONDS = 20


@pytest.mark.parametrize("ranks", [2, 3, 4])
@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("nan_weight", "rank 1: neuron"),
        ("callback", "callback"),
        ("killed", ""),
        ("inside_simulate", "nest.Simulate failed after 0 ms: "),
    ],
)
def test_fault_of_one_rank(fault, message, ranks):
    done = launch(ranks, "faulty.py", fault, timeout=SECONDS)
    assert done.returncode != 0 and "not reached" not in done.stdout
    assert message in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("missing_model", "NEST has no synapse model 'stdp_synapsis'; similar: "),
        ("homogeneous", "has one weight for all its connections; use static_synapse"),
        ("zero_norm", "target_norm is 0.0"),
        ("negative_norm", "target_norm is -2.0"),
        ("nan_norm", "target_norm is nan"),
        ("wrong_length", "target_norm has 2 values for 3 targets"),
    ],
)
def test_fault_of_the_rule(fault, message):
    done = launch(3, "faulty.py", fault, timeout=SECONDS)
    assert done.returncode != 0 and "not reached" not in done.stdout
    assert message in done.stderr


def test_a_rank_without_plastic_connections_is_no_fault():
    done = launch(4, "faulty.py", "no_plastic_connection_on_a_rank", timeout=SECONDS)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("not reached") == 4


def test_mpi4py_for_another_mpi():
    other, wanted, used = another_mpi()
    done = launch(2, "faulty.py", "nan_weight", timeout=SECONDS, MPI4PY_MPIABI=other)
    assert done.returncode != 0 and "not reached" not in done.stdout
    assert f"NEST uses the MPI library {used}" in done.stderr and f"wants {wanted}" in done.stderr


def test_a_reader_that_has_enough_ends_a_command_without_a_word(tmp_path):
    log = write(tmp_path / "run.jsonl", [measurement(100.0 * i, 100.0, 0.01) for i in range(1, 5)])
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "distnorm", "report", str(log)]
    done = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, timeout=60, check=False)
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, b"")

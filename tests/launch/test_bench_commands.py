"""Each benchmark once, on a network of a few connections: what it prints, not how long it takes."""

import pytest
from launching import TESTS, mpiexec, start

pytestmark = pytest.mark.timeout(300)

JOB = str(TESTS.parent / "jobs" / "balanced_stdp.toml")
SMALL = ("n_excitatory=80", "n_inhibitory=20", "in_degree_excitatory=20")
SMALL = (*(f"--set=parameters.{setting}" for setting in SMALL), '--set=interval={"kind":"fixed","interval_ms":20.0}')


def rows(folder, *words, ranks=0):
    """First cells of the rows of the table that a benchmark prints."""
    done = start(folder, "-m", "distnorm", "bench", *words, ranks=ranks, timeout=280)
    assert done.returncode == 0, done.stderr
    lines = [line.split("|")[1].strip() for line in done.stdout.splitlines() if line.startswith("|")]
    return lines[2:]


def test_kernel(tmp_path):
    found = rows(tmp_path, "kernel", "--connections=2e4", "--indegree=100", "--threads=2")
    one = ["in place", "measure", "streaming read", "streaming read + read and write"]
    labels = ["documented recipe", "PyNEST in bulk", *one, *one]
    assert all(cell.startswith(label) for cell, label in zip(found, labels, strict=True))


def test_modes(tmp_path):
    found = rows(tmp_path, "modes", "--connections=6e3", "--indegree=100")
    assert len(found) == 19 and found[0] == "L1"


def test_checkpoint(tmp_path):
    found = rows(tmp_path, "checkpoint", "--connections=2e4", "--indegree=100", f"--folder={tmp_path}")
    assert found == ["write", "write plainly", "read", "read plainly"] and not list(tmp_path.iterdir())


@pytest.mark.parametrize("ranks", [0, 2])
@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("overhead", JOB, "--pairs=2"), ["simulate", "measure", "agree", "rescale"]),
        (("duration", JOB, "--seconds=0.2", "--stretches=2"), ["0.1", "0.2"]),
        (("exact", JOB, "--pairs=1", "--stretch=20"), ["stdp_synapse", "stdp_synapse_hom_hpc"]),
    ],
)
def test_a_job(tmp_path, words, expected, ranks):
    if ranks:
        mpiexec()
    assert rows(tmp_path, *words, *SMALL, ranks=ranks) == expected


@pytest.mark.parametrize("ranks", [0, 2])
def test_look(tmp_path, ranks):
    if ranks:
        mpiexec()
    found = rows(tmp_path, "look", "--connections", "100", "1000", ranks=ranks)
    assert [cell for cell in found if cell[0].isdigit()] == ["100", "1,000"]


@pytest.mark.parametrize("ranks", [1, 2])
def test_short_runs(tmp_path, ranks):
    mpiexec()
    script = TESTS.parent / "jobs" / "studies" / "short_runs.py"
    done = start(tmp_path, str(script), "--connections", "100", "--calls=20", "--rounds=1", f"--ranks={ranks}")
    assert done.returncode == 0, done.stderr
    cells = [[cell.strip() for cell in line.split("|")[1:4]] for line in done.stdout.splitlines()[-2:]]
    assert cells == [["100", "Run", "20"], ["100", "Simulate", "20"]]


def test_bound_costs(tmp_path):
    mpiexec()
    script = str(TESTS.parent / "jobs" / "studies" / "bound_costs.py")
    words = ("--bounds=0.2", "--probes", "default", "0", "--models", "stdp_synapse", "--set=simulate_ms=20")
    done = start(tmp_path, script, JOB, *words, *SMALL[:3])
    assert done.returncode == 0, done.stderr
    cells = [[cell.strip() for cell in line.split("|")[1:4]] for line in done.stdout.splitlines()[-2:]]
    assert cells == [["`stdp_synapse`", "20 %", "default"], ["`stdp_synapse`", "20 %", "0"]]


def test_one_process(tmp_path):
    mpiexec()
    done = start(tmp_path, "-m", "distnorm", "bench", "modes", "--connections=6e3", "--indegree=100", ranks=2)
    assert done.returncode == 2 and "bench modes was started on 2 ranks" in done.stderr and not done.stdout

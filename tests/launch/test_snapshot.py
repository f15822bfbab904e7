"""`distnorm snapshot`, and weights recorded by an attached script and by a job: the same whatever the split."""

import csv

import numpy as np
import pytest
from launching import TESTS, said, start

MODEL = TESTS / "launch" / "scripts" / "small.py"
RULES = """
[[rules]]
synapse_model = "stdp_synapse"
target_norm = 5.0
[interval]
kind = "fixed"
interval_ms = 20.0
[log]
record = ["3-4", 9]
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "rules.toml").write_text(RULES)
    return tmp_path


def contents(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*.*")) if path.is_file()}


def test_the_same_files_whatever_the_split(folder):
    plain = start(folder, MODEL)
    for ranks in (1, 2, 4):
        options = ("-o", f"out{ranks}", "--at", 0, "--at", "32.5", "--at", 5000)
        done = start(folder, "-m", "distnorm", "snapshot", *options, MODEL, ranks=ranks)
        assert done.returncode == 0, done.stderr
        if ranks == 1:
            assert done.stdout == plain.stdout
        assert said(done)[-1] == "distnorm: never simulated to 5000 ms"
        assert "400 connections at 33 ms" in done.stderr
    first = contents(folder / "out1")
    assert len(first) == 2 * 5 + 1 and "weights.png" in first
    assert contents(folder / "out2") == first == contents(folder / "out4")
    assert first["0ms/vp-000001.npy"] != first["33ms/vp-000001.npy"]


def test_at_the_end_and_never_half(folder):
    done = start(folder, "-m", "distnorm", "snapshot", "-o", "out", MODEL)
    assert done.returncode == 0
    table = np.concatenate([np.load(path) for path in sorted((folder / "out" / "100ms").glob("*.npy"))])
    assert table["weight"].sum() == pytest.approx(float(done.stdout.split()[0]), rel=1e-12)
    again = start(folder, "-m", "distnorm", "snapshot", "-o", "out", MODEL)
    assert again.returncode == 2 and said(again) == [
        "distnorm: out exists already and is kept; give another path, or move it away"
    ]
    (folder / "empty.py").write_text("import nest\n")
    nothing = start(folder, "-m", "distnorm", "snapshot", "-o", "none", "empty.py")
    assert nothing.returncode == 2 and "no weights were written" in nothing.stderr
    assert not (folder / "none").exists()


def test_recorded_beside_the_log_whatever_the_split(folder):
    for ranks in (1, 2):
        done = start(folder, "-m", "distnorm", "attach", "--log", f"r{ranks}.jsonl", "rules.toml", MODEL, ranks=ranks)
        assert done.returncode == 0, done.stderr
    assert (folder / "r1.weights.csv").read_bytes() == (folder / "r2.weights.csv").read_bytes()
    rows = list(csv.DictReader((folder / "r1.weights.csv").open()))
    assert len(rows) == 6 * 3 * 10
    for time in range(0, 101, 20):
        for target in ("3", "4", "9"):
            of = [row for row in rows if float(row["time_ms"]) == time and row["target"] == target]
            assert sum(float(row["weight"]) for row in of) == pytest.approx(5.0, rel=1e-12)
    without = start(folder, "-m", "distnorm", "attach", "rules.toml", MODEL)
    assert without.returncode == 2 and said(without) == [
        "distnorm: log.record writes beside the run log; give --log FILE"
    ]


def test_a_job_that_goes_on_records_each_time_once(folder):
    job = TESTS.parent / "jobs" / "balanced_stdp.toml"
    small = ["parameters.n_excitatory=80", "parameters.n_inhibitory=20", "parameters.in_degree_excitatory=10"]
    settings = [f"--set={each}" for each in (*small, "threads=1", 'log.record=["excitatory"]')]
    arguments = ("-m", "distnorm", "run", job, *settings, "--checkpoint", "points", "--log", "run.jsonl")
    for until in (200, 400):
        done = start(folder, *arguments, f"--set=simulate_ms={until}", "--resume")
        assert done.returncode == 0, done.stderr
    rows = list(csv.DictReader((folder / "run.weights.csv").open()))
    times = [float(row["time_ms"]) for row in rows]
    assert times == sorted(times) and times[-1] > 200
    assert all(times.count(time) == 80 * 10 for time in set(times))


def test_nothing_is_begun_where_recorded_weights_are_in_the_way(folder):
    (folder / "run.weights.csv").write_text("mine")
    done = start(folder, "-m", "distnorm", "attach", "--log", "run.jsonl", "rules.toml", MODEL)
    assert done.returncode == 2 and "run.weights.csv exists already" in done.stderr
    job = TESTS.parent / "jobs" / "balanced_stdp.toml"
    arguments = (job, "--set=log.record=[1]", "--set=parameters.scale=0.02", "--log", "run.jsonl")
    done = start(folder, "-m", "distnorm", "run", *arguments)
    assert done.returncode == 2 and "run.weights.csv exists already" in done.stderr
    assert not (folder / "run.jsonl").exists() and (folder / "run.weights.csv").read_text() == "mine"
    wrong = RULES.replace('["3-4", 9]', '["no_such_model"]')
    (folder / "rules.toml").write_text(wrong)
    done = start(folder, "-m", "distnorm", "attach", "--log", "other.jsonl", "rules.toml", MODEL)
    assert done.returncode == 2 and "log.record is 'no_such_model'" in done.stderr
    assert not (folder / "other.jsonl").exists()


def test_a_log_that_is_lost_ends_all_ranks_while_weights_are_recorded(folder):
    (folder / "loses.py").write_text(
        MODEL.read_text()
        .replace(
            "nest.Simulate(50.0)\nfound",
            'os.path.exists("run.jsonl") and nest.Rank() == 0 and os.remove("run.jsonl")\nnest.Simulate(50.0)\nfound',
        )
        .replace("import math", "import math\nimport os")
    )
    done = start(folder, "-m", "distnorm", "attach", "--log", "run.jsonl", "rules.toml", "loses.py", ranks=2)
    assert done.returncode == 2 and "log run.jsonl was removed" in done.stderr.replace(f"{folder}/", "")

"""Scaling benchmarks under mpiexec, on networks of a hundred neurons: what they record, not how long it takes."""

import csv
import importlib.util
import json
import os
import subprocess
import sys

import pytest
from launching import TESTS, mpiexec

from distnorm.bench.scaling.points import read_folder

JOBS = TESTS.parent / "jobs"
SMALL = ("--set=parameters.in_degree_share=0.005", '--set=interval={"kind":"fixed","interval_ms":5.0}')
CORES = len(os.sched_getaffinity(0))
KILLED = """\
import os, signal
import nest
def build(scale=1.0):
    if nest.Rank() == nest.num_processes - 1:
        os.kill(os.getpid(), signal.SIGKILL)
    nest.Create("iaf_psc_delta", 10)
"""


def distnorm(*words, ranks=None):
    start = [mpiexec(), "-n", str(ranks)] if ranks else []
    return subprocess.run(
        [*start, sys.executable, "-m", "distnorm", *map(str, words)],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
        env=os.environ | {"OMP_WAIT_POLICY": "passive", "PYNEST_QUIET": "1"},
    )


def scaling(folder, *words, job=JOBS / "hpc_benchmark.toml"):
    mpiexec()
    return distnorm("bench", "scaling", job, "--intervals=2", "--seeds=1", "-o", folder, *words)


@pytest.fixture(scope="module")
def weak(tmp_path_factory):
    folder = tmp_path_factory.mktemp("weak")
    points = f"1x2,2x1,2x{CORES}"
    done = scaling(folder, *SMALL, "--series=weak", f"--points={points}", "--set=parameters.scale=0.01")
    assert done.returncode == 0, done.stderr
    return folder, done, {f"{each.ranks}x{each.threads}": each for each in read_folder(folder)}


def test_a_weak_series_grows_with_its_virtual_processes(weak):
    _, done, points = weak
    assert points["1x2"].scale == 0.02 and points[f"2x{CORES}"].scale == pytest.approx(0.02 * CORES)
    assert [points["2x1"].targets, points[f"2x{CORES}"].targets] == [180, 180 * CORES]
    assert points["2x1"].plastic_connections == 180 * 45
    assert "weak-hpc_benchmark-2x1-seed1: done" in done.stderr


def test_the_same_network_however_it_is_split(weak):
    _, _, points = weak
    threads, ranks = points["1x2"], points["2x1"]
    assert ranks.summed("spikes") == threads.summed("spikes") > 0
    assert ranks.neurons == threads.neurons == 225 and ranks.plastic_connections == threads.plastic_connections


def test_one_allreduce_per_normalization_of_the_same_size(weak):
    _, _, points = weak
    assert {(each.allreduces, each.intervals) for each in points.values()} == {(2, 2)}
    assert len({each.message_bytes for each in points.values()}) == 1


def test_more_threads_than_cores_are_marked_and_not_timed(weak):
    folder, done, points = weak
    crowded = points[f"2x{CORES}"]
    assert crowded.oversubscribed and crowded.error is None and len(crowded.per_rank) == 2
    assert all(each.seconds == {} and each.construction_s is None for each in crowded.per_rank)
    assert "oversubscribed, not timed" in done.stdout
    with (folder / "weak-hpc_benchmark.csv").open() as file:
        rows = {row["ranks"] + "x" + row["threads"]: row for row in csv.DictReader(file)}
    assert rows[f"2x{CORES}"]["simulate_s"] == "" and rows[f"2x{CORES}"]["spikes"] != "0"
    if CORES >= 2:
        timed = points["2x1"]
        assert timed.timed and float(rows["2x1"]["time_simulate"]) > 0
        assert float(rows["2x1"]["time_simulate"]) <= timed.total("simulate")


def test_provenance(weak):
    _, _, points = weak
    said = points["2x1"].provenance
    assert said["nest"].startswith("3.10") and said["mpi"] and said["machines"] == 1 and said["cpu"]
    assert points["2x1"].per_rank[0].cores and said["nest_build"]["have_mpi"]


def test_points_are_not_overwritten(weak):
    folder, _, _ = weak
    again = scaling(folder, *SMALL, "--series=weak", "--points=2x1")
    assert again.returncode == 2 and again.stdout == ""
    assert len(again.stderr.splitlines()) == 1 and "exists already and is kept" in again.stderr


def test_a_point_on_ranks_that_are_there_already(tmp_path):
    words = ("bench", "point", JOBS / "hpc_benchmark.toml", *SMALL, "--series=strong", "--intervals=1", "-o", tmp_path)
    done = distnorm(*words, "--set=parameters.scale=0.01", "--seed=7", ranks=2)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(tmp_path / "strong-hpc_benchmark-2x1-seed7.json")
    (one,) = read_folder(tmp_path)
    assert one.error is None and one.scale == 0.01 and len(one.per_rank) == 2
    assert sum(each.connections for each in one.per_rank) > one.plastic_connections == 90 * 45


def test_broken_points_are_kept_and_the_next_ones_follow(tmp_path):
    done = scaling(tmp_path, "--series=strong", "--points=1x1,2x1", "--set=parameters.scales=1")
    assert done.returncode == 0
    assert {each.error for each in read_folder(tmp_path)} == {
        "RuleError: build(...) has no parameter 'scales'; it has scale, in_degree_share, n_recorded"
    }
    assert done.stdout.count("| broken |") == 2


def test_a_killed_rank_leaves_a_marked_point(tmp_path):
    (tmp_path / "killed.py").write_text(KILLED)
    job = (JOBS / "hpc_benchmark.toml").read_text().replace("hpc_benchmark.py", "killed.py")
    (tmp_path / "killed.toml").write_text(job.replace("in_degree_share", "#").replace("scale = 1.0", ""))
    done = scaling(tmp_path / "points", "--series=strong", "--points=2x1", job=tmp_path / "killed.toml")
    assert done.returncode == 0, done.stderr
    (one,) = read_folder(tmp_path / "points")
    assert one.error is not None and one.error != "" and one.per_rank == [] and one.provenance["nest"]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--series=weak", "--points=2"), "2 is not a list of ranks x threads"),
        (("--series=weak", "--points=2x0"), "0 is not at least 1"),
        (("--series=week",), "invalid choice: 'week'"),
        (("--series=weak", '--set=interval={"kind":"adaptive","bound":0.05}', "--points=1x1"), "interval.kind fixed"),
    ],
)
def test_wrong_series(tmp_path, words, says):
    done = scaling(tmp_path / "points", *words)
    if done.returncode == 0:  # found by the point itself, which is kept
        assert says in done.stdout
    else:
        assert done.returncode == 2 and done.stdout == "" and says in done.stderr


def test_sizes_count_all_ranks(tmp_path):
    words = ("--connections=2e4,4e4", "--indegree=100", "--repetitions=2", "-o", tmp_path)
    done = distnorm("bench", "sizes", *words, ranks=2)
    if CORES < 2:
        assert done.returncode == 2 and "more than the cores" in done.stderr
        return
    assert done.returncode == 0, done.stderr
    with (tmp_path / "sizes.csv").open() as file:
        rows = [(row["connections"], row["targets"], row["bytes"]) for row in csv.DictReader(file)]
    assert rows == [("20000", "200", "96"), ("40000", "400", "96")]
    assert done.stdout.count("stdp_synapse") == 1


def test_sizes_that_do_not_grow():
    done = distnorm("bench", "sizes", "--connections=4e4,2e4", "--indegree=100")
    assert done.returncode == 2 and "give ascending sizes" in done.stderr and done.stdout == ""


def test_all_means_give_the_same_norms(tmp_path):
    mpiexec()
    words = ("--connections=4e4", "--simulate=100", "--neurons=10", "--ranks", min(CORES, 2), "-o", tmp_path)
    done = distnorm("bench", "compare", "--job", JOBS / "balanced_stdp.toml", *words)
    assert done.returncode == 0, done.stderr
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in done.stdout.splitlines() if "|" in line]
    ours = next(row for row in rows if row[0].startswith("NEST and distnorm"))
    assert float(ours[-1]) < 1e-12  # of norms that the documented recipe left, measured in place
    recipe = next(row for row in rows if row[0].startswith("documented recipe"))
    assert "(10 neurons)" in recipe[0] and float(recipe[2].replace(",", "")) > 1  # times the compiled kernel
    assert (tmp_path / "compare.md").read_text().strip() == done.stdout.strip()
    if importlib.util.find_spec("brian2") is None:
        assert "Brian2 is not installed" in done.stdout
    else:
        assert json.loads(next(row for row in rows if "Brian2" in row[0])[2])

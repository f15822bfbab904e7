"""A rank dies, a node dies: the job ends soon, and goes on from its last whole checkpoint."""

import os
import signal
from contextlib import suppress
from pathlib import Path

import pytest
from killing import wait_for, write_job

from distnorm.records.run_log import read_log
from distnorm.runs.checkpoint import folder as folders

pytestmark = pytest.mark.timeout(300, method="signal")


def rank_process(number, rank):
    """The process of a rank of a job."""
    for each in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            environment = (each / "environ").read_bytes().split(b"\0")
            named = {f"{name}={rank}".encode() for name in ("PMI_RANK", "PMIX_RANK")}  # of MPICH, and of Open MPI
            if f"SLURM_JOB_ID={number}".encode() in environment and named & {*environment}:
                return int(each.name)
    return None


def begin(cluster, tmp_path, nodes):
    job = write_job(tmp_path, simulate_ms=1e7, every_s=0.5)
    options = [f"--nodes={nodes}", "--ntasks-per-node=1", "--time=5"]
    number = cluster.submit("requeue.sh", job, folder=tmp_path, options=options)
    checkpoints = tmp_path / "results" / f"requeue-{number}" / "checkpoints"
    wait_for(lambda: checkpoints.exists() and len(folders.numbers(checkpoints)) == 2, 60)
    return number, checkpoints


def limit(tmp_path, checkpoints):
    """Let the run end soon after it has gone on."""
    write_job(
        tmp_path, simulate_ms=folders.read_manifest(checkpoints, folders.numbers(checkpoints)[0])["time_ms"] + 50.0
    )


def check(checkpoints, text):
    log = read_log(checkpoints.parent / "run.jsonl")
    times = [measurement.time_ms for measurement in log.measurements]
    assert times == sorted(set(times)) and log.end.reason == "finished" and len(log.resumes) == 1
    assert "going on from" in text and "is not used" not in text


def test_a_rank_dies(cluster, tmp_path):
    number, checkpoints = begin(cluster, tmp_path, nodes=2)
    os.kill(rank_process(number, 1), signal.SIGKILL)
    state, code, restarts = cluster.wait(number, 30)
    assert (state, restarts) == ("FAILED", 0) and code != "0:0"
    text = "".join(each.read_text() for each in tmp_path.glob("*.out"))
    assert "task 1: Killed" in text
    limit(tmp_path, checkpoints)
    again = cluster.submit(
        "requeue.sh",
        tmp_path / "job.toml",
        folder=tmp_path,
        options=["--nodes=2", "--ntasks-per-node=1"],
        DISTNORM_RESUME=str(checkpoints.parent),
    )
    assert cluster.wait(again)[:2] == ("COMPLETED", "0:0")
    check(checkpoints, "".join(each.read_text() for each in tmp_path.glob("*.out")))


def test_a_node_dies(cluster, tmp_path):
    """SLURM itself puts the job back into the queue, and it goes on without that node."""
    number, checkpoints = begin(cluster, tmp_path, nodes=2)
    shown = cluster.run("scontrol", "show", "job", "--oneliner", number).stdout
    first = next(each for each in shown.split() if each.startswith("BatchHost=")).partition("=")[2]
    node = f"n{int(first[1:]) + 1}"
    cluster.kill_node(node)
    try:
        wait_for(lambda: cluster.state(number)[2] == 1 or cluster.state(number)[0] == "FAILED", 60)
        limit(tmp_path, checkpoints)
        state, code, restarts = cluster.wait(number)
        assert (state, code, restarts) == ("COMPLETED", "0:0", 1)
        check(checkpoints, "".join(each.read_text() for each in tmp_path.glob("*.out")))
    finally:
        cluster.start_node(node)

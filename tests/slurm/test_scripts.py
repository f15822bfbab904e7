"""The batch scripts, submitted with sbatch to a real SLURM."""

import pytest
from killing import lines_of, wait_for, write_job

from distnorm.records.run_log import read_log
from distnorm.runs.checkpoint import folder as folders

# Not by the thread that ends pytest at once: the SLURM must be stopped.
pytestmark = pytest.mark.timeout(300, method="signal")


def output(folder):
    return "\n".join(each.read_text() for each in sorted(folder.glob("*.out")))


def results(folder):
    return next((folder / "results").iterdir())


@pytest.mark.parametrize(("nodes", "threads"), [(1, 2), (2, 2), (4, 1)])
def test_run(nodes, threads, cluster, job, tmp_path):
    options = [f"--nodes={nodes}", "--ntasks-per-node=1", f"--cpus-per-task={threads}"]
    number = cluster.submit("run.sh", job, folder=tmp_path, options=options)
    assert cluster.wait(number)[:2] == ("COMPLETED", "0:0"), output(tmp_path)
    assert f"{nodes} rank(s) x {threads} thread(s)" in output(tmp_path)
    log = read_log(results(tmp_path) / "run.jsonl")
    assert log.end.reason == "finished" and (log.header.ranks, log.header.threads) == (nodes, threads)


def test_run_with_mpiexec(cluster, job, tmp_path):
    options = ["--nodes=2", "--ntasks-per-node=1"]
    number = cluster.submit("run.sh", job, folder=tmp_path, options=options, DISTNORM_LAUNCHER="mpiexec")
    assert cluster.wait(number)[:2] == ("COMPLETED", "0:0"), output(tmp_path)
    assert "2 rank(s) x 1 thread(s)" in output(tmp_path)


def test_array(cluster, job, tmp_path):
    number = cluster.submit("array.sh", job, folder=tmp_path, options=["--array=1-3"])
    wait_for(lambda: not cluster.run("squeue", "-h", "-j", number).stdout.strip(), 60)
    logs = [read_log(results(tmp_path) / f"seed-{seed}.jsonl") for seed in (1, 2, 3)]
    assert [log.header.seed for log in logs] == [1, 2, 3] and all(log.end.reason == "finished" for log in logs)


def test_checkpoints_of_an_array_are_apart(cluster, job, tmp_path):
    """In one folder all but one run would be refused."""
    number = cluster.submit("array.sh", job, "--checkpoint", "saved", folder=tmp_path, options=["--array=1-3"])
    wait_for(lambda: not cluster.run("squeue", "-h", "-j", number).stdout.strip(), 60)
    for seed in (1, 2, 3):
        saved = results(tmp_path) / f"seed-{seed}" / "saved"
        assert folders.read_manifest(saved, folders.numbers(saved)[0])["identity"]["seed"] == str(seed)
        assert read_log(results(tmp_path) / f"seed-{seed}.jsonl").end.reason == "finished", output(tmp_path)


def test_a_killed_run_does_not_keep_its_folder(cluster, tmp_path):
    """SLURM kills all processes, and its requeue goes on at once."""
    job = write_job(tmp_path, simulate_ms=1e7, every_s=0.1)
    number = cluster.submit("requeue.sh", job, folder=tmp_path, options=["--nodes=2", "--ntasks-per-node=1"])
    checkpoints = tmp_path / "results" / f"requeue-{number}" / "checkpoints"
    wait_for(lambda: checkpoints.exists() and len(folders.numbers(checkpoints)) == 2)
    cluster.run("scancel", "--signal=KILL", number)
    wait_for(lambda: cluster.state(number)[0] in ("FAILED", "CANCELLED", "COMPLETED"), 60)
    until = folders.read_manifest(checkpoints, folders.numbers(checkpoints)[0])["time_ms"] + 50.0
    again = cluster.submit(
        "requeue.sh",
        write_job(tmp_path, simulate_ms=until),
        folder=tmp_path,
        options=["--nodes=2", "--ntasks-per-node=1"],
        DISTNORM_RESUME=str(checkpoints.parent),
    )
    assert cluster.wait(again)[:2] == ("COMPLETED", "0:0"), output(tmp_path)
    assert "going on from" in output(tmp_path)


def test_scaling(cluster, job, tmp_path):
    number = cluster.submit(
        "scaling.sh", job, folder=tmp_path, options=["--nodes=4"], WEAK="parameters.n_excitatory=60"
    )
    assert cluster.wait(number, 120)[:2] == ("COMPLETED", "0:0"), output(tmp_path)
    logs = [read_log(results(tmp_path) / f"nodes-{nodes}.jsonl") for nodes in (1, 2, 4)]
    assert [log.header.ranks for log in logs] == [1, 2, 4]
    assert [log.measurements[0].drifts[0].targets for log in logs] == [60, 120, 240]
    assert (results(tmp_path) / "scaling.png").stat().st_size > 10_000


def test_requeue_goes_on_until_done(cluster, tmp_path):
    """A grace period just below the time limit of a minute, so that each part of the run is short."""
    job = write_job(tmp_path, simulate_ms=1e7)
    options = ["--nodes=2", "--ntasks-per-node=1", "--time=1"]
    number = cluster.submit("requeue.sh", job, "--set", "checkpoint.grace_s=52", folder=tmp_path, options=options)
    checkpoints = tmp_path / "results" / f"requeue-{number}" / "checkpoints"
    wait_for(lambda: cluster.state(number)[2] == 1, 60)
    done = folders.read_manifest(checkpoints, folders.numbers(checkpoints)[0])["time_ms"]
    write_job(tmp_path, simulate_ms=done + 100.0)
    assert cluster.wait(number) == ("COMPLETED", "0:0", 1), output(tmp_path)
    text = output(tmp_path)
    assert "are left of the allocation" in text and "requeueing after 1 part" in text and "going on from" in text
    log = read_log(checkpoints.parent / "run.jsonl")
    times = [measurement.time_ms for measurement in log.measurements]
    assert times == sorted(set(times)) and log.end.reason == "finished" and len(log.resumes) == 1
    assert log.resumes[0].time_ms == done


def test_scancel_stops_with_a_checkpoint_and_does_not_requeue(cluster, tmp_path):
    job = write_job(tmp_path, simulate_ms=1e7)
    number = cluster.submit("requeue.sh", job, folder=tmp_path, options=["--nodes=2"])
    checkpoints = tmp_path / "results" / f"requeue-{number}" / "checkpoints"
    wait_for(lambda: checkpoints.exists() and folders.numbers(checkpoints))
    cluster.run("scancel", number)
    assert cluster.wait(number)[0] == "CANCELLED"
    assert "SIGTERM" in output(tmp_path) and folders.numbers(checkpoints)[0] == 2
    until = folders.read_manifest(checkpoints, 2)["time_ms"] + 50.0
    again = cluster.submit(
        "requeue.sh",
        write_job(tmp_path, simulate_ms=until),
        folder=tmp_path,
        options=["--nodes=1", "--ntasks-per-node=2"],
        DISTNORM_RESUME=str(checkpoints.parent),
    )
    assert cluster.wait(again)[:2] == ("COMPLETED", "0:0"), output(tmp_path)
    assert len(read_log(checkpoints.parent / "run.jsonl").resumes) == 1


@pytest.mark.parametrize(
    ("script", "arguments", "options", "environment", "says"),
    [
        ("run.sh", [], [], {}, "run.sh: which job?"),
        ("run.sh", ["none.toml"], [], {}, "run.sh: job file none.toml cannot be read from"),
        (
            "run.sh",
            ["JOB"],
            ["--nodes=2", "--ntasks=3", "--ntasks-per-node=2"],
            {},
            "3 tasks are not the same number on each of 2 nodes",
        ),
        ("run.sh", ["JOB"], [], {"DISTNORM_LAUNCHER": "aprun -n"}, "DISTNORM_LAUNCHER is 'aprun -n', which is not"),
        ("run.sh", ["JOB"], [], {"DISTNORM_CACHE": "/tmp/none"}, "no kernel in /tmp/none; run 'distnorm build'"),
        ("array.sh", ["JOB"], ["--array=0"], {}, "seed 0; the numbers of the array are seeds"),
        ("scaling.sh", ["JOB"], ["--nodes=1"], {"WEAK": "g=x"}, "WEAK has 'g=x'; give KEY=NUMBER"),
        ("requeue.sh", ["JOB", "--set", "checkpoint.grace_s=999"], ["--time=1"], {}, "ask for more time"),
    ],
)
def test_what_does_not_fit_is_refused(script, arguments, options, environment, says, cluster, job, tmp_path):
    given = [job if each == "JOB" else each for each in arguments]
    number = cluster.submit(script, *given, folder=tmp_path, options=options, **environment)
    assert cluster.wait(number)[:2] == ("FAILED", "2:0"), output(tmp_path)
    assert says in output(tmp_path)
    assert not lines_of(results(tmp_path) / "run.jsonl") if (tmp_path / "results").exists() else True

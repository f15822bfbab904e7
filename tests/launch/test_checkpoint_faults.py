"""A fault while a run writes checkpoints ends it soon, with a message, and the last whole checkpoint resumes."""

import os
import shutil
import signal
import subprocess
from contextlib import contextmanager

import pytest
from killing import Running, command, run, wait_for, write_job

from distnorm.records.run_log import read_log
from distnorm.runs.checkpoint import folder as folders

SOON = 20  # seconds to the end of a run


@contextmanager
def small_file_system(path, size):
    if os.geteuid() != 0:
        pytest.skip("mounting a small file system needs root")
    path.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", path], capture_output=True, check=False
    )
    if done.returncode:
        pytest.skip("this machine does not let root mount a file system")
    try:
        yield path
    finally:
        subprocess.run(["umount", "-l", path], check=True)


def remount(path, options):
    subprocess.run(["mount", "-o", f"remount,{options}", path], check=True)


@contextmanager
def read_only(path):
    """By a mount on top of it: the system does not make one read-only in which a file is open to be written."""
    subprocess.run(["mount", "--bind", path, path], check=True)
    remount(path, "bind,ro")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", path], check=True)


def written(folder, number):
    return lambda: folder.exists() and max(folders.numbers(folder), default=0) >= number


def start(tmp_path, *arguments, every_s=0.2, ranks=2):
    job = write_job(tmp_path, simulate_ms=1e7, every_s=every_s)
    running = Running(command(job, ranks, 1, *arguments))
    return job, running


def resumes(tmp_path, *arguments):
    checkpoints = tmp_path / "checkpoints"
    at = folders.read_manifest(checkpoints, folders.numbers(checkpoints)[0])["time_ms"]
    job = write_job(tmp_path, simulate_ms=at + 20.0)
    code, _, err = run(command(job, 1, 2, "--resume", *arguments))
    assert code == 0 and f"going on from {checkpoints}/" in err and "is not used" not in err, err


def test_full_disk(tmp_path):
    with small_file_system(tmp_path / "checkpoints", "800k") as checkpoints:  # two of 320 kB, and no third
        _, running = start(tmp_path)
        code, _, err = running.wait(SOON)
        assert code == 2 and f"cannot write checkpoint {checkpoints}/.0000000" in err, err
        assert "No space left on device" in err and "Traceback" not in err
        assert len(folders.numbers(checkpoints)) == 2 and not list(checkpoints.glob(".*"))
        assert "No space left" in read_log(tmp_path / "run.jsonl").end.reason
        remount(checkpoints, "size=10m")
        resumes(tmp_path)


def test_folder_that_becomes_read_only(tmp_path):
    with small_file_system(tmp_path / "checkpoints", "10m") as checkpoints:
        _, running = start(tmp_path)
        wait_for(written(checkpoints, 2))
        with read_only(checkpoints):
            code, _, err = running.wait(SOON)
        assert code == 2 and "Read-only file system" in err and "Traceback" not in err, err
        resumes(tmp_path)


def test_checkpoint_folder_vanishes(tmp_path):
    checkpoints = tmp_path / "checkpoints"
    _, running = start(tmp_path)
    wait_for(written(checkpoints, 2))
    moved = checkpoints.rename(tmp_path / "moved")
    code, _, err = running.wait(SOON)
    assert code == 2 and "cannot write checkpoint" in err and "No such file or directory" in err, err
    moved.rename(checkpoints)
    resumes(tmp_path)


def test_log_folder_vanishes(tmp_path):
    (tmp_path / "logs").mkdir()
    _, running = start(tmp_path, "--log", str(tmp_path / "logs" / "run.jsonl"))
    wait_for(written(tmp_path / "checkpoints", 2))
    shutil.rmtree(tmp_path / "logs")
    code, _, err = running.wait(SOON)
    assert code == 2 and "run.jsonl was removed while the run went on" in err and "Traceback" not in err, err
    code, _, err = run(
        command(write_job(tmp_path, simulate_ms=1e7), 1, 2, "--resume", "--log", str(tmp_path / "x.jsonl"))
    )
    assert code == 2 and "cannot go on with log" in err and "put it back, or leave out --log" in err


@pytest.mark.parametrize("rank", [0, 1])
def test_a_rank_dies(rank, tmp_path):
    _, running = start(tmp_path)
    wait_for(written(tmp_path / "checkpoints", 2))
    running.signal(signal.SIGKILL, rank)
    code, out, err = running.wait(SOON)
    assert code == 128 + signal.SIGKILL or (code != 0 and "signal 9" in out + err)  # as Open MPI, or MPICH, tells
    resumes(tmp_path)


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "checkpoints").write_text("a file")
    code, _, err = run(command(write_job(tmp_path), 2, 1))
    assert code == 2 and "cannot make checkpoint folder" in err and "File exists" in err
    assert len(err.splitlines()) == 1


def test_resume_without_checkpoints_begins_anew_and_keeps_the_log(tmp_path):
    job = write_job(tmp_path, simulate_ms=50.0)
    assert run(command(job, 1, 2))[0] == 0
    for path in (tmp_path / "checkpoints").glob("0*"):
        shutil.rmtree(path)
    code, _, err = run(command(job, 1, 2, "--resume"))
    assert code == 2 and "is of a run that finished, but there is no checkpoint of it" in err
    log = tmp_path / "run.jsonl"
    log.write_bytes(b"".join(log.read_bytes().splitlines(keepends=True)[:-1]))  # as if killed
    undone = log.read_bytes()
    code, _, err = run(command(job, 1, 2, "--resume"))
    assert code == 0 and "beginning: no checkpoint in" in err
    assert (tmp_path / "run.jsonl.undone").read_bytes() == undone and read_log(log).end.reason == "finished"


def test_a_log_of_a_run_whose_folder_is_gone_is_kept(tmp_path):
    job = write_job(tmp_path, simulate_ms=50.0)
    assert run(command(job, 1, 2))[0] == 0
    shutil.rmtree(tmp_path / "checkpoints")
    log = tmp_path / "run.jsonl"
    log.write_bytes(b"".join(log.read_bytes().splitlines(keepends=True)[:-1]))  # as if killed
    before = log.read_bytes()
    code, _, err = run(command(job, 1, 2, "--resume"))
    assert code == 2 and "run.jsonl is not of the run that goes on, and is kept; give another path" in err
    assert log.read_bytes() == before and not (tmp_path / "run.jsonl.undone").exists()

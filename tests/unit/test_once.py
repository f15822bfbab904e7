"""A file made by one of many processes, some of which fail or are killed."""

import multiprocessing
import os
import signal
import time
from pathlib import Path

import pytest

from distnorm.synapses.compiling import once

fork = multiprocessing.get_context("fork")


@pytest.fixture
def target(tmp_path, monkeypatch):
    monkeypatch.setattr(once, "_DEAD_SECONDS", 1.0)
    (tmp_path / "cache").mkdir()
    return tmp_path / "cache" / "kernel.so"


def made(target):
    """Numbers of the processes that have begun to make it."""
    return [int(each.name) for each in target.parent.parent.iterdir() if each.name.isdigit()]


def slowly(target, seconds=0.5, fails=False, beats=True):
    def make(folder):
        (target.parent.parent / str(os.getpid())).write_text("")
        for _ in range(round(seconds / 0.1)):
            time.sleep(0.1)
            if beats:
                once.beat(folder)
        if fails:
            raise ValueError("cannot be made")
        (folder / "new").write_text("whole")
        return folder / "new"

    return make


def start(target, number=1, **how):
    processes = [fork.Process(target=once.obtain, args=(target, slowly(target, **how))) for _ in range(number)]
    for each in processes:
        each.start()
    return processes


def end(processes):
    for each in processes:
        each.join(timeout=20)
    return [each.exitcode for each in processes]


def files(target):
    return {each.name: each.is_file() and each.read_text() for each in target.parent.iterdir()}


def wait_for_a_maker(target):
    while not made(target):
        time.sleep(0.02)


def test_sixteen_processes_one_makes_it_and_nothing_else_is_left(target):
    assert end(start(target, 16, seconds=2.5)) == [0] * 16  # longer than a process without a beat counts as alive
    assert len(made(target)) == 1 and files(target) == {"kernel.so": "whole"}


def test_there_already(target):
    target.write_text("before")
    assert end(start(target)) == [0]
    assert not made(target) and files(target) == {"kernel.so": "before"}


def test_a_failure_is_everybodys_own_and_leaves_nothing(target, capfd):
    start_time = time.monotonic()
    assert end(start(target, 8, seconds=1, fails=True)) == [1] * 8
    assert len(made(target)) == 8 and files(target) == {}
    assert time.monotonic() - start_time < 5  # side by side, not one after the other
    assert "cannot be made" in capfd.readouterr().err


def test_killed_while_others_wait(target):
    (first,) = start(target, seconds=60)
    wait_for_a_maker(target)
    waiting = start(target, 8)
    os.kill(first.pid, signal.SIGKILL)
    assert end([first, *waiting]) == [-signal.SIGKILL] + [0] * 8
    assert len(made(target)) == 2 and files(target) == {"kernel.so": "whole"}


def test_killed_before_the_next_start(target):
    (first,) = start(target, seconds=60)
    wait_for_a_maker(target)
    os.kill(first.pid, signal.SIGKILL)
    assert end([first]) == [-signal.SIGKILL] and set(files(target)) == {"kernel.so.making-1"}
    start_time = time.monotonic()
    assert end(start(target, seconds=0.1)) == [0]
    assert time.monotonic() - start_time < 3 and files(target) == {"kernel.so": "whole"}


def test_thought_dead_but_only_slow(target):
    """Both make it, and the slow one finds its folder gone and the file there."""
    slow = start(target, seconds=4, beats=False)
    wait_for_a_maker(target)
    assert end(start(target) + slow) == [0, 0]
    assert len(made(target)) == 2 and files(target) == {"kernel.so": "whole"}


def test_leftovers_go_when_they_are_old_and_ours(target):
    old = {"other.so.making-1": True, "kernel.so.making-notes": False, "notes.making-of": False}
    for name, ours in (*old.items(), ("another.so.making-1", True)):
        (target.parent / name).mkdir()
        if ours:
            once.beat(target.parent / name)
        else:
            (target.parent / name / "beat").write_text("boom")
        if name in old:
            os.utime(target.parent / name, (time.time() - 7200,) * 2)
    assert end(start(target)) == [0]
    kept = ("kernel.so.making-notes", "notes.making-of", "another.so.making-1")
    assert set(files(target)) == {"kernel.so", *kept}


def test_a_process_killed_while_it_tells_that_it_lives_leaves_what_it_told_before(tmp_path, monkeypatch):
    once.beat(tmp_path)
    before = (tmp_path / "beat").read_bytes()

    def cut_short(path, _):
        path.open("wb").close()
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "write_bytes", cut_short)
    with pytest.raises(KeyboardInterrupt):
        once.beat(tmp_path)
    assert before and (tmp_path / "beat").read_bytes() == before

"""What needs no NEST of checkpoints: memory, folders, files, stop requests, a log that goes on."""

import dataclasses
import json
import os
import signal

import numpy as np
import pytest
import run_logs
from hypothesis import given
from hypothesis import strategies as st

from distnorm.adaptive import AdaptiveInterval
from distnorm.checkpoint import folder as folders
from distnorm.checkpoint.identity import rule_hash
from distnorm.checkpoint.npy import Reader, Writer
from distnorm.errors import AllocationEnds, CheckpointDue, CheckpointError, RuleError, StopRequest
from distnorm.interval import Clock
from distnorm.memory import Memory
from distnorm.rule import Rule
from distnorm.runlog import RunLog, read_log
from distnorm.stop import Signals, Timer, seed_of

CLOCK = Clock(resolution_ms=0.1, min_delay_ms=1.5)


def memory(state):
    return Memory(time_steps=123, steps_left=4, normalized_ms=0.1 + 0.2, hint=True, state=state)


@given(st.floats(allow_nan=False), st.floats(allow_nan=False), st.booleans())
def test_memory_comes_back_exactly(one, other, flag):
    first = memory(AdaptiveInterval(0.05).first(CLOCK)[1])
    changes = {float: one, bool: flag, type(None): (one, other)}
    fields = {name: changes[type(value)] for name, value in vars(first.state).items() if type(value) in changes}
    state = dataclasses.replace(first.state, **fields)
    assert state != first.state
    text = json.dumps(memory(state).as_json(), allow_nan=False)
    assert Memory.from_json(json.loads(text), first) == memory(state)
    assert Memory.from_json(json.loads(json.dumps(memory(None).as_json())), memory(None)) == memory(None)


def test_a_state_that_cannot_be_kept():
    with pytest.raises(RuleError, match=r"cannot keep \{1, 2\}"):
        memory({1, 2}).as_json()


def test_last_two_are_kept_and_parts_removed(tmp_path):
    for number in (1, 2, 3):
        folders.begin(tmp_path, number)
        (tmp_path / ".00000009-partial").mkdir(exist_ok=True)  # of a run that was killed
        folders.commit(tmp_path, number, {"number": number, "x": 0.1 + 0.2})
    assert folders.numbers(tmp_path) == [3, 2] and [each.name for each in tmp_path.glob(".*")] == []
    assert folders.read_manifest(tmp_path, 3) == {"number": 3, "x": 0.1 + 0.2}


def test_every_flipped_bit_of_a_manifest_is_seen(tmp_path):
    folders.begin(tmp_path, 1)
    folders.commit(tmp_path, 1, {"time_ms": 1234.5, "parts": [1, 2, 3]})
    path = tmp_path / "00000001" / "manifest.json"
    content = path.read_bytes()
    for position in range(len(content)):
        for bit in range(8):
            path.write_bytes(content[:position] + bytes([content[position] ^ 1 << bit]) + content[position + 1 :])
            try:
                assert folders.read_manifest(tmp_path, 1) == {"time_ms": 1234.5, "parts": [1, 2, 3]}  # white space
            except CheckpointError:
                continue


def test_no_folder(tmp_path):
    assert folders.numbers(tmp_path / "none") == []
    with pytest.raises(CheckpointError, match=r"cannot write checkpoints into .*none: No such file"):
        folders.begin(tmp_path / "none", 1)
    (tmp_path / "file").touch()
    with pytest.raises(CheckpointError, match=r"cannot make checkpoint folder .*file"):
        folders.make(tmp_path / "file" / "x")
    with pytest.raises(CheckpointError, match=r"cannot read checkpoints in .*file: Not a directory"):
        folders.numbers(tmp_path / "file")


@pytest.mark.parametrize("position", [3, 60, 200, 2000])
def test_array_files(position, tmp_path):
    array = np.arange(500.0)
    with Writer(tmp_path / "a.npy", array.dtype, len(array)) as out:
        out.write(array[:100])
        out.write(array[100:])
        entry = out.finish()
    assert np.array_equal(np.load(tmp_path / "a.npy", mmap_mode="r"), array)
    content = bytearray((tmp_path / "a.npy").read_bytes())
    content[position] ^= 4
    (tmp_path / "a.npy").write_bytes(content)
    with pytest.raises(CheckpointError, match="is damaged"), Reader(tmp_path, entry, array.dtype) as source:
        source.skip()
        source.finish()


def test_rules_differ_by_all_they_say():
    base = {"targets": [1, 2, 3], "target_norm": [1.0, 2.0, 3.0]}
    changes = [{}, {"norm": "l2"}, {"targets": [1, 2, 4]}, {"sources": [1]}, {"target_norm": [1.0, 2.0, 3.5]}]
    hashes = {rule_hash(Rule("stdp_synapse", **base | change)) for change in changes}
    assert len(hashes) == len(changes)
    assert rule_hash(Rule("stdp_synapse", **base)) == rule_hash(Rule(["stdp_synapse"], **base))


@pytest.mark.parametrize(("number", "kind"), [(signal.SIGTERM, StopRequest), (signal.SIGUSR1, AllocationEnds)])
def test_signals_are_noted_and_handlers_put_back(number, kind):
    before = signal.getsignal(number)
    with Signals() as signals:
        signals.check()
        os.kill(os.getpid(), number)
        with pytest.raises(kind, match=signal.Signals(number).name):
            signals.check()
    assert signal.getsignal(number) == before


def test_timer(monkeypatch):
    now = [1000.0]
    monkeypatch.setattr("time.time", lambda: now[0])
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    monkeypatch.setenv("SLURM_JOB_END_TIME", "2000")
    timer = Timer(every_s=100.0, grace_s=60.0)
    with pytest.raises(CheckpointDue):
        timer.check()
    timer.restart()
    for now[0] in (1001.0, 1004.0, 1099.0):
        timer.check()
    assert timer.longest_s == 95.0
    now[0] = 1100.0
    with pytest.raises(CheckpointDue):
        timer.check()
    now[0] = 1941.0
    with pytest.raises(AllocationEnds, match="59 s are left"):
        timer.check()


def test_seeds_are_new_each_time():
    seeds = [seed_of(seed, resumes) for seed in (1, 2, 2**32 - 1) for resumes in range(1, 50)]
    assert len(set(seeds)) == len(seeds) and all(1 <= seed < 2**32 for seed in seeds)


def resumed(path, size):
    with RunLog.go_on(path, size) as log:
        log.resume(time_ms=10.0, ranks=1, threads=2, seed=5, started="2026-01-01T12:00:00+00:00")
        log.look(run_logs.look(20.0, 20.0, 0.02))


def test_a_log_goes_on_and_keeps_what_was_undone(tmp_path):
    path = run_logs.write(tmp_path / "a.jsonl", [run_logs.look(10.0, 10.0, 0.01)])
    size, before = path.stat().st_size, path.read_bytes()
    with path.open("ab") as file:
        file.write(b'{"kind":"look","undone":1}\n{"kind":"lo')
    resumed(path, size)
    log = read_log(path)
    assert path.read_bytes().startswith(before)
    assert [look["time_ms"] for look in log.looks] == [10.0, 20.0] and len(log.resumes) == 1
    assert (tmp_path / "a.jsonl.undone").read_bytes() == b'{"kind":"look","undone":1}\n'
    with pytest.raises(RuleError, match="bytes, and had 99999 at the checkpoint; put it back"):
        RunLog.go_on(path, 99999)
    with pytest.raises(RuleError, match=r"cannot go on with log .*: No such file"):
        RunLog.go_on(tmp_path / "none.jsonl", 5)


def test_a_log_that_was_removed(tmp_path):
    from distnorm.errors import DistnormError

    with RunLog(tmp_path / "a.jsonl") as log:
        log.header(**run_logs.header())
        (tmp_path / "a.jsonl").unlink()
        with pytest.raises(DistnormError, match=r"a\.jsonl was removed while the run went on"):
            log.look(run_logs.look(1.0, 1.0, 0.1))

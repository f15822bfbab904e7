"""What needs no NEST of checkpoints: memory, folders, files, stop requests, a log that goes on."""

import gc
import json
import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import made_up_checkpoints as made_up
import numpy as np
import pytest
import run_logs
from hypothesis import given
from hypothesis import strategies as st

from distnorm.errors import AllocationEnds, CheckpointDue, CheckpointError, RuleError, StopRequest
from distnorm.files.typed_json import as_json, from_json, loads
from distnorm.intervals.adaptive import State
from distnorm.intervals.controller import Clock
from distnorm.intervals.growth import Growth, Point
from distnorm.mpi.ranks import Ranks
from distnorm.normalizer.state import NormalizerState
from distnorm.records.run_log import RunLog, read_log
from distnorm.records.run_record import Resume
from distnorm.rules.rule import Rule
from distnorm.runs.checkpoint import folder as folders
from distnorm.runs.checkpoint.identity import of_rules, rule_hash, sum_of_pairs
from distnorm.runs.checkpoint.npy import Reader, Writer
from distnorm.runs.stop_requests import Signals, Timer, seed_of

CLOCK = Clock(resolution_ms=0.1, min_delay_ms=1.5)


def memory(state):
    return NormalizerState(time_steps=123, steps_left=4, normalized_ms=0.1 + 0.2, hint=True, state=state)


positive = st.floats(1e-90, 1e90)
counts = st.integers(0, 2**40)
measurements = st.builds(Point, time_ms=positive, grown_ms=positive, drift=positive)
growths = st.builds(
    *(Growth,),
    reach_ms=st.none() | positive,
    sxx=positive,
    sxy=positive,
    across=positive,
    within=positive,
    intervals=counts,
    measurements=counts,
    agreeing=counts,
)
states = st.builds(
    *(State, st.just(CLOCK)),
    growth=growths,
    before=st.none() | measurements,
    changing=st.booleans(),
    early=st.booleans(),
)


@given(st.none() | states)
def test_memory_comes_back_exactly(state):
    text = json.dumps(as_json(memory(state)), allow_nan=False)
    back = from_json(loads(text), NormalizerState, "memory")
    back.check()
    assert back == memory(state)


def test_a_state_that_cannot_be_kept():
    with pytest.raises(RuleError, match=r"cannot keep \{1, 2\}"):
        as_json(memory({1, 2}))


def test_every_flipped_bit_of_a_manifest_is_seen(tmp_path):
    manifest = made_up.manifest()
    folders.begin(tmp_path, 1)
    folders.commit(tmp_path, 1, manifest)
    path = tmp_path / "00000001" / "manifest.json"
    content = path.read_bytes()
    for position in range(len(content)):
        for bit in range(8):
            path.write_bytes(content[:position] + bytes([content[position] ^ 1 << bit]) + content[position + 1 :])
            try:
                assert folders.read_manifest(tmp_path, 1) == as_json(manifest)  # white space
            except CheckpointError:
                continue


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
    with pytest.raises(CheckpointError, match="is damaged"), Reader(tmp_path, entry, array.dtype, 500) as source:
        source.skip()
        source.finish()


def test_rules_differ_by_all_they_say():
    base = {"targets": [1, 2, 3], "target_norm": [1.0, 2.0, 3.0]}
    changes = [{}, {"norm": "l2"}, {"targets": [1, 2, 4]}, {"sources": [1]}, {"target_norm": [1.0, 2.0, 3.5]}]
    hashes = {rule_hash(Rule("stdp_synapse", **base | change)) for change in changes}
    assert len(hashes) == len(changes)
    assert rule_hash(Rule("stdp_synapse", **base)) == rule_hash(Rule(["stdp_synapse"], **base))


pairs = st.sets(st.tuples(st.integers(1, 30), st.integers(1, 30)), min_size=1)


def excluding(given, ranks):
    """Over ranks, of which each is given the pairs that `given` says for its number."""
    rules = [Rule("stdp_synapse", target_norm=1.0, exclude=given(rank) or None) for rank in range(ranks)]
    each = [sum_of_pairs(rule.excluded, SimpleNamespace(rank=rank, size=ranks)) for rank, rule in enumerate(rules)]
    return sum(each) % 2**64


@given(pairs, pairs)
def test_excluded_pairs_are_the_same_on_any_split(some, others):
    alone = excluding(lambda rank: list(some), 1)
    for ranks in (2, 3, 4):
        assert alone == excluding(lambda rank: list(some), ranks)  # all on every rank
        assert alone == excluding(lambda rank, n=ranks: [pair for pair in some if pair[1] % n == rank], ranks)
    assert (alone == excluding(lambda rank: list(others), 1)) == (some == others)


def test_a_rule_is_told_by_the_pairs_that_it_excludes():
    hashes = [
        of_rules([Rule("stdp_synapse", target_norm=1.0, exclude=each)], Ranks()) for each in (None, [(1, 2)], [(2, 1)])
    ]
    assert len({each["rules"] for each in hashes}) == 3


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


@pytest.mark.parametrize("text", ["soon", "nan", "inf", "-inf", "1e30", "1e400", "9" * 5000, "1 2", "0x10"])
def test_an_end_of_the_allocation_that_is_none(text, monkeypatch):
    monkeypatch.setenv("SLURM_JOB_END_TIME", text)
    with pytest.raises(RuleError, match=r"SLURM_JOB_END_TIME is .*; give seconds since 1970, or unset it"):
        Timer(every_s=100.0, grace_s=60.0)


def test_seeds_are_new_each_time():
    seeds = [seed_of(seed, resumes) for seed in (1, 2, 2**32 - 1) for resumes in range(1, 50)]
    assert len(set(seeds)) == len(seeds) and all(1 <= seed < 2**32 for seed in seeds)


RUN = "5e2c"


def resumed(path, size, run=RUN):
    with RunLog.go_on(path, size, run) as log:
        started = "2026-01-01T12:00:00+00:00"
        log.write(Resume(time_ms=10.0, simulate_ms=40.0, ranks=1, threads=2, seed=5, started=started))
        log.write(run_logs.measurement(20.0, 20.0, 0.02))


def test_a_log_goes_on_and_keeps_what_was_undone(tmp_path):
    path = run_logs.write(tmp_path / "a.jsonl", [run_logs.measurement(10.0, 10.0, 0.01)], run=RUN)
    size, before = path.stat().st_size, path.read_bytes()
    for _ in range(2):
        with path.open("ab") as file:
            file.write(b'{"kind":"measurement","undone":1}\n{"kind":"lo')
        resumed(path, size)
    log = read_log(path)
    assert path.read_bytes().startswith(before)
    assert [measurement.time_ms for measurement in log.measurements] == [10.0, 20.0] and len(log.resumes) == 1
    assert log.planned_ms == 40.0
    undone = (tmp_path / "a.jsonl.undone").read_bytes()
    assert undone.count(b'{"kind":"measurement","undone":1}\n') == 2 and undone.endswith(b"\n")
    with pytest.raises(RuleError, match="bytes, and had 99999 at the checkpoint; put it back"):
        RunLog.go_on(path, 99999, RUN)
    with pytest.raises(RuleError, match="at the checkpoint; put it back"):
        RunLog.go_on(path, size - 1, RUN)
    with pytest.raises(RuleError, match=r"cannot go on with log .*: No such file"):
        RunLog.go_on(tmp_path / "none.jsonl", 5, RUN)


OTHER_LOGS = {
    "of another run": lambda path: run_logs.write(path, [run_logs.measurement(10.0, 10.0, 0.01)], run="another"),
    "without checkpoints": lambda path: run_logs.write(path, []),
    "a thesis": lambda path: path.write_text("Introduction\n\n" + 1000 * "word "),
    "a line without end": lambda path: path.write_text("precious"),
    "blank lines": lambda path: path.write_text("\n\nprecious"),
    "bytes": lambda path: path.write_bytes(bytes(range(256))),
    "other JSON": lambda path: path.write_text('["header", "5e2c"]\n'),
    "deep JSON": lambda path: path.write_text(100_000 * "["),
    "a pipe": os.mkfifo,
}


@pytest.mark.parametrize("size", [0, 1, 10])
@pytest.mark.parametrize("make", OTHER_LOGS.values(), ids=OTHER_LOGS)
def test_a_log_that_is_not_of_this_run_is_kept(make, size, tmp_path):
    path = tmp_path / "a.jsonl"
    make(path)
    before = path.is_file() and path.read_bytes()
    with pytest.raises(RuleError, match=r"a\.jsonl is not of the run that goes on, and is kept"):
        resumed(path, size)
    assert (path.is_file() and path.read_bytes()) == before
    assert [each.name for each in tmp_path.iterdir()] == ["a.jsonl"]


@pytest.mark.parametrize("link", [False, True])
def test_a_file_in_the_place_of_undone_lines_is_kept(link, tmp_path):
    path = run_logs.write(tmp_path / "a.jsonl", [run_logs.measurement(10.0, 10.0, 0.01)], run=RUN)
    before, undone = path.read_bytes(), tmp_path / "a.jsonl.undone"
    (tmp_path / "precious").write_text("precious\n")
    undone.symlink_to("precious") if link else undone.write_text("precious\n")
    with pytest.raises(RuleError, match=r"something else; move it away|Too many levels"):
        resumed(path, 0)
    assert path.read_bytes() == before and undone.read_text() == "precious\n"


def test_a_log_that_was_removed(tmp_path):
    from distnorm.errors import DistnormError

    with RunLog(tmp_path / "a.jsonl") as log:
        log.write(run_logs.header())
        (tmp_path / "a.jsonl").unlink()
        with pytest.raises(DistnormError, match=r"a\.jsonl was removed while the run went on"):
            log.write(run_logs.measurement(1.0, 1.0, 0.1))


class Garbage:
    """Whatever a script leaves behind: another thread may run while it is collected."""

    def __init__(self):
        self.itself = self

    def __del__(self):
        time.sleep(0)


def test_several_threads_read_headers_at_once(tmp_path):
    with Writer(tmp_path / "x.npy", np.dtype(float), 1) as out:
        out.write(np.ones(1))
        entry = out.finish()

    def read_many(depth):
        if depth:
            return read_many(depth - 1)  # each thread at a depth of its own
        for _ in range(400):
            Garbage()
            with Reader(tmp_path, entry, np.dtype(float), 1) as reader:
                assert reader.count == 1
        return None

    before = gc.get_threshold()
    gc.set_threshold(10)
    try:
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(read_many, (0, 10, 20, 30)))
    finally:
        gc.set_threshold(*before)

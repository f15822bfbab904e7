"""What is written is read again, whatever moment the run ends at."""

import json
import os
import subprocess
import sys
import time

import pytest
import run_logs

from distnorm import DistnormError, RuleError
from distnorm.records import run_log as runlog
from distnorm.records.report import report
from distnorm.records.run_log import RunLog, read_log
from distnorm.records.run_record import End

MEASUREMENTS = [run_logs.measurement(100.0 * i, 100.0, 0.01 * i) for i in (1, 2, 3)]
END = End(time_ms=300.0, wall_s=12.5, simulate_s=0.5, reason="finished")

WRITES_FOR_EVER = """
import sys, pathlib, run_logs
from distnorm.records.run_log import RunLog
log = RunLog(pathlib.Path(sys.argv[1]))
log.write(run_logs.header(rules=(run_logs.RULE,) * 200))
while True:
    log.write(run_logs.measurement(1.0, 1.0, *[0.02] * 200))
"""
RUNS_OUT_OF_SPACE = """
import sys, pathlib, resource, run_logs
from distnorm import DistnormError
from distnorm.records.run_log import RunLog
log = RunLog(pathlib.Path(sys.argv[1]))
log.write(run_logs.header())
log.write(run_logs.measurement(1.0, 1.0, 0.02))
size = pathlib.Path(sys.argv[1]).stat().st_size
resource.setrlimit(resource.RLIMIT_FSIZE, (size + 50, size + 50))
try:
    log.write(run_logs.measurement(2.0, 1.0, 0.03))
except DistnormError as error:
    print(error)
"""


def program(text, path):
    environment = os.environ | {"PYTHONPATH": os.path.dirname(run_logs.__file__)}
    return subprocess.Popen([sys.executable, "-c", text, path], stdout=subprocess.PIPE, text=True, env=environment)


@pytest.mark.parametrize("end", [END, None])
def test_a_log_is_read_as_it_was_written(tmp_path, end):
    run = read_log(run_logs.write(tmp_path / "log.jsonl", MEASUREMENTS, end))
    assert run.header == run_logs.header()
    assert run.measurements == MEASUREMENTS
    assert run.end == end
    assert not run.torn


@pytest.mark.parametrize("end", [END, None])
def test_a_kill_at_any_byte_of_the_last_line_costs_only_that_line(tmp_path, end):
    content = run_logs.write(tmp_path / "whole.jsonl", MEASUREMENTS, end).read_bytes()
    start = content.rindex(b"\n", 0, -1) + 1
    path = tmp_path / "cut.jsonl"
    for cut in range(start, len(content)):
        path.write_bytes(content[:cut])
        run = read_log(path)
        assert len(run.measurements) == (3 if end else 2)
        assert run.end is None
        assert run.torn == (cut > start)


def test_a_header_cut_at_any_byte_is_no_header(tmp_path):
    content = run_logs.write(tmp_path / "whole.jsonl", []).read_bytes()
    path = tmp_path / "cut.jsonl"
    for cut in range(len(content)):
        path.write_bytes(content[:cut])
        with pytest.raises(RuleError, match="no header"):
            read_log(path)


def test_a_log_is_read_while_it_is_written_and_after_a_kill(tmp_path):
    path = tmp_path / "log.jsonl"
    with program(WRITES_FOR_EVER, path) as running:
        try:
            while not path.exists() or path.stat().st_size < 1_000_000:
                assert running.poll() is None
                time.sleep(0.01)
            during = read_log(path)
        finally:
            running.kill()
    after = read_log(path)
    assert 0 < len(during.measurements) < len(after.measurements)
    assert after.end is None


def test_every_line_is_one_write(tmp_path, monkeypatch):
    written = []
    real = os.write
    monkeypatch.setattr(runlog.os, "write", lambda file, line: written.append(line) or real(file, line))
    path = run_logs.write(tmp_path / "log.jsonl", MEASUREMENTS, END)
    assert written == path.read_bytes().splitlines(keepends=True)
    assert len(written) == 5


def test_a_line_that_does_not_fit_leaves_nothing_behind(tmp_path):
    path = tmp_path / "log.jsonl"
    said, _ = program(RUNS_OUT_OF_SPACE, path).communicate(timeout=60)
    assert str(path) in said
    assert "no space" in said
    run = read_log(path)
    assert len(run.measurements) == 1
    assert not run.torn


def test_a_log_that_exists_is_kept(tmp_path):
    path = run_logs.write(tmp_path / "log.jsonl", MEASUREMENTS)
    content = path.read_bytes()
    with pytest.raises(RuleError, match=r"log\.jsonl exists already .* another path"):
        RunLog(path)
    assert path.read_bytes() == content


def test_a_folder_that_is_missing_is_named(tmp_path):
    with pytest.raises(RuleError, match=r"missing/log\.jsonl: No such file"):
        RunLog(tmp_path / "missing" / "log.jsonl")
    with pytest.raises(RuleError, match=r"missing/log\.jsonl: No such file"):
        read_log(tmp_path / "missing" / "log.jsonl")


def test_a_closed_log_refuses_a_line(tmp_path):
    log = RunLog(tmp_path / "log.jsonl")
    log.close()
    log.close()
    with pytest.raises(DistnormError, match=r"log\.jsonl"):
        log.write(run_logs.header())


def test_a_number_that_is_none_is_not_written(tmp_path):
    with RunLog(tmp_path / "log.jsonl") as log:
        log.write(run_logs.header())
        with pytest.raises(ValueError, match="JSON"):
            log.write(run_logs.measurement(100.0, 100.0, float("nan")))
    assert read_log(tmp_path / "log.jsonl").measurements == []


def without(record, *keys):
    return {key: value for key, value in record.items() if key not in keys}


GOOD = run_logs.line("measurement", MEASUREMENTS[0])
HEADER = run_logs.line("header", run_logs.header())
DRIFT = GOOD["drifts"][0]


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("", "Expecting value"),
        ("{", "Expecting property name"),
        ("[]", "kind is None"),
        ('{"kind": ["measurement"]}', r"kind is \['measurement'\]"),
        (without(GOOD, "kind"), "kind is None; known: header, measurement, resume, end"),
        (HEADER, "a second header"),
        *[(without(GOOD, key), f"has no {key}") for key in without(GOOD, "kind")],
        (GOOD | {"time_ms": "100"}, "time_ms is '100'"),
        (GOOD | {"time_ms": True}, "time_ms is True"),
        (GOOD | {"normalized": 1}, "normalized is 1"),
        (GOOD | {"seconds": without(run_logs.SECONDS, "agree")}, "seconds has no agree"),
        (GOOD | {"more": 1}, "measurement has an unknown field 'more'"),
        (GOOD | {"drifts": []}, "drifts of 0 rules; the header has 1"),
        (GOOD | {"since_start": [DRIFT, DRIFT]}, "since_start of 2 rules; the header has 1"),
        (GOOD | {"drifts": [3]}, r"measurement.drifts\[0\] is 3"),
        (GOOD | {"drifts": [without(DRIFT, "q90")]}, r"drifts\[0\] has no q90"),
        (GOOD | {"drifts": [DRIFT | {"max": float("nan")}]}, "NaN is no number"),
        (without(run_logs.line("end", END), "wall_s"), "end has no wall_s"),
        (without(run_logs.line("end", END), "simulate_s"), "end has no simulate_s"),
    ],
)
def test_any_other_wrong_line_is_named(tmp_path, line, complaint):
    path = run_logs.write(tmp_path / "log.jsonl", MEASUREMENTS)
    lines = path.read_text().splitlines()
    lines[2] = line if isinstance(line, str) else json.dumps(line)
    path.write_text("\n".join(lines) + "\n")
    with pytest.raises(RuleError, match=rf"log\.jsonl, line 3: .*{complaint}"):
        read_log(path)


@pytest.mark.parametrize(
    ("first", "complaint"),
    [
        (GOOD, "has no header: the first line is of kind 'measurement'"),
        (without(HEADER, "bound"), "header has no bound"),
        (HEADER | {"statistic": "q95"}, "statistic is 'q95'; known: max"),
        (HEADER | {"rules": []}, "rules is empty"),
        (HEADER | {"rules": [{"text": 3}]}, r"rules\[0\].text is 3"),
        (HEADER | {"seed": 1.5}, "seed is 1.5"),
    ],
)
def test_a_wrong_first_line_is_refused(tmp_path, first, complaint):
    path = tmp_path / "log.jsonl"
    path.write_text(json.dumps(first) + "\n")
    with pytest.raises(RuleError, match=f"line 1: .*{complaint}"):
        read_log(path)


@pytest.mark.parametrize("more", [json.dumps(GOOD) + "\n", '{"kind"'])
def test_nothing_follows_the_end(tmp_path, more):
    path = run_logs.write(tmp_path / "log.jsonl", MEASUREMENTS, END)
    path.write_text(path.read_text() + more)
    with pytest.raises(RuleError, match="line 6: follows the end"):
        read_log(path)


NONSENSE = [None, True, -1, 2**63, 10**400, 1e308, "", "x", [], {}, [[]], [1], [0] * 1000]


DRAWN = ("time_ms", "elapsed_ms", "simulate_ms", "bound", "max", "simulate")


def places(content, path=()):
    items = content.items() if isinstance(content, dict) else enumerate(content) if isinstance(content, list) else ()
    for key, value in items:
        yield (*path, key)
        yield from places(value, (*path, key))


def put(content, path, value):
    content = json.loads(json.dumps(content))
    there = content
    for key in path[:-1]:
        there = there[key]
    there[path[-1]] = value
    return content


@pytest.mark.parametrize("observe", [True, False])
def test_any_value_in_any_place_is_read_or_named(observe, tmp_path):
    measurements = [run_logs.measurement(10.0 * i, 10.0, 0.01, since_start=(run_logs.drift(0.01),)) for i in (1, 2)]
    path = run_logs.write(tmp_path / "log.jsonl", measurements, END, observe=observe)
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    refused = 0
    for place in places(lines):
        for value in NONSENSE:
            path.write_text("".join(json.dumps(line) + "\n" for line in put(lines, place, value)))
            try:
                read_log(path)
            except RuleError as error:
                assert f"log {path}" in str(error) and len(str(error)) < 1000
                refused += 1
            else:
                if value == 2**63 and place[0] in (0, 2) and place[-1] in DRAWN:
                    report(path, tmp_path / "figure.png")
    assert refused > 500


@pytest.mark.parametrize("text", ["[" * 100_000, '{"kind":' * 100_000, "9" * 5_000, "\xff", '{"kind": NaN}'])
def test_a_line_that_is_no_json(text, tmp_path):
    path = tmp_path / "log.jsonl"
    path.write_bytes(text.encode("latin-1") + b"\n")
    with pytest.raises(RuleError, match="line 1: "):
        read_log(path)


def test_histograms_of_weights_are_read_as_they_were_written(tmp_path):
    found = (run_logs.weights(0.5), run_logs.weights(1 / 3, outside=7))
    measurements = [run_logs.measurement(100.0, 100.0, 0.01, 0.02, weights=found)]
    run = read_log(run_logs.write(tmp_path / "log.jsonl", measurements, rules=(run_logs.RULE,) * 2))
    assert run.measurements == measurements


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"edges": [0.0, 1.0]}, r"weights\[0\]: 60 counts between 2 edges"),
        ({"edges": [1.0] * 61}, r"weights\[0\]: edges do not ascend"),
        ({"edges": ["0"] * 61}, r"measurement.weights\[0\].edges\[0\] is '0'"),
        ({"counts": [0] * 10_000}, r"weights\[0\]: 10000 counts"),
        ({"counts": [-1] * 60}, "a count is below zero"),
        ({"above": 2**64}, "too large"),
        ({"at_limit": 2.0}, "at_limit 2.0"),
        ({"sd": 1e200}, "which no run comes to"),
        ({"more": 1}, "unknown field 'more'"),
    ],
)
def test_histograms_that_no_run_writes_are_refused(tmp_path, change, message):
    path = run_logs.write(tmp_path / "log.jsonl", [])
    record = run_logs.line("measurement", run_logs.measurement(1.0, 1.0, 0.02, weights=(run_logs.weights(0.5),)))
    record["weights"][0] |= change
    path.write_text(path.read_text() + json.dumps(record) + "\n")
    with pytest.raises(RuleError, match=message):
        read_log(path)


def test_histograms_are_of_all_rules_or_of_none(tmp_path):
    found = (run_logs.weights(0.5),) * 2
    path = run_logs.write(tmp_path / "log.jsonl", [run_logs.measurement(1.0, 1.0, 0.02, weights=found)])
    with pytest.raises(RuleError, match="weights of 2 rules; the header has 1"):
        read_log(path)

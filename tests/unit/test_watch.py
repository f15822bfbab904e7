"""What is shown of a log that is being written, and what is exported of it."""

import csv
import io
import os
import pty
import subprocess
import sys
import threading
import time

import pytest
from run_logs import RULE, measurement, write

from distnorm import RuleError
from distnorm.cli import main
from distnorm.records.run_log import RunLog
from distnorm.records.run_record import End

END = End(time_ms=400.0, wall_s=4.5, simulate_s=0.5, reason="finished")
MEASUREMENTS = [measurement(100.0 * i, 100.0, 0.01 * i, normalized=i != 2) for i in range(1, 5)]


def test_a_table_for_other_programs(tmp_path, capsys):
    path = write(tmp_path / "run.jsonl", MEASUREMENTS)
    assert main(["watch", str(path), "--format", "csv"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [float(row["time_ms"]) for row in rows] == [100.0, 200.0, 300.0, 400.0]
    assert [float(row["max"]) for row in rows] == [0.01, 0.02, 0.03, 0.04]
    assert [row["normalized"] for row in rows] == ["1", "0", "1", "1"]
    assert rows[0]["measure_s"] == "0.04"


def test_metrics_of_prometheus(tmp_path, capsys):
    path = write(tmp_path / 'a "run".jsonl', MEASUREMENTS, rules=(RULE,))
    assert main(["watch", str(path), "--format", "prometheus"]) == 0
    lines = capsys.readouterr().out.splitlines()
    label = str(path).replace('"', r"\"")
    assert f'distnorm_running{{log="{label}"}} 1' in lines
    assert f'distnorm_normalizations_total{{log="{label}"}} 3' in lines
    assert f'distnorm_drift_ratio{{log="{label}",rule="0",statistic="max"}} 0.04' in lines
    names = [line.split()[2] for line in lines if line.startswith("# TYPE")]
    assert len(names) == len(set(names)) == 6
    assert all(line.startswith(("# ", *(f"{name}{{" for name in names))) for line in lines)


def test_lines_are_the_summary(tmp_path, capsys):
    path = write(tmp_path / "run.jsonl", MEASUREMENTS, END)
    assert main(["watch", str(path), "--format", "lines"]) == 0
    assert "400 of 1,000 ms simulated" in capsys.readouterr().out


def test_no_terminal_and_no_log_are_one_line(tmp_path, capsys):
    path = write(tmp_path / "run.jsonl", MEASUREMENTS)
    assert main(["watch", str(path)]) == 2
    assert "watch renews a terminal, and this is none; give --format lines" in capsys.readouterr().err
    assert main(["watch", str(tmp_path / "none.jsonl"), "--format", "csv"]) == 2


@pytest.mark.timeout(60)
def test_a_terminal_follows_a_run_to_its_end(tmp_path):
    path = tmp_path / "run.jsonl"
    write(path, [measurement(0.0, 0.0, 0.5), *MEASUREMENTS[:1]])
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "distnorm", "watch", str(path), "--every", "0.05"]
    environment = os.environ | {"TERM": "xterm", "COLUMNS": "120", "LINES": "40"}
    with subprocess.Popen(command, stdout=theirs, stderr=theirs, env=environment) as process:
        os.close(theirs)
        shown = []

        def read():
            while True:
                try:
                    if not (some := os.read(ours, 65536)):
                        return
                except OSError:
                    return
                shown.append(some.decode(errors="replace"))

        reader = threading.Thread(target=read)
        reader.start()
        wait_for("0.100 s of 1.000 s", shown)
        log = RunLog.__new__(RunLog)
        log.path, log._file = path, os.open(path, os.O_WRONLY | os.O_APPEND)
        for each in (*MEASUREMENTS[1:], END):
            log.write(each)
        assert process.wait(timeout=30) == 0
        reader.join()
    text = "".join(shown)
    assert "0.400 s of 1.000 s" in text and "finished" in text and "4.00 % (bound 5 %)" in text
    assert "5 times, normalized 3" in text
    os.close(ours)


def wait_for(text, shown):
    for _ in range(400):
        if text in "".join(shown):
            return
        time.sleep(0.05)
    raise AssertionError(f"{text!r} was not shown: {''.join(shown)[-2000:]}")


def test_without_rich(tmp_path, monkeypatch):
    from distnorm.records import watch

    monkeypatch.setitem(sys.modules, "rich.console", None)
    with pytest.raises(RuleError, match=r'watch needs rich: pip install "distnorm\[watch\]"'):
        watch.watch(write(tmp_path / "run.jsonl", MEASUREMENTS), 1.0)

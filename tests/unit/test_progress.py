"""What is shown of a run that goes on."""

import io
import re
import sys

import pytest

from distnorm.normalizer import progress
from distnorm.normalizer.progress import Progress


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def clock(monkeypatch):
    """Wall time in s that the test sets."""
    now = [1000.0]
    monkeypatch.setattr(progress, "monotonic", lambda: now[0])
    return now


def test_lines_say_all_there_is_to_say(clock):
    stream = io.StringIO()
    shown = Progress(10_000.0, 0.05, stream)
    shown.update(0.0, 0.12, 100.0)
    clock[0] += 30.0
    shown.update(2_500.0, 0.03125, 62.5)
    shown.close()
    assert stream.getvalue().splitlines() == [
        "distnorm: 0 of 10,000 ms (0%), drift 12% (bound 5%), interval 100 ms",
        "distnorm: 2,500 of 10,000 ms (25%), drift 3.12% (bound 5%), interval 62.5 ms, 0:01:30 left",
    ]


def test_without_a_bound_none_is_shown(clock):
    stream = io.StringIO()
    Progress(1_000.0, None, stream).update(0.0, 0.02, 100.0)
    assert stream.getvalue() == "distnorm: 0 of 1,000 ms (0%), drift 2%, interval 100 ms\n"


def test_time_left_does_not_count_what_came_before_the_first_measurement(clock):
    stream = io.StringIO()
    shown = Progress(1_000.0, None, stream)
    clock[0] += 500.0
    shown.update(200.0, 0.0, 100.0)
    clock[0] += 20.0
    shown.update(600.0, 0.0, 100.0)
    assert "0:00:20 left" in stream.getvalue()


def test_lines_are_ten_seconds_apart_but_for_the_first_and_the_last(clock):
    stream = io.StringIO()
    shown = Progress(1_000.0, None, stream)
    for time_ms in range(0, 1_001, 10):  # 50 s in all
        shown.update(float(time_ms), 0.0, 10.0)
        clock[0] += 0.5
    times = [int(time) for time in re.findall(r"(\d+) of", stream.getvalue().replace(",", ""))]
    assert times == [0, 200, 400, 600, 800, 1000]
    shown.update(1_000.0, 0.0, 10.0)
    assert len(stream.getvalue().splitlines()) == 6
    shown.close()
    assert len(stream.getvalue().splitlines()) == 7
    shown.close()
    assert len(stream.getvalue().splitlines()) == 7


def test_the_last_line_is_not_said_twice(clock):
    stream = io.StringIO()
    shown = Progress(1_000.0, None, stream)
    shown.update(0.0, 0.0, 10.0)
    shown.close()
    assert stream.getvalue().count("\n") == 1


def test_nothing_is_said_of_a_run_that_did_not_begin():
    stream = io.StringIO()
    Progress(1_000.0, None, stream).close()
    assert stream.getvalue() == ""


def test_a_terminal_gets_a_bar():
    stream = Terminal()
    shown = Progress(10_000.0, 0.05, stream)
    shown.update(0.0, 0.12, 100.0)
    shown.update(10_000.0, 0.031, 100.0)
    shown.close()
    last = stream.getvalue().rsplit("\r", 1)[-1]
    assert last.startswith("100%|")
    assert "10,000/10,000 ms, drift 3.1% (bound 5%), interval 100 ms [" in last
    assert "distnorm:" not in stream.getvalue()


def test_a_bar_of_a_run_that_goes_on_from_somewhere_counts_from_there():
    stream = Terminal()
    shown = Progress(1_000.0, None, stream)
    shown.update(500.0, 0.0, 100.0)
    shown.update(750.0, 0.0, 100.0)
    bar = shown._view._bar
    assert (bar.initial, bar.n) == (500.0, 750.0)
    shown.close()
    assert " 75%|" in stream.getvalue()


def test_a_terminal_without_tqdm_gets_lines(monkeypatch):
    monkeypatch.setitem(sys.modules, "tqdm.auto", None)
    stream = Terminal()
    Progress(1_000.0, None, stream).update(0.0, 0.02, 100.0)
    assert stream.getvalue().startswith("distnorm: 0 of 1,000 ms")


def test_stderr_is_where_it_goes(capsys):
    Progress(1_000.0, None).update(0.0, 0.02, 100.0)
    assert capsys.readouterr().err.startswith("distnorm: 0 of 1,000 ms")

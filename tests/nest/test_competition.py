"""Competition between two groups of inputs: the predicted ratio, winner takes all, and the command."""

import csv
import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

JOB = Path(__file__).parents[2] / "jobs" / "competition.py"

pytestmark = pytest.mark.timeout(600)  # the first test may compile the models


@pytest.fixture(scope="module")
def competition():
    spec = importlib.util.spec_from_file_location("competition", JOB)
    module = sys.modules["competition"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    del sys.modules["competition"]


def test_both_groups_stay_in_the_predicted_ratio_or_one_takes_all(competition):
    multiplicative, subtractive = competition.simulate(0.4, competition.MAIN, seconds=90.0, learning=0.03)
    assert 2.5 < competition.predicted(0.4) < 3.1
    assert multiplicative.ratio() == pytest.approx(competition.predicted(0.4), rel=0.15)
    assert multiplicative.shares[-1].max() < competition.WON
    assert subtractive.wins()[0] >= 0.95 * 40 and subtractive.wins()[1] == 0


def test_equal_groups_share_evenly_or_either_takes_over(competition):
    multiplicative, subtractive = competition.simulate(0.2, competition.MAIN, seconds=110.0, learning=0.03)
    assert competition.predicted(0.2) == pytest.approx(1.0)
    assert multiplicative.ratio() == pytest.approx(1.0, abs=0.1)
    assert multiplicative.shares[-1].min() > 0.3 and multiplicative.shares[-1].max() < 0.7
    assert (subtractive.shares[-1] > 0.75).sum() >= 3 and (subtractive.shares[-1] < 0.25).sum() >= 3


def test_the_ratio_settles_at_the_predicted_pace(competition):
    """Q and the kernel, not only the direction of the eigenvector: how fast shares leave a half."""
    (course,) = competition.simulate(0.4, [competition.MULTIPLICATIVE], seconds=40.0, learning=0.03, neurons=100)
    matrix = 0.03 * competition.kernel() * competition.covariance(0.4)
    weights = np.ones(2)
    expected = []
    for _ in course.shares:
        for _ in range(500):  # Euler steps of 10 ms
            weights = weights + 0.01 * (matrix @ weights)
            weights *= 2 / weights.sum()
        expected.append(weights[0] / 2)
    measured = course.shares.mean(axis=1)
    assert (measured - 0.5).sum() == pytest.approx((np.array(expected) - 0.5).sum(), rel=0.15)


def test_the_command(competition, tmp_path, monkeypatch, capsys):
    arguments = ["--seeds=1", "--correlations", "0.3", "--neurons=10", "--seconds=10", "--slow-seconds=10"]
    monkeypatch.setattr(sys, "argv", ["competition.py", *arguments, "-o", str(tmp_path / "out")])
    competition.main(competition.parser())
    with (tmp_path / "out" / "competition.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert {row["method"] for row in rows} == set(competition.METHODS)
    exact = next(row for row in rows if row["method"] == competition.EXACT)
    assert float(exact["drift_max"]) < 1e-12
    assert {float(row["predicted"]) for row in rows} == {competition.predicted(0.3)}
    assert "wall time" in capsys.readouterr().out
    assert (tmp_path / "out" / "competition.png").stat().st_size > 10_000


@pytest.mark.parametrize("wrong", [["--correlations", "0.05"], ["--correlations", "0.7"], ["--neurons", "9"]])
def test_what_cannot_be_is_refused(competition, wrong, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["competition.py", *wrong, "-o", str(tmp_path / "out")])
    with pytest.raises(SystemExit) as refused:
        competition.main(competition.parser())
    assert refused.value.code == 2 and "give" in capsys.readouterr().err

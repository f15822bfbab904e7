"""The study of the adaptive interval: what is played agrees with what is simulated, and the report is complete."""

import csv
import shlex
from dataclasses import replace

import everything
import numpy as np
import pytest
from adaptive_interval import parser, run
from scenarios import SCENARIOS, record, simulate
from traces import Trace, play, play_fixed, play_oracle

from distnorm import AdaptiveInterval
from distnorm.intervals.controller import FixedInterval


def named(name):
    return next(each for each in SCENARIOS if each.name == name)


def diffusing(steps=2_000, targets=30, changes=()):
    moves = np.random.default_rng(1).normal(0, 0.001, (steps, targets))
    position = np.vstack([np.zeros(targets), np.cumsum(moves, axis=0)])
    return Trace(step_ms=3.0, position=position, changes=changes, spikes_per_s=(1.0, 1.0))


def test_played_is_like_simulated():
    trace = record(named("step up"), 3, 900.0)
    simulated, changes = simulate(named("step up"), 3, 900.0, FixedInterval(30.0))
    played = play_fixed(trace, 10)
    (change,) = changes
    assert trace.changes == changes and np.array_equal(simulated.ends, played.ends)
    # The networks are chaotic: the same drift on average, not the same in each interval.
    assert np.allclose(simulated.drifts.mean(), played.drifts.mean(), rtol=0.2)
    assert played.drifts[played.ends > change + 10].mean() > 2 * played.drifts[played.ends < change].mean()


def test_learning_that_is_switched_on():
    trace = record(named("learning on"), 1, 300.0)
    (change,) = trace.changes
    assert trace.drift(0, change).max < 1e-12
    assert trace.drift(change, trace.steps).max > 1e-4


def test_stimuli_come_and_go():
    trace = record(replace(named("stimuli"), switching_ms=(150.0, 75.0)), 1, 900.0)
    assert len(trace.changes) >= 6 and set(np.diff(trace.changes).tolist()) == {25, 50}
    calm, driven = trace.spikes_per_s
    assert driven > 2 * calm
    calm, driven = trace.drift_over(10)
    assert driven > 1.2 * calm  # weights are lazy, and such stimuli short
    assert trace.floor() == pytest.approx(trace.drift_over(1)[1])


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda each: each.name)
def test_bounds_are_ten_times_the_drift_of_a_step(scenario):
    floor = record(replace(scenario, learning_rate=scenario.learning_rate[::-1]), 1, 600.0).floor()
    assert 0.9 * 10 * floor < min(scenario.bounds) and max(scenario.bounds) <= 0.2  # 10 %: a short recording


def test_a_fixed_interval_is_played_at_once_as_look_by_measurement():
    trace = diffusing()
    fast, slow = play_fixed(trace, 7, 5), play(trace, FixedInterval(21.0), 5)
    assert np.array_equal(fast.ends, slow.ends) and np.allclose(fast.drifts, slow.drifts)


def test_the_oracle_has_the_longest_intervals_below_the_bound():
    trace = diffusing()
    oracle = play_oracle(trace, 0.02)
    assert oracle.drifts.max() <= 0.02 and len(oracle.ends) > 10
    for begin, end in zip(oracle.ends[:-1], oracle.ends[1:], strict=True):
        assert trace.drift(begin, end + 1).max > 0.02
        assert max(trace.drift(begin, each).max for each in range(begin + 1, end + 1)) <= 0.02


def test_a_hint_is_a_measurement_at_the_change():
    trace = diffusing(changes=(1_000, 1_500))
    hinted = play(trace, AdaptiveInterval(0.02), hint=True)
    plain = play(trace, AdaptiveInterval(0.02))
    assert np.array_equal(hinted.ends[hinted.ends < 1_000], plain.ends[plain.ends < 1_000])
    assert not np.array_equal(hinted.ends, plain.ends)


def test_the_report(tmp_path):
    text = run(2, 10, tmp_path, [replace(named("step up"), bounds=(0.03,))])
    assert text == (tmp_path / "interval.md").read_text().rstrip("\n")
    with (tmp_path / "interval.csv").open() as file:
        rows = {row["controller"]: row for row in csv.DictReader(file)}
    probing = {f"{probes} probes" for probes in (0, 2, 4, 8)}
    assert set(rows) == {"default", "default, hints", "default, simulated", "oracle"} | probing
    assert float(rows["oracle"]["worst"]) <= 1 and float(rows["oracle"]["of_oracle"]) == 1
    assert (tmp_path / "interval.png").stat().st_size > 10_000
    assert "step of 4" in text


def test_the_command_that_makes_the_docs():
    (step,) = everything.choose(["interval"])
    program, script, *arguments = shlex.split(step.command)
    assert (program, script) == ("python", "jobs/studies/adaptive_interval.py")
    parser().parse_args(arguments)

"""The study of convergence on a small network, against distances worked out anew."""

import csv
import shlex
from pathlib import Path

import convergence
import courses
import everything
import numpy as np

JOB = Path(__file__).parents[2] / "jobs" / "balanced_stdp.toml"
SMALL = ["parameters.n_excitatory=200", "parameters.n_inhibitory=50", "parameters.in_degree_excitatory=50"]


def test_a_small_network(tmp_path):
    text = convergence.run(JOB, [*SMALL, "simulate_ms=150"], seeds=2, folder=tmp_path)
    assert text.startswith((tmp_path / "convergence.md").read_text().rstrip("\n")) and "10,000 plastic" in text
    with (tmp_path / "convergence.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["run"] for row in rows] == 2 * list(courses.RUNS)
    for row in rows:
        distances = [float(row[f"distance_{at}_ms"]) for at in (50, 100, 150)]
        assert (max(distances) == 0) == (row["run"] == courses.EXACT)
        assert float(row["drift_max"]) <= 1e-12 or row["run"] in courses.BY_BOUND
        assert 5 < float(row["rate_hz"]) < 100
    measurements = {row["run"]: int(row["normalizations"]) for row in rows}
    assert measurements["0.5 %"] > measurements["10 %"] >= 1
    assert (tmp_path / "convergence.png").stat().st_size > 10_000 and (tmp_path / "convergence.pdf").exists()


def test_distances_are_relative_to_the_mean_weight():
    def course(run, weights):
        weights = np.array([weights], float)
        return courses.Course(
            run=run, seed=1, times_ms=np.array([50.0]), weights=weights / weights.mean(), normalizations=1,
            drift_max=0.0, rate_hz=1.0, seconds=1.0,
        )  # fmt: skip

    two = [course("10 %", [1, 3, 2, 2]), course(courses.EXACT, [2, 2, 2, 2])]
    np.testing.assert_allclose(courses.distances_of(two, "10 %"), [[0.25]])
    assert two[0].quantiles()[1] == 1.0


def test_the_command_that_makes_the_docs():
    (step,) = everything.choose(["convergence"])
    program, script, *arguments = shlex.split(step.command)
    assert (program, script) == ("python", "jobs/studies/convergence.py")
    convergence.parser().parse_args(arguments)

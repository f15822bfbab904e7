"""Points of scaling series: merging, tables, files, the cost model and its prediction. No NEST."""

import csv
import json
import math
import shlex
from argparse import Namespace
from dataclasses import replace
from pathlib import Path

import bound_costs
import cost_model
import everything
import latency
import nest_examples
import numpy as np
import predict
import pytest
import short_runs

from distnorm.bench.scaling.frame import efficiency, frame_of
from distnorm.bench.scaling.points import Point, RankRecord, read_folder, write
from distnorm.bench.scaling.provenance import oversubscribed
from distnorm.bench.scaling.report import report
from distnorm.errors import DistnormError, RuleError
from distnorm.runs.job_file import read_job

STUDIES = Path(everything.__file__).parent
INTERVALS = 3
TRUE = {"connection": 2e-9, "byte": 0.08e-9, "shared": 0.02e-9, "fixed": 2e-5, "step": 2e-4, "spread": 3e-4}

TOP = Path(__file__).parents[2]


def seconds_of(connections, size, sharing, ranks):
    passes = connections * (TRUE["connection"] + (TRUE["byte"] + TRUE["shared"] * (sharing - 1)) * size)
    return passes, TRUE["fixed"] + TRUE["step"] * math.log2(ranks)


def point(series="strong", job="net", ranks=1, threads=1, seed=1, targets=8_000, in_degree=1_000, size=32, noise=1.0):
    """A point that costs what the model says."""
    processes = ranks * threads
    connections = targets * in_degree
    passes, agree = seconds_of(math.ceil(targets / processes) * in_degree, size, processes, ranks)
    waited = TRUE["spread"] * cost_model.expected_largest(ranks)
    record = RankRecord(
        construction_s=2.0,
        seconds={
            "simulate": [0.5 / processes] * INTERVALS,
            "measure": [0.5 * noise * passes] * INTERVALS,
            "agree": [agree + waited] * INTERVALS,
            "rescale": [0.5 * noise * passes] * INTERVALS,
        },
        waited_s=[waited] * INTERVALS,
        timers={"time_simulate": 1.0, "time_communicate_prepare": 0.1},
        memory_bytes=10**9,
        connections=connections // ranks,
        spikes=600 // ranks,
        cores=[0, 1],
    )
    return Point(
        series=series,
        job=job,
        ranks=ranks,
        threads=threads,
        seed=seed,
        scale=1.0,
        parameters={"scale": 1.0},
        error=None,
        provenance={"cpu": "a cpu", "nest": "3.10.0", "mpi": None, "distnorm": "0", "commit": None, "machines": 1},
        neurons=10_000,
        targets=targets,
        plastic_connections=connections,
        plastic_bytes=size,
        interval_ms=100.0,
        intervals=INTERVALS,
        allreduces=INTERVALS,
        message_bytes=5_816,
        per_rank=[record] * ranks,
    )


def series():
    """Weak and strong, two jobs, three splits, two seeds."""
    return [
        replace(each, seed=seed)
        for seed in (1, 2)
        for ranks, threads in ((1, 1), (1, 2), (2, 1))
        for each in (
            point("strong", "a", ranks, threads),
            point("weak", "a", ranks, threads, targets=4_000 * ranks * threads),
            point("strong", "b", ranks, threads, targets=9_000, in_degree=200, size=96),
            point("weak", "b", ranks, threads, targets=5_000 * ranks * threads, in_degree=200, size=96),
        )
    ]


def test_ranks_merge_as_in_bennch():
    one = point(ranks=2)
    slow = replace(one.per_rank[1], seconds={name: [3 * s for s in v] for name, v in one.per_rank[1].seconds.items()})
    merged = replace(one, per_rank=[one.per_rank[0], slow])
    assert merged.total("simulate") == pytest.approx(2 * one.total("simulate"))
    assert merged.waited_s == pytest.approx(INTERVALS * TRUE["spread"] * cost_model.expected_largest(2))
    assert merged.summed("memory_bytes") == 2 * 10**9
    row = frame_of([merged]).iloc[0]
    assert row["simulate_s"] == merged.total("simulate") and row["memory_bytes"] == 2 * 10**9
    assert row["real-time factor"] == pytest.approx(row["wall_s"] / 0.3)
    assert row["spikes_per_s"] == pytest.approx(600 / 10_000 / 0.3)


def test_a_point_is_read_as_it_was_written(tmp_path):
    one = point(ranks=2)
    write(one, tmp_path)
    (tmp_path / "other.json").write_text('{"kind": "something else"}')
    assert read_folder(tmp_path) == [one]


def test_a_folder_without_points(tmp_path):
    with pytest.raises(RuleError, match="holds no points"):
        read_folder(tmp_path)


def test_efficiency_of_perfect_series_is_one():
    strong = [point(ranks=1, threads=n) for n in (1, 2, 4)]
    weak = [point("weak", ranks=1, threads=n, targets=4_000 * n) for n in (1, 2)]
    frame = frame_of([*strong, *weak])
    ideal = efficiency(frame, "simulate_s")[frame["series"] == "strong"]
    assert ideal.tolist() == pytest.approx([1, 1, 1])
    own_s = frame["own_s"][frame["series"] == "weak"].tolist()
    normalizing = efficiency(frame, "own_s")[frame["series"] == "weak"].tolist()
    assert normalizing[1] == pytest.approx(own_s[0] / own_s[1])


def test_report_keeps_and_marks_what_was_not_timed(tmp_path):
    none = {"construction_s": None, "seconds": {}, "waited_s": [], "timers": {}}
    bare = RankRecord(**none, memory_bytes=1, connections=1, spikes=9, cores=[0])
    for each in series():
        write(each, tmp_path)
    write(replace(point(job="a", ranks=4), oversubscribed=True, per_rank=[bare] * 4), tmp_path)
    write(replace(point(job="a", ranks=8), error="exit code 1: no memory", per_rank=[]), tmp_path)
    text = report([tmp_path])
    assert text.startswith((tmp_path / "scaling.md").read_text().rstrip("\n"))
    assert "oversubscribed, not timed" in text and "strong-a-8x1-seed1: exit code 1: no memory" in text
    assert "1 per normalization of 5,816 bytes" in text
    with (tmp_path / "strong-a.csv").open() as file:
        rows = {row["ranks"] + "x" + row["threads"]: row for row in csv.DictReader(file)}
    assert rows["4x1"]["simulate_s"] == "" and rows["4x1"]["spikes"] == "36"
    assert rows["8x1"]["error"] == "exit code 1: no memory" and float(rows["1x1"]["simulate_s"]) == 1.5
    assert (tmp_path / "scaling.png").stat().st_size > 10_000 and (tmp_path / "scaling.pdf").stat().st_size > 5_000


def test_oversubscription_counts_threads_and_cores_of_each_machine():
    both = [0, 1]
    assert not oversubscribed(["a", "a"], [both, both], 1)
    assert oversubscribed(["a", "a"], [both, both], 2)
    assert not oversubscribed(["a", "b"], [both, both], 2)
    assert oversubscribed(["a", "a"], [[0], [0]], 1)  # bound to the same core
    assert not oversubscribed(["a", "a"], [[0], [1]], 1)
    assert oversubscribed(["a", "a"], [[0, 1], [0, 1, 2, 3]], 3)


def test_the_fit_finds_what_the_points_cost():
    model = cost_model.fit(cost_model.samples(series()))
    assert model.passes == pytest.approx([TRUE[name] for name in ("connection", "byte", "shared")], rel=1e-6)
    assert model.agreement == pytest.approx([TRUE["fixed"], TRUE["step"]], rel=1e-6)
    assert model.spread_s == pytest.approx(TRUE["spread"])


def test_points_kept_out_are_not_known_to_the_fit():
    chosen = cost_model.samples(series())
    assert max(abs(each.error) for each in cost_model.keep_out(chosen)) < 1e-6
    wrong = [replace(each, passes_s=2 * each.passes_s) if i == 0 else each for i, each in enumerate(chosen)]
    errors = [each.error for each in cost_model.keep_out(wrong)]
    assert errors[0] == pytest.approx(-0.5, abs=0.05)


def test_no_coefficient_is_negative():
    rng = np.random.default_rng(3)
    noisy = [replace(each, passes_s=each.passes_s * rng.uniform(0.5, 2)) for each in cost_model.samples(series())]
    model = cost_model.fit(noisy)
    assert (model.passes >= 0).all() and (model.agreement >= 0).all() and model.passes.any()


def test_too_few_points_for_a_model():
    with pytest.raises(RuleError, match="3 points with times"):
        cost_model.samples([point(ranks=1, threads=n) for n in (1, 2, 4)])


@pytest.mark.parametrize(("targets", "processes", "in_degree"), [(2_000, 16, 100), (900, 64, 400)])
def test_the_fullest_virtual_process_of_random_in_degrees(targets, processes, in_degree):
    rng = np.random.default_rng(1)
    drawn = rng.poisson(in_degree, (400, targets))
    onto = np.arange(targets) % processes
    sums = np.array([np.bincount(onto, each) for each in drawn])
    found = (sums.max(axis=1) / sums.mean(axis=1)).mean()
    expected = cost_model.fullest(targets, processes, in_degree, math.sqrt(in_degree))
    assert expected == pytest.approx(found, rel=0.02)
    assert cost_model.fullest(targets, processes) == math.ceil(targets / processes) / (targets / processes)


def test_prediction_for_the_published_network(tmp_path):
    for each in series():
        write(each, tmp_path)
    text = predict.predict(Namespace(folder=tmp_path, latency=2.0, bandwidth=140.0, peak=204.8, interval=100.0))
    assert "mean error 0.0%" in text and "| 16,384 |" in text
    with (tmp_path / "predict.csv").open() as file:
        rows = [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]
    first, last = rows[0], rows[-1]
    # 5.8 million neurons on 64 nodes: 36,250 excitatory ones a rank, 567 on the fullest of 64 threads, 9,000 inputs;
    # the points were measured with two virtual processes at most.
    passes, agree = seconds_of(567 * 9_000, 32, 2, 2)
    waits = TRUE["spread"] * cost_model.expected_largest(2)
    for end, bandwidth, waited in (("fastest", 204.8e9, 0.0), ("slowest", 140e9, waits)):
        streamed = 567 * 9_000 * 64 * 32 * 3 / bandwidth
        assert streamed > passes
        assert first[f"{end}_ms"] == pytest.approx((streamed + agree + 2e-6 + waited) * 1e3, rel=1e-6)
    assert first["factor_low"] == first["factor_high"] == pytest.approx(8)
    assert rows[6]["ranks"] == 128 and rows[6]["factor_low"] == pytest.approx(39)
    assert last["ranks"] == 16_384 and last["factor_low"] == 39 and last["factor_high"] > 100
    assert last["allreduce_ms"] - first["allreduce_ms"] == pytest.approx(13 * (TRUE["step"] * 1e3 + 2e-3))
    assert all(0 < row["share_low"] < row["share_high"] < 1 for row in rows)
    assert (tmp_path / "predict.png").stat().st_size > 10_000


def test_steps_are_made_and_failures_said(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "jobs").mkdir()
    (tmp_path / "jobs" / "studies").symlink_to(STUDIES)
    folder = tmp_path / "made"
    folder.mkdir()
    for each in series()[:12]:
        write(each, folder)
    said = []
    everything.make(everything.choose(["scaling", "predict"]), folder, said.append)
    assert (folder / "scaling.md").read_text().startswith("### ") and (folder / "predict.png").exists()
    assert said[0].startswith("predict: about") and said[-1].startswith("scaling: done")
    with pytest.raises(DistnormError, match="these failed: compare"):
        everything.make(everything.choose(["compare"]), folder, said.append)
    assert "balanced_stdp.toml" in said[-1]


def test_every_step_is_a_command_that_exists():
    from distnorm.cli import _parser

    scripts = {
        "jobs/studies/predict.py": predict,
        "jobs/studies/latency.py": latency,
        "jobs/studies/short_runs.py": short_runs,
        "jobs/studies/bound_costs.py": bound_costs,
        "tests/nest_examples.py": nest_examples,
    }
    # These import NEST: see tests/nest.
    others = {f"jobs/studies/{name}.py" for name in ("adaptive_interval", "convergence", "pending", "both_norms")}
    others |= {f"jobs/{name}.py" for name in ("competition", "clock_cost", "clock_training")}
    for step in everything.STEPS:
        words = shlex.split(step.command)
        start = words.index("distnorm") if "distnorm" in words else 0
        if words[0] != "python":
            options = _parser().parse_args(words[start + 1 :])
            read_job(TOP / options.job, options.set) if "run" in words[start:] else None
        elif words[1] not in others:
            scripts[words[1]].parser().parse_args(words[2:])
    assert json.dumps(everything.listed(everything.STEPS)).count("FOLDER") >= 8
    for line in (TOP / "jobs" / "quickstart.sh").read_text().replace("\\\n", " ").splitlines():
        if "distnorm run" in line:
            options = _parser().parse_args(shlex.split(line)[1:])
            assert read_job(TOP / options.job, options.set).log.weights is True
    with pytest.raises(RuleError, match="no step 'kernels'; known: kernel,"):
        everything.choose(["kernels"])

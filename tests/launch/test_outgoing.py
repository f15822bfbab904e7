"""Outgoing norms in job files, with checkpoints, and in rules files of unmodified scripts."""

import numpy as np
import pytest
from launching import TESTS, own, said, start

import distnorm
from distnorm.records.run_log import read_log

JOB = TESTS.parent / "jobs" / "balanced_stdp.toml"
SMALL = ("parameters.n_excitatory=80", "parameters.n_inhibitory=20", "parameters.in_degree_excitatory=10")
RULE = {"of": "outgoing", "synapse_model": "balanced_stdp", "sources": "excitatory", "target_norm": "initial"}
MODEL = TESTS / "launch" / "scripts" / "small.py"
RULES = """
[[rules]]
of = "outgoing"
synapse_model = "stdp_synapse"
sources = ["1-38", 39]
target_norm = 5.0
[interval]
kind = "fixed"
interval_ms = 20.0
"""


def by_source(checkpoint):
    table = distnorm.checkpoint_table(checkpoint)
    rows = table[table["model"] == "balanced_stdp"]
    sums = np.bincount(rows["source"], rows["weight"])
    return sums[sums > 0]


def test_a_job_goes_on_with_the_same_initial_norms_on_other_ranks(tmp_path):
    settings = [f"--set={each}" for each in (*SMALL, f"rules={[RULE]!r}")]
    settings.append("--set=interval={'kind': 'fixed', 'interval_ms': 100.0}")
    arguments = ("-m", "distnorm", "run", JOB, *settings, "--checkpoint", "points", "--resume")
    sums = []
    for ranks, until in ((4, 200), (1, 400), (2, 600)):
        split = (f"--set=simulate_ms={until}", f"--set=threads={4 // ranks}")
        done = start(tmp_path, *arguments, "--log", "run.jsonl", *split, ranks=ranks)
        assert done.returncode == 0, done.stderr
        sums.append(by_source(tmp_path / "points"))
    assert len(sums[0]) == 80
    for each in sums[1:]:
        np.testing.assert_allclose(each, sums[0], rtol=1e-12)
    run = read_log(tmp_path / "run.jsonl")
    assert max(measurement.drift_max for measurement in run.measurements[1:]) > 1e-5
    assert {measurement.drifts[0].late_initial for measurement in run.measurements} == {0}


@pytest.mark.parametrize("ranks", [0, 2])
def test_an_unmodified_script(ranks, tmp_path):
    (tmp_path / "rules.toml").write_text(RULES)
    attach = ("-m", "distnorm", "attach")
    dry = start(tmp_path, *attach, "--dry-run", "rules.toml", MODEL, ranks=ranks)
    assert dry.returncode == 0 and " 39 " in own(dry.stdout)[1], dry.stdout
    done = start(tmp_path, *attach, "--log", "run.jsonl", "rules.toml", MODEL, ranks=ranks)
    assert done.returncode == 0, done.stderr
    assert "connections from 39 neurons" in done.stderr and said(done)
    assert ("rank 0 sent" in done.stderr) == (ranks > 1)
    run = read_log(tmp_path / "run.jsonl")
    assert all(measurement.drifts[0].targets == 39 for measurement in run.measurements)
    assert (run.measurements[-1].sent_bytes > 0) == (ranks > 1)
    report = start(tmp_path, "-m", "distnorm", "report", "run.jsonl")
    assert report.returncode == 0 and (tmp_path / "run.png").exists()

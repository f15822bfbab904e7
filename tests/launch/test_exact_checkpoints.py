"""Runs whose norms are held in every slice, stopped and resumed on other ranks and threads."""

import shutil

import numpy as np
import pytest
from killing import command, run, write_job

from distnorm import checkpoint_table
from distnorm.records.run_log import read_log

pytestmark = pytest.mark.timeout(600)  # the first test may compile the models
EXACT = ("--set", 'interval={"kind":"exact","audit_ms":30}', "--set")
SPLITS = [(1, 4), (2, 2), (4, 1)]


def finished(job, model, split, *arguments):
    code, _, err = run(command(job, *split, *EXACT, f"parameters.synapse_model={model}", *arguments))
    assert code == 0, err


def weights(folder):
    table = checkpoint_table(folder / "checkpoints")
    order = np.lexsort([table["weight"], table["target"], table["source"]])
    return table["target"][order], table["weight"][order]


@pytest.mark.parametrize("model", ["stdp_synapse_normalized", "stdp_synapse_hom_normalized_hpc"])
def test_norms_are_held_on_after_a_resume_and_the_split_makes_no_difference(model, tmp_path):
    first = tmp_path / "first"
    first.mkdir()
    finished(write_job(first, simulate_ms=90.0), model, (2, 2))
    targets, before = weights(first)
    assert np.ptp(before) > 1e-3
    after = []
    for split in SPLITS:
        folder = tmp_path / f"{split[0]}x{split[1]}"
        shutil.copytree(first, folder)
        finished(write_job(folder, simulate_ms=180.0), model, split, "--resume")
        log = read_log(folder / "run.jsonl")
        assert [measurement.time_ms for measurement in log.measurements] == [
            0.0,
            30.0,
            60.0,
            90.0,
            120.0,
            150.0,
            180.0,
        ]
        assert all(measurement.drifts[0].max < 1e-10 for measurement in log.measurements[1:])
        after.append(weights(folder)[1])
    assert np.abs(after[0] - before).max() > 1e-3
    assert np.array_equal(after[0], after[1]) and np.array_equal(after[0], after[2])
    sums = [np.bincount(targets, each) for each in (before, after[0])]
    np.testing.assert_allclose(sums[1], sums[0], rtol=1e-10)

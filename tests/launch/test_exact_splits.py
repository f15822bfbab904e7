"""Norms held in every slice: spikes and weights the same whatever the split of 4 virtual processes, to the last bit."""

import subprocess
import sys

import numpy as np
import pytest
from launching import launch

pytestmark = pytest.mark.timeout(600)  # the first test may compile the models
RANKS = (1, 2, 4)
SLICES = 80


@pytest.fixture(scope="module", autouse=True)
def compiled():
    subprocess.run([sys.executable, "-m", "distnorm", "build", "--exact"], check=True, timeout=590)


@pytest.fixture(scope="module", params=["stdp", "dopamine", "changing"])
def results(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("exact")
    found = {}
    for ranks in RANKS:
        part = folder / str(ranks)
        part.mkdir()
        done = launch(ranks, "exact_split.py", request.param, SLICES, part, timeout=110)
        assert done.returncode == 0, done.stderr
        parts = [np.load(part / f"{rank}.npz") for rank in range(ranks)]
        tables = {name: np.concatenate([each[name] for each in parts], axis=1) for name in ("connections", "spikes")}
        found[ranks] = {name: table[:, np.lexsort(table[::-1])] for name, table in tables.items()}
        found[ranks]["drifts"] = parts[0]["drifts"]
        found[ranks]["boundaries"] = np.max([each["boundaries"] for each in parts], axis=0)
    return found


@pytest.mark.parametrize("ranks", RANKS)
def test_the_norm_holds_at_every_slice_boundary(results, ranks):
    boundaries, measurements = results[ranks]["boundaries"], results[ranks]["drifts"]
    assert len(boundaries) == SLICES and boundaries.max() < 1e-12
    assert len(measurements) >= 4 and (measurements[1:, 1] > 1e-4).all() and (measurements[:, 2] == 0).all()


@pytest.mark.parametrize("ranks", [2, 4])
def test_spikes_weights_and_deviations_do_not_depend_on_the_split(results, ranks):
    assert results[1]["spikes"].shape[1] > 1_000
    assert np.ptp(results[1]["connections"][2]) > 0.5
    assert all(np.array_equal(results[1][name], results[ranks][name]) for name in ("connections", "spikes", "drifts"))

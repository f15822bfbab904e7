"""The same whatever the split of 4 virtual processes into ranks and threads, to the last bit."""

import os

import numpy as np
import pytest
from launching import launch

RANKS = (1, 2, 4)
MANY = int(os.environ.get("DISTNORM_MANY_RANKS", "8"))  # 64 take some minutes


def run(mode, ranks, folder, program="split.py", *more, timeout=60):
    folder.mkdir(exist_ok=True)
    done = launch(ranks, program, mode, folder, *more, timeout=timeout)
    assert done.returncode == 0, done.stderr
    parts = [np.load(folder / f"{rank}.npz") for rank in range(ranks)]
    whole = {}
    for name in ("connections", "spikes"):
        table = np.concatenate([part[name] for part in parts], axis=1)
        whole[name] = table[:, np.lexsort(table[::-1])]
    for name in set(parts[0].files) - set(whole):
        whole[name] = parts[0][name]
        assert all(np.array_equal(part[name], whole[name]) for part in parts)
    return whole


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    folder = tmp_path_factory.mktemp("splits")
    modes = ("inplace", "pynest", "adaptive", "observe", "plain", "current", "update", "outgoing", "both")
    return {(mode, ranks): run(mode, ranks, folder / f"{mode}{ranks}") for mode in modes for ranks in RANKS}


def same(a, b, names=("connections", "spikes")):
    return all(np.array_equal(a[name], b[name]) for name in names)


def test_the_network_does_something(results):
    first = results["inplace", 1]
    assert first["connections"].shape == (3, 120 * 15 * 2)
    assert first["spikes"].shape[1] > 500
    assert first["drifts"].shape == (21, 3) and (first["drifts"][1:, 1] > 1e-4).all()
    assert not same(first, results["plain", 1])
    assert first["histograms"].shape == (21, 61 + 62 + 5)
    assert len(np.unique(first["histograms"], axis=0)) == 21


@pytest.mark.parametrize("backend", ["inplace", "pynest", "adaptive", "current", "update", "outgoing", "both"])
@pytest.mark.parametrize("ranks", [2, 4])
def test_weights_spikes_drifts_and_histograms_do_not_depend_on_the_split(results, backend, ranks):
    assert same(results[backend, 1], results[backend, ranks], ("connections", "spikes", "drifts", "histograms"))


@pytest.mark.parametrize("ranks", RANKS)
def test_both_ways_give_the_same(results, ranks):
    names = ("connections", "spikes", "drifts", "histograms")
    assert same(results["inplace", ranks], results["pynest", ranks], names)


@pytest.mark.parametrize("ranks", RANKS)
def test_observing_leaves_the_spikes_and_weights_of_plain_simulate(results, ranks):
    assert same(results["observe", ranks], results["plain", ranks])


def test_rules_for_three_projections_together_and_for_inhibition_do_not_depend_on_the_split(tmp_path):
    every = [run("inplace", ranks, tmp_path / str(ranks), "split_rules.py") for ranks in RANKS]
    every.append(run("pynest", 2, tmp_path / "pynest", "split_rules.py"))
    first = every[0]
    assert first["connections"].shape == (3, 100 * (35 + 12)) and first["spikes"].shape[1] > 500
    assert (first["drifts"][2:, 0] > 1e-4).all()  # both rules have work to do
    assert first["drifts"][::2, 2].max() > 50  # and weights reach their bound
    assert all(same(first, other, ("connections", "spikes", "drifts")) for other in every[1:])


@pytest.mark.timeout(600)
@pytest.mark.parametrize("mode", ["inplace", "outgoing"])
def test_many_ranks_agree_with_one(mode, tmp_path):
    one, many = (run(mode, ranks, tmp_path / f"{ranks}", "split.py", str(MANY), timeout=290) for ranks in (1, MANY))
    assert same(one, many, ("connections", "spikes", "drifts", "histograms"))

"""The job of the community's benchmark network has its published sizes and parameters."""

from pathlib import Path

import nest
import numpy as np
import pytest
from networks import reset

from distnorm.runs.model_file import load_build

BUILD = load_build(Path(__file__).parents[2] / "jobs" / "hpc_benchmark.py")


def weights(model):
    return np.array(nest.GetConnections(synapse_model=model)[:1_000].weight)


def test_the_published_network():
    reset()
    made = BUILD(scale=0.002)
    assert [len(made.excitatory), len(made.inhibitory)] == [18, 4]
    counts = {name: nest.GetDefaults(name)["num_connections"] for name in ("hpc_plastic", "hpc_inhibitory")}
    assert counts == {"hpc_plastic": 18 * 9_000, "hpc_inhibitory": 22 * 2_250}
    assert made.weight_pA == pytest.approx(45.61, abs=0.01)  # 0.14 mV at the soma
    assert made.target_norm_pA == pytest.approx(9_000 * made.weight_pA)
    assert weights("hpc_inhibitory") == pytest.approx(-5 * made.weight_pA)
    noise = nest.GetNodes({"model": "poisson_generator"})
    assert noise.rate == pytest.approx(20_856, abs=1)  # 1.685 times the threshold
    assert nest.GetDefaults("hpc_plastic")["alpha"] == pytest.approx(0.0513)


def test_smaller_in_degrees_keep_rate_and_weights():
    reset()
    made = BUILD(scale=0.2, in_degree_share=0.05)
    assert nest.GetDefaults("hpc_plastic")["num_connections"] == 1_800 * 450
    nest.Simulate(100.0)
    rate = nest.GetKernelStatus("local_spike_counter") / 2_250 / 0.1
    assert 5 < rate < 25
    assert weights("hpc_plastic").mean() == pytest.approx(made.weight_pA, rel=0.02)

"""The clock network: its own normalization beside a rule that clips, and what is made of its weights and spikes."""

import clock as network
import clock_analysis as analysis
import nest
import numpy as np
import pytest

import distnorm


def built(rounds=1, **more):
    nest.ResetKernel()
    nest.verbosity = nest.VerbosityLevel.ERROR
    nest.set(resolution=network.RESOLUTION_MS, local_num_threads=2)
    return network.build(size="small", rounds=rounds, **more)


def weights():
    return np.array(distnorm.connections(network.PLASTIC_MODEL)["weight"])


def test_own_normalization_and_a_rule_that_clips_make_the_same_weights():
    found = {}
    for way in ("own", "attached"):
        clock = built(learning=30.0)
        for _ in network.training(clock, way, 20.0, network.rule(bounds="clip")):
            found[way] = weights()
    assert len(found["own"]) > 10_000
    np.testing.assert_allclose(found["own"], found["attached"], rtol=1e-9)
    start = network._W_PF * network._EXCITATORY_MV
    assert np.abs(found["own"] / start - 1).max() > 0.005


def test_rates_of_the_first_round_are_those_of_the_port():
    clock = built()
    spikes = nest.Create("spike_recorder", 2)
    nest.Connect(clock.excitatory, spikes[0])
    nest.Connect(clock.inhibitory, spikes[1])
    nest.Simulate(120.0)
    events = spikes[0].events
    excitatory = len(events["times"]) / 240 / 0.12
    assert 6.0 < excitatory < 11.0 and 11.0 < spikes[1].n_events / 60 / 0.12 < 17.0
    own_turn = (events["times"] - (events["senders"] - 1) // 30 * network.STEP_MS) % 120.0
    assert ((own_turn > 1.0) & (own_turn < 12.0)).mean() > 0.99  # a cluster fires in its turn


def test_norms_are_kept_and_learning_is_within_clusters_at_first():
    clock = built(rounds=4, learning=30.0)
    before = distnorm.moments(network.PLASTIC_MODEL).sum
    for _ in network.training(clock, "distnorm", distnorm.AdaptiveInterval(0.01), network.rule()):
        pass
    normalizer = distnorm.Normalizer(distnorm.Rule(network.PLASTIC_MODEL, target_norm=1.0), observe=True)
    assert normalizer.normalize().drifts[0].targets == 240
    after = distnorm.moments(network.PLASTIC_MODEL).sum
    assert np.abs(after / before - 1).max() < 0.02
    found = analysis.structure(clock)
    assert found.within > found.forward > 0 and found.within > found.others + 0.005


def test_frozen_weights_stay():
    clock = built(spontaneous_ms=50.0)
    nest.Simulate(120.0)
    clock.freeze()
    before = distnorm.connections()["weight"].copy()
    nest.Simulate(50.0)
    assert np.array_equal(distnorm.connections()["weight"], before)


def test_between_clusters_and_their_order():
    clock = built()
    table = distnorm.connections(network.PLASTIC_MODEL, columns=("source", "target", "weight", "location"))
    cluster = lambda ids: (ids - 1) // 30  # noqa: E731
    table["weight"] = 1.0 + 0.1 * cluster(table["target"]) + 0.01 * cluster(table["source"])
    distnorm.set_weights(table)
    found = analysis.structure(clock)
    expected = 1.0 + 0.1 * np.arange(8)[:, np.newaxis] + 0.01 * np.arange(8)
    np.testing.assert_allclose(found.between, expected, rtol=1e-12)
    assert found.forward == pytest.approx(np.mean([expected[(k + 1) % 8, k] for k in range(8)]))
    values = analysis.eigenvalues(clock)
    assert len(values) == 240 and values[0].real == pytest.approx(0.2 * 30 * np.trace(expected), rel=0.1)


def test_replay_counts_changes_to_the_next_cluster():
    clock = built()
    order = [0, 1, 2, 3, 5, 6]  # one of five changes is not to the next
    times = np.concatenate([np.full(10, 5.0 * i + 2.0) for i in range(len(order))])
    senders = np.concatenate([1 + 30 * each + np.arange(10) for each in order])
    found = analysis.replay(clock, 0.0, 40.0, times, senders)
    assert (found.changes, found.forward, found.active) == (5, 4, 6 / 8)

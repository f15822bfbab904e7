"""What is measured of a rule, and that merging it does not depend on how the targets are split."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from distnorm import WeightError
from distnorm.norms import drift

relaxed = settings(deadline=None)
drifted = st.floats(2.0**-10, 2.0**10) | st.builds(lambda k: 1 + 2.0**-k, st.integers(1, 40)) | st.just(1.0)
run_away = st.floats(2.0**10, 2.0**39)
targets = st.tuples(st.just(0.0) | drifted | run_away, st.sampled_from([0.5, 1.0, 40.0]), st.integers(0, 100))
networks = st.lists(targets, max_size=40)


def record_of(network, node_ids=None):
    norm, target_norm, counts = np.array(network, dtype=np.float64).reshape(-1, 3).T
    node_ids = np.arange(1, len(network) + 1) if node_ids is None else np.array(node_ids, dtype=np.int64)
    return drift.summarize(norm, target_norm, np.where(norm > 0, counts + 1, counts).astype(np.int64), node_ids)


def drifts_of(network):
    return np.array([abs(norm / target_norm - 1) for norm, target_norm, _ in network if norm > 0])


def merged_at_random(records, random):
    while len(records) > 1:
        into, other = (records.pop(random.randrange(len(records))) for _ in range(2))
        drift.merge(into, other)
        records.append(into)
    return records[0]


@relaxed
@given(networks, st.integers(1, 5), st.randoms(use_true_random=False))
def test_any_split_merged_in_any_order_is_the_whole(network, num_parts, random):
    parts = [[] for _ in range(num_parts)]
    for node_id, target in enumerate(network, start=1):
        random.choice(parts).append((target, node_id))
    records = [record_of([target for target, _ in part], [node_id for _, node_id in part]) for part in parts]
    assert merged_at_random(records, random).tobytes() == record_of(network).tobytes()


def test_records_of_several_rules_merge_one_by_one():
    ours, theirs = (np.array([record_of([(norm, 1.0, 3)], [node_id])] * 2) for norm, node_id in ((3.0, 7), (2.0, 4)))
    theirs[1] = record_of([(9.0, 1.0, 3)], [4])
    drift.merge(ours, theirs)
    assert [drift.read(record).worst_target for record in ours] == [7, 4]
    assert [drift.read(record).max for record in ours] == [2.0, 8.0]
    assert [drift.read(record).connections for record in ours] == [8, 8]


@relaxed
@given(networks)
def test_read_gives_maximum_mean_and_counts(network):
    result = drift.read(record_of(network))
    values = drifts_of(network)
    assert result.max == max(values, default=0.0)
    mean = math.fsum(values) / len(values) if len(values) else 0.0
    assert result.mean == pytest.approx(mean, rel=1e-9, abs=1e-9)
    assert result.targets == result.histogram.sum() == len(values)
    assert result.no_input == sum(norm == 0 and count == 0 for norm, _, count in network)
    assert result.zero_norm == sum(norm == 0 and count > 0 for norm, _, count in network)
    assert result.connections == sum(count + (norm > 0) for norm, _, count in network)


@relaxed
@given(networks, st.floats(0, 1, exclude_min=True))
def test_a_quantile_is_rounded_up_by_a_sixteenth_at_most(network, q):
    values = drifts_of(network)
    quantile = drift.read(record_of(network)).quantile(q)
    if not len(values):
        assert quantile == 0.0
        return
    exact = np.quantile(values, q, method="inverted_cdf")
    assert exact <= quantile <= values.max()
    if exact < 2.0**10:
        assert quantile <= exact * (1 + 1 / 16) + 2.0**-30


@pytest.mark.parametrize("exact", [2.0**-30, 0.99 * 2.0**-29, 1.0, 0.99 * 2.0**10])
def test_a_quantile_at_either_end_of_the_bins(exact):
    quantile = drift.read(record_of([(1 + exact, 1.0, 1), (2.0**30, 1.0, 1)])).quantile(0.5)
    assert exact <= quantile <= exact * (1 + 1 / 16) + 2.0**-30


@relaxed
@given(st.lists(st.sampled_from([1.0, 1.5, 2.0]), min_size=1), st.data())
def test_the_worst_target_is_the_smallest_node_id_of_a_tie(norm, data):
    node_ids = data.draw(st.permutations(range(10, 10 + len(norm))))
    result = drift.read(record_of([(n, 1.0, 1) for n in norm], node_ids))
    assert result.worst_target == min(node_id for n, node_id in zip(norm, node_ids, strict=True) if n == max(norm))


def test_a_tie_at_drift_zero_goes_to_a_target_rather_than_to_no_target():
    nothing = record_of([])
    drift.merge(nothing, record_of([(1.0, 1.0, 1)], [5]))
    assert drift.read(nothing).worst_target == 5


def test_no_targets():
    result = drift.read(record_of([]))
    counts = (result.worst_target, result.targets, result.no_input, result.zero_norm, result.connections)
    assert counts == (0, 0, 0, 0, 0)
    assert (result.max, result.mean, result.quantile(0.99)) == (0.0, 0.0, 0.0)


def test_the_target_norm_of_a_norm_of_zero_is_not_read():
    assert drift.read(record_of([(0.0, math.nan, 2), (3.0, 2.0, 2)])).max == 0.5


@pytest.mark.parametrize("norm", [2.0**41, math.inf])
def test_an_exploded_norm_is_refused_with_its_neuron(norm):
    with pytest.raises(WeightError, match=r"neuron 12\b.*target_norm"):
        record_of([(1.0, 1.0, 1), (norm, 1.0, 1)], [11, 12])

"""Histograms of weights, by plain numpy and by fractions."""

import math
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from distnorm import RuleError
from distnorm.norms import histogram
from distnorm.norms.histogram import BINS, Bins, checked_watch, rounded

WEIGHTS = st.lists(st.floats(-100.0, 100.0), min_size=1, max_size=60)
UNIT = 2.0**-40


def found(weights, bins, at_limit=None):
    weights = np.array(weights, dtype=float)
    at_limit = np.zeros(len(weights), bool) if at_limit is None else at_limit
    return histogram.counted(weights, at_limit, [np.full(len(weights), np.nan)], bins)


def read(rows, bins):
    return histogram.read(histogram.record(rows), bins)


@given(WEIGHTS, st.floats(-50.0, 0.0), st.floats(0.5, 50.0))
def test_counts_are_those_of_numpy_and_sums_those_of_fractions(weights, low, length):
    bins = Bins.between(low, low + length, max(map(abs, weights)))
    done = read(found(weights, bins), bins)
    counts, edges = np.histogram(weights, np.array(bins.edges))
    assert done.counts == tuple(counts.tolist()) and done.edges == tuple(edges.tolist())
    assert done.below == sum(weight < edges[0] for weight in weights)
    assert done.above == sum(weight > edges[-1] for weight in weights)
    assert (done.least, done.largest) == (min(weights), max(weights))
    exact = [Fraction(weight) for weight in weights]
    mean = sum(exact) / len(exact)
    sd = math.sqrt(sum((weight - mean) ** 2 for weight in exact) / len(exact))
    largest = 2 * max(*map(abs, weights), abs(low), abs(low + length))
    assert abs(done.mean - float(mean)) <= UNIT * largest
    assert abs(done.sd - sd) <= UNIT * largest
    done.check()


@given(WEIGHTS, st.integers(0, 60), st.randoms())
def test_neither_order_nor_split_matters(weights, cut, random):
    bins = Bins.between(-1.0, 2.0, 0.0)
    whole = histogram.record(found(weights, bins))
    random.shuffle(weights)
    parts = [histogram.record(found(part, bins)) for part in (weights[:cut], weights[cut:])]
    merged = histogram.empty_records(1)
    for part in parts:
        histogram.merge(merged, part)
    assert histogram.read(merged[0], bins) == histogram.read(whole, bins)
    together = histogram.together(found(weights[:cut], bins), found(weights[cut:], bins))
    assert read(together, bins) == histogram.read(whole, bins)


def test_equal_weights_have_no_deviation():
    bins = Bins.between(0.0, 1.0, 0.0)
    done = read(found([0.1] * 1000, bins), bins)
    assert done.sd == 0.0 and done.mean == pytest.approx(0.1, abs=UNIT)


def test_edges_belong_to_the_bin_above_and_the_last_to_the_last():
    bins = Bins.between(0.0, 1.0, 0.0)
    done = read(found([*bins.edges, -0.0], bins), bins)
    assert done.counts == (2, *[1] * (BINS - 2), 2) and done.below == done.above == 0
    assert str(done.least) == "0.0"


def test_nothing_is_zero():
    done = read(histogram.nothing(), Bins.between(0.0, 1.0, 0.0))
    assert (done.connections, done.mean, done.sd, done.least, done.largest, done.at_limit) == (0, 0, 0, 0, 0, 0)
    assert done.outside == 0.0


@pytest.mark.parametrize("weights", [[1e300, -1e300], [math.inf, 1.0], [math.nan, 1.0], [1e-300, 2e-300]])
def test_weights_far_from_all_others_break_nothing(weights):
    bins = Bins.between(0.0, 1.0, 0.0)
    done = read(found(np.nan_to_num(weights, nan=0.5), bins), bins)
    assert done.connections == 2


@given(st.floats(-1e90, 1e90), st.floats(0.0, 1e90))
def test_round_limits_hold_what_they_are_around(low, length):
    first, last = rounded(low, low + length)
    assert (first <= min(low, 0.0) and last >= max(low + length, 0.0)) or length + abs(low) < 1e-90
    edges = Bins.between(first, last, 0.0).edges
    assert first == 0.0 or last == 0.0 or 0.0 in edges
    assert (np.diff(edges) > 0).all()
    assert last - first <= 2 * (max(low + length, 0.0) - min(low, 0.0)) or length + abs(low) < 1e-90


@pytest.mark.parametrize(
    ("weights", "limits"),
    [((0.3, 0.7), (0.0, 0.75)), ((0.0, 1.0), (0.0, 1.0)), ((-7.0, 3.0), (-7.0, 3.0)), ((45.0, 45.0), (0.0, 50.0))],
)
def test_round_limits(weights, limits):
    assert rounded(*weights) == limits


@pytest.mark.parametrize(
    ("limit", "last"), [(1.0, 1.0), (100.0, 0.75), (6.5, 7.5), (math.inf, 0.75), (-math.inf, 0.75), (-2.0, 0.75)]
)
def test_limits_of_synapses_that_weights_are_near_to_are_inside(limit, last):
    bins = histogram.bins_for(0.3, 0.7, limit, limit, None)
    assert bins.edges[-1] >= last and (bins.edges[0] < 0) == (-math.inf < limit < 0)
    assert histogram.bins_for(0.3, 0.7, limit, limit, (0.0, 3.0)).limits == (0.0, 3.0)


@pytest.mark.parametrize("watch", [True, False, np.True_])
def test_watched_or_not(watch):
    assert checked_watch(watch) is bool(watch)


def test_limits_are_two_numbers():
    assert checked_watch([0, 2]) == (0.0, 2.0)


@pytest.mark.parametrize(
    "wrong", [None, 1, "yes", (1.0,), (1.0, 2.0, 3.0), (2.0, 1.0), (1.0, 1.0), (0.0, math.inf), (math.nan, 1.0)]
)
def test_anything_else_is_refused(wrong):
    with pytest.raises(RuleError, match=r"^weights is "):
        checked_watch(wrong)


def test_limits_without_room_are_refused():
    with pytest.raises(RuleError, match="room for 60 bins"):
        checked_watch((1.0, 1.0 + 1e-15))


@pytest.mark.parametrize(
    "change",
    [
        {"edges": (0.0, 1.0)},
        {"counts": (1, 2)},
        {"counts": (-1, *[0] * (BINS - 1))},
        {"above": -1},
        {"at_limit": 1.5},
        {"sd": -1.0},
        {"least": 2.0},
        {"edges": (1.0, *[0.5] * BINS)},
    ],
)
def test_what_no_run_finds_is_refused(change):
    bins = Bins.between(0.0, 1.0, 0.0)
    with pytest.raises(ValueError, match=r"."):
        replace(read(found([0.5, 0.7], bins), bins), **change).check()

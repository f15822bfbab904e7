"""Parts of a source's connections put together: the same bits for any parts, and those of exact sums."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from distnorm import Rule
from distnorm.norms.bounds import EVENTS, ROWS
from distnorm.norms.passes import Pass
from distnorm.outgoing.merging import Parts

RULE = Rule("a", of="outgoing", target_norm=1.0)
MEASURE = Pass(kind="measure", rests=True)


def parts_of(values, slots, chunks):
    """Rows of a measuring pass with rests, of values in so many parts each."""
    of_parts, rows = [], []
    for slot in np.unique(slots):
        for chunk in np.array_split(values[slots == slot], chunks):
            total = math.fsum(chunk)
            rest = math.fsum([*chunk, -total])
            rows.append([total, len(chunk), 0.0, rest, 0.0, 0.0])
            of_parts.append(slot)
    return np.array(rows).T, np.array(of_parts)


@settings(max_examples=200, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    decades=st.sampled_from([0, 3, 30, 200]),
    signed=st.booleans(),
    chunks=st.integers(1, 7),
)
def test_sums_are_exact_and_the_same_however_they_are_cut(seed, decades, signed, chunks):
    rng = np.random.default_rng(seed)
    values = rng.uniform(0.5, 1.0, 60) * 10.0 ** rng.uniform(-decades, decades, 60)
    values *= rng.choice([-1.0, 1.0], 60) if signed else 1.0
    slots = rng.integers(0, 3, 60)
    rows, of_parts = parts_of(values, slots, chunks)
    order = rng.permutation(len(of_parts))
    found = Parts(of_parts[order], 3).put_together(MEASURE, RULE, rows[:, order])
    for slot in range(3):
        mine = values[slots == slot]
        exact = math.fsum(mine)
        scale = 0.0 if not len(mine) else np.abs(mine).max() * 2.0**-100
        assert abs(found[0, slot] - exact) <= max(scale, abs(exact) * 2.0**-53)
        assert found[1, slot] == len(mine)
        if not signed:
            assert found[0, slot] == exact
            assert abs(math.fsum([found[0, slot], found[3, slot], *(-mine)])) <= scale


@pytest.mark.parametrize("wrong", [np.inf, np.nan])
def test_what_is_not_finite_stays_so(wrong):
    rows = np.array([[1.0, wrong, 2.0], [1, 1, 1], [0, 0, 0], [0.0] * 3, [0.0] * 3, [0.0] * 3])
    found = Parts(np.array([0, 0, 1]), 2).put_together(MEASURE, RULE, rows)
    assert not np.isfinite(found[0, 0]) and found[0, 1] == 2.0


def test_sums_of_extreme_sizes():
    rows = np.array([[1e300, 1e300, 5e-324, 5e-324, 0.0, 1e-172, 0.0], [1] * 7, *[[0.0] * 7] * 4])
    found = Parts(np.array([0, 0, 1, 1, 2, 3, 3]), 4).put_together(MEASURE, RULE, rows)
    assert found[0].tolist() == [2e300, 1e-323, 0.0, 1e-172]


def test_the_nearest_edges_of_all_parts():
    rng = np.random.default_rng(3)
    half, parts = len(ROWS), 5
    rows = np.zeros((2 * half, parts))
    every = []
    for part in range(parts):
        edges = np.sort(rng.uniform(1.0, 9.0, EVENTS))
        edges[4:] = np.inf
        for i, edge in enumerate(edges):
            rows[ROWS.index(f"right_edge{i}"), part] = edge
            rows[ROWS.index(f"right_slope{i}"), part] = part + 1
            rows[ROWS.index(f"left_edge{i}"), part] = np.inf
            every.append((edge, part + 1))
    found = Parts(np.zeros(parts, int), 1).put_together(Pass(kind="tally", rests=True), RULE, rows)
    for i, (edge, slope) in enumerate(sorted(every)[:EVENTS]):
        assert found[ROWS.index(f"right_edge{i}"), 0] == edge and found[ROWS.index(f"right_slope{i}"), 0] == slope
        assert found[ROWS.index(f"left_edge{i}"), 0] == np.inf

"""Distributions over ranks."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from distnorm.attach.distribution import Distribution

VALUES = st.lists(st.floats(1e-300, 1e300), min_size=1, max_size=60)


@given(VALUES, st.integers(1, 5))
def test_parts_merge_to_the_whole(values, parts):
    whole = Distribution.of(np.array(values))
    merged = Distribution.merged(Distribution.of(np.array(values[i::parts])) for i in range(parts))
    assert merged == whole
    assert whole.smallest == min(values) and whole.largest == max(values)
    assert whole.counts.total() == len(values)


@given(VALUES)
def test_the_median_is_known_to_one_part_in_two_thousand(values):
    exact = sorted(values)[(len(values) - 1) // 2]
    assert abs(Distribution.of(np.array(values)).median / exact - 1) <= 1 / 2_000


@given(st.lists(st.integers(1, 2_048), min_size=1))
def test_in_degrees_are_exact(values):
    distribution = Distribution.of(np.array(values, dtype=float))
    assert distribution.median == sorted(values)[(len(values) - 1) // 2]
    assert sorted(distribution.counts.elements()) == sorted(values)


def test_no_values():
    assert (
        str(Distribution.of(np.zeros(0))) == str(Distribution.merged([])) == "-"
        and Distribution.merged([]).median == 0.0
    )

"""Limits of synapse models: sides of zero, sizes of weights, and what lies beyond."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from distnorm.synapses.limits import Limits

NONE = math.nan
limits = st.sampled_from([NONE, -2.0, -1.0, -0.5, -0.0, 0.0, 0.5, 1.0, 2.0, math.inf])
weights = st.sampled_from([-3.0, -1.0, -0.5, -5e-324, -0.0, 0.0, 5e-324, 0.5, 1.0, 3.0])


def one(least, most):
    return Limits(np.array([least]), np.array([most]))


@pytest.mark.parametrize(
    ("least", "most", "negative"),
    [
        (NONE, -1.0, [True, True]),
        (NONE, 1.0, [False, False]),
        (NONE, 0.0, [False, False]),
        (NONE, NONE, [True, False]),  # no Wmax: the sign of the zero
        (-1.0, 0.0, [True, True]),
        (-2.0, -1.0, [True, True]),
        (0.0, 1.0, [False, False]),
        (-1.0, 1.0, [True, False]),  # either side
    ],
)
def test_the_side_of_negative_and_positive_zero(least, most, negative):
    found = [np.signbit(one(least, most).on_side(np.array([zero])))[0] for zero in (-0.0, 0.0)]
    assert found == negative


@settings(deadline=None)
@given(limits, limits, weights)
def test_a_size_within_its_limits_is_a_weight_within_its_limits(least, most, weight):
    of = one(least, most)
    sided = of.on_side(np.array([weight]))
    assert sided[0] == weight
    low, high = (each[0] for each in of.sizes(sided))
    outside = of.above(sided)[0] or of.below(sided)[0]
    wrong_side = not math.isnan(least) and (most < 0 < weight or weight < 0 < least)
    if low <= abs(weight) <= high and not wrong_side and not least > most:
        assert not outside
    elif not wrong_side and not least > most:
        assert outside


@pytest.mark.parametrize(
    ("least", "most", "weight", "sizes"),
    [
        (NONE, -2.0, -1.0, (0.0, 2.0)),
        (NONE, NONE, -1.0, (0.0, math.inf)),
        (0.5, 2.0, 1.0, (0.5, 2.0)),
        (-5.0, -1.0, -2.0, (1.0, 5.0)),
        (-5.0, 2.0, -2.0, (0.0, 5.0)),
        (-5.0, 2.0, 1.0, (0.0, 2.0)),
        (0.5, 2.0, -1.0, (0.0, 0.0)),  # NEST brings it to Wmin, and nearest of its sign is zero
    ],
)
def test_sizes(least, most, weight, sizes):
    assert tuple(each[0] for each in one(least, most).sizes(np.array([weight]))) == sizes

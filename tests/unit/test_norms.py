"""The reference mathematics: exact sums, norms and factors."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from distnorm.norms import sums as norms

NUM_TARGETS = 4

relaxed = settings(deadline=None)
powers = st.sampled_from([1, 2])
magnitudes = st.builds(math.ldexp, st.floats(0.5, 1.0), st.integers(-200, 200))
signed = st.builds(math.copysign, magnitudes, st.sampled_from([-1.0, 1.0]))
weights_of_one = st.lists(signed, min_size=1, max_size=40).map(np.array)
connections = st.lists(st.tuples(signed | st.just(0.0), st.integers(0, NUM_TARGETS - 1)), max_size=60)


def sums_of(pairs, power):
    weights = np.array([weight for weight, _ in pairs], dtype=np.float64)
    targets = np.array([target for _, target in pairs], dtype=np.int64)
    power_sums, counts, _ = norms.measure(weights, targets, NUM_TARGETS, f"l{power}", power)
    return power_sums, counts


def norm_of(weights, power):
    targets = np.zeros(len(weights), dtype=np.int64)
    return norms.norms(norms.measure(weights, targets, 1, f"l{power:g}", power)[0], power)


@relaxed
@given(connections, powers, st.randoms(use_true_random=False))
def test_sums_are_exact_in_any_order(pairs, power, random):
    shuffled = random.sample(pairs, len(pairs))
    power_sums, counts = sums_of(shuffled, power)
    for target in range(NUM_TARGETS):
        terms = [abs(w) if power == 1 else w * w for w, t in pairs if t == target]
        assert power_sums[target] == math.fsum(terms)
        assert counts[target] == len(terms)


def test_a_small_weight_survives_large_ones():
    weights = np.array([2.0**53, 1.0, 1.0, -1.0, 1.0])
    assert norm_of(weights, 1)[0] == 2.0**53 + 4


def test_no_connections():
    power_sums, counts = sums_of([], 1)
    np.testing.assert_array_equal(power_sums, np.zeros(NUM_TARGETS))
    np.testing.assert_array_equal(counts, np.zeros(NUM_TARGETS))


@relaxed
@given(connections, powers, st.sampled_from([math.nan, math.inf, -math.inf]), st.data())
def test_a_weight_that_is_no_number_spoils_its_target_only(pairs, power, bad, data):
    spoilt = data.draw(st.integers(0, NUM_TARGETS - 1))
    position = data.draw(st.integers(0, len(pairs)))
    clean, _ = sums_of(pairs, power)
    power_sums, counts = sums_of([*pairs[:position], (bad, spoilt), *pairs[position:]], power)
    others = np.arange(NUM_TARGETS) != spoilt
    assert not np.isfinite(power_sums[spoilt])
    np.testing.assert_array_equal(power_sums[others], clean[others])
    assert counts.sum() == len(pairs) + 1


@pytest.mark.parametrize(("weight", "power"), [(1.5e308, 1), (1e200, 2)])
def test_overflow_is_an_infinite_sum_of_its_target_only(weight, power):
    with np.errstate(over="ignore"):
        power_sums, _ = sums_of([(weight, 1), (-3.0, 0), (weight, 1)], power)
    np.testing.assert_array_equal(power_sums, [3.0**power, np.inf, 0.0, 0.0])


@relaxed
@given(weights_of_one, powers)
def test_norm_is_that_of_numpy(weights, power):
    assert norm_of(weights, power)[0] == pytest.approx(np.linalg.norm(weights, power), rel=1e-14, abs=0)


@relaxed
@given(weights_of_one, powers, st.floats(1e-6, 1e6))
def test_one_factor_brings_the_norm_to_its_target(weights, power, target_norm):
    target = np.array([target_norm])
    scaled = weights * norms.factors(norm_of(weights, power), target)
    assert np.linalg.norm(scaled, power) == pytest.approx(target_norm, rel=1e-12, abs=0)
    assert norms.factors(norm_of(scaled, power), target)[0] == pytest.approx(1.0, rel=0, abs=1e-15)
    np.testing.assert_array_equal(np.sign(scaled), np.sign(weights))


@relaxed
@given(weights_of_one, powers, st.integers(-100, 100))
def test_powers_of_two_pass_through_to_the_last_bit(weights, power, exponent):
    scale = 2.0**exponent
    norm, scaled_norm = norm_of(weights, power), norm_of(weights * scale, power)
    target = np.array([40.0])
    assert scaled_norm[0] == norm[0] * scale
    assert norms.factors(scaled_norm, target)[0] == norms.factors(norm, target)[0] / scale


def test_norms_that_cannot_reach_the_target_are_left_alone():
    norm, target_norm = np.array([0.0, -1.0, 3.0, 2.0]), np.array([5.0, 5.0, np.nan, 5.0])
    np.testing.assert_array_equal(norms.present(norm, target_norm), [False, False, False, True])
    np.testing.assert_array_equal(norms.factors(norm, target_norm), [1.0, 1.0, 1.0, 2.5])


def test_drift_is_relative_to_the_target_either_way():
    np.testing.assert_array_equal(norms.drift(np.array([3.0, 5.0]), np.array([4.0, 4.0])), [0.25, 0.25])

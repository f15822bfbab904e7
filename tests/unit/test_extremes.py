"""Norms whose terms no double holds, against numbers of 60 digits with exponents of any size (mpmath)."""

import math
import sys

import mpmath
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from one_target import a_rule, normalized

from distnorm.errors import WeightError

mpmath.mp.dps = 60
relaxed = settings(deadline=None, max_examples=150)

# One order of magnitude for all weights of a target, and how far single ones are from it.
orders = st.integers(-320, 307)
offsets = st.one_of(st.just(0), st.integers(-3, 0), st.sampled_from([-20, -150, -400]))
signs = st.sampled_from([1.0, 1.0, -1.0])
factorable = st.sampled_from(["l1", "l2", "l3", "l8", "l20", "l1.5", "l9", "linf"])


@st.composite
def several_weights(draw):
    order = draw(orders)
    parts = st.tuples(st.floats(1.0, 9.0), offsets, signs)
    result = []
    for size, offset, sign in draw(st.lists(parts, min_size=1, max_size=12)):
        exponent = order + offset
        result.append(sign * (float(f"{size!r}e{exponent}") if exponent > -330 else 0.0))
    assume(any(result) and all(math.isfinite(each) for each in result))
    return np.array(result)


def norm_of(weights, norm):
    sizes = [mpmath.mpf(abs(each)) for each in weights.tolist()]
    if norm == "sum":
        return mpmath.fsum(mpmath.mpf(each) for each in weights.tolist())
    if norm == "linf":
        return max(sizes)
    power = mpmath.mpf(norm[1:])
    return mpmath.fsum(each**power for each in sizes) ** (1 / power)


def target_of(exponent):
    return math.ldexp(0.8, exponent)


def far_above(norm, target):
    return norm / target > mpmath.mpf(2) ** 36


@relaxed
@given(factorable, several_weights(), st.integers(-1000, 1020))
def test_a_factor_whatever_the_size_of_weights_and_norm(norm, weights, exponent):
    target = target_of(exponent)
    before = norm_of(weights, norm)
    rule = a_rule((norm, "multiplicative"))
    if far_above(before, target):
        if before / target > mpmath.mpf(2) ** 41:
            with pytest.raises(WeightError, match="times its target"):
                normalized(rule, weights, target)
        return
    after, record, _ = normalized(rule, weights, target)
    assert (record["targets"], record["zero_norm"], record["unreachable"]) == (1, 0, 0)
    assert record["max"] == pytest.approx(float(abs(before / target - 1)), rel=1e-9, abs=1e-15)
    for old, new in zip(weights.tolist(), after.tolist(), strict=True):
        expected = mpmath.mpf(old) * target / before
        assert abs(new - expected) <= abs(expected) * 1e-12 + mpmath.mpf("1e-323")
        assert math.copysign(1, old) == math.copysign(1, new)


@relaxed
@given(factorable, several_weights(), st.integers(-900, 1000), st.sampled_from([0.0, 0.01, 0.2]), st.floats(0.1, 1.5))
def test_inside_bounds_whatever_the_size(norm, weights, exponent, low, high):
    target = target_of(exponent)
    assume(not far_above(norm_of(weights, norm), target))
    box = (low * target, max(low, high) * target)
    assume((np.abs(weights[weights != 0]) > box[1] / 1e307).all())  # a factor that is a double brings them there
    after, record, _ = normalized(a_rule((norm, "multiplicative"), box), weights, target)
    sizes = np.abs(after)
    moved = weights != 0
    assert (sizes[moved] >= box[0]).all() and (sizes <= box[1]).all()
    assert np.array_equal(np.signbit(after), np.signbit(weights)) and record["zero_norm"] == 0
    distance = float(abs(norm_of(after, norm) / target - 1))
    if record["unreachable"]:
        assert distance == pytest.approx(record["unreachable_max"], rel=1e-9, abs=1e-12)
        at_bound = (sizes <= box[0] * (1 + 1e-15)) | (sizes >= box[1] * (1 - 1e-15))
        assert at_bound[moved].all() or norm == "linf"
    else:
        assert distance <= 1e-11


@relaxed
@given(several_weights(), st.integers(-1000, 1022), st.sampled_from([math.inf, 0.5]))
def test_shifts_whatever_the_size(weights, exponent, high):
    target = target_of(exponent)
    before = norm_of(weights, "l1")
    assume(not far_above(before, target))
    after, record, _ = normalized(a_rule(("l1", "subtractive"), (0.0, high * target)), weights, target)
    distance = abs(norm_of(after, "l1") / target - 1)
    if record["unreachable"]:
        assert (np.abs(after) == high * target).all()
    else:
        assert distance <= 1e-12 * max(1, float(before / target) * 1e-3)


@relaxed
@given(several_weights(), st.integers(-1000, 1022))
def test_signed_sums_whatever_the_size(weights, exponent):
    weights, target = np.abs(weights) * -1.0, -target_of(exponent)
    before = norm_of(weights, "sum")
    assume(not far_above(before, target))
    for mode in ("multiplicative", "subtractive"):
        after, record, _ = normalized(a_rule(("sum", mode)), weights, target)
        assert record["zero_norm"] == record["unreachable"] == 0
        assert abs(norm_of(after, "sum") / target - 1) <= 1e-12 * max(1, float(before / target))


@relaxed
@given(factorable, several_weights(), st.integers(-1000, 1020), st.sampled_from([0.0, 1e-12, 0.1, 0.9]))
def test_a_part_of_the_way_whatever_the_size(norm, weights, exponent, fraction):
    target = target_of(exponent)
    before = norm_of(weights, norm)
    assume(not far_above(before, target))
    tau = 1.0 if fraction == 0 else -1.0 / math.log1p(-fraction)
    rule = a_rule((norm, "multiplicative"), tau_ms=tau)
    elapsed = 0.0 if fraction == 0 else 1.0
    after, _, _ = normalized(rule, weights, target, elapsed_ms=elapsed)
    expected = before + rule.fraction(elapsed) * (mpmath.mpf(target) - before)
    tiniest = mpmath.mpf("1e-322") * len(weights)
    assert abs(norm_of(after, norm) - expected) <= expected * 1e-11 + tiniest
    if fraction == 0:
        assert np.array_equal(after, weights)


@pytest.mark.parametrize("norm", ["l1", "l2", "l20", "linf"])
@pytest.mark.parametrize("target", [1e-300, 1e-200, 1e200, 1e300])
@pytest.mark.parametrize("high", [math.inf, 2.0])
def test_equal_weights_for_norms_of_any_size(norm, target, high):
    rule = a_rule((norm, "multiplicative"), (0.0, high * target), zero="equal")
    after, record, _ = normalized(rule, np.array([0.0, -0.0, 0.0]), target)
    assert float(abs(norm_of(after, norm) / target - 1)) <= 1e-12 and record["zero_norm"] == 1
    assert len(set(np.abs(after))) == 1 and np.signbit(after).tolist() == [False, True, False]


@pytest.mark.parametrize("norm", ["l1", "l2", "l20", "linf"])
def test_the_smallest_double_is_not_zero(norm):
    after, record, _ = normalized(a_rule((norm, "multiplicative"), zero="raise"), np.array([5e-324, 0.0]), 3.0)
    assert after.tolist() == [3.0, 0.0] and record["zero_norm"] == 0


@pytest.mark.parametrize("norm", ["l1", "l2", "l3", "linf"])
@pytest.mark.parametrize("wrong", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_stays_so(norm, wrong):
    from distnorm.norms.measured import measure_in_units
    from distnorm.norms.sums import measure

    weights, targets = np.array([wrong, 1.0, 1e200, 2.0]), np.array([0, 0, 1, 1])
    rule = a_rule((norm, "multiplicative"))

    def run(passes):
        return [
            each
            and measure(
                weights if each.units is None else each.units.of_weights(weights, targets),
                targets,
                2,
                "linf" if each.largest else norm,
                rule.power,
            )
            for each in passes
        ]

    sums = measure(weights, targets, 2, norm, rule.power)
    measure_in_units([rule], [sums], run)
    assert np.isfinite(sums[0]).tolist() == [False, True]


def test_the_largest_double_as_a_norm():
    largest = sys.float_info.max
    after, _, _ = normalized(a_rule(("l1", "multiplicative")), np.array([largest, largest, 1.0]), largest)
    np.testing.assert_allclose(after, [largest / 2, largest / 2, 0.5], rtol=1e-12)

"""Norms inside bounds, in every mode: met or reported, against scipy's solver and the properties that must hold."""

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from one_target import a_rule, normalized
from scipy.optimize import brentq

# (norm, mode), each with every kind of bounds
BACKENDS = [(norm, "multiplicative") for norm in ("l1", "l2", "l3", "l1.5", "linf")] + [
    ("l1", "subtractive"),
    ("sum", "subtractive"),
]

relaxed = settings(deadline=None, max_examples=100)
backends = st.sampled_from(BACKENDS)
sizes = st.one_of(st.floats(1e-3, 1e3), st.sampled_from([0.25, 0.5, 1.0, 1.0, 2.0]), st.just(0.0))
signed = st.builds(math.copysign, sizes, st.sampled_from([1.0, 1.0, -1.0]))
lists = st.lists(signed, min_size=1, max_size=25).map(np.array)
bounds = st.sampled_from([(0.0, math.inf), (0.0, 1.0), (0.25, 1.0), (0.5, math.inf), (0.0, 700.0), (1e-3, 2.0)])
targets = st.floats(1e-2, 1e4)


def norm_of(weights, norm):
    if norm == "sum":
        return math.fsum(weights)
    sizes = np.abs(weights)
    return float(sizes.max()) if norm == "linf" else float((sizes ** float(norm[1:])).sum() ** (1 / float(norm[1:])))


def rounding(backend, weights, target):
    """What a norm can be met to: a shift of large weights leaves their last bits."""
    return 1e-12 * max(target, np.abs(weights).sum() * 1e-3 if backend[1] == "subtractive" else 0.0)


def solved(weights, backend, low, high, target):
    """The same by scipy's root finder on the factor or the shift; None where it lies beyond the bounds."""
    norm, mode = backend
    magnitudes = np.abs(weights)
    negative = np.signbit(weights)

    def at(x):
        if mode == "multiplicative":
            return np.copysign(np.clip(x * magnitudes, low, high), weights)
        if norm == "l1":
            return np.copysign(np.clip(magnitudes + x, low, high), weights)
        least, most = np.where(negative, -high, low), np.where(negative, -low, high)
        return np.clip(weights + x, least, most)

    span = 1e12
    ends = (0.0, span) if mode == "multiplicative" else (-1e7, 1e7)
    if (norm_of(at(ends[0]), norm) - target) * (norm_of(at(ends[1]), norm) - target) > 0:
        return None
    return at(brentq(lambda x: norm_of(at(x), norm) - target, *ends, xtol=1e-300, rtol=1e-15, maxiter=2000))


@relaxed
@given(backends, lists, bounds, targets)
def test_the_norm_is_met_or_reported_and_no_bound_or_sign_is_broken(backend, weights, box, target):
    after, record, passes = normalized(a_rule(backend, box), weights, target)
    np.testing.assert_array_equal(np.signbit(after), np.signbit(weights))
    if backend[1] == "multiplicative" and not weights.any():
        assert record["zero_norm"] == 1 and np.array_equal(after, weights)
        return
    if box != (0.0, math.inf):
        assert (np.abs(after) >= box[0]).all() and (np.abs(after) <= box[1]).all()
    if record["unreachable"]:
        distance = norm_of(after, backend[0]) / target - 1
        assert abs(distance) == pytest.approx(record["unreachable_max"], rel=1e-9)
        assert solved(weights, backend, *box, target) is None
    else:
        assert norm_of(after, backend[0]) == pytest.approx(target, rel=0, abs=rounding(backend, weights, target))
    assert passes < 40


@relaxed
@given(
    backends,
    lists,
    st.lists(st.sampled_from([0.3, 0.5, 1.0, 2.0, 5.0]), min_size=25, max_size=25),
    targets,
    st.booleans(),
)
def test_as_a_general_solver_with_bounds_of_each_weight(backend, weights, upper, target, lower_too):
    assume(backend[1] == "subtractive" or weights.any())
    high = np.array(upper[: len(weights)])
    low = high / 4 if lower_too else np.zeros(len(weights))
    after, record, _ = normalized(a_rule(backend, (0.0, 1.0)), weights, target, low, high)
    expected = solved(weights, backend, low, high, target)
    assert (expected is None) == bool(record["unreachable"])
    if expected is not None and backend[0] != "linf":  # the largest does not determine the others
        np.testing.assert_allclose(np.abs(after), np.abs(expected), rtol=1e-9, atol=1e-9)


@relaxed
@given(backends, lists, bounds, targets)
def test_once_more_changes_nothing(backend, weights, box, target):
    assume(box[0] == 0 or weights.all())  # no factor moves a zero, but once it is at w_min one does
    rule = a_rule(backend, box)
    once, _, _ = normalized(rule, weights, target)
    twice, record, _ = normalized(rule, once, target)
    np.testing.assert_allclose(twice, once, rtol=1e-12, atol=rounding(backend, weights, target))
    assert record["max"] <= 1e-9 or record["zero_norm"]


@relaxed
@given(backends, lists, bounds, targets, st.integers(-20, 20))
def test_powers_of_two_pass_through(backend, weights, box, target, exponent):
    k = 2.0**exponent
    plain, plain_record, _ = normalized(a_rule(backend, box), weights, target)
    scaled, record, _ = normalized(a_rule(backend, (box[0] * k, box[1] * k)), weights * k, target * k)
    np.testing.assert_allclose(scaled, plain * k, rtol=1e-12, atol=1e-12 * target * k)
    assert record["unreachable"] == plain_record["unreachable"]


@relaxed
@given(backends, lists, bounds, targets, st.floats(1.0, 10.0))
def test_a_larger_target_makes_no_weight_smaller(backend, weights, box, target, more):
    lower, _, _ = normalized(a_rule(backend, box), weights, target)
    higher, _, _ = normalized(a_rule(backend, box), weights, target * more)
    grows = higher if backend[0] == "sum" else np.abs(higher)
    grown = lower if backend[0] == "sum" else np.abs(lower)
    assert (grows >= grown - 1e-12 * np.abs(grown) - 1e-12 * target).all()


@relaxed
@given(backends, lists, bounds, targets, st.floats(0.05, 0.95))
def test_a_rate_makes_that_part_of_the_correction(backend, weights, box, target, rate):
    assume(norm_of(weights, backend[0]) != 0)
    inside = (np.abs(weights) >= box[0]).all() and (np.abs(weights) <= box[1]).all()
    after, record, _ = normalized(a_rule(backend, box, rate=rate), weights, target)
    if inside and not record["unreachable"]:
        before = norm_of(weights, backend[0])
        expected = before + rate * (target - before)
        assert norm_of(after, backend[0]) == pytest.approx(expected, rel=1e-9, abs=1e-9 * np.abs(weights).max())


def test_a_time_constant_does_not_depend_on_the_interval():
    rule = a_rule(("l1", "multiplicative"), tau_ms=40.0)

    def run(interval_ms):
        weights = np.array([1.0, 2.0, 3.0])
        for _ in range(round(60 / interval_ms)):
            weights, _, _ = normalized(rule, weights, 3.0, elapsed_ms=interval_ms)
        return weights

    np.testing.assert_allclose(run(1.0), run(20.0), rtol=1e-12)
    assert run(1.0).sum() == pytest.approx(3.0 + 3.0 * math.exp(-60 / 40), rel=1e-12)


@pytest.mark.parametrize(("only", "kept", "moved"), [("above", 0.5, 5.0), ("below", 5.0, 0.5)])
@pytest.mark.parametrize("backend", BACKENDS)
def test_one_sided(backend, only, kept, moved):
    weights = np.array([1.0, 0.25])
    rule = a_rule(backend, only=only)
    unchanged, record, _ = normalized(rule, weights, norm_of(weights, backend[0]) / kept)
    np.testing.assert_array_equal(unchanged, weights)
    assert record["max"] == 0
    target = norm_of(weights, backend[0]) / moved
    assert norm_of(normalized(rule, weights, target)[0], backend[0]) == pytest.approx(target, rel=1e-12)


def test_a_target_that_need_not_move_is_still_brought_inside_its_bounds():
    rule = a_rule(("l1", "multiplicative"), (0.0, 2.0), only="above")
    after, _, _ = normalized(rule, np.array([3.0, 1.0, 1.0]), 100.0)
    np.testing.assert_allclose(after, [2.0, 1.5, 1.5])  # its norm as it was, not the target


@pytest.mark.parametrize("norm", ["l1", "l2", "l3", "linf"])
@pytest.mark.parametrize("box", [(0.0, math.inf), (0.0, 2.0)])
def test_equal_weights_where_all_are_zero(norm, box):
    rule = a_rule((norm, "multiplicative"), box, zero="equal")
    after, record, _ = normalized(rule, np.array([0.0, -0.0, 0.0]), 1.5)
    assert norm_of(after, norm) == pytest.approx(1.5, rel=1e-12) and record["zero_norm"] == 1
    assert len(set(np.abs(after))) == 1 and np.signbit(after).tolist() == [False, True, False]


def test_a_signed_sum_that_nearly_cancels_does_not_blow_up():
    weights = np.array([1.0, -1.0 + 1e-9])
    after, record, _ = normalized(a_rule(("sum", "multiplicative")), weights, 1.0)
    assert record["zero_norm"] == 1 and np.array_equal(after, weights)
    shifted, _, _ = normalized(a_rule(("sum", "subtractive")), weights, 0.0)
    assert abs(shifted.sum()) <= 1e-15


def test_a_signed_sum_of_the_other_sign_is_reported_and_left_alone():
    weights = np.array([1.0, -3.0])
    after, record, _ = normalized(a_rule(("sum", "multiplicative")), weights, 1.0)
    assert record["unreachable"] == 1 and record["unreachable_max"] == 3.0 and np.array_equal(after, weights)


@pytest.mark.parametrize("target", [0.8, 0.79999, 0.80001])
def test_a_target_where_one_weight_reaches_its_bound_and_a_much_smaller_one_is_far_from_it(target):
    weights = np.array([1.0] * 8 + [0.01, 1e-20, 1e-150])
    after, record, _ = normalized(a_rule(("l1", "multiplicative"), (0.0, 0.08)), weights, target)
    assert after.sum() == pytest.approx(target, rel=1e-12) and record["unreachable"] == 0


@pytest.mark.parametrize(("target", "missed"), [(0.16, 0.0), (0.8, 0.8), (0.1, 0.6)])
def test_bounds_that_leave_one_size(target, missed):
    after, record, _ = normalized(a_rule(("l1", "multiplicative"), (0.16, 0.16)), np.array([-0.1]), target)
    assert after.tolist() == [-0.16] and record["unreachable_max"] == pytest.approx(missed)


@pytest.mark.parametrize("power", ["l1", "l1.5", "l2", "l3", "l7.3"])
@pytest.mark.parametrize("n", [1, 2, 5, 6, 7, 100])
@pytest.mark.parametrize("bound", [0.1, 0.5477544384180527, 1.5824416942894246])
def test_the_norm_of_weights_that_are_all_at_a_bound_is_met(bound, n, power):
    at_bound, weights = np.full(n, bound), np.linspace(0.3, 0.9, n) * bound
    target = norm_of(at_bound, power)
    for box, before in (((0.0, bound), weights), ((bound, math.inf), weights), ((bound, math.inf), 0.1 * weights)):
        after, record, _ = normalized(a_rule((power, "multiplicative"), box), before, target)
        assert record["unreachable"] == record["unreachable_max"] == 0
        np.testing.assert_allclose(after, at_bound, rtol=1e-12)


@pytest.mark.parametrize("weights", [[0.0], [0.0, 0.0], [0.5, 0.0, 0.0]])
def test_a_zero_sum_that_a_lower_bound_prevents_is_reported(weights):
    weights = np.array(weights)
    after, record, _ = normalized(a_rule(("sum", "subtractive"), (0.25, 2.0)), weights, 0.0)
    assert after.tolist() == [0.25] * len(weights)
    assert record["unreachable"] == 1 and record["unreachable_max"] == 1.0


@relaxed
@given(st.integers(2, 400), st.integers(0, 10**6))
def test_adversarial_boxes_are_solved_in_few_passes(n, seed):
    """Sizes over many orders of magnitude, bounds between them, targets at the very edge of what can be reached."""
    rng = np.random.default_rng(seed)
    weights = 10.0 ** rng.uniform(-5, 5, n)
    high = 10.0 ** rng.uniform(-5, 5, n)
    low = high * 10.0 ** rng.uniform(-9, 0, n)
    target = float(rng.choice([low.sum() * (1 + 1e-9), high.sum() * (1 - 1e-9), rng.uniform(low.sum(), high.sum())]))
    assume(weights.sum() < 1e11 * target)  # else an error, as a run-away rule of plasticity
    after, record, passes = normalized(a_rule(("l1", "multiplicative"), (0.0, 1.0)), weights, target, low, high)
    assert after.sum() == pytest.approx(target, rel=1e-12) and not record["unreachable"]
    assert (after >= low).all() and (after <= high).all() and passes <= 60

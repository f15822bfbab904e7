"""The adaptive interval on drift that is made up: steady, diffusing, with steps, silent, with a hint."""

from fractions import Fraction
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest

from distnorm import AdaptiveInterval, RuleError
from distnorm.intervals.controller import Clock

CLOCK = Clock(resolution_ms=0.1, min_delay_ms=1.5)
STEADY = {"speed": 2e-4, "diffusion": 1e-5}
DIFFUSING = {"speed": 0.0, "diffusion": 1e-3}
MIXED = {"speed": 1e-4, "diffusion": 5e-4}


def play(controller, intervals, speed, diffusion, seed=0, rate=lambda _: 1.0, hint_ms=None, targets=500):
    """Time, length and largest drift of each interval, for targets that move by speed * rate and diffuse."""
    rng = np.random.default_rng(seed)
    speeds = speed * (1 + 0.3 * rng.standard_normal(targets))
    position, now, elapsed, measurements, done = np.zeros(targets), 0.0, 0.0, 0, []
    after, state = controller.first(CLOCK)
    while len(done) < intervals:
        if hint_ms is not None and now < hint_ms <= now + after:
            stops = [hint_ms - now] if hint_ms > now else []
        else:
            stops = [after]
        for stop in stops:
            pieces = np.linspace(now, now + stop, 9)
            for begin, end in pairwise(pieces):
                pace = rate(begin) * (end - begin)
                position += speeds * pace + diffusion * np.sqrt(pace) * rng.standard_normal(targets)
            now, elapsed = now + stop, elapsed + stop
        if hint_ms is not None and now == hint_ms:
            state, hint_ms = controller.expect_change(state), None
        drifts = np.abs(position)
        values = {"max": drifts.max(), "mean": drifts.mean(), "q90": np.quantile(drifts, 0.9)}
        seen = SimpleNamespace(statistic=values.get)
        ends, after, state = controller.decide(state, elapsed, [seen], False)
        measurements += 1
        if ends:
            done.append((now, elapsed, controller.measure([seen])))
            position[:], elapsed = 0.0, 0.0
    return np.array(done), measurements


@pytest.mark.parametrize("drift", [STEADY, DIFFUSING, MIXED], ids=["steady", "diffusing", "mixed"])
@pytest.mark.parametrize("probes", [None, 1, 3])
@pytest.mark.parametrize("bound", [0.05, 0.2])
def test_stationary_drift_stays_near_below_the_bound(drift, probes, bound):
    ratios = []
    for seed in range(4):
        done, measurements = play(AdaptiveInterval(bound, probes=probes), 150, seed=seed, **drift)
        ratios.append(done[25:, 2] / bound)
        assert measurements <= {None: 3.5, 1: 2.2, 3: 6.0}[probes] * 150
    ratio = np.concatenate(ratios)
    assert (ratio > 1).mean() <= 0.01 and ratio.max() <= 1.2
    assert ratio.mean() >= 0.7


def test_without_probes_an_interval_is_not_looked_at():
    done, measurements = play(AdaptiveInterval(0.05, probes=0), 300, **MIXED)
    assert measurements < 1.1 * 300
    ratio = done[25:, 2] / 0.05
    assert (ratio > 1).mean() <= 0.02 and 0.6 < ratio.mean() < 0.9


def test_by_default_short_intervals_are_not_looked_at_and_long_ones_are():
    short, few = play(AdaptiveInterval(0.01), 300, **MIXED)
    long, many = play(AdaptiveInterval(0.05), 300, **MIXED)
    assert short[25:, 1].max() < 50.0 < long[25:, 1].mean()
    assert few < 1.2 * 300 and many > 2.0 * 300
    ratio = short[25:, 2] / 0.01
    assert (ratio > 1).mean() <= 0.02 and ratio.max() <= 1.2 and ratio.mean() > 0.6


def test_silence_after_short_intervals_is_looked_at_and_not_normalized():
    done, _ = play(AdaptiveInterval(0.01), 200, rate=lambda t: float(not 1_000 <= t < 9_000), **MIXED)
    assert done[:, 1].max() > 7_500
    assert (done[10:, 2] > 0.01).mean() <= 0.02


def test_steady_drift_is_followed_closer_than_diffusing_drift():
    means = [play(AdaptiveInterval(0.05), 200, **drift)[0][25:, 2].mean() / 0.05 for drift in (STEADY, DIFFUSING)]
    assert means[0] > 0.9 > means[1]


@pytest.mark.parametrize("probes", [1, 2, 4, 8])
def test_a_step_of_four_overshoots_by_no_more_than_the_probes_allow(probes):
    for seed in range(12):
        step_ms = 3_000.0 + 97.0 * seed
        done, _ = play(
            AdaptiveInterval(0.05, probes=probes),
            60,
            seed=seed,
            rate=lambda t, s=step_ms: 4.0 if t >= s else 1.0,
            **STEADY,
        )
        after = done[done[:, 0] > step_ms][:10]
        assert after[:, 2].max() / 0.05 <= 1 + 3 / probes
        assert (after[:, 2] > 0.05).sum() <= 1 and (after[2:, 2] <= 0.05).all()


def test_a_hint_keeps_a_step_of_four_within_the_bound():
    for seed in range(12):
        step_ms = 3_000.0 + 97.0 * seed
        done, _ = play(
            AdaptiveInterval(0.05),
            60,
            seed=seed,
            rate=lambda t, s=step_ms: 4.0 if t >= s else 1.0,
            hint_ms=step_ms,
            **STEADY,
        )
        assert done[done[:, 0] > step_ms][:5, 2].max() / 0.05 <= 1.2


def test_a_network_silent_from_the_start_keeps_the_bound_when_it_wakes():
    done, measurements = play(AdaptiveInterval(0.05), 60, rate=lambda t: 0.0 if t < 9_000 else 1.0, **STEADY)
    assert done[0, 1] > 8_500  # a silent network is looked at, not normalized
    assert (done[:, 2] <= 0.05).all() and done[10:, 2].mean() > 0.7 * 0.05
    assert measurements < 9_000 / 100 + 5 * 60


@pytest.mark.parametrize("drift", [STEADY, MIXED], ids=["steady", "mixed"])
def test_bursts_after_silence_are_no_surprise(drift):
    done, _ = play(AdaptiveInterval(0.05), 150, rate=lambda t: float(t % 2_500 < 1_000), **drift)
    assert done[10:, 2].max() <= 0.05 * 1.2 and (done[10:, 2] > 0.05).mean() <= 0.02
    assert done[-1, 0] > 1.3 * play(AdaptiveInterval(0.05), 150, **drift)[0][-1, 0]  # silence lengthens intervals


def test_an_expected_change_that_comes_in_silence():
    done, _ = play(AdaptiveInterval(0.05), 60, rate=lambda t: 4.0 * (t >= 5_000), hint_ms=5_000.0, **STEADY)
    assert (done[:, 2] <= 0.05).all()


def test_intervals_keep_within_minimum_and_maximum():
    """In time steps: the minimum is rounded up, the maximum down."""
    fast, slow = {"speed": 0.1, "diffusion": 1e-5}, {"speed": 1e-7, "diffusion": 1e-9}
    controller = AdaptiveInterval(0.05, minimum_ms=2.03, maximum_ms=100.07)
    shortest, longest = (play(controller, 20, **drift)[0][:, 1] for drift in (fast, slow))
    assert np.allclose(shortest, 2.1)
    assert longest.max() <= 100.0 and np.allclose(longest[3:], 100.0, atol=1.5)


def test_a_maximum_below_the_smallest_delay_is_refused_with_both():
    with pytest.raises(RuleError, match=r"maximum_ms is 1\.0; the smallest delay is 1\.5 ms"):
        AdaptiveInterval(0.05, maximum_ms=1.0).first(CLOCK)
    assert AdaptiveInterval(0.05, minimum_ms=0.5, maximum_ms=1.0).first(CLOCK)[0] == 0.5


def test_drift_left_by_a_normalization_does_no_harm():
    """Weights within a tolerance are left alone, so drift may start above zero."""
    controller = AdaptiveInterval(0.05)
    seen = [SimpleNamespace(statistic={"max": 0.01}.get)]
    state = controller.expect_change(play_to_second_interval(controller, seen))
    ends, after, state = controller.decide(state, 0.0, seen, False)
    assert not ends and after >= 1.5
    assert controller.decide(state, 0.0, seen, True)[0]


def play_to_second_interval(controller, seen):
    _, state = controller.first(CLOCK)
    return controller.decide(state, 30.0, seen, True)[2]


@pytest.mark.parametrize("kind", [np.float32, np.float64, Fraction])
def test_a_bound_may_be_any_real_number(kind):
    bound = AdaptiveInterval(bound=kind(0.25)).bound
    assert type(bound) is float and bound == 0.25


def test_a_mean_or_a_quantile_can_be_bounded():
    for statistic in ("mean", "q90"):
        done, _ = play(AdaptiveInterval(0.05, statistic), 100, **MIXED)
        assert 0.7 * 0.05 < done[8:, 2].mean() < 0.05


def test_intervals_are_multiples_of_the_smallest_delay():
    done, _ = play(AdaptiveInterval(0.05), 100, **MIXED)
    assert np.allclose(done[:, 1] / 1.5, np.round(done[:, 1] / 1.5))


def test_pure():
    controller = AdaptiveInterval(0.05)
    seen = [SimpleNamespace(statistic={"max": 0.01}.get)]
    _, state = controller.first(CLOCK)
    assert controller.decide(state, 1.5, seen, False) == controller.decide(state, 1.5, seen, False)


def test_forced_ends_the_interval():
    controller = AdaptiveInterval(0.05)
    _, state = controller.first(CLOCK)
    assert controller.decide(state, 1.5, [SimpleNamespace(statistic={"max": 1e-9}.get)], True)[0]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"bound": 0}, "bound is 0"),
        ({"bound": 1.5}, "bound is 1.5"),
        ({"bound": "x"}, "bound is 'x'"),
        ({"bound": float("nan")}, "bound is nan"),
        ({"bound": 0.1, "statistic": "median"}, "statistic is 'median'"),
        ({"bound": 0.1, "statistic": 0.9}, r"statistic is 0\.9"),
        ({"bound": 0.1, "probes": -1}, "probes is -1"),
        ({"bound": 0.1, "probes": 1.5}, r"probes is 1\.5"),
        ({"bound": 0.1, "maximum_ms": 0}, "maximum_ms is 0"),
        ({"bound": 0.1, "minimum_ms": 20.0, "maximum_ms": 10.0}, r"minimum_ms is 20\.0"),
    ],
)
def test_a_refusal_names_the_value(arguments, message):
    with pytest.raises(RuleError, match=message):
        AdaptiveInterval(**arguments)

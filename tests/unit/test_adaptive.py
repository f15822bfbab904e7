"""The adaptive interval on drift that is made up: steady, diffusing, with steps, silent, with a hint."""

from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest

from distnorm import AdaptiveInterval, RuleError
from distnorm.interval import Clock

CLOCK = Clock(resolution_ms=0.1, min_delay_ms=1.5)
STEADY = {"speed": 2e-4, "diffusion": 1e-5}
DIFFUSING = {"speed": 0.0, "diffusion": 1e-3}
MIXED = {"speed": 1e-4, "diffusion": 5e-4}


def play(controller, intervals, speed, diffusion, seed=0, rate=lambda _: 1.0, hint_ms=None, targets=500):
    """Time, length and largest drift of each interval, for targets that move by speed * rate and diffuse."""
    rng = np.random.default_rng(seed)
    speeds = speed * (1 + 0.3 * rng.standard_normal(targets))
    position, now, elapsed, looks, done = np.zeros(targets), 0.0, 0.0, 0, []
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
        ends, after, state = controller.look(state, elapsed, [seen], False)
        looks += 1
        if ends:
            done.append((now, elapsed, controller.measure([seen])))
            position[:], elapsed = 0.0, 0.0
    return np.array(done), looks


@pytest.mark.parametrize("drift", [STEADY, DIFFUSING, MIXED], ids=["steady", "diffusing", "mixed"])
@pytest.mark.parametrize("probes", [0, 1, 3])
@pytest.mark.parametrize("bound", [0.05, 0.2])
def test_stationary_drift_stays_near_below_the_bound(drift, probes, bound):
    ratios = []
    for seed in range(4):
        done, looks = play(AdaptiveInterval(bound, probes=probes), 150, seed=seed, **drift)
        ratios.append(done[25:, 2] / bound)
        assert looks <= (probes + 1) * 150 + 60
    ratio = np.concatenate(ratios)
    assert (ratio > 1).mean() <= 0.02 and ratio.max() <= 1.25
    assert ratio.mean() >= 0.7


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


def test_a_silent_network_that_bursts_recovers():
    burst = lambda t: 0.0 if t < 20_000 else 1.0  # noqa: E731
    done, _ = play(AdaptiveInterval(0.05, maximum_ms=1_000.0), 60, rate=burst, **STEADY)
    after = done[done[:, 0] > 20_000]
    assert (after[:, 2] > 0.05).sum() <= 1 and after[10:, 2].mean() > 0.7 * 0.05


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
    assert controller.look(state, 1.5, seen, False) == controller.look(state, 1.5, seen, False)


def test_forced_ends_the_interval():
    controller = AdaptiveInterval(0.05)
    _, state = controller.first(CLOCK)
    assert controller.look(state, 1.5, [SimpleNamespace(statistic={"max": 1e-9}.get)], True)[0]


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

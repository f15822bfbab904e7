"""The fixed interval; a controller is pure."""

import math

import numpy as np
import pytest

from distnorm import AdaptiveInterval, FixedInterval, RuleError
from distnorm.intervals.controller import Clock, Hintable
from distnorm.norms import drift

CALM = drift.read(np.zeros((), drift.RECORD))


@pytest.mark.parametrize(
    ("interval_ms", "value"),
    [(0, "0"), (-5.0, "-5.0"), (math.nan, "nan"), (math.inf, "inf"), (True, "True"), ("10", "'10'"), (None, "None")],
)
def test_a_refusal_names_the_value(interval_ms, value):
    with pytest.raises(RuleError, match=f"interval_ms is {value}"):
        FixedInterval(interval_ms)


@pytest.mark.parametrize("interval_ms", [10, 0.1, np.float64(2.5)])
def test_every_interval_is_the_same(interval_ms):
    controller = FixedInterval(interval_ms)
    interval, state = controller.first(Clock(resolution_ms=0.1, min_delay_ms=1.5))
    assert interval == interval_ms
    for elapsed_ms in (interval_ms, interval_ms / 2):
        for forced in (True, False):
            assert controller.decide(state, elapsed_ms, [CALM], forced) == (True, interval, state)
    assert controller == FixedInterval(interval_ms)


def test_only_an_adaptive_interval_takes_hints():
    assert isinstance(AdaptiveInterval(0.05), Hintable) and not isinstance(FixedInterval(10), Hintable)

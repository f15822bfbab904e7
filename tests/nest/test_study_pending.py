"""The study of pending changes finds what the theory of independent Poisson spikes says (docs/current.md)."""

from argparse import Namespace

import numpy as np
import pending
import pytest


@pytest.mark.parametrize("plasticity", pending.MODELS[:2], ids=lambda plasticity: plasticity.label)
def test_the_mean_is_that_of_the_theory(plasticity):
    found = pending._pending(plasticity, 1.0, 20.0, Namespace(neurons=100, indegree=100))
    of_a_pair = 0.01 * (1.0 if plasticity.label.endswith("additive") else 0.5)
    assert found.mean() == pytest.approx(of_a_pair * 0.020 * 20.0 / 0.5, rel=0.15)
    assert (found >= 0).all()


def test_a_course_begins_each_interval_at_the_target_norm():
    course = pending.course("current")
    after = np.isclose(course.times_ms % 100.0, 2.5)  # 1 ms after a normalization
    stored, current = course.norms["stored"], course.norms["current"]
    assert stored[after] == pytest.approx(1.0, abs=0.003)
    assert (current >= stored - 1e-12).all() and current.max() > 1.005
    assert course.norms["delivered next"] == pytest.approx(1.0, abs=0.05)

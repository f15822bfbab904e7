"""Held norms while structural plasticity grows a network from nothing, in processes of their own.

NEST crashes with it after an earlier network.
"""

import json

import pytest
from launching import launch

pytestmark = pytest.mark.timeout(600)  # the first test may compile the models
NEURONS, WMAX = 40, 2.0


def grown(ranks, wanted, audit_ms):
    done = launch(ranks, "exact_growing.py", json.dumps(wanted), audit_ms, timeout=590)
    assert done.returncode == 0, done.stderr
    return json.loads(next(line for line in done.stdout.splitlines() if line.startswith("{"))), done.stderr


@pytest.mark.parametrize("ranks", [1, 4])
@pytest.mark.parametrize(
    ("wanted", "norm_of"),
    [
        ({"target_norm": 5.0}, lambda number: min(5.0, WMAX * number)),
        ({"mean_weight": 0.75}, lambda number: 0.75 * number),
        ({"mean_weight": 2.5}, lambda number: WMAX * number),
    ],
)
def test_between_two_audits(wanted, norm_of, ranks):
    found, _ = grown(ranks, wanted, 1e5)
    for piece in found["pieces"]:
        # A target to which no spike came since it got a connection has it as it was made.
        right = [norm == pytest.approx(norm_of(number), rel=1e-12) for number, norm in piece]
        assert sum(right) >= 0.9 * len(right)
    first, last = found["measurements"]
    assert first == [0, 0, 0, 0.0] and last[0] > 3 * NEURONS and last[1] == NEURONS
    assert last[2] == (NEURONS if wanted == {"mean_weight": 2.5} else 0)


def test_what_cannot_be_reached_yet_is_counted_and_said_once():
    found, said = grown(2, {"target_norm": 5.0}, 25.0)
    unreachable = [measurement[2] for measurement in found["measurements"]]
    assert max(unreachable) > NEURONS / 2 and unreachable[-1] == 0
    assert said.count("cannot have their target norm with their connections' Wmin and Wmax") == 1

"""One normalization of one target's weights in numpy, by the passes that a rule makes through NEST."""

from __future__ import annotations

import math

import numpy as np

from distnorm import Rule
from distnorm.norms.bounds import Weights
from distnorm.norms.correction import Correction, first_pass
from distnorm.norms.measured import measure_in_units
from distnorm.norms.passes import changed_by, summed_by


def a_rule(backend, box=(0.0, math.inf), **more):
    return Rule("a", norm=backend[0], mode=backend[1], w_min=box[0], w_max=box[1], target_norm=1.0, **more)


def normalized(rule, weights, target, low=None, high=None, elapsed_ms=0.0):
    """Weights of one target after one normalization, its record, and the number of passes it took to find it."""
    low = np.full(len(weights), rule.box[0]) if low is None else low
    high = np.full(len(weights), rule.box[1]) if high is None else high
    of = Weights(weights=weights, targets=np.zeros(len(weights), np.int64), low=np.minimum(low, high), high=high)
    sums = summed_by(first_pass(rule), rule, of, 1)
    (unit,) = measure_in_units(
        [rule], [sums], lambda passes: [each and summed_by(each, rule, of, 1) for each in passes]
    )
    correction = Correction(rule, sums, np.array([target]), np.array([7]), elapsed_ms, unit)
    passes = 1
    while correction.next_pass is not None:
        correction.learn(summed_by(correction.next_pass, rule, of, 1))
        passes += 1
    change = correction.change
    return (weights if change is None else changed_by(change, rule, of, 1)), correction.record(), passes

"""Weights whose powers no double holds, beside ordinary ones: the same in place and through PyNEST, and right."""

import mpmath
import nest
import numpy as np
import pytest
from networks import reset, write_weights

import distnorm

pytestmark = pytest.mark.mpi

backends = pytest.mark.parametrize("backend", ["inplace", "pynest"])

# Each rule has targets of these sizes: ordinary, tiny, huge, of all sizes at once, and the least double.
SIZES = (0.5, 3e-170, 2e200, None, 5e-324, 6e307)
RULES = [
    {"norm": norm, **box}
    for norm in ("l1", "l2", "l3", "l20", "l1.5", "l9", "linf")
    for box in ({}, {"w_max": "Wmax"}, {"w_min": 1e-200, "w_max": 1e308})
]
RULES += [{"norm": norm, "mode": "subtractive", **box} for norm in ("l1", "sum") for box in ({}, {"w_max": "Wmax"})]
RULES += [{"norm": "sum"}, {"norm": "l2", "tau_ms": 20.0}, {"norm": "l3", "rate": 0.25, "w_max": "Wmax"}]


def weight_of(source, target):
    size = SIZES[(target - 1) % len(SIZES)]
    rng = np.random.default_rng([source, target])
    return 10.0 ** rng.integers(-300, 200) if size is None else max(size * rng.uniform(0.1, 1.0), 5e-324)


def network():
    reset()
    population = nest.Create("iaf_psc_delta", len(RULES) * len(SIZES))
    conn = {"rule": "fixed_indegree", "indegree": 7, "allow_multapses": False}
    nest.Connect(population, population, conn, {"synapse_model": "stdp_synapse", "delay": 1.5})
    found = nest.GetConnections(synapse_model="stdp_synapse")
    if len(found):
        pairs = zip(*(np.atleast_1d(found.get(name)).tolist() for name in ("source", "target")), strict=True)
        weights = [weight_of(*pair) for pair in pairs]
        found.set([{"weight": weight, "Wmax": min(3 * weight, 1.7e308)} for weight in weights])
    return population


def state():
    found = nest.GetConnections(synapse_model="stdp_synapse")
    if not len(found):
        return np.zeros((4, 0))
    status = found.get(["target", "source", "Wmax", "weight"])
    table = np.array([np.atleast_1d(status[key]) for key in ("target", "source", "Wmax", "weight")])
    return table[:, np.lexsort(table[1::-1])]


def norm_of(weights, norm):
    sizes = [mpmath.mpf(each) for each in weights.tolist()]
    power = 1 if norm == "sum" else mpmath.inf if norm == "linf" else mpmath.mpf(norm[1:])
    return max(sizes) if norm == "linf" else mpmath.fsum(each**power for each in sizes) ** (1 / power)


def normalized(backend):
    """Weights before and after, and what the targets' norms should be: near those that they have."""
    network()
    before = state()
    rules, wanted = [], {}
    for i, more in enumerate(RULES):
        ids = range(i * len(SIZES) + 1, (i + 1) * len(SIZES) + 1)
        norms = [1.3, 4e-169, 5e200, 3e199, 3e-305, 1.1e308]
        wanted |= dict(zip(ids, norms, strict=True))
        rules.append(distnorm.Rule("stdp_synapse", targets=ids, target_norm=norms, **more))
    normalizer = distnorm.Normalizer(rules, backend=backend)
    normalizer._loop.weights.open()
    drifts = normalizer.normalize().drifts
    return before, state(), wanted, drifts


def test_both_ways_give_the_same_bits():
    first, second = normalized("inplace"), normalized("pynest")
    assert np.array_equal(first[1].view(np.int64), second[1].view(np.int64))
    for one, other in zip(first[3], second[3], strict=True):
        for name in ("max", "mean", "targets", "zero_norm", "unreachable", "unreachable_max", "at_bound", "above_wmax"):
            assert getattr(one, name) == getattr(other, name)
        assert one.zero_norm == 0


@backends
def test_norms_are_met(backend):
    before, after, wanted, drifts = normalized(backend)
    for i, (more, drift) in enumerate(zip(RULES, drifts, strict=True)):
        if "rate" in more or "tau_ms" in more:
            continue
        for target in range(i * len(SIZES) + 1, (i + 1) * len(SIZES) + 1):
            mine = after[0] == target
            if not mine.any():
                continue
            distance = abs(norm_of(after[3][mine], more["norm"]) / wanted[target] - 1)
            scale = norm_of(before[3][mine], more["norm"]) / wanted[target] if "mode" in more else 1
            assert distance <= 1e-11 * max(1, scale) or drift.unreachable


@backends
@pytest.mark.parametrize("norm", ["l1", "l2", "linf"])
@pytest.mark.parametrize("wrong", [float("nan"), float("inf")])
def test_a_weight_that_is_not_finite_is_named_and_a_large_one_is_not(backend, norm, wrong):
    network()
    distnorm.Normalizer(distnorm.Rule("stdp_synapse", target_norm=1e300, norm=norm), backend=backend).normalize()
    write_weights("stdp_synapse", lambda _, target, weight: wrong if target == 9 else weight)
    with pytest.raises(distnorm.WeightError, match="neuron 9 has an incoming stdp_synapse weight that is not finite"):
        distnorm.Normalizer(distnorm.Rule("stdp_synapse", target_norm=1e300, norm=norm), backend=backend).normalize()


@backends
def test_norms_beyond_every_double_are_refused_in_these_words(backend):
    network()
    for rule in (
        distnorm.Rule("stdp_synapse", targets=[6], target_norm="initial"),
        distnorm.Rule("stdp_synapse", mean_weight=1e308),
    ):
        before = state()
        with pytest.raises(distnorm.WeightError, match=r"norm is larger than the largest double, 1.8e\+308"):
            distnorm.Normalizer(rule, backend=backend).normalize()
        assert np.array_equal(before, state())

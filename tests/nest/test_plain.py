"""A look in one call of the kernel gives the same bits as numpy, and leaves to numpy what is not plain."""

import ctypes

import nest
import numpy as np
import pytest

import distnorm
from distnorm.mpi.message import merge, new_message
from distnorm.norms import drift
from distnorm.norms.histogram import BINS

TARGETS = 40


def connect(weights=None, models=("stdp_synapse",), seed=1):
    """A network whose last neuron has no input; returns its neurons."""
    nest.ResetKernel()
    nest.set(rng_seed=seed, local_num_threads=2)
    neurons = nest.Create("iaf_psc_alpha", TARGETS)
    for model in models:
        weight = nest.random.uniform(0.5, 1.5) if weights is None else weights
        nest.Connect(
            neurons, neurons[:-1], {"rule": "fixed_indegree", "indegree": 7}, {"synapse_model": model, "weight": weight}
        )
    return neurons


def measured_both_ways(*rules):
    """Records and factors of one measurement, in one call of the kernel and in numpy; None if it was not plain."""
    normalizer = distnorm.Normalizer(rules, interval=10.0)
    weights = normalizer._loop.weights
    normalizer.normalize()
    found = nest.GetConnections()
    found.weight = (np.array(found.weight) * np.random.default_rng(2).uniform(0.8, 1.2, len(found))).tolist()
    looks, weights._looks = weights._looks, None
    records, general, error = weights.measure(1.0, 1.0)
    assert error is None
    weights._looks = looks
    plain, plain_records = None, records
    if looks is not None:
        plain_records, plain, error = weights.measure(1.0, 1.0)
        assert error is None
    both = [(records, general), (plain_records, plain)]
    if plain is None or not all(type(each).__name__ == "Plain" for each in plain):
        return None
    return [(each.drifts.tobytes(), [change_of(one) for one in changes]) for each, changes in both]


def change_of(correction):
    change = correction.change
    return None if change is None else (change.kind, change.at.tobytes(), change.units)


NORMS = [{"norm": "l1"}, {"norm": "l2"}, {"norm": "l3"}, {"norm": "l1.5"}]
TOWARDS = [
    {"target_norm": 6.0},
    {"target_norm": 6.0, "only": "above"},
    {"target_norm": 6.0, "only": "below", "tolerance": 0.05},
    {"target_norm": "initial", "tolerance": 0.02},
    {"mean_weight": 0.8},
    {"target_norm": 6.0, "named": True},
    {"target_norm": np.linspace(3.0, 9.0, TARGETS), "named": True},
]


@pytest.mark.parametrize("towards", TOWARDS, ids=str)
@pytest.mark.parametrize("norm", NORMS, ids=lambda norm: str(norm["norm"]))
def test_one_call_gives_the_bits_of_numpy(norm, towards):
    neurons = connect()
    given = dict(towards)
    if given.pop("named", False):
        given["targets"] = neurons
    found = measured_both_ways(distnorm.Rule("stdp_synapse", **norm, **given))
    assert found is not None
    assert found[0] == found[1]


def test_several_rules_in_one_call():
    connect(models=("stdp_synapse", "stdp_synapse_hom"))
    rules = [
        distnorm.Rule("stdp_synapse", target_norm=5.0),
        distnorm.Rule("stdp_synapse_hom", norm="l2", mean_weight=1),
    ]
    found = measured_both_ways(*rules)
    assert found is not None and found[0] == found[1]


def test_neurons_of_norm_zero_that_are_left_alone_are_plain():
    neurons = connect()
    nest.GetConnections(target=neurons[3]).weight = 0.0
    found = measured_both_ways(distnorm.Rule("stdp_synapse", target_norm=5.0, zero="skip"))
    assert found is not None and found[0] == found[1]
    record = np.frombuffer(found[1][0], drift.RECORD)[0]
    assert (record["zero_norm"], record["targets"]) == (1, TARGETS - 2)


@pytest.mark.parametrize(
    ("given", "weights"),
    [
        ({"w_max": 2.0}, None),
        ({"mode": "subtractive"}, None),
        ({"rate": 0.5}, None),
        ({"norm": "linf"}, None),
        ({"norm": "sum"}, None),
        ({"norm": "l2"}, 1e-200),
    ],
    ids=str,
)
def test_what_is_not_plain_is_left_to_numpy(given, weights):
    connect(weights)
    assert measured_both_ways(distnorm.Rule("stdp_synapse", target_norm=1e-199 if weights else 5.0, **given)) is None


def test_weights_that_became_zero_are_left_to_numpy():
    neurons = connect()
    normalizer = distnorm.Normalizer(distnorm.Rule("stdp_synapse", target_norm=7.0, zero="equal"), interval=10.0)
    normalizer.simulate(20.0)
    nest.GetConnections(target=neurons[3]).weight = 0.0
    normalizer.normalize()
    assert np.allclose(nest.GetConnections(target=neurons[3]).weight, 1.0)


def test_neurons_made_later_are_seen():
    connect()
    normalizer = distnorm.Normalizer(distnorm.Rule("stdp_synapse", target_norm="initial", zero="skip"), interval=10.0)
    normalizer.simulate(30.0)
    more = nest.Create("iaf_psc_alpha", 5)
    nest.Connect(more, more, syn_spec={"synapse_model": "stdp_synapse", "weight": 2.0})
    normalizer.simulate(30.0)
    nest.GetConnections(more, more).weight = 3.0
    normalizer.normalize()
    assert np.allclose(nest.GetConnections(more, more).weight, 2.0)


def random_message(rng, rules, histograms):
    message = new_message(rules, histograms)
    message["wrong"], message["busy_ns"], message["slowest"] = rng.integers(0, 3, 3)
    for i, record in enumerate(message["drift"]):
        number = rng.integers(0, 30)
        norm = rng.choice([0.0, 0.5, 1.0, 1.5, 3.0, 2000.0], number) * rng.choice([1.0, 1 + 1e-9], number)
        ids = rng.permutation(np.arange(1, 100))[:number]
        message["drift"][i] = drift.summarize(norm, np.ones(number), np.full(number, 4), ids)
        record["unreachable_max"], record["clipped_off_max"] = rng.random(2)
    for record in message["weights"]:
        record["counts"], record["total3"] = rng.integers(0, 9, BINS + 2), rng.integers(-5, 5)
        record["least"], record["largest"] = -rng.random(), rng.random()
    return message


@pytest.mark.parametrize(("rules", "histograms"), [(0, 0), (1, 0), (3, 2)])
def test_the_kernel_merges_messages_as_numpy_does(rules, histograms):
    connect()
    normalizer = distnorm.Normalizer(distnorm.Rule("stdp_synapse", target_norm=5.0), interval=10.0)
    normalizer.normalize()
    rng = np.random.default_rng(3)
    for _ in range(200):
        into, other = (random_message(rng, rules, histograms) for _ in range(2))
        expected = into.copy()
        merge(expected, other)
        normalizer._loop.kernel.dn_merge_messages(*(ctypes.c_void_p(each.ctypes.data) for each in (into, other)))
        assert into.tobytes() == expected.tobytes()

"""A kernel that sees other connections than PyNEST is refused before it writes, at small and large in-degrees."""

import numpy as np
import pytest
from networks import TARGET_NORM, connections, network, reset

import distnorm
from distnorm.synapses import verify as comparison
from distnorm.synapses.in_place import InPlace

MODELS = ("stdp_synapse", "static_synapse_lbl")  # the second has connections from a device too


def one_too_many(measure, connection):
    def counted(self):
        sums, counts, rest = measure(self)
        return np.array([sums, counts + (counts > 0), rest])

    return counted, connection


def other_sum(measure, connection):
    def added(self):
        sums, counts, rest = measure(self)
        return np.array([sums * (1 + 1e-15), counts, rest])

    return added, connection


def other_weight(measure, connection):
    def read(synapses, status, shift=1e-15):
        connection(synapses, status | {"weight": status["weight"] * (1 + shift)})

    return measure, read


def other_target(measure, connection):
    def read(synapses, status):
        connection(synapses, status | {"target": status["target"] + 1})

    return measure, read


def normalized(**rule):
    distnorm.Normalizer(distnorm.Rule(target_norm=TARGET_NORM, **rule), backend="inplace").normalize()


@pytest.mark.parametrize("indegree", [20, 1100])
@pytest.mark.parametrize("fault", [None, one_too_many, other_sum, other_weight, other_target])
@pytest.mark.parametrize("model", MODELS)
def test_what_differs_is_refused(model, fault, indegree, monkeypatch):
    reset(virtual_processes=2)
    network([model], neurons=10, indegree=indegree)
    before = connections([model])[2]
    if fault:
        measure, compare = fault(InPlace.measure, comparison.compare_one)
        monkeypatch.setattr(InPlace, "measure", measure)
        monkeypatch.setattr(comparison, "compare_one", compare)
    if fault is None or (fault is other_sum and indegree > 1000 and model == "stdp_synapse"):
        return normalized(synapse_model=model)  # of many connections the number and a thousand weights are compared
    with pytest.raises(distnorm.KernelError, match="does not fit this NEST, use backend='pynest'"):
        normalized(synapse_model=model)
    assert np.array_equal(before, connections([model])[2])


@pytest.mark.parametrize("indegree", [20, 1100])
def test_each_model_of_a_rule_is_compared(indegree, monkeypatch):
    reset(virtual_processes=2)
    network(["static_synapse", *MODELS], neurons=10, indegree=indegree)
    seen = []
    compare = comparison.compare_one
    monkeypatch.setattr(
        comparison, "compare_one", lambda synapses, status: seen.append(status) or compare(synapses, status)
    )
    normalized(synapse_model=MODELS)
    numbers = [sum(each["synapse_model"] == model for each in seen) for model in ("static_synapse", *MODELS)]
    assert numbers[0] == 0 and min(numbers[1:]) >= (3 * indegree if indegree == 20 else 1000)


def test_connections_of_other_sources_are_told_apart():
    reset(virtual_processes=2)
    population = network(neurons=10, indegree=1100)
    normalized(synapse_model="stdp_synapse", sources=population[:4])

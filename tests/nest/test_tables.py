"""Each synapse model and variant: its connections read, and set or refused, as PyNEST does."""

import nest
import numpy as np
import pytest
from networks import network, reset

import distnorm
from distnorm.synapses.synapse_models import SYNAPSE_MODELS

VARIANTS = [model.name + variant for model in SYNAPSE_MODELS for variant in ("", "_hpc", "_lbl")]
VARIANTS = [model for model in VARIANTS if not (model.startswith("eprop") and model.endswith("_lbl"))]  # NEST has none
COLUMNS = ("source", "target", "weight", "delay", "receptor", "label", "location")


def built(model):
    if model not in nest.synapse_models:
        pytest.skip(f"this NEST was built without {model}")
    reset(virtual_processes=2)
    network([model], neurons=20, indegree=5)
    nest.Simulate(20.0)


def as_pynest(model):
    """The connections of a model, sorted by thread and port."""
    found = nest.GetConnections(source=nest.GetNodes({"element_type": "neuron"}), synapse_model=model)
    status = found.get()
    order = np.lexsort((status["port"], status["target_thread"]))
    names = {"source": "source", "target": "target", "weight": "weight", "delay": "delay", "receptor": "receptor"}
    columns = {name: np.array(status[key])[order] for name, key in names.items()}
    labels = status.get("synapse_label", [-1] * len(found))
    return [found[int(i)] for i in order], {**columns, "label": np.array(labels)[order]}


def as_read(model):
    table = distnorm.connections(model, columns=COLUMNS)
    return table[np.argsort(table["location"])]


@pytest.mark.parametrize("model", VARIANTS)
def test_every_column_is_pynests(model):
    built(model)
    _, expected = as_pynest(model)
    table = as_read(model)
    for name, values in expected.items():
        assert np.array_equal(table[name], values), name


@pytest.mark.parametrize("model", VARIANTS)
def test_what_pynest_takes_or_refuses(model):
    built(model)
    connections, columns = as_pynest(model)
    i = len(connections) // 2
    before = columns["weight"][i]
    for factor in (0.5, 3.0, 1000.0, 0.0, -1.0, -1000.0):
        wanted = float(before * factor)
        try:
            connections[i].set({"weight": wanted})
            expected = connections[i].get("weight")
        except nest.NESTError:
            expected = None
        if expected is None:  # models write a weight before they refuse it
            _set(model, i, before)
        else:
            connections[i].set({"weight": before})
        assert _set(model, i, wanted) == expected, factor
        assert as_read(model)["weight"][i] == (before if expected is None else expected)
        _set(model, i, before)


def _row(model, i, weight):
    row = as_read(model)[i : i + 1].copy()
    row["weight"] = weight
    return row


def _set(model, i, weight):
    """The weight afterwards; None where it was refused."""
    try:
        distnorm.set_weights(_row(model, i, weight))
    except distnorm.WeightError:
        return None
    return as_read(model)["weight"][i]

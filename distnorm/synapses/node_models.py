"""NEST's node models, by their numbers: which are neurons, devices or parrots, and where their nodes are.

A model is a neuron's if its nodes keep a record of their own activity, which is what NEST's plasticity asks of the
neuron that a synapse ends at: they are ArchivingNodes, StructuralPlasticityNodes or EpropArchivingNodes. NEST's
element_type is no help, as "neuron" is what a model has that says nothing: astrocyte_lr_1994, gif_pop_psc_exp (a
population in one node), spike_train_injector and MUSIC's proxies.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from ..rules.node_ids import Int64Array

_RECORDS = ("synaptic_elements", "learning_signal", "error_signal")  # the last two are of e-prop, its readouts included
_DEVICES = ("stimulator", "recorder")
_NODES_AT_ONCE = 10_000


class NodeModels:
    """What NEST's node models are at present.

    Attributes:
        names: Name of each model, by its number.
        neurons: Numbers of those whose nodes are neurons, ascending.
        parrots: Numbers of those whose nodes repeat spikes whatever the weight, ascending.
        devices: Numbers of those whose nodes NEST has on each virtual process, ascending; MUSIC's proxies among them.
    """

    def __init__(self, nest: Any, names: Iterable[str] | None = None) -> None:
        """Of the models with these names; None for all, which is collective while connections are new."""
        self._nest = nest
        self._defaults = {name: nest.GetDefaults(name) for name in (nest.node_models if names is None else names)}
        self.names = {int(defaults["model_id"]): name for name, defaults in self._defaults.items()}
        self.neurons = self._numbers(_is_neuron)
        self.parrots = self._numbers(lambda defaults: defaults["type_id"] in ("parrot_neuron", "parrot_neuron_ps"))
        self.devices = self._numbers(lambda defaults: defaults["element_type"] in _DEVICES or "port_name" in defaults)

    def _numbers(self, chosen: Any) -> Int64Array:
        numbers = [int(defaults["model_id"]) for defaults in self._defaults.values() if chosen(defaults)]
        return np.array(sorted(numbers), dtype=np.int64)

    def local_neurons(self) -> Int64Array:
        """Node IDs of the neurons on this rank, ascending, through PyNEST; shape (n,)."""
        others = self._numbers(
            lambda defaults: defaults["element_type"] == "neuron" and not _is_neuron(defaults) and _has_nodes(defaults)
        )
        found = self._local({"element_type": "neuron"})
        for number in others.tolist():
            found = np.setdiff1d(found, self._local({"model_id": number}), assume_unique=True)
        return found

    def local_devices(self) -> Int64Array:
        """Node IDs of all devices, through PyNEST; shape (n,). A multimeter is the source of its connections."""
        there = np.intersect1d(self.devices, self._numbers(_has_nodes))
        return np.concatenate(
            [np.zeros(0, np.int64), *(self._local({"model_id": model_id}) for model_id in there.tolist())]
        )

    def _local(self, properties: dict[str, Any]) -> Int64Array:
        return np.array(self._nest.GetNodes(properties, local_only=True).tolist(), dtype=np.int64)


def _is_neuron(defaults: dict[str, Any]) -> bool:
    return any(key in defaults for key in _RECORDS)


def _has_nodes(defaults: dict[str, Any]) -> bool:
    return bool(np.any(defaults["instantiations"]))


def model_of_each(nest: Any, node_ids: Int64Array) -> Int64Array:
    """Number of each node's model through PyNEST, shape of `node_ids`; 16 microseconds per node."""
    found = np.zeros(node_ids.shape, np.int64)
    for first in range(0, len(node_ids), _NODES_AT_ONCE):
        part = slice(first, first + _NODES_AT_ONCE)
        found[part] = nest.NodeCollection(node_ids[part].tolist()).get("model_id")
    return found


def runs_through_pynest(nest: Any) -> Int64Array:
    """Number of a model, first and last node ID of its nodes, for each run of them; shape (n, 3), by node ID.

    NEST tells the model of one node at a time, so this asks for all of the network, some at once.
    """
    size = int(nest.network_size)
    found: list[Int64Array] = []
    for first in range(1, size + 1, _NODES_AT_ONCE):
        ids = np.arange(first, min(first + _NODES_AT_ONCE, size + 1), dtype=np.int64)
        models = model_of_each(nest, ids)
        starts = np.flatnonzero(np.concatenate(([True], models[1:] != models[:-1])))
        ends = np.concatenate((starts[1:], [len(ids)])) - 1
        found.append(np.stack((models[starts], ids[starts], ids[ends]), axis=1))
    return np.concatenate([np.zeros((0, 3), np.int64), *found])


def by_name(names: dict[int, str], runs: Int64Array) -> dict[str, Int64Array]:
    """Runs of node IDs of each model that has nodes, shape (n, 2), by name and in the order of first nodes."""
    in_order = dict.fromkeys(runs[:, 0].tolist())
    return {names[number]: joined(runs[runs[:, 0] == number, 1:]) for number in in_order}


def joined(runs: Int64Array) -> Int64Array:
    """Runs of node IDs, ascending, with those that touch as one."""
    new = np.concatenate(([True], runs[1:, 0] != runs[:-1, 1] + 1))
    starts = np.flatnonzero(new)
    ends = np.concatenate((starts[1:], [len(runs)])) - 1
    return np.stack((runs[starts, 0], runs[ends, 1]), axis=1)

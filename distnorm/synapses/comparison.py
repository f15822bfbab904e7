"""A sample of connections, as the kernel sees them, against what PyNEST says of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import KernelError
from ..node_ids import Int64Array, contains
from ..norms import FloatArray, measure
from .inplace import InPlace
from .limits import Limits, own_limits
from .selection import keys_of, selected

_TARGETS = 3  # and the one with fewest connections
_CONNECTIONS = 1_000  # 53 microseconds and 4 kB each, through PyNEST


def compare(nest: Any, synapses: InPlace) -> None:
    """Compare weights, targets, counts and sums of a sample of each model. Collective.

    Raises:
        KernelError: They differ; nothing has been written.
    """
    for name in synapses.rule.synapse_models:
        only = synapses.of_model(name)
        try:
            _compare_model(nest, only, name)
        finally:
            only.close()


def _compare_model(nest: Any, synapses: InPlace, synapse_model: str) -> None:
    measured = synapses.measure()
    counts = measured[1]
    sample = _sample(counts)
    # GetConnections is collective while connections are new: a rank without any asks too.
    asked = nest.NodeCollection(sorted(synapses.node_ids[sample])) if len(sample) else nest.NodeCollection([1])
    found = nest.GetConnections(target=asked, synapse_model=synapse_model)
    if len(found) == counts[sample].sum() > _CONNECTIONS:
        for status in _statuses(found[:: len(found) // _CONNECTIONS], keys_of(synapses.rule)):
            compare_one(synapses, status)
    elif len(sample):  # few connections, or some that are not this rule's
        _compare_all(nest, synapses, found, sample, measured)


def _compare_all(nest: Any, synapses: InPlace, found: Any, sample: Int64Array, measured: FloatArray) -> None:
    rule, devices = synapses.rule, synapses.device_runs()
    keys = [*keys_of(rule), *own_limits(found)]
    weights_of: dict[int, list[float]] = {}
    for first in range(0, len(found), _CONNECTIONS):
        for status in _statuses(found[first : first + _CONNECTIONS], keys):
            from_device = contains(devices, np.array([status["source"]]))[0]
            if not from_device and _is_of(nest, synapses, status, keys):
                compare_one(synapses, status)
                weights_of.setdefault(status["target"], []).append(status["weight"])
    for i in sample:
        weights = np.array(weights_of.get(int(synapses.node_ids[i]), []))
        total, count, _ = measure(weights, np.zeros(len(weights), np.int64), 1, rule.norm, rule.power)
        same = total[0] == measured[0, i] or not np.isfinite([total[0], measured[0, i]]).any()
        if count[0] != measured[1, i] or not same:
            raise KernelError(
                f"neuron {synapses.node_ids[i]}: the kernel finds {measured[1, i]:g} connections with sum "
                f"{measured[0, i]!r}, PyNEST {count[0]:g} with {total[0]!r}; the kernel does not fit this NEST, "
                "use way='pynest'"
            )


def compare_one(synapses: InPlace, status: dict[str, Any]) -> None:
    """Compare one connection with its status.

    Raises:
        KernelError: They differ.
    """
    weight, target = synapses.connection(status["target_thread"], status["synapse_id"], status["port"])
    if weight != status["weight"] or target != status["target"]:
        raise KernelError(
            f"{status['synapse_model']} connection onto neuron {status['target']}: the kernel reads weight {weight!r} "
            f"of neuron {target}, PyNEST {status['weight']!r}; the kernel does not fit this NEST, use way='pynest'"
        )


def _is_of(nest: Any, synapses: InPlace, status: dict[str, Any], keys: Sequence[str]) -> bool:
    columns = {key: np.array([status[key]]) for key in keys}
    if status["weight"] == 0:
        columns["weight"] = Limits.of(nest, status["synapse_model"], columns).on_side(columns["weight"])
    return bool(status["target"] in synapses.node_ids and selected(synapses.rule, columns)[0])


def _sample(counts: FloatArray) -> Int64Array:
    """The connected target with fewest connections, and others as long as all together have few; shape (n,)."""
    connected = np.flatnonzero(counts)
    if not len(connected):
        return connected
    spread = connected[np.linspace(0, len(connected) - 1, _TARGETS).astype(int)]
    chosen = np.unique([connected[np.argmin(counts[connected])], *spread])
    chosen = chosen[np.argsort(counts[chosen], kind="stable")]
    return chosen[: max(1, int((np.cumsum(counts[chosen]) <= _CONNECTIONS).sum()))]


def _statuses(connections: Any, more: Sequence[str]) -> list[dict[str, Any]]:
    keys = sorted({"source", "target", "target_thread", "synapse_id", "port", "weight", "synapse_model", *more})
    values = connections.get(keys) if len(connections) else {}
    if len(connections) == 1:
        values = {key: [values[key]] if np.ndim(values[key]) == 0 else values[key] for key in keys}
    return (
        [dict(zip(keys, row, strict=True)) for row in zip(*(values[key] for key in keys), strict=True)]
        if values
        else []
    )

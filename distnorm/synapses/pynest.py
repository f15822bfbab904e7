"""The weights through PyNEST, where no compiled kernel serves: same answers, slowly, in bounded memory.

Connections are fetched for a few targets at a time, because PyNEST builds a full status dictionary, about 4 kB, per
connection that it is asked for. `SynapseCollection.set` takes a list of dictionaries under MPI too, where assigning an
array to an attribute raises (NEST issue 3659).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ..node_ids import Int64Array, contains
from ..norms import FloatArray, sums
from ..rule import Rule
from .models import device_ids

_CONNECTIONS_AT_ONCE = 20_000


class ThroughPyNEST:
    """The connections of a rule on this rank. See `Synapses` for the interface."""

    way = "through PyNEST"

    def __init__(self, nest: Any, rule: Rule) -> None:
        self.rule = rule
        self._nest = nest
        self._find_targets()

    def _find_targets(self) -> None:
        local = np.array(self._nest.GetNodes({"element_type": "neuron"}, local_only=True).tolist(), dtype=np.int64)
        runs = self.rule.target_runs
        self.node_ids: Int64Array = np.sort(local if runs is None else local[contains(runs, local)])
        self._devices = device_ids(self._nest)

    def measure(self) -> tuple[FloatArray, Int64Array]:
        self._find_targets()
        power_sums, counts = np.zeros(len(self.node_ids)), np.zeros(len(self.node_ids), np.int64)
        for first, last, _, targets, weights in self._batches():
            power_sums[first:last], counts[first:last] = sums(weights, targets - first, last - first, self.rule.power)
        return power_sums, counts

    def rescale(self, factors: FloatArray) -> None:
        for _, _, connections, targets, weights in self._batches():
            if len(connections):
                connections.set([{"weight": weight} for weight in (weights * factors[targets]).tolist()])

    def close(self) -> None:
        """Nothing is held."""

    def _batches(self) -> Iterator[tuple[int, int, Any, Int64Array, FloatArray]]:
        """First and last + 1 target, connections, and their target numbers and weights; collective at the first."""
        # GetConnections is collective while connections are new: every rank calls it here, with or without targets.
        self._nest.GetConnections(source=self._nest.NodeCollection([1]), synapse_model=self.rule.synapse_models[0])
        first, seen = 0, 0
        while first < len(self.node_ids):
            indegree = max(1.0, seen / first) if first else _CONNECTIONS_AT_ONCE
            last = min(len(self.node_ids), first + max(1, int(_CONNECTIONS_AT_ONCE / indegree)))
            asked = self._nest.NodeCollection(self.node_ids[first:last].tolist())
            for_all_models = [self._fetch(asked, name) for name in self.rule.synapse_models]
            connections = self._nest.SynapseCollection([datum for data, _, _ in for_all_models for datum in data])
            targets = np.searchsorted(self.node_ids, np.concatenate([ids for _, ids, _ in for_all_models]))
            weights = np.concatenate([values for _, _, values in for_all_models])
            seen += len(weights)
            yield first, last, connections, targets, weights
            first = last

    def _fetch(self, asked: Any, synapse_model: str) -> tuple[list[Any], Int64Array, FloatArray]:
        connections = self._nest.GetConnections(target=asked, synapse_model=synapse_model)
        if len(connections) == 0:
            return [], np.zeros(0, np.int64), np.zeros(0)
        status = connections.get(["source", "target", "receptor", "weight"])
        sources, targets = (np.atleast_1d(np.array(status[key], dtype=np.int64)) for key in ("source", "target"))
        weights = np.atleast_1d(np.array(status["weight"], dtype=np.float64))
        mine = ~np.isin(sources, self._devices)
        if self.rule.source_runs is not None:
            mine &= contains(self.rule.source_runs, sources)
        if self.rule.receptor_types:
            mine &= np.isin(np.atleast_1d(status["receptor"]), self.rule.receptor_types)
        data = [datum for datum, keep in zip(connections._datum, mine, strict=True) if keep]
        return data, targets[mine], weights[mine]

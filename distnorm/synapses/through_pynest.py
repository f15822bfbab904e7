"""The weights through PyNEST, where no compiled kernel serves: same answers, slowly, in bounded memory.

Connections are fetched for a few targets at a time, because PyNEST builds a full status dictionary, about 4 kB, per
connection that it is asked for. `SynapseCollection.set` takes a list of dictionaries under MPI too, where assigning an
array to an attribute raises (NEST issue 3659).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import KernelError, RuleError
from ..norms.bounds import Weights
from ..norms.histogram import counted, together
from ..norms.passes import Pass, changed_by, summed_by
from ..norms.sums import FloatArray
from ..rules.node_ids import Int64Array, contains
from ..rules.rule import Rule
from .kernel_interface import PLACE, SAMPLE
from .limits import Limits, own_limits
from .node_models import NodeModels, model_of_each
from .selection import keys_of, selected
from .synapses import Synapses

_CONNECTIONS_AT_ONCE = 20_000
_SAMPLED_TARGETS = 5


class ThroughPyNEST(Synapses):
    """The connections of a rule on this rank. See `Synapses` for the interface."""

    backend = "through PyNEST"

    def __init__(self, nest: Any, rule: Rule) -> None:
        self.rule = rule
        self._nest = nest
        self._own: dict[str, list[str]] = {}  # limits that each connection has for itself, by synapse model
        self._find_targets()

    def _find_targets(self) -> None:
        if not self._nest.keep_source_table:  # GetConnections would end the process
            raise KernelError(
                f"{', '.join(self.rule.synapse_models)}: PyNEST cannot reach weights with nest.keep_source_table = "
                "False; set it to True before the first Simulate, or use the compiled kernel"
            )
        models, runs = NodeModels(self._nest), self.rule.target_runs
        local = models.local_neurons()
        self.node_ids: Int64Array = local if runs is None else local[contains(runs, local)]
        self._devices = models.local_devices()

    def run(self, a_pass: Pass) -> FloatArray:
        """Make one pass; see `Synapses`."""
        if a_pass.at is None:
            self._find_targets()
        result = a_pass.nothing(len(self.node_ids))
        for first, last, connections, weights, limits in self._batches():
            part, number = a_pass.part(first, last), last - first
            if a_pass.kind == "histogram":
                at_limit, of_all = limits.reached(weights.weights), (limits.least, limits.most)
                result = together(result, counted(weights.weights, at_limit, of_all, a_pass.bins))
            elif a_pass.counts:
                new = changed_by(part, self.rule, weights, number)
                of_each = (limits.above(new), limits.below(new), limits.close_to_zero(weights.weights))
                result[:, first:last] = [np.bincount(weights.targets, chosen, number) for chosen in of_each]
            elif a_pass.rows:
                result[:, first:last] = summed_by(part, self.rule, weights, number)
            elif len(connections):
                new = changed_by(part, self.rule, weights, number)
                which = np.flatnonzero(new != weights.weights)
                part_of_them = self._nest.SynapseCollection([connections._datum[i] for i in which])
                if len(which):
                    part_of_them.set([{"weight": weight} for weight in new[which].tolist()])
        return result

    def check_settable(self, counting: Pass) -> None:
        """Refuse a change that brings weights of an e-prop model beyond its optimizer's limits: NEST does not set them.

        Args:
            counting: The change, to be counted.

        Raises:
            RuleError: With the number of weights.
        """
        if any("optimizer" in self._nest.GetDefaults(name) for name in self.rule.synapse_models):
            above, below, _ = self.run(counting).sum(axis=1)
            if above or below:
                models = ", ".join(self.rule.synapse_models)
                raise RuleError(
                    f"{models}: {above + below:,.0f} weights would be normalized beyond Wmin "
                    'or Wmax of their optimizer, which PyNEST refuses to set; give the rule w_min="Wmin", w_max="Wmax"'
                )

    def target_models(self) -> Int64Array:
        """Numbers of the targets' node models; see `Synapses`."""
        return model_of_each(self._nest, self.node_ids)

    def labels(self) -> dict[int, int]:
        """Number of connections by label; see `Synapses`."""
        counts: Counter[int] = Counter()
        for _, _, connections, _, _ in self._batches():
            if len(connections):
                counts.update(np.atleast_1d(connections.get("synapse_label")).tolist())
        return counts

    def sample(self, name: str, turn: int) -> npt.NDArray[np.void]:
        """Some connections of a model; see `Synapses`."""
        stride = len(self.node_ids) // _SAMPLED_TARGETS + 1
        self._sampled = self.node_ids[turn % stride :: stride]
        return self._places(name)

    def weights_now(self, name: str, places: npt.NDArray[np.void]) -> FloatArray:
        """Their weights as they are now; see `Synapses`."""
        now = self._places(name)
        identity = [key for key in PLACE.names or () if key not in ("weight", "least", "most")]
        same = len(now) == len(places) and (now[identity] == places[identity]).all()
        return now["weight"] if same else np.full(len(places), math.nan)

    def _places(self, name: str) -> npt.NDArray[np.void]:
        if not len(self._sampled):
            return np.zeros(0, PLACE)
        asked = self._nest.NodeCollection(self._sampled.tolist())
        found = self._nest.GetConnections(target=asked, synapse_model=name)
        if not len(found):
            return np.zeros(0, PLACE)
        some = found[:: len(found) // SAMPLE + 1]
        keys = {"thread": "target_thread", **{key: key for key in ("synapse_id", "port", "source", "target", "weight")}}
        columns = some.get([*keys.values(), *own_limits(found)])
        status = {key: np.atleast_1d(np.array(column)) for key, column in columns.items()}
        limits = Limits.of(self._nest, name, status)
        places = np.zeros(len(some), PLACE)
        for key, column in keys.items():
            places[key] = status[column]
        places["size"], places["least"], places["most"] = len(found), limits.least, limits.most
        return places

    def close(self) -> None:
        """Nothing is held."""

    def _batches(self) -> Iterator[tuple[int, int, Any, Weights, Limits]]:
        """First and last + 1 target, connections, their weights with targets from 0, their own limits; collective."""
        # GetConnections is collective while connections are new: every rank calls it here, with or without targets.
        self._nest.GetConnections(source=self._nest.NodeCollection([1]), synapse_model=self.rule.synapse_models[0])
        first, seen = 0, 0
        while first < len(self.node_ids):
            indegree = max(1.0, seen / first) if first else _CONNECTIONS_AT_ONCE
            last = min(len(self.node_ids), first + max(1, int(_CONNECTIONS_AT_ONCE / indegree)))
            asked = self._nest.NodeCollection(self.node_ids[first:last].tolist())
            for_all_models = [self._fetch(asked, name) for name in self.rule.synapse_models]
            connections = self._nest.SynapseCollection([datum for data, _ in for_all_models for datum in data])
            ids, weights, least, most = (
                np.concatenate(columns) for columns in zip(*(c for _, c in for_all_models), strict=True)
            )
            targets = np.searchsorted(self.node_ids, ids.astype(np.int64)) - first
            seen += len(weights)
            limits = Limits(least, most)
            yield first, last, connections, self._within_bounds(weights, targets, limits), limits
            first = last

    def _within_bounds(self, weights: FloatArray, targets: Int64Array, limits: Limits) -> Weights:
        low, high = (
            own if math.isnan(bound) else np.full(len(weights), bound)
            for bound, own in zip(self.rule.box, limits.sizes(weights), strict=True)
        )
        return Weights(weights=weights, targets=targets, low=np.minimum(low, high), high=high)

    def _fetch(self, asked: Any, synapse_model: str) -> tuple[list[Any], tuple[npt.NDArray[Any], ...]]:
        """Data of the connections, and their targets, weights and limits."""
        connections = self._nest.GetConnections(target=asked, synapse_model=synapse_model)
        if len(connections) == 0:
            return [], (np.zeros(0),) * 4
        if synapse_model not in self._own:
            self._own[synapse_model] = own_limits(connections)
        keys = [*keys_of(self.rule), *self._own[synapse_model]]
        found = connections.get(keys)
        status = {key: np.atleast_1d(np.array(found[key])) for key in keys}
        limits = Limits.of(self._nest, synapse_model, status)
        status["weight"] = limits.on_side(status["weight"].astype(np.float64))
        mine = ~np.isin(status["source"], self._devices) & selected(self.rule, status)
        data = [datum for datum, keep in zip(connections._datum, mine, strict=True) if keep]
        return data, tuple(values[mine] for values in (status["target"], status["weight"], limits.least, limits.most))

"""A sample of connections: as the kernel sees them against what PyNEST says of them, and whether they keep a weight.

A model may set its weight anew at each presynaptic spike, from something else that it keeps, as NESTML's stdsp_synapse
does from a permanence. A weight that is written can then be read back, and is lost at the next spike. So, of a model
that is not one of NEST's own, some weights are read before and after they are written, and again at the next
measurement.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import KernelError, RuleError
from ..norms.sums import BoolArray, FloatArray, measure
from ..rules.node_ids import Int64Array, contains
from .in_place import InPlace
from .limits import Limits, own_limits
from .selection import keys_of, selected
from .synapse_models import keeps_weights

_TARGETS = 3  # and the one with fewest connections
_CONNECTIONS = 1_000  # 53 microseconds and 4 kB each, through PyNEST
_CHANGED = 0.1  # of a weight, at least, is written to it
_ENOUGH = 20  # weights that went back


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
                "use backend='pynest'"
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
            f"of neuron {target}, PyNEST {status['weight']!r}; the kernel does not fit this NEST, use backend='pynest'"
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


class Kept:
    """Whether the models of one rule keep the weights that are written, as this rank sees it. Nothing is collective."""

    def __init__(self, nest: Any, synapses: Any, edits: Callable[[], int]) -> None:
        """Begin without a sample.

        Args:
            nest: The imported module.
            synapses: The rule's `Synapses`.
            edits: How often connections were set or removed through PyNEST.
        """
        self._synapses = synapses
        self._edits = edits
        self._edits_then = self._turn = 0
        self._back = {name: 0 for name in synapses.rule.synapse_models if not keeps_weights(nest, name)}
        self._places: dict[str, npt.NDArray[np.void]] = {}
        self._samples: dict[str, _Sample] = {}

    def before_writing(self) -> None:
        """Take a sample of each model of which it is not known yet."""
        self._turn += 1
        self._places = {name: self._synapses.sample(name, self._turn) for name in self._back}

    def after_writing(self) -> None:
        """Read it again."""
        for name, places in self._places.items():
            self._samples[name] = _Sample(places, self._synapses.weights_now(name, places))
        self._edits_then = self._edits()

    def check(self) -> None:
        """Read it once more, at a measurement.

        Raises:
            RuleError: A model does not keep its weights.
        """
        if self._edits() != self._edits_then:
            return  # the script may have set them
        for name, sample in list(self._samples.items()):
            back, changed = sample.seen_again(self._synapses.weights_now(name, sample.places))
            if changed:
                del self._back[name], self._samples[name]
                continue
            self._back[name] += back
            if self._back[name] >= _ENOUGH:
                raise RuleError(
                    f"synapse model {name!r} does not keep the weights that are written: of a sample, "
                    f"{self._back[name]} that were normalized went back to exactly what they were before, and none "
                    "changed otherwise; it takes them from another variable, and cannot be normalized"
                )


@dataclass(eq=False)
class _Sample:
    """Connections with their weights before they were written, and as they were last seen, shape (n,)."""

    places: npt.NDArray[np.void]
    written: FloatArray

    def seen_again(self, now: FloatArray) -> tuple[int, bool]:
        """How many went back, and whether one became something else that is no limit: it depends on what was written.

        A weight that was brought beyond its limits tells nothing, as NEST brings it back, nor one that was hardly
        changed, or became zero: plasticity alone may do that.
        """
        before, written = self.places["weight"], self.written
        limits = Limits(self.places["least"], self.places["most"])
        size = np.abs(np.where(before == 0, limits.most, before))
        far = (np.abs(written - before) > _CHANGED * size) & ~limits.above(written) & ~limits.below(written)
        at_limit = (now == 0) | (now == limits.least) | (np.abs(now) == np.abs(limits.most))
        other: BoolArray = (written != before) & (now != written) & ~np.isnan(now)
        self.written = now  # what went back is counted once
        return int((far & (now == before)).sum()), bool((other & (now != before) & ~at_limit).any())

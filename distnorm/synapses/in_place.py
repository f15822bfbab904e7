"""The weights in place, through the compiled kernel (kernel/)."""

from __future__ import annotations

import ctypes
import dataclasses
import functools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import KernelError, RuleError
from ..norms.passes import Pass
from ..norms.sums import FloatArray
from ..rules.node_ids import Int64Array
from ..rules.rule import Rule
from .kernel_interface import KINDS, NORMS, PLACE, SAMPLE, CallFailed, PassStruct, ints, listed
from .kernel_library import model_of, model_runs, node_model_names
from .limits import common_limits
from .node_models import NodeModels
from .selection import needs_sources
from .synapse_models import Deferred, forgotten_sources
from .synapses import Synapses

_UNKNOWN = "the kernel does not know how this model of an extension changes its weights"


class InPlace(Synapses):
    """The connections of a rule on this rank. See `Synapses` for the interface.

    Attributes:
        generic: Those of the rule's synapse models whose type the kernel was not compiled for: NEST's status interface
            serves.
        handle: The kernel's number for them; None when closed.
    """

    kernel: ctypes.CDLL

    def __init__(self, nest: Any, rule: Rule, library: ctypes.CDLL) -> None:
        self.rule = rule
        self._nest = nest
        self.kernel = self._library = library
        ids = {name: int(nest.GetDefaults(name)["synapse_modelid"]) for name in rule.synapse_models}
        self._synapse_ids = np.array(list(ids.values()))
        self.generic = tuple(name for name in ids if not library.dn_bytes_of(ids[name]))
        self.backend = "in place (generic)" if self.generic else "in place"
        self.handle: int | None = None
        self._open()

    def _open(self) -> None:
        self.close()
        rule, none = self.rule, np.zeros((0, 2), np.int64)
        targets = none if rule.target_runs is None else rule.target_runs
        sources = none if rule.source_runs is None else rule.source_runs
        receptors, labels = (np.array(values, np.int64) for values in (rule.receptor_types, rule.labels))
        neurons = NodeModels(self._nest, node_model_names(self._library)).neurons
        lists = (self._synapse_ids, targets, sources, receptors, labels, rule.excluded, neurons)
        arrays = [np.ascontiguousarray(values, np.int64) for values in lists]
        sign = {"positive": 1, "negative": -1, None: 0}[rule.sign]
        handle, number = ctypes.c_void_p(), np.zeros(1, np.int64)
        try:
            self._library.dn_open_group(*map(ints, arrays), sign, rule.of == "outgoing", ctypes.byref(handle), number)
        except CallFailed as failure:
            if failure.code == "FORGOTTEN":
                raise forgotten_sources(rule.synapse_models) from None
            raise KernelError(f"the kernel cannot open the connections: {failure.text}") from None
        self.handle = handle.value
        self.node_ids = np.zeros(number[0], np.int64)
        self._library.dn_list_targets(self.handle, self.node_ids)

    @classmethod
    def run_together(cls, several: Sequence[InPlace], passes: Sequence[Pass]) -> list[FloatArray]:
        """Make a pass for each in one way through memory; results as `Synapses.run`."""
        if not several:
            return []
        first = several[0]
        made = [synapses.prepared(a_pass) for synapses, a_pass in zip(several, passes, strict=True)]
        handles = (ctypes.c_void_p * len(several))(*(synapses.handle for synapses in several))
        structures = (PassStruct * len(several))(*(structure for structure, _ in made))
        try:
            first._library.dn_run_passes(len(several), handles, structures)
        except CallFailed as failure:
            if failure.code == "FORGOTTEN":
                raise forgotten_sources(
                    next(synapses.rule for synapses in several if needs_sources(synapses.rule)).synapse_models
                ) from None
            if failure.code != "STALE":
                raise
            if any(a_pass.at is not None for a_pass in passes):
                raise KernelError("the network changed between measuring and rescaling") from None
            for synapses in several:
                synapses._open()
            return cls.run_together(several, passes)
        return [result for _, result in made]

    def run(self, a_pass: Pass) -> FloatArray:
        """Make one pass; result as `Synapses.run`."""
        return self.run_together([self], [a_pass])[0]

    def prepared(self, a_pass: Pass) -> tuple[PassStruct, FloatArray]:
        """The kernel's form of a pass, which lasts as long as connections are open, and the array that it writes."""
        rule = self.rule
        norm = "linf" if a_pass.largest else rule.norm if rule.norm in NORMS else "lp"
        if a_pass.kind == "moments":
            norm = "l1" if a_pass.sizes else "sum"
        result = a_pass.nothing(len(self.node_ids))
        low, high = self._bounds(rule.box)
        arrays = [None if array is None else np.ascontiguousarray(array) for array in (a_pass.at, a_pass.flat)]
        out = result if a_pass.rows else None
        units = a_pass.units and (a_pass.units.weights, a_pass.units.norms)
        rests = result[len(result) // 2 :] if a_pass.rests else None
        every = (*arrays, low, high, out, rests, *(units or (None, None)))
        pointers = [None if array is None else array.ctypes.data for array in every]
        pointers.append(None if a_pass.columns is None else ctypes.addressof(a_pass.columns))
        # A change is of stored weights, which were brought up to date before.
        current = (a_pass.weights or rule.weights) == "current" and (bool(a_pass.rows) or a_pass.kind == "collect")
        numbers = (KINDS.index(a_pass.kind), NORMS.index(norm), rule.power, int(current), int(rule.shifts))
        edges, per_unit = a_pass.bins.table if a_pass.bins else (None, 0.0)
        structure = PassStruct(*numbers, *pointers, None if edges is None else edges.ctypes.data, per_unit)
        structure.arrays = (*every, a_pass.columns, edges)  # kept alive
        return structure, result

    def _bounds(self, box: tuple[float, float]) -> tuple[FloatArray, FloatArray]:
        """Bounds of |w| per synapse model, each of shape (models,); NaN for those that differ by connection."""
        low, high = (np.full(len(self._synapse_ids), bound) for bound in box)
        if math.isnan(box[1]):
            for i, name in enumerate(self.rule.synapse_models):
                limits, model = common_limits(self._nest, name), model_of(self._nest, self._library, name)
                # With Wmin, what |w| may be depends on the sign of the weight.
                if "Wmin" not in limits and model is not None and "Wmax" not in (model.limits or ""):
                    high[i] = abs(limits.get("Wmax", math.inf))
        return low, high

    @functools.cached_property
    def is_behind(self) -> bool:
        """See `Synapses`."""
        models = [model_of(self._nest, self._library, name) for name in self.rule.synapse_models]
        deferred = [model.deferred if model else "" for model in models]
        return any(deferred) and all(of_one is None or isinstance(of_one, Deferred) for of_one in deferred)

    def check_current(self, *, written: bool) -> None:
        """See `Synapses`."""
        for name in self.rule.synapse_models:
            model = model_of(self._nest, self._library, name)
            reason = model.why_not_current(written=written) if model else _UNKNOWN
            if reason:
                raise RuleError(f'weights is "current", but {name!r} connections have stored weights only: {reason}')

    def target_models(self) -> Int64Array:
        """Numbers of the targets' node models; see `Synapses`."""
        return self.models_of(self.node_ids)

    def models_of(self, node_ids: Int64Array) -> Int64Array:
        """Numbers of the node models of some nodes, shape (n,)."""
        runs = model_runs(self._library)
        models: Int64Array = runs[np.searchsorted(runs[:, 2], node_ids), 0]
        return models

    def device_runs(self) -> Int64Array:
        """Runs of the node IDs of all devices, shape (n, 2)."""
        runs = model_runs(self._library)
        return runs[np.isin(runs[:, 0], NodeModels(self._nest, node_model_names(self._library)).devices), 1:]

    def labels(self) -> dict[int, int]:
        """Number of connections by label; see `Synapses`."""
        return dict(listed(self._library.dn_count_labels, self.handle, columns=2).tolist())

    def measure(self) -> FloatArray:
        """Measure stored weights as `Synapses.run` does."""
        return self.run(Pass(kind="measure", weights="stored"))

    def close(self) -> None:
        if self.handle:
            self._library.dn_close_group(self.handle)
            self.handle = None

    def __del__(self) -> None:
        self.close()

    def sources_are_known(self) -> bool:
        """Whether NEST can tell the sources of connections, without which GetConnections ends the process."""
        return bool(self._library.dn_sources_are_known())

    def check_layout(self, nest: Any) -> None:
        """Compare the size of connections with that compiled, before any is read.

        Raises:
            KernelError: An extension's header has changed since it was compiled.
        """
        for name, synapse_id in zip(self.rule.synapse_models, self._synapse_ids, strict=True):
            compiled, actual = self._library.dn_bytes_of(synapse_id), nest.GetDefaults(name).get("sizeof", 0)
            if compiled and actual and compiled != actual:
                raise KernelError(
                    f"synapse model {name!r} has {actual} bytes per connection, and had {compiled} when compiled; "
                    "run distnorm build --synapse with its present header"
                )

    def check_setting(self) -> None:
        """Set a weight of each model that is reached through NEST's status interface, and put it back.

        Raises:
            RuleError: A synapse model does not keep it.
        """
        for name, synapse_id in zip(self.rule.synapse_models, self._synapse_ids, strict=True):
            try:
                if not self._library.dn_bytes_of(synapse_id):
                    self._library.dn_try_to_set(synapse_id)
            except CallFailed as failure:
                raise RuleError(f"synapse model {name!r} cannot be normalized: {failure.text}") from None

    def connection(self, thread: int, synapse_id: int, port: int) -> tuple[float, int]:
        """Weight and target of one connection, as the kernel reads them."""
        weight, target = np.zeros(1), np.zeros(1, np.int64)
        self._library.dn_read_connection(thread, synapse_id, port, weight, target)
        return float(weight[0]), int(target[0])

    def sample(self, name: str, turn: int) -> npt.NDArray[np.void]:
        """Some connections of a model; see `Synapses`."""
        places, found = np.zeros(SAMPLE, PLACE), np.zeros(1, np.int64)
        synapse_id = self._synapse_ids[self.rule.synapse_models.index(name)]
        self._library.dn_sample(synapse_id, turn, SAMPLE, places, found)
        return places[: found[0]]

    def weights_now(self, name: str, places: npt.NDArray[np.void]) -> FloatArray:
        """Their weights as they are now; see `Synapses`."""
        weights = np.zeros(len(places))
        self._library.dn_weights_now(len(places), places, weights)
        return weights

    def of_model(self, name: str) -> InPlace:
        """The connections of one of the rule's models, by target."""
        rule = dataclasses.replace(self.rule, synapse_model=name)
        return InPlace(self._nest, rule.incoming() if rule.of == "outgoing" else rule, self._library)

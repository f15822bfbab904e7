"""The weights in place, through the compiled kernel (kernel/)."""

from __future__ import annotations

import ctypes
import logging
import math
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import KernelError
from ..node_ids import Int64Array, contains
from ..norms import FloatArray
from ..rule import Rule
from .models import device_ids

log = logging.getLogger(__name__)

_STALE = 2
_CHECKED_TARGETS = 3

_INTS = np.ctypeslib.ndpointer(np.int64, flags="C")
_DOUBLES = np.ctypeslib.ndpointer(np.float64, flags="C")
_SIGNATURES: dict[str, tuple[Any, list[Any]]] = {
    "dn_error": (ctypes.c_char_p, []),
    "dn_knows": (ctypes.c_int, [ctypes.c_int64]),
    "dn_open": (ctypes.c_void_p, [ctypes.c_int64, _INTS] * 4),
    "dn_close": (None, [ctypes.c_void_p]),
    "dn_num_targets": (ctypes.c_int64, [ctypes.c_void_p]),
    "dn_targets": (None, [ctypes.c_void_p, _INTS]),
    "dn_measure": (ctypes.c_int, [ctypes.c_void_p, ctypes.c_int, _DOUBLES, _INTS]),
    "dn_rescale": (ctypes.c_int, [ctypes.c_void_p, _DOUBLES]),
    "dn_agree_on_delays": (ctypes.c_int, []),
    "dn_stream": (ctypes.c_int, [ctypes.c_void_p, ctypes.c_int]),
    "dn_connection": (ctypes.c_int, [ctypes.c_int64, ctypes.c_int64, ctypes.c_int64, _DOUBLES, _INTS]),
}


def load(path: Path) -> ctypes.CDLL:
    """Load a compiled kernel into this process, which has imported nest.

    Raises:
        KernelError: It cannot be loaded.
    """
    try:
        library = ctypes.CDLL(str(path))
    except OSError as error:
        raise KernelError(f"cannot load the kernel {path}: {error}; delete the file to have it made anew") from None
    for name, (result, arguments) in _SIGNATURES.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


class InPlace:
    """The connections of a rule on this rank. See `Synapses` for the interface."""

    way = "in place"

    def __init__(self, nest: Any, rule: Rule, library: ctypes.CDLL) -> None:
        self.rule = rule
        self._library = library
        self._synapse_ids = np.array([nest.GetDefaults(name)["synapse_modelid"] for name in rule.synapse_models])
        self._handle: int | None = None
        self._open()

    @staticmethod
    def serves(nest: Any, rule: Rule, library: ctypes.CDLL) -> bool:
        """Whether the kernel knows the types of all synapse models of the rule; the same on every rank."""
        ids = (nest.GetDefaults(name)["synapse_modelid"] for name in rule.synapse_models)
        return all(library.dn_knows(synapse_id) for synapse_id in ids)

    def _open(self) -> None:
        self.close()
        none = np.zeros((0, 2), np.int64)
        targets = none if self.rule.target_runs is None else self.rule.target_runs
        sources = none if self.rule.source_runs is None else self.rule.source_runs
        receptors = np.array(self.rule.receptor_types, np.int64)
        lists = (self._synapse_ids, targets, sources, receptors)
        self._handle = self._library.dn_open(*(argument for each in lists for argument in (len(each), each)))
        if not self._handle:
            raise KernelError(f"the kernel cannot open the connections: {self._error()}")
        self.node_ids = np.zeros(self._library.dn_num_targets(self._handle), np.int64)
        self._library.dn_targets(self._handle, self.node_ids)

    def measure(self) -> tuple[FloatArray, Int64Array]:
        sums, counts = np.zeros(len(self.node_ids)), np.zeros(len(self.node_ids), np.int64)
        code = self._library.dn_measure(self._handle, self.rule.power, sums, counts)
        if code == _STALE:
            self._open()
            return self.measure()
        self._check(code)
        return sums, counts

    def rescale(self, factors: FloatArray) -> None:
        self._check(self._library.dn_rescale(self._handle, np.ascontiguousarray(factors)))

    def stream(self, write: bool) -> None:
        """Read, or read and write back, the bytes of the connections; a benchmark's yardstick."""
        self._check(self._library.dn_stream(self._handle, int(write)))

    def close(self) -> None:
        if self._handle:
            self._library.dn_close(self._handle)
            self._handle = None

    def __del__(self) -> None:
        self.close()

    def verify(self, nest: Any) -> None:
        """Compare weights, targets and counts of a sample with what PyNEST says. Collective.

        Raises:
            KernelError: They differ; nothing has been written.
        """
        if not nest.keep_source_table:
            log.warning(
                "keep_source_table is off: the kernel is used without comparing a sample of weights with PyNEST"
            )
            return
        devices = device_ids(nest)
        sums, counts = self.measure()
        connected = np.flatnonzero(counts)
        # GetConnections is collective while connections are new: a rank without any asks too.
        sample = connected[np.linspace(0, len(connected) - 1, _CHECKED_TARGETS).astype(int)] if len(connected) else []
        asked = nest.NodeCollection(sorted(set(self.node_ids[sample]))) if len(sample) else nest.NodeCollection([1])
        found: dict[int, list[float]] = {}
        for name in self.rule.synapse_models:
            for status in _statuses(nest.GetConnections(target=asked, synapse_model=name)):
                if status["source"] in devices or not self._is_mine(status):
                    continue
                self._compare(status)
                found.setdefault(status["target"], []).append(_term(status["weight"], self.rule.power))
        for i in sample:
            weights = found.get(int(self.node_ids[i]), [])
            if len(weights) != counts[i] or math.fsum(weights) != sums[i]:
                raise KernelError(
                    f"neuron {self.node_ids[i]}: the kernel finds {counts[i]} connections with sum {sums[i]!r}, PyNEST "
                    f"{len(weights)} with {math.fsum(weights)!r}; the kernel does not fit this NEST, use way='pynest'"
                )

    def agree_on_delays(self) -> None:
        """Have NEST agree anew on the smallest delay of all ranks before it first simulates."""
        self._check(self._library.dn_agree_on_delays())

    def _is_mine(self, status: dict[str, Any]) -> bool:
        runs, receptors = self.rule.source_runs, self.rule.receptor_types
        mine = status["target"] in self.node_ids and (not receptors or status["receptor"] in receptors)
        return mine and (runs is None or bool(contains(runs, np.array([status["source"]]))[0]))

    def _compare(self, status: dict[str, Any]) -> None:
        weight, target = np.zeros(1), np.zeros(1, np.int64)
        self._check(
            self._library.dn_connection(status["target_thread"], status["synapse_id"], status["port"], weight, target)
        )
        if weight[0] != status["weight"] or target[0] != status["target"]:
            raise KernelError(
                f"{status['synapse_model']} connection onto neuron {status['target']}: the kernel reads weight "
                f"{weight[0]!r} of neuron {target[0]}, PyNEST {status['weight']!r}; the kernel does not fit this NEST, "
                "use way='pynest'"
            )

    def _check(self, code: int) -> None:
        if code:
            raise KernelError(f"the kernel failed: {self._error()}")

    def _error(self) -> str:
        text: bytes = self._library.dn_error()
        return text.decode(errors="replace")


def _term(weight: float, power: int) -> float:
    return abs(weight) if power == 1 else weight * weight  # weight**2 may differ in the last bit


def _statuses(connections: Any) -> list[dict[str, Any]]:
    keys = ["source", "target", "target_thread", "synapse_id", "port", "receptor", "weight", "synapse_model"]
    values = connections.get(keys) if len(connections) else {}
    if len(connections) == 1:
        values = {key: [values[key]] if np.ndim(values[key]) == 0 else values[key] for key in keys}
    return (
        [dict(zip(keys, row, strict=True)) for row in zip(*(values[key] for key in keys), strict=True)]
        if values
        else []
    )

"""The compiled kernel's C interface: signatures, structures, and the calls that are about NEST as a whole."""

from __future__ import annotations

import ctypes
import re
from pathlib import Path
from typing import Any

import numpy as np

from ..mpi.ranks import Ranks
from ..rules.node_ids import Int64Array
from .compiling.loading import load_library

_CLASS = re.compile(r"GenericConnectorModel<(?:nest::ConnectionLabel<)?([\w:]+)<")
INTS = np.ctypeslib.ndpointer(np.int64, flags="C")
DOUBLES = np.ctypeslib.ndpointer(np.float64, flags="C")
PLACE = np.dtype(
    [
        *((name, np.int64) for name in ("thread", "synapse_id", "port", "size", "source", "target")),
        *((name, np.float64) for name in ("weight", "least", "most")),
    ]
)
"""A connection of a sample with its weight and limits, as in kernel/survey.h; its `size` tells whether it was moved."""

SAMPLE = 300
"""Connections of a sample, at most: 2 microseconds each in place, 30 through PyNEST."""

_PLACES = np.ctypeslib.ndpointer(PLACE, flags="C")


class PassStruct(ctypes.Structure):
    """Pass of kernel/passes/pass.h."""

    _fields_ = [  # ctypes reads it once
        ("kind", ctypes.c_int64),
        ("norm", ctypes.c_int64),
        ("power", ctypes.c_double),
        ("shifts", ctypes.c_int64),
        *((name, ctypes.c_void_p) for name in ("at", "flat", "low", "high", "out", "weight_unit", "norm_unit")),
    ]


_SIGNATURES: dict[str, tuple[Any, list[Any]]] = {
    "dn_error": (ctypes.c_char_p, []),
    "dn_sources_are_known": (ctypes.c_int, []),
    "dn_has_own_limits": (ctypes.c_int, [ctypes.c_int64]),
    "dn_open": (ctypes.c_void_p, [ctypes.c_int64, INTS] * 7 + [ctypes.c_int64]),
    "dn_class": (ctypes.c_char_p, [ctypes.c_int64]),
    "dn_bytes": (ctypes.c_int64, [ctypes.c_int64]),
    "dn_add": (ctypes.c_int, [ctypes.c_void_p]),
    "dn_try_to_set": (ctypes.c_int, [ctypes.c_int64]),
    "dn_close": (None, [ctypes.c_void_p]),
    "dn_num_targets": (ctypes.c_int64, [ctypes.c_void_p]),
    "dn_targets": (None, [ctypes.c_void_p, INTS]),
    "dn_run": (ctypes.c_int, [ctypes.c_int64, ctypes.POINTER(ctypes.c_void_p), ctypes.POINTER(PassStruct)]),
    "dn_target_models": (ctypes.c_int, [ctypes.c_void_p, INTS]),
    "dn_num_model_runs": (ctypes.c_int64, []),
    "dn_model_runs": (None, [INTS]),
    "dn_labels": (ctypes.c_int64, [ctypes.c_void_p, ctypes.c_int64, INTS, INTS]),
    "dn_sample": (ctypes.c_int, [ctypes.c_int64] * 3 + [_PLACES, INTS]),
    "dn_weights_now": (ctypes.c_int, [ctypes.c_int64, _PLACES, DOUBLES]),
    "dn_agree_on_delays": (ctypes.c_int, []),
    "dn_connection": (ctypes.c_int, [ctypes.c_int64, ctypes.c_int64, ctypes.c_int64, DOUBLES, INTS]),
}


def load(path: Path) -> ctypes.CDLL:
    """Load a compiled kernel into this process, which has imported nest.

    Raises:
        KernelError: As `load_library`.
    """
    library = load_library(path)
    for name, (result, arguments) in _SIGNATURES.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


def class_of(nest: Any, library: ctypes.CDLL, name: str) -> str:
    """Qualified name of the C++ class template of a synapse model's connections, such as nest::stdp_synapse."""
    text: bytes = library.dn_class(nest.GetDefaults(name)["synapse_modelid"])
    found = _CLASS.search(text.decode(errors="replace"))
    return found[1] if found else ""


def agree_on_delays(nest: Any, library: ctypes.CDLL, ranks: Ranks) -> None:
    """Have NEST agree anew on the smallest delay of all ranks where they differ. Collective.

    GetConnections makes NEST forget that ranks must agree on it, if that was before it first simulates. NEST sorts its
    connections again then.
    """
    smallest = ranks.gather(float(nest.min_delay)) or []
    if ranks.from_first(lambda: len(set(smallest)) > 1):
        library.dn_agree_on_delays()
        float(nest.min_delay)  # at this they agree, also between Prepare and Run


def model_runs(library: ctypes.CDLL) -> Int64Array:
    """As `node_models.runs_through_pynest`, by NEST's own table."""
    runs = np.zeros((library.dn_num_model_runs(), 3), np.int64)
    library.dn_model_runs(runs)
    return runs

"""A compiled kernel, loaded, and what it tells of NEST as a whole."""

from __future__ import annotations

import ctypes
import functools
import itertools
import re
from pathlib import Path
from typing import Any

from ..mpi.ranks import Ranks
from ..rules.node_ids import Int64Array
from .compiling.library import build_on
from .compiling.loading import load_library
from .kernel_interface import declare, listed
from .synapse_models import BY_CLASS, SynapseModel

_CLASS = re.compile(r"GenericConnectorModel<(?:nest::ConnectionLabel<)?(?:distnorm::Normalized<)?([\w:]+)[<,]")


class _Loaded:
    """What this process has loaded for good: NEST keeps pointers into the library of its normalized models."""

    normalized: ctypes.CDLL | None = None


loaded = _Loaded()


def load(path: Path, *, exact: bool = False) -> ctypes.CDLL:
    """Load a compiled kernel into this process, which has imported nest.

    Args:
        path: The library.
        exact: Whether it is the one with normalized models.

    Raises:
        KernelError: As `load_library`.
    """
    library = load_library(path)
    declare(library, "kernel", *(["exact"] if exact else []))
    return library


def kernel_of(nest: Any, ranks: Ranks) -> ctypes.CDLL:
    """The kernel, compiled and loaded where it was not yet. Collective.

    Raises:
        KernelError: It cannot be compiled or loaded; the same on every rank.
    """
    if loaded.normalized is not None:  # knows the models that hold norms, too
        return loaded.normalized
    path = build_on(nest, ranks)
    kernel: ctypes.CDLL = ranks.together(lambda: load(path))
    return kernel


@functools.cache
def alone(library: ctypes.CDLL) -> ctypes.PyDLL:
    """The same kernel, for calls at which other Python threads wait, as they do in PyNEST's own Run."""
    same = ctypes.PyDLL(library._name, handle=library._handle)
    declare(same, "kernel")
    return same


def class_of(nest: Any, library: ctypes.CDLL, name: str) -> str:
    """Qualified name of the C++ class template of a synapse model's connections, such as nest::stdp_synapse."""
    text: bytes = library.dn_class_of(nest.GetDefaults(name)["synapse_modelid"])
    found = _CLASS.search(text.decode(errors="replace"))
    return found[1] if found else ""


def model_of(nest: Any, library: ctypes.CDLL, name: str) -> SynapseModel | None:
    """What the kernel knows of a synapse model's connections; None where it was not compiled for them."""
    known = library.dn_bytes_of(nest.GetDefaults(name)["synapse_modelid"])
    return BY_CLASS.get(class_of(nest, library, name)) if known else None


def agree_on_delays(nest: Any, library: ctypes.CDLL, ranks: Ranks) -> None:
    """Have NEST agree anew on the smallest delay of all ranks where they differ. Collective.

    GetConnections makes NEST forget that ranks must agree on it, if that was before it first simulates. NEST sorts its
    connections again then.
    """
    smallest = ranks.gather(float(nest.min_delay)) or []
    if ranks.from_first(lambda: len(set(smallest)) > 1):
        library.dn_agree_on_delays()
        float(nest.min_delay)  # at this they agree, also between Prepare and Run


def node_model_names(library: ctypes.CDLL) -> list[str]:
    """Names of all node models. Unlike nest.node_models it is never collective."""
    names = map(library.dn_node_model_name, itertools.count())
    return [name.decode() for name in itertools.takewhile(lambda name: name is not None, names)]


def model_runs(library: ctypes.CDLL) -> Int64Array:
    """As `node_models.runs_through_pynest`, by NEST's own table."""
    return listed(library.dn_list_model_runs, columns=3)

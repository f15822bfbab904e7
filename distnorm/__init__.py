"""distnorm keeps the norm of each neuron's incoming weights while NEST simulates, on any number of ranks."""

import importlib
from typing import TYPE_CHECKING, Any

from . import views as views  # the first: it notes what was imported before
from .adaptive import AdaptiveInterval
from .drift import Drift
from .errors import CallbackError, CheckpointError, DistnormError, KernelError, MPIError, RuleError, WeightError
from .exact import Exact
from .interval import FixedInterval, Interval
from .look import Look
from .rule import Rule

if TYPE_CHECKING:
    from .checkpoint.table import checkpoint_table
    from .history import plot, to_pandas
    from .normalizer import Normalizer
    from .survey import inspect
    from .synapses import install_models

__version__ = "0.1.0"

_LATER = {
    "Normalizer": "normalizer",
    "checkpoint_table": "checkpoint.table",
    "inspect": "survey",
    "install_models": "synapses",
    "plot": "history",
    "to_pandas": "history",
}

__all__ = [
    "AdaptiveInterval",
    "CallbackError",
    "CheckpointError",
    "DistnormError",
    "Drift",
    "Exact",
    "FixedInterval",
    "Interval",
    "KernelError",
    "Look",
    "MPIError",
    "Normalizer",
    "Rule",
    "RuleError",
    "WeightError",
    "checkpoint_table",
    "inspect",
    "install_models",
    "plot",
    "to_pandas",
]


def __getattr__(name: str) -> Any:
    """Import NEST with the names that need it, not before."""
    if name in _LATER:
        return getattr(importlib.import_module(f".{_LATER[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

"""distnorm keeps the norm of each neuron's incoming weights while NEST simulates, on any number of ranks."""

import importlib
from typing import TYPE_CHECKING, Any

from .errors import CallbackError, CheckpointError, DistnormError, KernelError, MPIError, RuleError, WeightError
from .files import views as _views  # noqa: F401 # before what imports others: it notes what there was
from .intervals.adaptive import AdaptiveInterval
from .intervals.controller import FixedInterval, Interval
from .intervals.exact import ExactInterval
from .normalizer.measurement import Measurement
from .norms.drift import Drift
from .norms.histogram import WeightHistogram
from .rules.rule import Rule

if TYPE_CHECKING:
    from .attach.survey import inspect
    from .connections.current import bring_up_to_date, current_weights
    from .normalizer.normalizer import Normalizer
    from .records.history import plot, to_pandas
    from .runs.checkpoint.table import checkpoint_table
    from .synapses.normalized import install_models

__version__ = "0.1.0"

_LATER = {
    "Normalizer": "normalizer.normalizer",
    "bring_up_to_date": "connections.current",
    "checkpoint_table": "runs.checkpoint.table",
    "current_weights": "connections.current",
    "inspect": "attach.survey",
    "install_models": "synapses.normalized",
    "plot": "records.history",
    "to_pandas": "records.history",
}

__all__ = [
    "AdaptiveInterval",
    "CallbackError",
    "CheckpointError",
    "DistnormError",
    "Drift",
    "ExactInterval",
    "FixedInterval",
    "Interval",
    "KernelError",
    "MPIError",
    "Measurement",
    "Normalizer",
    "Rule",
    "RuleError",
    "WeightError",
    "WeightHistogram",
    "bring_up_to_date",
    "checkpoint_table",
    "current_weights",
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

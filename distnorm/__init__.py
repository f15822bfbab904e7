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
    from .normalizer.normalizer import Normalizer
    from .records.history import plot, to_pandas
    from .runs.checkpoint.table import checkpoint_table
    from .synapses.normalized import install_models
    from .tables.current import bring_up_to_date, current_weights
    from .tables.moments import moments
    from .tables.recorder import WeightRecorder
    from .tables.saved import load_connections, save_connections
    from .tables.setting import set_weights
    from .tables.table import connections
    from .tables.weight_histogram import weight_histogram

__version__ = "0.1.0"

_LATER = {
    "Normalizer": "normalizer.normalizer",
    "WeightRecorder": "tables.recorder",
    "bring_up_to_date": "tables.current",
    "checkpoint_table": "runs.checkpoint.table",
    "connections": "tables.table",
    "current_weights": "tables.current",
    "inspect": "attach.survey",
    "install_models": "synapses.normalized",
    "load_connections": "tables.saved",
    "moments": "tables.moments",
    "plot": "records.history",
    "save_connections": "tables.saved",
    "set_weights": "tables.setting",
    "to_pandas": "records.history",
    "weight_histogram": "tables.weight_histogram",
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
    "WeightRecorder",
    "bring_up_to_date",
    "checkpoint_table",
    "connections",
    "current_weights",
    "inspect",
    "install_models",
    "load_connections",
    "moments",
    "plot",
    "save_connections",
    "set_weights",
    "to_pandas",
    "weight_histogram",
]


def __getattr__(name: str) -> Any:
    """Import NEST with the names that need it, not before."""
    if name in _LATER:
        return getattr(importlib.import_module(f".{_LATER[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

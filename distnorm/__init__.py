"""distnorm keeps the norm of each neuron's incoming weights while NEST simulates, on any number of ranks."""

from typing import TYPE_CHECKING, Any

from .adaptive import AdaptiveInterval
from .drift import Drift
from .errors import CallbackError, CheckpointError, DistnormError, KernelError, MPIError, RuleError, WeightError
from .interval import FixedInterval, Interval
from .rule import Rule

if TYPE_CHECKING:
    from .checkpoint.table import checkpoint_table
    from .normalizer import Look, Normalizer

__version__ = "0.1.0"

__all__ = [
    "AdaptiveInterval",
    "CallbackError",
    "CheckpointError",
    "DistnormError",
    "Drift",
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
]


def __getattr__(name: str) -> Any:
    """Import NEST, and what few need, with the names that need it, not before."""
    if name in ("Look", "Normalizer"):
        from . import normalizer

        return getattr(normalizer, name)
    if name == "checkpoint_table":
        from .checkpoint import table

        return table.checkpoint_table
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

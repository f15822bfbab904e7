"""distnorm keeps the norm of each neuron's incoming weights while NEST simulates, on any number of ranks."""

from typing import TYPE_CHECKING, Any

from .drift import Drift
from .errors import CallbackError, DistnormError, KernelError, MPIError, RuleError, WeightError
from .interval import FixedInterval, Interval
from .rule import Rule

if TYPE_CHECKING:
    from .normalizer import Normalization, Normalizer

__all__ = [
    "CallbackError",
    "DistnormError",
    "Drift",
    "FixedInterval",
    "Interval",
    "KernelError",
    "MPIError",
    "Normalization",
    "Normalizer",
    "Rule",
    "RuleError",
    "WeightError",
]


def __getattr__(name: str) -> Any:
    """Import NEST with the names that need it, not before."""
    if name in ("Normalization", "Normalizer"):
        from . import normalizer

        return getattr(normalizer, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

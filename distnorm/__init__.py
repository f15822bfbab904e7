"""distnorm keeps the norm of each neuron's incoming weights while NEST simulates, on any number of ranks."""

from .drift import Drift
from .errors import CallbackError, DistnormError, KernelError, MPIError, RuleError, WeightError
from .interval import FixedInterval, Interval
from .normalizer import Normalization, Normalizer
from .rule import Rule

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

"""Everything distnorm raises on purpose. A message says what happened, the value, and what to do."""

from __future__ import annotations


class DistnormError(Exception):
    """Base of all errors of distnorm."""


class RuleError(DistnormError, ValueError):
    """A rule, an interval or another argument that makes no sense, or does not fit the network."""


class WeightError(DistnormError):
    """A weight that cannot be normalized: not a number, or infinite."""


class KernelError(DistnormError):
    """The compiled kernel cannot be made, loaded or trusted."""


class MPIError(DistnormError):
    """NEST, mpi4py and the way the processes were started do not fit together."""


class CallbackError(DistnormError):
    """A function given by the user raised an exception."""


# Order matters: an error travels between ranks as its position in this list.
KINDS: tuple[type[DistnormError], ...] = (DistnormError, RuleError, WeightError, KernelError, MPIError, CallbackError)

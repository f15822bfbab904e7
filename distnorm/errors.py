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


class CheckpointError(DistnormError):
    """A checkpoint that cannot be written, or is not what was written."""


class Interruption(DistnormError):
    """Simulating was left between two slices, on purpose; it can go on."""


class CheckpointDue(Interruption):
    """It is time for a checkpoint."""


class StopRequest(Interruption):
    """The run is to stop."""


class AllocationEnds(Interruption):
    """The run is to stop and to be started again: its time on the machine is nearly up."""


# Order matters: an error travels between ranks as its position in this list.
KINDS: tuple[type[BaseException], ...] = (
    *(DistnormError, RuleError, WeightError, KernelError, MPIError, CallbackError),
    *(CheckpointError, Interruption, CheckpointDue, StopRequest, AllocationEnds, KeyboardInterrupt),
)

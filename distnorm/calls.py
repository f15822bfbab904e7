"""NEST's low-level calls, through which every simulation goes: to simulate with looks in between, and to have the
model's own calls do so.

`nest.Simulate` and names from `from nest import *` look up `llapi_simulate` and its like when they are called, so
replacing these slices a model that knows nothing of it. Each replacement uses what was there before: they nest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

Run = Callable[[float], None]


class Slicer(Protocol):
    """Something that looks at the network now and then."""

    def begin(self) -> None:
        """The network stands, and will be prepared next. Collective."""
        ...

    def advance(self, time_ms: float, run: Run) -> None:
        """Call `run` for pieces that add up to `time_ms`, and look in between. Collective."""
        ...


@dataclass(frozen=True, kw_only=True)
class Calls:
    """What a simulation consists of."""

    prepare: Callable[[], None]
    run: Run
    cleanup: Callable[[], None]

    @classmethod
    def now(cls, api: Any) -> Calls:
        """Those that are in `nest.nestkernel_api` at present."""
        return cls(prepare=api.llapi_prepare, run=api.llapi_run, cleanup=api.llapi_cleanup)

    def simulate(self, slicer: Slicer, time_ms: float) -> None:
        """What nest.Simulate does, in slices. Collective.

        The network is prepared once: preparing it for each slice would overwrite the files of recorders, and changes
        the last bits of what some generators put out.
        """
        slicer.begin()
        self.prepare()
        try:
            slicer.advance(time_ms, self.run)
        finally:
            self.cleanup()


@contextmanager
def replaced(api: Any, slicer: Slicer) -> Iterator[None]:
    """While this lasts, each simulation of the model itself is sliced.

    Args:
        api: The module `nest.nestkernel_api`.
        slicer: What slices.
    """
    before = Calls.now(api)
    counter = _SpikeCounter(api.llapi_get_kernel_status)

    def prepare() -> None:
        slicer.begin()
        before.prepare()

    def run(time_ms: float) -> None:
        counter.forget()
        slicer.advance(time_ms, piece)

    def piece(time_ms: float) -> None:
        before.run(time_ms)
        counter.add()

    calls = Calls(prepare=before.prepare, run=piece, cleanup=before.cleanup)

    def simulate(time_ms: float) -> None:
        counter.forget()
        calls.simulate(slicer, time_ms)

    ours = {
        "llapi_prepare": prepare,
        "llapi_run": run,
        "llapi_simulate": simulate,
        "llapi_get_kernel_status": counter.status,
    }
    theirs = {name: getattr(api, name) for name in ours}
    vars(api).update(ours)
    try:
        yield
    finally:
        vars(api).update(theirs)


@contextmanager
def watched(api: Any, action: Callable[[], None]) -> Iterator[None]:
    """While this lasts, an action follows each call of the model that may change the synapse models that NEST has:
    ResetKernel, CopyModel, and a kernel status, which may be the number of threads.

    Args:
        api: The module `nest.nestkernel_api`.
        action: What follows, on each rank.
    """

    def followed(call: Callable[..., Any]) -> Callable[..., Any]:
        def then_act(*arguments: Any) -> Any:
            try:
                return call(*arguments)
            finally:
                action()

        return then_act

    names = ("llapi_reset_kernel", "llapi_copy_model", "llapi_set_kernel_status")
    theirs = {name: getattr(api, name) for name in names}
    vars(api).update({name: followed(call) for name, call in theirs.items()})
    try:
        yield
    finally:
        vars(api).update(theirs)


class _SpikeCounter:
    """NEST counts the spikes of its last Run; a model asks for those of its own last call."""

    def __init__(self, status: Callable[[], dict[str, Any]]) -> None:
        self._status = status
        self.forget()

    def forget(self) -> None:
        self._earlier = self._total = 0
        self._time_ms = -1.0

    def add(self) -> None:
        """A piece was run."""
        status = self._status()
        self._earlier = self._total
        self._total += status["local_spike_counter"]
        self._time_ms = status["biological_time"]

    def status(self) -> dict[str, Any]:
        """The kernel's status, with the spikes of all pieces if nothing was simulated or reset since."""
        status = self._status()
        if status["biological_time"] == self._time_ms:
            status["local_spike_counter"] += self._earlier
        return status

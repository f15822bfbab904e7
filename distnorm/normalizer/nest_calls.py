"""NEST's low-level calls, through which every simulation goes: replaced, to measure in between, and to see what the
model does that a Normalizer must know.

`nest.Simulate` and names from `from nest import *` look up `llapi_simulate` and its like when they are called, so
replacing these reaches a model that knows nothing of it. They are replaced once in a process, when the first Normalizer
is made, and do what they did before unless there are drivers or watchers.
"""

from __future__ import annotations

import ctypes
import functools
import importlib
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from ..errors import RuleError
from ..mpi.ranks import Ranks
from .arguments import is_time, whole_steps
from .one_run import DrivenRun, Driver, Grid, OneRun, Run, SeveralRuns

T = TypeVar("T")

_EDITS = ("llapi_set_connection_status", "llapi_disconnect", "llapi_disconnect_syncoll")
_UNITS = {"resolution", "tics_per_ms", "tics_per_step"}


class NestCalls:
    """What is in `nest.nestkernel_api`, with drivers and watchers put in. Made by `calls_of`.

    Attributes:
        drivers: What simulates; where several are at the same time, the first one measures first.
        watchers: What follows each call that may change the synapse models that NEST has: ResetKernel, CopyModel, and a
            kernel status, which may be the number of threads.
        resets: Number of calls of nest.ResetKernel.
        ended_ms: Simulated time at each of them, in ms.
        set_backs: How often the script has set NEST's clock back to 0 after it had simulated.
        edits: How often connections were set or removed through PyNEST.
        steps: Time steps that were simulated since ResetKernel; setting NEST's clock does not change it.
        holders: Which Normalizer has a normalized model hold its norms, by the name of the model.
    """

    def __init__(self, nest: Any, ranks: Ranks) -> None:
        api = importlib.import_module("nest.nestkernel_api")
        self._nest = nest
        self._ranks = ranks
        self.drivers: list[Driver] = []
        self.watchers: list[Callable[[], None]] = []
        self.holders: dict[str, object] = {}
        self.resets = self.set_backs = self.edits = 0
        self.ended_ms: list[float] = []
        self._nest_failed = False
        self._begun: list[Driver] = []
        self._grid: Grid | None = None
        ours = {
            "llapi_prepare": self._prepare,
            "llapi_run": self._run,
            "llapi_cleanup": self._cleanup,
            "llapi_simulate": self._simulate,
            "llapi_reset_kernel": self._reset,
            "llapi_copy_model": self._copy_model,
            "llapi_set_kernel_status": self._set_status,
            **{name: functools.partial(self._edit, name) for name in _EDITS},
        }
        self._theirs = {name: getattr(api, name) for name in ours}
        self._clock_was_read = False
        self._read_clock()
        vars(api).update(ours)

    @contextmanager
    def driven(self, driver: Driver) -> Iterator[None]:
        """While this lasts, a driver simulates whenever the model does."""
        with added(driver, self.drivers), self._ranks.listening():
            yield

    def _read_clock(self) -> None:
        """Ask NEST for its clock, unless nothing can have changed it since."""
        if self._clock_was_read:
            return
        self._last_steps = math.nan, 0
        status = self._nest.kernel_status
        self._resolution_ms = float(status["resolution"])
        self._tics_per_step, self._tics_per_ms = int(status["tics_per_step"]), float(status["tics_per_ms"])
        self.steps = self._since_set = round(status["biological_time"] / self._resolution_ms)
        self._prepared = bool(status["prepared"])
        self._clock_was_read = True

    @property
    def resolution_ms(self) -> float:
        """Time step of the network that stands, in ms."""
        self._read_clock()
        return self._resolution_ms

    @property
    def time_ms(self) -> float:
        """Simulated time in ms since ResetKernel, whatever NEST's clock was set to."""
        self._read_clock()
        return float(self.steps * self._tics_per_step / self._tics_per_ms)

    def whole_steps(self, time_ms: Any) -> int:
        """A time in ms as steps of the resolution."""
        self._read_clock()
        return whole_steps(time_ms, "time to simulate", self._resolution_ms, 1 / self._tics_per_ms)

    def _begin(self) -> None:
        for driver in self.drivers:  # more may come while they begin
            if driver not in self._begun:
                driver.begin()

    def _prepare(self) -> None:
        self._begin()
        self._begun = list(self.drivers)
        if self.drivers and self._kernel is None:
            # Now: reading a kernel status between Prepare and Run ends NEST 3.10 where smallest delays differ.
            self._grid = self._read_grid()
        self._theirs["llapi_prepare"]()
        self._prepared = True

    def _cleanup(self) -> None:
        self._theirs["llapi_cleanup"]()
        self._prepared = False
        self._begun = []  # also where nothing was simulated

    def _simulate(self, time_ms: float) -> None:
        if not self.drivers or not is_time(time_ms):  # which NEST refuses before it prepares anything
            self._counted("llapi_simulate", time_ms, self._steps_of(time_ms))
            return
        with self._ranks.interruptible():
            idle = self._idle_steps(time_ms)
            self._theirs["llapi_prepare"]() if idle else self._prepare()
            try:
                self._pass_by(time_ms, idle) if idle else self._drive(time_ms)
            finally:
                if not self._nest_failed:  # NEST does not clean up after an error of its own
                    self._cleanup()

    def _run(self, time_ms: float) -> None:
        if self.drivers:
            with self._ranks.interruptible():
                idle = self._idle_steps(time_ms) if self._prepared else 0
                self._pass_by(time_ms, idle) if idle else self._drive(time_ms)
        else:
            self._counted("llapi_run", time_ms, self._steps_of(time_ms))

    def _idle_steps(self, time_ms: Any) -> int:
        """So many steps as NEST may simulate alone: none, or all, as in most Runs of a script with short ones."""
        if len(self.drivers) != 1 or self._begun:
            return 0
        steps = self._steps_of(time_ms)
        return steps if steps and self.drivers[0].is_idle(steps) else 0

    def _pass_by(self, time_ms: float, steps: int) -> None:
        self.drivers[0].pass_by(steps, lambda: self._counted("llapi_run", time_ms, steps))

    def _drive(self, time_ms: float) -> None:
        self._nest_failed = False
        steps = self._steps_of(time_ms)
        if not self._prepared or steps == 0:
            self._counted("llapi_run", time_ms, steps)
            return
        self._begin()
        self._begun = []
        run = self._opened(time_ms, steps)
        parts: Run = run
        for driver in self.drivers[:-1]:
            parts = DrivenRun(parts, driver)
        try:
            self.drivers[-1].advance(parts)
        finally:
            self._nest_failed = run.failed
            if not run.failed:
                run.close()

    def _steps_of(self, time_ms: Any) -> int:
        """As `whole_steps`; 0 for what NEST will refuse."""
        as_before = isinstance(time_ms, int | float) and time_ms == self._last_steps[0]  # as it mostly is
        if not (as_before and self._clock_was_read):
            try:
                steps = self.whole_steps(math.ldexp(time_ms, 0))  # text raises here, as in NEST
            except (RuleError, TypeError, OverflowError):
                return 0
            self._last_steps = float(time_ms), steps
        return self._last_steps[1]

    def _counted(self, name: str, time_ms: float, steps: int) -> None:
        self._nest_failed = True
        self._theirs[name](time_ms)
        self._nest_failed = False
        self._passed(steps)

    def _passed(self, steps: int) -> None:
        self.steps += steps
        self._since_set += steps

    def _opened(self, time_ms: float, steps: int) -> OneRun | SeveralRuns:
        run = self._theirs["llapi_run"]
        if self._kernel is not None:
            return OneRun(self._nest, self._kernel, lambda: run(time_ms), steps, self._passed)
        grid, self._grid = self._grid or self._read_grid(), None
        return SeveralRuns(lambda part: run(part * self.resolution_ms), steps, grid, self._passed)

    @property
    def _kernel(self) -> ctypes.CDLL | None:
        return next((driver.kernel for driver in self.drivers if driver.kernel is not None), None)

    def _read_grid(self) -> Grid:
        status = self._nest.kernel_status
        span = max(round(status["min_delay"] / self.resolution_ms), 1)
        return Grid(span=span, phase=round(status["biological_time"] / self.resolution_ms) % span)

    def _reset(self) -> None:
        self.resets += 1
        self.ended_ms.append(self.time_ms if self._clock_was_read else 0.0)
        self.holders.clear()
        self._begun = []
        self._clock_was_read = False
        self._watched("llapi_reset_kernel")

    def _copy_model(self, *arguments: Any) -> None:
        self._watched("llapi_copy_model", *arguments)

    def _set_status(self, parameters: Any) -> None:
        self._watched("llapi_set_kernel_status", parameters)
        if _UNITS.intersection(parameters):
            self._clock_was_read = False
        if "biological_time" in parameters and self._since_set:
            self.set_backs += 1
            self._since_set = 0

    def _edit(self, name: str, *arguments: Any) -> None:
        self.edits += 1
        self._theirs[name](*arguments)

    def _watched(self, name: str, *arguments: Any) -> None:
        try:
            self._theirs[name](*arguments)
        finally:
            for act in tuple(self.watchers):
                act()


@functools.cache
def calls_of(nest: Any, ranks: Ranks) -> NestCalls:
    """The calls of this process's NEST, replaced when first asked for. Collective then."""
    return NestCalls(nest, ranks)


@contextmanager
def added(item: T, to: list[T]) -> Iterator[None]:
    """While this lasts, something is in a list, such as an action that watches the models that NEST has."""
    to.append(item)
    try:
        yield
    finally:
        to.remove(item)

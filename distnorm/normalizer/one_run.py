"""One Run of NEST in pieces, where it may be cut, and who drives it.

A model's one Run stays one Run to NEST: the compiled kernel leaves it between two slices and enters it again
(kernel/one_run.h). Where only PyNEST serves, each piece is a Run of its own. NEST then draws from the random numbers
that ranks and threads share at each of them, so a network with a mip_generator, structural plasticity, or connections
made later is another one; its recording backends open and close an exchange each time; and it counts the spikes of the
last piece alone.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Protocol

from ..rules.rule import Rule
from ..synapses.kernel_interface import CallFailed
from ..synapses.kernel_library import alone


@dataclass(frozen=True, kw_only=True)
class Grid:
    """Where NEST may be stopped: after whole spans of min_delay since time 0.

    A stop elsewhere changes the order in which sources of randomness draw their numbers, and so the spikes, wherever a
    thread has two such sources.

    Attributes:
        span: min_delay in time steps.
        phase: Time steps since the last such stop.
    """

    span: int
    phase: int

    def up(self, steps: int) -> int:
        """The same number of time steps, or the next larger, that ends at a stop."""
        return -(-(self.phase + steps) // self.span) * self.span - self.phase

    def after(self, steps: int) -> Grid:
        """The grid as seen from some time steps later."""
        return replace(self, phase=(self.phase + steps) % self.span)


class Run(Protocol):
    """A Run of NEST, or a part of one.

    Attributes:
        left: Time steps that are still to be simulated.
        grid: Where it may be cut, as seen from now.
    """

    @property
    def left(self) -> int: ...

    @property
    def grid(self) -> Grid: ...

    def go(self, steps: int) -> None:
        """Simulate so many of the steps that are left: all of them, or up to a stop of the grid. Collective."""
        ...


class OneRun:
    """A Run of NEST that is left and entered again, by the compiled kernel.

    Args:
        nest: The imported module.
        kernel: The compiled kernel.
        run: What starts the Run, all of it.
        steps: Its length in time steps.
        passed: Called with the number of time steps of each piece.

    Attributes:
        failed: Whether NEST raised an error.
    """

    def __init__(
        self, nest: Any, kernel: ctypes.CDLL, run: Callable[[], None], steps: int, passed: Callable[[int], None]
    ) -> None:
        self._nest = nest
        self._kernel = alone(kernel)
        self._enter = run
        self._passed = passed
        self._is_left = False
        self.failed = False
        self.left = steps

    @property
    def grid(self) -> Grid:
        return Grid(span=self._kernel.dn_steps_of_slice(), phase=self._kernel.dn_steps_since_slice())

    def go(self, steps: int) -> None:
        self._is_left, self.failed = False, True
        if steps >= self.left:
            self._enter()
        else:
            self._go_a_piece(steps)
        self.failed = False
        self._enter = self._go_on
        self.left -= steps
        self._passed(steps)

    def _go_a_piece(self, steps: int) -> None:
        self._kernel.dn_begin_piece(steps)
        error: Exception | None = None
        try:
            self._enter()
        except Exception as raised:  # by NEST, as that is how it leaves a Run
            error = raised
        finally:
            self._is_left = bool(self._kernel.dn_end_piece())
        if error is not None and not self._is_left:
            raise error

    def _go_on(self) -> None:
        self._call(self._kernel.dn_go_on)

    def close(self) -> None:
        """End the Run where it is, if it was left. Collective."""
        if self._is_left:
            self._is_left = False
            self._call(self._kernel.dn_give_up)

    def _call(self, call: Callable[[], None]) -> None:
        """Raise what PyNEST would."""
        try:
            call()
        except CallFailed as failure:
            kind = getattr(self._nest.NESTErrors, failure.kind, RuntimeError)
            raise kind(failure.text) from None


class SeveralRuns:
    """A Run of NEST for each piece, through PyNEST.

    Args:
        run: NEST's Run, of so many time steps.
        steps: Length of all in time steps.
        grid: Where NEST may be stopped, as seen from now.
        passed: Called with the number of time steps of each piece.

    Attributes:
        failed: Whether NEST raised an error.
    """

    def __init__(self, run: Callable[[int], None], steps: int, grid: Grid, passed: Callable[[int], None]) -> None:
        self._run = run
        self._passed = passed
        self.failed = False
        self.left = steps
        self.grid = grid

    def go(self, steps: int) -> None:
        self.failed = True
        self._run(steps)
        self.failed = False
        self._passed(steps)
        self.left -= steps
        self.grid = self.grid.after(steps)

    def close(self) -> None:
        """Nothing is open."""


class Part:
    """Some steps of a Run, for a driver inside of another."""

    def __init__(self, run: Run, steps: int) -> None:
        self._run = run
        self.left = steps

    @property
    def grid(self) -> Grid:
        return self._run.grid

    def go(self, steps: int) -> None:
        self._run.go(steps)
        self.left -= steps


class Driver(Protocol):
    """What simulates in the place of NEST: it lets NEST advance, and measures in between.

    Attributes:
        kernel: The compiled kernel; None where only PyNEST serves.
        changes: Rules whose weights it changes.
    """

    @property
    def kernel(self) -> ctypes.CDLL | None: ...

    @property
    def changes(self) -> tuple[Rule, ...]: ...

    def begin(self) -> None:
        """The network stands, and will be prepared next. Collective."""
        ...

    def advance(self, run: Run) -> None:
        """Simulate what is left of a Run, and measure in between. Collective."""
        ...

    def is_idle(self, steps: int) -> bool:
        """Whether it has nothing to do in the next time steps, nor before and after them. Collective."""
        ...

    def pass_by(self, steps: int, simulate: Callable[[], None]) -> None:
        """Have NEST simulate time steps for which it is idle; `begin` and `advance` are not called. Collective."""
        ...


class DrivenRun:
    """A Run that a driver simulates, for the driver around it."""

    def __init__(self, run: Run, driver: Driver) -> None:
        self._run = run
        self._driver = driver

    @property
    def left(self) -> int:
        return self._run.left

    @property
    def grid(self) -> Grid:
        return self._run.grid

    def go(self, steps: int) -> None:
        self._driver.advance(Part(self._run, steps))

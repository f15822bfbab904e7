"""How far a run is, on rank 0: a bar on a terminal or in a notebook, a line now and then anywhere else."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from time import monotonic
from typing import TYPE_CHECKING, Protocol, TextIO

if TYPE_CHECKING:
    from .loop import Loop

_SECONDS_PER_LINE = 10.0


class Progress:
    """Shows simulated time, drift against the bound, the interval, and how much wall time is left.

    Several updates in a row cost next to nothing; nothing is drawn between them.
    """

    def __init__(self, total_ms: float, bound: float | None, stream: TextIO | None = None) -> None:
        """Show nothing yet; `total_ms` is simulated time at the end of the run, and `stream` is stderr by default."""
        self._bound = "" if bound is None else f" (bound {_percent(bound)})"
        self._view = _view(total_ms, sys.stderr if stream is None else stream)

    def update(self, time_ms: float, drift: float, interval_ms: float) -> None:
        """Show simulated time, the drift last measured, and the interval that is being simulated."""
        self._view.update(time_ms, f"drift {_percent(drift)}{self._bound}, interval {interval_ms:,.6g} ms")

    def close(self) -> None:
        """Leave the last state on show."""
        self._view.close()


@contextmanager
def shown(loop: Loop, end_ms: float) -> Iterator[None]:
    """Show progress while a Normalizer simulates, up to `end_ms` of simulated time; on one rank."""
    hooks = loop.chunks.hooks
    with closing(Progress(end_ms, getattr(loop.interval, "bound", None))) as progress:

        def tell(time_ms: float) -> None:
            progress.update(time_ms, loop.log[-1].drift_max, loop.log[-1].next_measurement_ms)

        hooks.insert(0, tell)
        try:
            yield
        finally:
            hooks.remove(tell)


class _View(Protocol):
    def update(self, time_ms: float, state: str) -> None: ...

    def close(self) -> None: ...


def _view(total_ms: float, stream: TextIO) -> _View:
    if stream.isatty() or "ipykernel" in sys.modules:
        try:
            return _Bar(total_ms, stream)
        except ImportError:  # tqdm is in the extra "run"; lines say the same
            pass
    return _Lines(total_ms, stream)


class _Bar:
    def __init__(self, total_ms: float, stream: TextIO) -> None:
        from tqdm.auto import tqdm

        self._bar = tqdm(
            total=total_ms,
            file=stream,
            dynamic_ncols=True,
            smoothing=0,  # what is left from the mean speed, as in the lines
            miniters=0,
            bar_format="{percentage:3.0f}%|{bar}| {n:,.10g}/{total:,.10g} ms{postfix} [{elapsed}<{remaining}]",
        )
        self._started = False

    def update(self, time_ms: float, state: str) -> None:
        if not self._started:  # what came before the first measurement was not simulating
            self._started = True
            self._bar.initial = self._bar.n = time_ms
            self._bar.unpause()
        self._bar.set_postfix_str(state, refresh=False)
        self._bar.update(time_ms - self._bar.n)

    def close(self) -> None:
        self._bar.close()


class _Lines:
    def __init__(self, total_ms: float, stream: TextIO) -> None:
        self._total_ms = total_ms
        self._stream = stream
        self._first: tuple[float, float] | None = None  # wall time in s, biological time in ms
        self._printed = -math.inf
        self._waiting = ""

    def update(self, time_ms: float, state: str) -> None:
        now = monotonic()
        if self._first is None:
            self._first = now, time_ms
        self._waiting = (
            f"distnorm: {time_ms:,.10g} of {self._total_ms:,.10g} ms ({time_ms / self._total_ms:.0%}), {state}"
            + self._left(now, time_ms, *self._first)
        )
        if now - self._printed >= _SECONDS_PER_LINE:
            self._print(now)

    def close(self) -> None:
        if self._waiting:
            self._print(monotonic())

    def _print(self, now: float) -> None:
        print(self._waiting, file=self._stream, flush=True)
        self._printed, self._waiting = now, ""

    def _left(self, now: float, time_ms: float, first_s: float, first_ms: float) -> str:
        if not first_ms < time_ms < self._total_ms:
            return ""
        seconds = (now - first_s) / (time_ms - first_ms) * (self._total_ms - time_ms)
        return f", {timedelta(seconds=round(seconds))} left"


def _percent(drift: float) -> str:
    return f"{100 * drift:.3g}%"

"""`distnorm snapshot`: the weights of an unmodified script's network, written to disk at chosen times."""

from __future__ import annotations

import ctypes
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import RuleError
from .attach import Attachment
from .run_script import Ending

if TYPE_CHECKING:
    from ..normalizer.one_run import Run
    from ..norms.histogram import WeightHistogram

_FIGURE = "weights.png"


class Snapshot(Attachment):
    """Writes a folder of connections at each of some times, or else at the script's end, and a figure of them all.

    Args:
        folder: Where to; each time has a folder in it.
        times_ms: Simulated times, of the script's first network; empty for its end.
    """

    def __init__(self, folder: Path, times_ms: Sequence[float]) -> None:
        super().__init__()
        self._folder = folder
        self._due = sorted(set(times_ms))
        self._at_end = not times_ms
        self._kernel: ctypes.CDLL | None = None
        self._calls: Any = None
        self._network = -1  # number of calls of ResetKernel before it
        self._found: dict[str, WeightHistogram] = {}

    @property
    def kernel(self) -> ctypes.CDLL | None:
        """The compiled kernel."""
        return self._kernel

    def _begin(self) -> None:
        if self._calls is None:
            import nest

            from ..normalizer.nest_calls import calls_of
            from ..tables.selection import kept_kernel

            assert self.ranks is not None
            self._kernel, self._calls = kept_kernel(nest, self.ranks), calls_of(nest, self.ranks)
            self._network = self._calls.resets
        self._write_due()

    def _advance(self, run: Run) -> None:
        while run.left:
            run.go(self._steps_to_next(run))
            self._write_due()

    def _steps_to_next(self, run: Run) -> int:
        if not self._due or self.forked or self._calls.resets != self._network:
            return run.left
        steps = math.ceil((self._due[0] - self._calls.time_ms) / self._calls.resolution_ms - 1e-6)
        return min(run.left, run.grid.up(max(steps, 1)))

    def _write_due(self) -> None:
        if self.forked or self._calls.resets != self._network:
            return
        now_ms = self._calls.time_ms
        while self._due and self._due[0] <= now_ms + 1e-6:
            self._due.pop(0)
            if not self._due or self._due[0] > now_ms + 1e-6:
                self._write(now_ms)

    def _write(self, now_ms: float) -> None:
        from ..tables.saved import save_connections
        from ..tables.weight_histogram import weight_histogram

        assert self.ranks is not None
        folder = self._folder / f"{now_ms:.10g}ms"
        rows = save_connections(folder, columns=("source", "target", "weight", "delay", "synapse_model"))
        self._found[f"{now_ms:.10g} ms"] = weight_histogram()
        self.say(f"{rows:,} connections at {now_ms:.10g} ms -> {folder}")

    def _finish(self, ending: Ending) -> None:
        super()._finish(ending)
        if self.forked or self.error is not None or ending.code:
            return
        if self._at_end and self.ranks is not None and sys.modules["nest"].network_size:
            if self._calls is None:
                self._begin()
            self._write(self._calls.time_ms)
        if self._due:
            self.say(f"never simulated to {', '.join(f'{time_ms:g}' for time_ms in self._due)} ms")
        if not self._found:
            raise RuleError("no weights were written: the script made no network in this process, or ended before")
        assert self.ranks is not None
        self.ranks.from_first(self._draw)

    def _draw(self) -> None:
        from ..records.weights_figure import draw_histograms

        try:
            draw_histograms(self._found, self._folder / _FIGURE)
        except ImportError:
            self.say('a figure needs matplotlib: pip install "distnorm[report]"')

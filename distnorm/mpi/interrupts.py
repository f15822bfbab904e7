"""Ctrl-C while ranks work together: one rank that leaves in between would have the others wait for ever."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class Interrupts:
    """Notes Ctrl-C on this rank, for the ranks' next agreement."""

    def __init__(self) -> None:
        self._heard = False

    def take(self) -> KeyboardInterrupt | None:
        """What was heard since this was last asked for."""
        heard, self._heard = self._heard, False
        return KeyboardInterrupt() if heard else None

    @contextmanager
    def noted(self) -> Iterator[None]:
        """While this lasts, Ctrl-C is noted, unless the script handles it; what nobody took is raised at the end."""
        is_main = threading.current_thread() is threading.main_thread()
        if not is_main or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
            yield
            return
        signal.signal(signal.SIGINT, self._note)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, signal.default_int_handler)
            if self.take():
                signal.raise_signal(signal.SIGINT)

    def _note(self, *_: Any) -> None:
        self._heard = True

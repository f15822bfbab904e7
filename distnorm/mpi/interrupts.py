"""Ctrl-C while ranks work together: one rank that leaves in between would have the others wait for ever."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from types import FrameType


class Interrupts:
    """Notes Ctrl-C on this rank, for the ranks' next agreement.

    Args:
        alone: Whether this is the only rank.

    Attributes:
        heard: Whether there was a Ctrl-C since `take`.
    """

    def __init__(self, alone: bool) -> None:
        self._alone = alone
        self.heard = False
        self._listens = False
        self._depth = 0

    def take(self) -> KeyboardInterrupt | None:
        """What was heard since this was last asked for."""
        if not self.heard:
            return None
        self.heard = False
        return KeyboardInterrupt()

    @contextmanager
    def listening(self) -> Iterator[None]:
        """While this lasts, `noted` need not ask Python for its signal handlers; nothing if the script has its own."""
        is_main = threading.current_thread() is threading.main_thread()
        if self._listens or not is_main or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
            yield
            return
        signal.signal(signal.SIGINT, self._note)
        self._listens = True
        try:
            yield
        finally:
            self._listens = False
            if signal.getsignal(signal.SIGINT) == self._note:
                signal.signal(signal.SIGINT, signal.default_int_handler)
                self._raise_heard()

    def noted(self) -> AbstractContextManager[None]:
        """While this lasts, Ctrl-C is noted, unless the script handles it.

        What no agreement took is raised at the end. Where others wait at the next agreement, it is left to that, or to
        the end of `listening`.
        """
        return _Noted(self) if self._listens else self._listening_and_noted()

    @contextmanager
    def _listening_and_noted(self) -> Iterator[None]:
        with self.listening(), _Noted(self):
            yield

    def _raise_heard(self) -> None:
        if self.take():
            signal.raise_signal(signal.SIGINT)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self._depth:
            self.heard = True
        else:
            signal.default_int_handler(number, frame)


class _Noted:
    """See `Interrupts.noted`."""

    def __init__(self, interrupts: Interrupts) -> None:
        self._interrupts = interrupts

    def __enter__(self) -> None:
        self._interrupts._depth += 1

    def __exit__(self, *_: object) -> None:
        self._interrupts._depth -= 1
        if self._interrupts._alone and not self._interrupts._depth:
            self._interrupts._raise_heard()

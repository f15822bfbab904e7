"""`distnorm attach` and `distnorm inspect`: run an unmodified NEST script, and look at its network while it simulates.

The script runs as plain Python would run it (run_script.py), in a view of Python's modules of its own (files/views.py).
Once it has imported NEST, NEST's low-level calls are replaced (normalizer/nest_calls.py): an `Attachment` hears of each
Simulate, Prepare and Run.
"""

from __future__ import annotations

import ctypes
import logging
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from mmap import mmap
from multiprocessing import context, util
from typing import TYPE_CHECKING, Any, NoReturn

from ..errors import DistnormError
from ..files.views import Views
from ..normalizer.nest_calls import added, calls_of
from .run_script import Ending, Script, after_import, claim, is_claimed, run_script

if TYPE_CHECKING:
    from ..mpi.ranks import Ranks
    from ..normalizer.one_run import Run
    from ..rules.rule import Rule

log = logging.getLogger(__name__)


class Attachment:
    """What is done with a script's simulations; a base that does nothing with them.

    Attributes:
        ranks: All ranks, once NEST was imported.
        error: The first error that was raised from here, whatever the script made of it.
        interrupted: Whether Ctrl-C came in the last Run of the script, after which ranks had nothing to agree on.
        forked: Whether this is a process that the script has forked.
    """

    def __init__(self, normalized_models: Sequence[str] = ()) -> None:
        """Prepare; `normalized_models` are synapse models to be replaced by normalized ones, which hold norms."""
        self._normalized_models = normalized_models
        self._stack = ExitStack()
        self._views: Views | None = None
        self.ranks: Ranks | None = None
        self.error: DistnormError | None = None
        self.interrupted = False
        self.forked = False
        self._fork_failed = mmap(-1, 1)  # a byte that forked processes share with this one

    def start(self, views: Views) -> None:
        """The script is about to run."""
        self._views = views
        after_import("nest", self.hook)
        os.register_at_fork(after_in_child=self.fork)
        util.register_after_fork(self, lambda _: util.Finalize(self, self.finish, (Ending(),), exitpriority=0))
        for kind in (context.SpawnProcess, context.ForkServerProcess):
            self._announce(kind)

    def hook(self) -> None:
        """The script has imported NEST. Collective, as that is."""
        self._guarded(self._hook)

    def _hook(self) -> None:
        import nest

        from ..mpi.ranks import world
        from ..synapses.normalized import load_models

        self.ranks = world(nest.build_info["have_mpi"])
        calls = calls_of(nest, self.ranks)
        if self._normalized_models:
            load_models(nest, self.ranks)
            self._stack.enter_context(added(self._replace, calls.watchers))
            self._replace()
        self._stack.enter_context(calls.driven(self))

    @property
    def kernel(self) -> ctypes.CDLL | None:
        """The compiled kernel, if it is used."""
        return None

    @property
    def changes(self) -> tuple[Rule, ...]:
        """Rules whose weights are changed."""
        return ()

    def begin(self) -> None:
        """The network stands."""
        self._guarded(self._begin)

    def advance(self, run: Run) -> None:
        """The script simulates."""
        self._guarded(lambda: self._advance(run))

    def is_idle(self, steps: int) -> bool:
        """Whether nothing is to be done while the script simulates so many steps; needs no view of modules."""
        return False

    def pass_by(self, steps: int, simulate: Callable[[], None]) -> None:
        """The script simulates, and nothing is to be done."""
        simulate()

    def fork(self) -> None:
        """This is a new process that the script has forked."""
        self.forked = True

    def finish(self, ending: Ending) -> None:
        """The script, or a process that it has forked, has ended."""
        self._guarded(lambda: self._finish(ending))

    def say(self, text: str) -> None:
        """A word from rank 0 to the user."""
        if self.ranks is None or self.ranks.rank == 0:
            with _heard():
                for line in text.splitlines():
                    log.info(line)

    def _begin(self) -> None: ...

    def _advance(self, run: Run) -> None:
        run.go(run.left)

    def _finish(self, ending: Ending) -> None:
        try:
            self._stack.close()
        except KeyboardInterrupt:
            self.interrupted = True
        if self._fork_failed[0] and self.error is None and not self.forked:
            raise DistnormError("processes that the script has forked could not be normalized, as was said")

    def _replace(self) -> None:
        from ..synapses.normalized import replace_models

        self._guarded(lambda: replace_models(self._normalized_models))

    def _guarded(self, action: Callable[[], Any]) -> None:
        """Do something in distnorm's own view of modules; an error is remembered, for the script may swallow it."""
        assert self._views is not None
        try:
            with self._views.ours(), _heard():
                action()
        except DistnormError as error:
            claim(error)
            if self.error is None:
                self.error = error
                if self.forked:  # nobody else may hear of it
                    self._fork_failed[0] = 1
                    self.say(str(error))
            raise

    def _announce(self, kind: Any) -> None:
        """Say it once when the script starts processes that know nothing of this one."""
        start = kind._Popen

        def announced(process: Any) -> Any:
            kind._Popen = staticmethod(start)
            self.say(
                f"processes that multiprocessing starts by {kind._start_method!r} are not normalized; let it fork "
                "them, or attach to what they run"
            )
            return start(process)

        kind._Popen = staticmethod(announced)


@contextmanager
def _heard() -> Iterator[None]:
    """While this lasts, what distnorm logs is heard; logging.config in a script may have turned it off."""
    level = _hear()
    try:
        yield
    finally:
        logging.disable(level)


def _hear() -> int:
    """Have what distnorm logs be heard from now on; up to which level the script has turned logging off."""
    level: int = logging.root.manager.disable
    logging.disable(logging.NOTSET)
    for name, logger in logging.root.manager.loggerDict.items():
        if name.partition(".")[0] == "distnorm" and isinstance(logger, logging.Logger):
            logger.disabled = False
    return level


def run_attached(attachment: Attachment, script: Script) -> NoReturn:
    """Run a script; ends this process as the script would, with all ranks.

    Raises:
        DistnormError: A rule does not fit its network, or another error of distnorm, even if the script swallowed it.
        SystemExit: Else.
        KeyboardInterrupt: The script was interrupted; that was printed, unless the script came to its end.
    """
    views = Views(script.path)
    attachment.start(views)
    views.hand_over()
    ending = run_script(script)
    _hear()
    if isinstance(ending.error, DistnormError) and is_claimed(ending.error):
        attachment.error = attachment.error or ending.error
    with suppress(DistnormError):  # kept in attachment.error
        attachment.finish(ending)
    if attachment.interrupted and not ending.code:
        ending = replace(ending, code=130, error=KeyboardInterrupt())
    if attachment.ranks is not None:
        attachment.ranks.ending.leave(2 if attachment.error else ending.code)
    if attachment.error is not None:
        raise attachment.error
    if isinstance(ending.error, KeyboardInterrupt):
        sys.excepthook = lambda *_: None
        raise ending.error
    raise ending.error if isinstance(ending.error, SystemExit) else SystemExit(ending.code)

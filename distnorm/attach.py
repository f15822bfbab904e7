"""`distnorm attach` and `distnorm inspect`: run an unmodified NEST script, and look at its network while it simulates.

The script runs as plain Python would run it (script.py). Once it has imported NEST, NEST's low-level calls are replaced
(calls.py): at the first Simulate or Prepare of each network its rules are bound and a Normalizer is made, which slices
every simulation until nest.ResetKernel.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .calls import calls_of, replaced, watched
from .errors import DistnormError
from .rules_file import RulesFile, write_rules
from .runlog import RunLog
from .script import Ending, after_import, run_script

if TYPE_CHECKING:
    from .look import Look
    from .normalizer import Normalizer
    from .parallel import Ranks
    from .pieces import Run
    from .rule import Rule


class _Stop(SystemExit):
    """All that was asked is known: the script need not go on."""


class Attachment:
    """What is done with a script's simulations; a base that does nothing with them.

    Args:
        held: Synapse models whose connections are to hold norms by themselves; NEST's are replaced by such.
    """

    def __init__(self, held: Sequence[str] = ()) -> None:
        self._held = held
        self.ranks: Ranks | None = None
        self._error: DistnormError | None = None
        self._stack = ExitStack()

    def hook(self) -> None:
        """The script has imported NEST. Collective, as that is."""
        import nest

        from .parallel import world
        from .synapses import load_models

        ranks: Ranks = self._guarded(lambda: world(nest.build_info["have_mpi"]))
        self.ranks = ranks
        calls = calls_of(nest, ranks)
        if self._held:
            self._guarded(lambda: load_models(nest, ranks))
            self._stack.enter_context(watched(calls, self._replace))
            self._replace()
        self._stack.enter_context(replaced(calls, self))

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

    def owns(self, error: BaseException) -> bool:
        """Whether an exception came from here, and not from the script."""
        return error is self._error

    def end(self, ending: Ending) -> None:
        """The script has ended."""
        self._stack.close()

    def say(self, text: str) -> None:
        """A word from rank 0 to the user."""
        if self.ranks is None or self.ranks.rank == 0:
            for line in text.splitlines():
                print(f"distnorm: {line.strip()}", file=sys.stderr, flush=True)

    def _replace(self) -> None:
        from .synapses import replace_models

        self._guarded(lambda: replace_models(self._held))

    def _begin(self) -> None: ...

    def _advance(self, run: Run) -> None:
        run.go(run.left)

    def _guarded(self, action: Callable[[], Any]) -> Any:
        try:
            return action()
        except DistnormError as error:
            self._error = error
            raise


class Inspection(Attachment):
    """Prints what the network has when it stands, and ends the script: `distnorm inspect`, and attach --dry-run."""

    def __init__(self, rules: RulesFile | None, output: Path | None) -> None:
        super().__init__(rules.held if rules is not None else ())
        self._rules = rules
        self._output = output
        self._done = False

    def _begin(self) -> None:
        self._look()
        raise _Stop

    def _look(self) -> None:
        import nest

        from .survey import inspect, survey_rules, table

        assert self.ranks is not None
        self._done = True
        nest.verbosity = nest.VerbosityLevel.ERROR
        if self._rules is not None:
            rules = self._rules.rules_of(nest, self.ranks)
            text = table(survey_rules(nest, self.ranks, rules, exact=bool(self._held)), "matches no connection")
        else:
            found = inspect()
            text, start = str(found), found.rules()
            output = self._output
            if output is None:
                text = f"{text}\n\n{start}"
            else:
                self.ranks.from_first(lambda: write_rules(output, start))
        if self.ranks.rank == 0:
            print(text, flush=True)

    def end(self, ending: Ending) -> None:
        """A network that stands but was never simulated is looked at now."""
        super().end(ending)
        if not self._done and ending.code == 0:
            if self.ranks is not None and "nest" in sys.modules and sys.modules["nest"].network_size:
                self._look()
            else:
                self.say("the script made no network")


class Attached(Attachment):
    """Normalizes each network of a script."""

    def __init__(self, rules: RulesFile, observe: bool, path: Path | None) -> None:
        super().__init__(() if observe else rules.held)
        self._rules = rules
        self._observe = observe
        self._path = path
        self._networks = 0
        self._matched: set[int] = set()
        self._normalizer: Normalizer | None = None
        self._log: RunLog | None = None

    def _begin(self) -> None:
        if self._normalizer is None or not self._normalizer.stands:
            self._end_network("nest.ResetKernel")
            self._bind()
        assert self._normalizer is not None
        self._normalizer.begin()

    def _advance(self, run: Run) -> None:
        assert self._normalizer is not None  # the network has begun
        self._normalizer.advance(run)

    @property
    def kernel(self) -> ctypes.CDLL | None:
        """The compiled kernel, if it is used."""
        return None if self._normalizer is None else self._normalizer.kernel

    @property
    def changes(self) -> tuple[Rule, ...]:
        """Rules whose weights are changed."""
        return () if self._normalizer is None else self._normalizer.changes

    def _bind(self) -> None:
        import nest

        from .history import header_fields
        from .normalizer import Normalizer

        assert self.ranks is not None
        rules = self._rules.rules_of(nest, self.ranks)
        self._normalizer = Normalizer(rules, interval=self._rules.interval, observe=self._observe, on_look=self._look)
        self._networks += 1
        self._names = [", ".join(rule.synapse_models) for rule in self._normalizer.rules]
        header = header_fields(nest, self._normalizer)
        if self._path is not None:
            self._log = self.ranks.together(lambda: self._open(header))

    def _open(self, header: dict[str, Any]) -> RunLog | None:
        assert self._path is not None and self.ranks is not None
        if self.ranks.rank != 0:
            return None
        number = f"-{self._networks}" if self._networks > 1 else ""
        opened = RunLog(self._path.with_name(f"{self._path.stem}{number}{self._path.suffix}"))
        opened.header(**header)
        return opened

    def _look(self, look: Look) -> None:
        matched = {i for i, each in enumerate(look.drifts) if each.connections}
        self._matched |= matched
        assert self._normalizer is not None
        if not self._normalizer.log:
            for i in sorted(set(range(len(look.drifts))) - matched):
                self.say(f"rules[{i}] ({self._names[i]}) matches no connection of this network so far")
        if self._log is not None:
            from .history import look_fields

            self._log.look(look_fields(look))

    def _end_network(self, reason: str) -> None:
        if self._normalizer is None:
            return
        from .history import end_fields
        from .run import what_was_done

        self._last = what_was_done(self._normalizer) if self._normalizer.log else []
        if self._log is not None:
            self._log.end(**end_fields(self._normalizer, reason))
            self._log.close()
        self._normalizer = self._log = None

    def end(self, ending: Ending) -> None:
        """Say what was done, and what was not."""
        super().end(ending)
        self._end_network(ending.reason)
        if self._error is not None and ending.error is self._error:
            return  # that is the one line to say
        if not self._networks:
            self.say("nothing was simulated, so nothing was normalized")
            return
        if self._networks > 1:
            self.say(f"{self._networks} networks; of the last:")
        self.say("\n".join(self._last))
        for i in range(len(self._names)):
            if i not in self._matched:
                self.say(f"rules[{i}] ({self._names[i]}) never matched a connection")


def run_attached(attachment: Attachment, script: Path, arguments: Sequence[str]) -> None:
    """Run a script; ends this process as the script would, with all ranks.

    Raises:
        DistnormError: The script cannot be read, or a rule does not fit its network.
        SystemExit: Else.
    """
    after_import("nest", attachment.hook)
    ending = run_script(script, arguments, attachment.owns)
    if isinstance(ending.error, _Stop):
        ending = Ending()
    attachment.end(ending)
    if attachment.ranks is not None:
        attachment.ranks.leave(ending.code)
    if isinstance(ending.error, SystemExit) or (ending.error is not None and attachment.owns(ending.error)):
        raise ending.error
    raise SystemExit(ending.code)

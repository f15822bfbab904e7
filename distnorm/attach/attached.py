"""`distnorm attach`: a Normalizer for each network of a script.

At the first Simulate or Prepare of each network its rules are bound. The Normalizer that is made then measures in every
simulation until nest.ResetKernel.
"""

from __future__ import annotations

import ctypes
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import RuleError
from ..records.history import header_of
from ..records.run_log import RunLog
from ..runs.job_file import beside
from .attach import Attachment
from .rules_file import RulesFile
from .run_script import Ending

if TYPE_CHECKING:
    from ..normalizer.loop import Loop
    from ..normalizer.measurement import Measurement
    from ..normalizer.one_run import Run
    from ..rules.rule import Rule
    from ..runs.session import Session


class Attached(Attachment):
    """Normalizes, or only observes, each network of a script; `log` is the file for the log of the first network."""

    def __init__(self, rules: RulesFile, observe: bool, log: Path | None) -> None:
        super().__init__(() if observe else rules.normalized_models)
        self._rules = rules
        self._observe = observe
        self._path = log
        self._networks = 0  # that this process has simulated
        self._names: list[str] = []
        self._matched: set[int] = set()
        self._loop: Loop | None = None
        self._session: Session | None = None  # once this process has simulated the network at hand
        self._summary: list[str] = []

    def _begin(self) -> None:
        if self._loop is None or not self._loop.stands:
            self._end_network("nest.ResetKernel")
            self._bind()
        assert self._loop is not None
        self._use(self._loop)
        self._loop.begin()

    def _advance(self, run: Run) -> None:
        assert self._loop is not None  # the network has begun
        self._use(self._loop)
        self._loop.advance(run)

    def is_idle(self, steps: int) -> bool:
        return self._session is not None and self._loop is not None and self._loop.is_idle(steps)

    def pass_by(self, steps: int, simulate: Callable[[], None]) -> None:
        assert self._loop is not None  # it is idle
        self._loop.pass_by(steps, simulate)

    @property
    def kernel(self) -> ctypes.CDLL | None:
        """The compiled kernel, if it is used."""
        return None if self._loop is None else self._loop.kernel

    @property
    def changes(self) -> tuple[Rule, ...]:
        """Rules whose weights are changed."""
        return () if self._loop is None else self._loop.changes

    def _bind(self) -> None:
        import nest

        from ..normalizer.normalizer import Normalizer

        assert self.ranks is not None
        rules = self._rules.rules_of(nest, self.ranks)
        self._loop = Normalizer(
            rules,
            interval=self._rules.interval,
            observe=self._observe,
            weights=self._rules.log.weights,
            sweeps=self._rules.sweeps,
            sweep_tolerance=self._rules.sweep_tolerance,
            on_measurement=self._measured,
        )._loop
        self._names = [f"rules[{i}] ({part.text})" for i, rule in enumerate(rules) for part in rule.parts()]

    def _use(self, loop: Loop) -> None:
        """This process simulates the network: it is its own to count and to log. Collective."""
        if self._session is not None:
            return
        import nest

        from ..runs.session import Session

        assert self.ranks is not None
        self._networks += 1
        self._session = session = Session()
        session.begin(loop, header_of(nest, loop))
        if path := self._path:
            recorded = self._rules.recorded(nest, self.ranks)
            written = self.ranks.from_first(lambda: session.write_to(self._new_log(path)))
            session.record(written, recorded)

    def _new_log(self, path: Path) -> RunLog:
        """A log of a name that no other network, nor another process that the script has forked, has."""
        number = 2 if self.forked or self._networks > 1 else 1
        while True:
            try:
                return RunLog(numbered(path, number))
            except RuleError:  # another process may have been faster
                if not numbered(path, number).exists():
                    raise
            number += 1

    def _measured(self, measurement: Measurement) -> None:
        self._matched |= {i for i, drift in enumerate(measurement.drifts) if drift.connections}
        if self._session is not None:
            self._session.measured(measurement)

    def _end_network(self, reason: str) -> None:
        if self._session is None:
            return
        self._session.end(reason)
        self._summary = self._session.summary()
        self._leave()
        self._loop = None

    def _leave(self) -> None:
        """What comes next is not of the network, or the process, at hand."""
        if self._session is not None:
            self._session.close()
            self._session = None

    def fork(self) -> None:
        """What was simulated, and its log, are those of the process that was forked."""
        super().fork()
        self._leave()
        self._networks = 0

    def _finish(self, ending: Ending) -> None:
        """Say what was done, and what was not."""
        super()._finish(ending)
        self._end_network(ending.reason)
        if self.error is not None:
            return  # that is the one line to say
        if not self._networks:
            if not self.forked:
                self.say("nothing was simulated in this process, so nothing was normalized")
            return
        if self._networks > 1:
            self.say(f"{self._networks} networks; of the last:")
        self.say("\n".join(self._summary))
        for i, name in enumerate(self._names):
            if i not in self._matched:
                self.say(f"{name} never matched a connection")


def numbered(path: Path, number: int) -> Path:
    """The path of a script's first log, or of a later one: run.jsonl, run-2.jsonl."""
    return path if number == 1 else path.with_name(f"{path.stem}-{number}{path.suffix}")


def check_free(path: Path, *, recorded: bool = False) -> None:
    """Refuse a log beside which there are others of its name, or files of recorded weights, where it gets some.

    Raises:
        RuleError: A script's first log, or a later one, would have the name of one that is there.
    """
    ends = [path.suffix, *([beside(path).name.removeprefix(path.stem)] if recorded else [])]
    taken = re.compile(rf"{re.escape(path.stem)}(-[0-9]+)?({'|'.join(map(re.escape, ends))})")
    if not path.parent.is_dir():
        raise RuleError(f"cannot write log {path}: there is no folder {path.parent}; make it")
    for other in sorted(path.parent.iterdir()):
        if taken.fullmatch(other.name):
            raise RuleError(f"log {other} exists already and is kept; give another path, or move it away")

"""`distnorm inspect`, and `distnorm attach --dry-run`: what the network of a script has when it stands."""

from __future__ import annotations

import sys
from pathlib import Path

from .attach import Attachment
from .rules_file import RulesFile, write_rules
from .run_script import Ending


class _Stop(SystemExit):
    """All that was asked is known: the script need not go on."""


class Inspection(Attachment):
    """Prints what the network has, and ends the script.

    Without rules to look through it prints all that there is, and writes rules to start from, or prints them as well.
    """

    def __init__(self, rules: RulesFile | None, output: Path | None) -> None:
        super().__init__(rules.normalized_models if rules is not None else ())
        self._rules = rules
        self._output = output
        self._done = False

    def _begin(self) -> None:
        if self.forked:  # a script that waits for it would wait for ever
            return
        if not self._done:  # a script may swallow even SystemExit
            self._survey()
        raise _Stop

    def _survey(self) -> None:
        import nest

        from .survey import inspect, survey_rules, table

        assert self.ranks is not None
        self._done = True
        nest.verbosity = nest.VerbosityLevel.ERROR
        if self._rules is not None:
            rules = self._rules.rules_of(nest, self.ranks)
            text = table(
                survey_rules(nest, self.ranks, rules, exact=bool(self._normalized_models)), "matches no connection"
            )
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

    def _finish(self, ending: Ending) -> None:
        """A network that stands but was never simulated is looked at now."""
        super()._finish(ending)
        if not self._done and ending.code == 0 and not self.forked:
            if self.ranks is not None and sys.modules["nest"].network_size:
                self._survey()
            else:
                self.say("the script made no network in this process")

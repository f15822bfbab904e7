"""The rules of outgoing norms among all rules: measured, worked out and rescaled by all ranks together."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from ..errors import RuleError
from ..mpi.ranks import Ranks
from ..norms import sums as norms
from ..norms.correction import Correction, first_pass
from ..norms.measured import measure_in_units
from ..norms.passes import COUNTED, Pass
from ..norms.sums import FloatArray
from ..norms.target_norms import TargetNorms
from ..norms.units import moved_by
from ..rules.node_ids import Int64Array
from ..rules.rule import Rule
from ..synapses.access import Changing
from ..synapses.in_place import InPlace
from ..synapses.synapses import Synapses
from .synapses import OutgoingSynapses, Together


class OutgoingNorms:
    """All methods that measure or change weights are collective.

    Attributes:
        numbers: Which of the rules have outgoing norms.
    """

    def __init__(self, rules: Sequence[Rule], ranks: Ranks) -> None:
        """Nothing is open yet."""
        self.numbers = [i for i, rule in enumerate(rules) if rule.of == "outgoing"]
        self._ranks = ranks
        self._several: list[OutgoingSynapses] = []
        self._sent = 0

    def open(self, synapses: Sequence[Synapses]) -> None:
        """Take the connections of all rules, as they are on this rank."""
        for i in self.numbers:
            local = synapses[i]
            if not isinstance(local, InPlace):
                raise RuleError(
                    f"rule {i + 1} has outgoing norms, which take the compiled kernel; here weights are reached "
                    f"{local.backend}"
                )
            self._several.append(OutgoingSynapses(local, self._ranks))
        self._together = Together(self._several, self._ranks)

    def take_sent_bytes(self) -> int:
        """Bytes that this rank has sent to others since this was last asked for."""
        before, self._sent = self._sent, sum(synapses.sent_bytes for synapses in self._several)
        return self._sent - before

    def take(self, found: Mapping[int, FloatArray], error: BaseException | None) -> list[Found]:
        """What first passes have found on each rank, as norms of the sources that this rank owns.

        Args:
            found: Results of first passes with `rests`, by rule; of no rule where there was an error.
            error: What went wrong on this rank; the same error is raised on all.
        """
        first = [first_pass(synapses.rule) for synapses in self._several]
        every = self._together.first(first, [found[i] for i in self.numbers if i in found], error)
        units = measure_in_units([synapses.rule for synapses in self._several], every, _UntilNothing(self._run))
        return [Found(synapses, rows, unit) for synapses, rows, unit in zip(self._several, every, units, strict=True)]

    def measure(self) -> list[Found]:
        """The same, of first passes made now."""
        passes = [first_pass(synapses.rule, on_all_ranks=True) for synapses in self._several]
        local = [synapses.local for synapses in self._several]
        found = self._ranks.together(lambda: InPlace.run_together(local, passes))
        return self.take(dict(zip(self.numbers, found, strict=True)), None)

    def remember(self, found: Sequence[Found], target_norms: Sequence[TargetNorms]) -> None:
        """Take norms as they are now for the "initial" ones of rules that ask for these."""

        def remember() -> None:
            for each, targets in zip(found, target_norms, strict=True):
                each.check_finite()
                targets.remember(each.node_ids, each.norm)

        self._ranks.together(remember)

    def correct(
        self,
        found: Sequence[Found],
        target_norms: Sequence[TargetNorms],
        elapsed_ms: float,
    ) -> list[Correction]:
        """What each of these rules asks for; arguments but the last have an entry for each of them.

        Raises:
            DistnormError: Something was wrong on some rank; the same error on every rank.
        """

        def begin() -> list[Correction]:
            made = []
            for each, targets in zip(found, target_norms, strict=True):
                each.check_finite()
                norm = targets.of(each.node_ids, each.norm, each.counts)
                made.append(Correction(each.rule, each.rows, norm, each.node_ids, elapsed_ms, each.unit))
            return made

        error: BaseException | None = None
        corrections: list[Correction] = []
        try:
            corrections = begin()
        except Exception as raised:
            error = raised
        while True:
            passes = [correction.next_pass for correction in corrections]
            (left,) = self._ranks.settle(error, any(passes))
            if not left:
                return corrections
            for correction, tally in zip(corrections, self._run(passes), strict=True):
                if tally is not None:
                    correction.learn(tally)

    def count(self, corrections: Sequence[Correction]) -> list[dict[str, int]]:
        """How many weights the changes bring beyond the limits of their synapses, on this rank as owner."""
        counted = self._run([correction.counting for correction in corrections])
        return [
            dict(zip(COUNTED, (0,) * len(COUNTED) if rows is None else rows.sum(axis=1).astype(int), strict=True))
            for rows in counted
        ]

    def rescale(self, corrections: Sequence[Changing]) -> None:
        """Change the weights."""
        self._run([correction.change for correction in corrections])

    def _run(self, passes: Sequence[Pass | None]) -> list[FloatArray | None]:
        return self._together.run(passes)


class _UntilNothing:
    """Makes passes, until no rank has asked for any: no rank will then."""

    def __init__(self, run: Callable[[Sequence[Pass | None]], list[FloatArray | None]]) -> None:
        self._run, self._done = run, False

    def __call__(self, passes: Sequence[Pass | None]) -> list[FloatArray | None]:
        found: list[FloatArray | None] = [None] * len(passes)
        if not self._done:
            found = self._run(passes)
        self._done = all(rows is None for rows in found)
        return found


class Found:
    """What a first pass found of the sources of a rule that this rank owns; arrays of shape (n,)."""

    def __init__(self, synapses: OutgoingSynapses, rows: FloatArray, unit: Int64Array) -> None:
        self.synapses, self.rule, self.node_ids = synapses, synapses.rule, synapses.node_ids
        self.rows, self.unit = rows, unit
        self.norm = moved_by(norms.norms(rows[0], self.rule.power), unit)
        self.counts = rows[1].astype(np.int64)

    def node_models(self) -> Int64Array:
        """Numbers of the node models of the sources."""
        return self.synapses.local.models_of(self.node_ids)

    def check_finite(self) -> None:
        """Refuse weights that are no numbers.

        Raises:
            WeightError: With a neuron that sends one.
        """
        norms.check_finite(self.rows[0], self.node_ids, self.rule)

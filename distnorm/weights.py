"""The weights under all rules on this rank: measured, what is to be done worked out, and rescaled."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from . import drift, norms
from .correction import Correction, first_pass
from .drift import Drift
from .errors import WeightError
from .initial import InitialNorms, TargetNorms
from .measured import measure_in_units
from .norms import FloatArray
from .notices import look_closer
from .parallel import Ranks
from .rule import Rule
from .synapses import ExactInPlace, Synapses, Way, check_settable, open_synapses, run_all, verify, work_out
from .units import moved_by


class Weights:
    """What the loop asks of NEST's connections.

    Args:
        nest: PyNEST.
        rules: The rules, in order.
        ranks: The communicator.
        way: See `Normalizer`.
        exact: Whether models hold the norms by themselves.
        observe: Whether to compare with the norms at the start, too.
    """

    def __init__(self, nest: Any, rules: Sequence[Rule], ranks: Ranks, *, way: Way, exact: bool, observe: bool) -> None:
        self._nest = nest
        self._rules = rules
        self._ranks = ranks
        self._way: Way = way
        self._exact = exact
        self._synapses: list[Synapses] = []
        self._unverified = list(range(len(rules)))
        self._looked_closer = False
        self._target_norms = [TargetNorms(rule) for rule in rules]
        self._start_norms = [InitialNorms() for _ in rules] if observe else []

    @property
    def initial_norms(self) -> list[InitialNorms]:
        """Norms once measured and kept: for the rules, then for what observing compares with."""
        return [each.initial for each in self._target_norms] + self._start_norms

    @property
    def opened(self) -> bool:
        """Whether the way to the connections is known."""
        return bool(self._synapses)

    def open(self) -> None:
        """Find the way to the connections, once. Collective."""
        if not self._synapses:
            self._synapses = open_synapses(self._nest, self._rules, self._ranks, self._way, self._exact)

    def measure(self, elapsed_ms: float) -> tuple[npt.NDArray[np.void], list[Correction], Exception | None]:
        """Drift records of this rank and a correction per rule.

        Records beyond one per rule are, when exact, of the deviations within slices, or, when observing, of the drift
        from the start. An error of this rank is handed on, not raised: the others must hear of it in the agreement.
        """
        more = len(self._rules) if self._exact else len(self._start_norms)
        records = np.zeros(len(self._rules) + more, drift.RECORD)
        corrections: list[Correction] = []
        try:
            measured = run_all(self._synapses, [first_pass(rule) for rule in self._rules])  # may be collective: first
            every = [sums for sums in measured if sums is not None]
            units = measure_in_units(self._rules, every, partial(run_all, self._synapses))
            for i, (synapses, sums, unit) in enumerate(zip(self._synapses, every, units, strict=True)):
                _check_finite(synapses, sums[0])
                counts = sums[1].astype(np.int64)
                norm = moved_by(norms.norms(sums[0], synapses.rule.power), unit)
                target = self._target_norms[i].of(synapses.node_ids, norm, counts)
                corrections.append(Correction(synapses.rule, sums, target, synapses.node_ids, elapsed_ms, unit))
                if isinstance(synapses, ExactInPlace):
                    reached = synapses.audit(target, counts)
                    records[len(self._rules) + i] = drift.summarize(reached, target, counts, synapses.node_ids)
                if self._start_norms:
                    start = self._start_norms[i].of(synapses.node_ids, norm)
                    records[len(self._rules) + i] = drift.summarize(norm, start, counts, synapses.node_ids)
            work_out(corrections, self._synapses)
            if not self._start_norms:
                check_settable(corrections, self._synapses)
            for i, correction in enumerate(corrections):
                records[i] = correction.record()
            if not self._looked_closer:
                look_closer(self._nest, corrections, self._synapses, records)
        except Exception as error:
            return records, [], error
        return records, corrections, None

    def agreed(self, drifts: Sequence[Drift]) -> None:
        """All ranks agree on these drifts, one per rule. Collective.

        The way to a rule's connections is checked as soon as it has any, on whatever rank.
        """
        self._looked_closer = True
        for i in [i for i in self._unverified if drifts[i].targets]:
            verify(self._nest, self._synapses[i], self._ranks)
            self._unverified.remove(i)

    def rescale(self, corrections: Sequence[Correction]) -> None:
        """Bring the norms to their targets."""
        if not self._exact:
            run_all(self._synapses, [correction.change for correction in corrections])
        for synapses in self._synapses:
            if isinstance(synapses, ExactInPlace):
                synapses.hold()

    def refresh(self) -> None:
        """When exact, before simulating: what was connected anew is measured, by this rank alone."""
        for synapses in self._synapses:
            if isinstance(synapses, ExactInPlace):
                synapses.refresh()


def _check_finite(synapses: Synapses, sums: FloatArray) -> None:
    wrong = np.flatnonzero(~np.isfinite(sums))
    if wrong.size:
        raise WeightError(
            f"neuron {synapses.node_ids[wrong[0]]} has an incoming {' or '.join(synapses.rule.synapse_models)} weight "
            f"that is not finite ({wrong.size} such neurons on this rank); find it with nest.GetConnections(target=...)"
        )

"""The weights under all rules on this rank: measured, what is to be done worked out, and rescaled."""

from __future__ import annotations

import ctypes
import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import WeightError
from ..mpi.ranks import Ranks
from ..norms import drift, histogram
from ..norms import sums as norms
from ..norms.correction import Correction, first_pass
from ..norms.drift import Drift
from ..norms.measured import measure_in_units
from ..norms.passes import Pass
from ..norms.sums import FloatArray
from ..norms.target_norms import InitialNorms, TargetNorms
from ..norms.units import moved_by
from ..rules.node_ids import Int64Array
from ..rules.rule import Rule
from ..synapses.access import Backend, open_synapses, rescale_all, run_all, verify, work_out
from ..synapses.node_models import NodeModels
from ..synapses.synapses import Synapses
from ..synapses.verify import Kept
from ..tables.watched import WatchedWeights
from .warnings import explain

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Measured:
    """What a pass found of a rule's targets on this rank: `sums` of shape (rows, n), other arrays of shape (n,)."""

    synapses: Synapses
    sums: FloatArray
    unit: Int64Array
    norm: FloatArray
    counts: Int64Array


@dataclass(frozen=True, kw_only=True, eq=False)
class Records:
    """Drift records, one per rule, or none where there is nothing of the kind.

    Attributes:
        drifts: Of the distance from the target norms.
        since_start: Of the distance from the norms at the first measurement, when observing.
        other_weights: When observing, as `drifts`, of the weights that a rule does not ask for: current ones in place
            of stored ones, or the other way round. Of no target where that makes no difference, or is not known.
        within_slices: Of the largest distances at the ends of slices, where models hold the norms.
        weights: Histograms of the weights, where they are watched.
    """

    drifts: npt.NDArray[np.void]
    since_start: npt.NDArray[np.void]
    other_weights: npt.NDArray[np.void]
    within_slices: npt.NDArray[np.void]
    weights: npt.NDArray[np.void]

    @classmethod
    def of(cls, rules: int, *, observe: bool, within_slices: bool, watched: bool) -> Records:
        """Empty records."""
        return cls(
            drifts=np.zeros(rules, drift.RECORD),
            since_start=np.zeros(rules * observe, drift.RECORD),
            other_weights=np.zeros(rules * observe, drift.RECORD),
            within_slices=np.zeros(rules * within_slices, drift.RECORD),
            weights=histogram.empty_records(rules * watched),
        )

    def agreed(self, ranks: Ranks, error: BaseException | None) -> tuple[list[tuple[Drift, ...]], npt.NDArray[np.void]]:
        """The drifts of all ranks, one tuple for each of the fields of drifts, and merged histograms. Collective."""
        fields = (self.drifts, self.since_start, self.other_weights, self.within_slices)
        drifts, weights = ranks.agree_on(np.concatenate(fields), self.weights, error)
        merged = iter(drifts)
        return [tuple(drift.read(record) for record in islice(merged, len(field))) for field in fields], weights


class Weights:
    """What the loop asks of NEST's connections.

    Attributes:
        watched: Histograms of the weights, where they are asked for.

    Args:
        nest: PyNEST.
        rules: The rules, in order.
        ranks: The communicator.
        backend: See `Normalizer`.
        exact: Whether models hold the norms by themselves.
        observe: Whether to compare with the norms at the start, too.
        watch: Whether to make histograms of the weights; between two of them, or between what there is at first.
        edits: How often connections were set or removed through PyNEST.
    """

    def __init__(
        self,
        nest: Any,
        rules: Sequence[Rule],
        ranks: Ranks,
        *,
        backend: Backend,
        exact: bool,
        observe: bool,
        watch: bool | tuple[float, float],
        edits: Callable[[], int],
    ) -> None:
        self._nest = nest
        self._rules = rules
        self._ranks = ranks
        self._backend: Backend = backend
        self._exact = exact
        self._edits = edits
        self._synapses: list[Synapses] = []
        self._kept: list[Kept] = []  # none where normalized models hold the norms: nothing is written
        self._unverified = list(range(len(rules)))
        self._explained = False
        self._target_norms = [TargetNorms(rule) for rule in rules]
        self._start_norms = [InitialNorms() for _ in rules] if observe else []
        self.watched = WatchedWeights(len(rules), ranks, watch)

    @property
    def initial_norms(self) -> list[InitialNorms]:
        """Norms once measured and kept: for the rules, then for what observing compares with."""
        return [target_norms.initial for target_norms in self._target_norms] + self._start_norms

    @property
    def kernel(self) -> ctypes.CDLL | None:
        """The compiled kernel, once the connections are open; None where only PyNEST serves."""
        return next((synapses.kernel for synapses in self._synapses), None)

    @property
    def held(self) -> bool:
        """Whether the synapse models hold the norms by themselves, once the connections are open."""
        return any(synapses.holds for synapses in self._synapses)

    def open(self) -> None:
        """Open the connections of each rule, once. Collective."""
        if not self._synapses:
            self._parrots = NodeModels(self._nest).parrots
            opened = open_synapses(self._nest, self._rules, self._ranks, self._backend, self._exact)
            for synapses in opened:
                if synapses.rule.weights == "current":
                    synapses.check_current(written=not self._start_norms)
            self._synapses = opened
            written = [synapses for synapses in self._synapses if not synapses.holds]
            self._kept = [Kept(self._nest, synapses, self._edits) for synapses in written]

    def remember_initial(self, now_ms: float) -> None:
        """Measure the norms that rules are to keep as they are now. Collective."""
        if not any(rule.keeps_initial for rule in self._rules):
            return
        self.open()
        self._ranks.settle(self._remember())
        if now_ms > 0 and self._ranks.rank == 0:
            log.warning(
                '"initial" norms are those of now, after %g ms were simulated; make the Normalizer before the first '
                "Simulate to keep norms as they were connected",
                now_ms,
            )

    def _remember(self) -> Exception | None:
        try:
            for found, target_norms in zip(self._measured(), self._target_norms, strict=True):
                if target_norms.rule.keeps_initial:
                    target_norms.initial.of(found.synapses.node_ids, found.norm)
        except Exception as error:
            return error
        return None

    def _measured(self, *, other: bool = False, records: Records | None = None) -> Iterator[_Measured]:
        """What a first pass finds of each rule, as it is worked out. The pass may be collective.

        Args:
            other: Of the weights that a rule does not ask for; nothing of rules where that makes no difference.
            records: Where histograms are filled in that are made on the way; None to make none.
        """
        several = [synapses for synapses in self._synapses if synapses.is_behind or not other]
        rules = [synapses.rule for synapses in several]
        run = partial(_run_on_other, several) if other else partial(run_all, several)
        first = [first_pass(rule) for rule in rules]
        found = run(first) if records is None else self.watched.run(several, first, records.weights)
        every = [sums for sums in found if sums is not None]
        units = measure_in_units(rules, every, run)
        for synapses, sums, unit in zip(several, every, units, strict=True):
            _check_finite(synapses, sums[0])
            norm = moved_by(norms.norms(sums[0], synapses.rule.power), unit)
            yield _Measured(synapses=synapses, sums=sums, unit=unit, norm=norm, counts=sums[1].astype(np.int64))

    def measure(self, now_ms: float, elapsed_ms: float) -> tuple[Records, list[Correction], Exception | None]:
        """Drift records of this rank and a correction per rule.

        An error of this rank is handed on, not raised: the others must hear of it in the agreement.
        """
        observe, watched = bool(self._start_norms), self.watched.asked
        records = Records.of(len(self._rules), observe=observe, within_slices=self.held, watched=watched)
        corrections: list[Correction] = []
        try:
            for i, found in enumerate(self._measured(records=records)):
                corrections.append(self._correction(i, found, elapsed_ms, records))
            for kept in self._kept:
                kept.check()
            work_out(corrections, self._synapses)
            for i, (correction, synapses) in enumerate(zip(corrections, self._synapses, strict=True)):
                if not self._start_norms:
                    synapses.check_settable(correction.counting)
                records.drifts[i] = correction.record()
                records.drifts[i]["late_initial"] = self._target_norms[i].initial.taken if now_ms > 0 else 0
                synapses.count_unreachable(records.drifts[i], correction.present)
            if not self._explained:
                explain(self._parrots, corrections, self._synapses, records.drifts)
        except Exception as error:
            return records, [], error
        return records, corrections, None

    def _correction(self, i: int, found: _Measured, elapsed_ms: float, records: Records) -> Correction:
        """What rule i asks for; records beside the drift are filled in."""
        synapses, norm, counts = found.synapses, found.norm, found.counts
        target_norms = synapses.reachable(self._target_norms[i].of(synapses.node_ids, norm, counts))
        farthest = synapses.farthest_norms()
        if farthest is not None:
            records.within_slices[i] = drift.summarize(farthest, target_norms, counts, synapses.node_ids)
        if len(records.since_start):
            start = self._start_norms[i].of(synapses.node_ids, norm)
            records.since_start[i] = drift.summarize(norm, start, counts, synapses.node_ids)
        return Correction(synapses.rule, found.sums, target_norms, synapses.node_ids, elapsed_ms, found.unit)

    def fix_bins(self) -> None:
        """Agree on the bins of histograms, once there are weights. Collective."""
        self.watched.fix(self._synapses)

    def compare(self, records: Records) -> Exception | None:
        """Fill in the drift of the weights that rules do not ask for; an error is handed on, as by `measure`."""
        try:
            for found in self._measured(other=True):
                i, synapses = self._synapses.index(found.synapses), found.synapses
                target_norms = self._target_norms[i].of(synapses.node_ids, found.norm, found.counts)
                records.other_weights[i] = drift.summarize(found.norm, target_norms, found.counts, synapses.node_ids)
        except Exception as error:
            return error
        return None

    def agreed(self, drifts: Sequence[Drift]) -> None:
        """All ranks agree on these drifts, one per rule. Collective.

        How a rule's connections are reached is checked as soon as it has any, on whatever rank.
        """
        self._explained = True
        for i in [i for i in self._unverified if drifts[i].targets]:
            verify(self._nest, self._synapses[i], self._ranks)
            self._unverified.remove(i)

    def rescale(self, corrections: Sequence[Correction]) -> None:
        """Bring the norms to their targets."""
        for kept in self._kept:
            kept.before_writing()
        rescale_all(self._synapses, corrections)
        for kept in self._kept:
            kept.after_writing()

    def refresh(self) -> None:
        """Before simulating: models that hold norms hold those of neurons made since, too. Nothing is collective."""
        for synapses, norms_of in zip(self._synapses, self._target_norms, strict=True):
            synapses.follow(norms_of.known)


def _run_on_other(several: Sequence[Synapses], passes: Sequence[Pass | None]) -> list[FloatArray | None]:
    """As `run_all`, on the weights that the rules do not ask for."""
    others = ["stored" if synapses.rule.weights == "current" else "current" for synapses in several]
    return run_all(
        several,
        [a_pass and replace(a_pass, weights=other) for a_pass, other in zip(passes, others, strict=True)],  # type: ignore[arg-type]
    )


def _check_finite(synapses: Synapses, sums: FloatArray) -> None:
    wrong = np.flatnonzero(~np.isfinite(sums))
    if wrong.size:
        raise WeightError(
            f"neuron {synapses.node_ids[wrong[0]]} has an incoming {' or '.join(synapses.rule.synapse_models)} weight "
            f"that is not finite ({wrong.size} such neurons on this rank); find it with nest.GetConnections(target=...)"
        )

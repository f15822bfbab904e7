"""The weights under all rules on this rank: measured, what is to be done worked out, and rescaled."""

from __future__ import annotations

import ctypes
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

from ..mpi.ranks import Ranks
from ..mpi.records import Records
from ..norms import drift
from ..norms.correction import Correction, first_pass
from ..norms.drift import Drift
from ..norms.sums import FloatArray
from ..norms.target_norms import InitialNorms, TargetNorms
from ..outgoing.norms import OutgoingNorms
from ..outgoing.sweeps import Sweeps, Swept
from ..plain.looks import Plain, PlainLooks, is_plain
from ..rules.rule import Rule
from ..synapses.access import (
    Backend,
    Changing,
    Measured,
    open_synapses,
    rescale_all,
    run_all,
    run_on_other,
    verify,
    work_out,
    worked_out,
)
from ..synapses.node_models import NodeModels
from ..synapses.synapses import Synapses
from ..synapses.verify import Kept
from ..tables.watched import WatchedWeights
from .warnings import explain

log = logging.getLogger(__name__)


class Weights:
    """What the loop asks of NEST's connections.

    Attributes:
        kernel: The compiled kernel, once the connections are open; None where only PyNEST serves.
        held: Whether the synapse models hold the norms by themselves, once the connections are open.
        watched: Histograms of the weights, where they are asked for.

    Args:
        nest: PyNEST.
        rules: The rules, in order.
        ranks: The communicator.
        backend: See `Normalizer`.
        exact: Whether models hold the norms by themselves.
        observe: Whether to compare with the norms at the start, too.
        watch: Whether to make histograms of the weights; between two of them, or between what there is at first.
        sweeps: See `Sweeps`.
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
        sweeps: tuple[int, float],
        edits: Callable[[], int],
    ) -> None:
        self._nest = nest
        self._rules = rules
        self._ranks = ranks
        self._backend: Backend = backend
        self._exact = exact
        self._edits = edits
        self.kernel: ctypes.CDLL | None = None
        self.held = False
        self._synapses: list[Synapses] = []
        self._kept: list[Kept] = []  # none where normalized models hold the norms: nothing is written
        self._unverified = list(range(len(rules)))
        self._explained = False
        self._looks: PlainLooks | None = None  # after the first measurement
        self._target_norms = [TargetNorms(rule) for rule in rules]
        self._start_norms = [InitialNorms() for _ in rules] if observe else []
        self.watched = WatchedWeights(len(rules), ranks, watch)
        self.outgoing = OutgoingNorms(rules, ranks)
        self.sweeps = Sweeps(rules, ranks, *sweeps)
        self._incoming = [i for i, rule in enumerate(rules) if rule.of == "incoming"]

    @property
    def initial_norms(self) -> list[InitialNorms]:
        """Norms once measured and kept: for the rules, then for what observing compares with."""
        return [target_norms.initial for target_norms in self._target_norms] + self._start_norms

    @property
    def is_open(self) -> bool:
        """Whether the connections are open."""
        return bool(self._synapses)

    def open(self) -> None:
        """Open the connections of each rule, once. Collective."""
        if not self.is_open:
            self._parrots = NodeModels(self._nest).parrots
            opened = open_synapses(self._nest, self._rules, self._ranks, self._backend, self._exact)
            for synapses in opened:
                if synapses.rule.weights == "current":
                    synapses.check_current(written=not self._start_norms)
            self._ranks.together(lambda: self.outgoing.open(opened))
            self._synapses, self.kernel = opened, opened[0].kernel
            self.held = any(synapses.holds for synapses in opened)
            written = [synapses for synapses in self._synapses if not synapses.holds]
            self._kept = [Kept(self._nest, synapses, self._edits) for synapses in written]
            if self.kernel is not None:
                self._ranks.merge_by_kernel(self.kernel)

    def remember_initial(self, now_ms: float) -> None:
        """Measure the norms that rules are to keep as they are now. Collective."""
        if not any(rule.keeps_initial for rule in self._rules):
            return
        self.open()
        found, error = self._first_passes(None)
        error = error or self._remember(found)
        if self.outgoing.numbers:
            self.outgoing.remember(self.outgoing.take(self._outgoing_of(found), error), self._norms_of_outgoing)
        else:
            self._ranks.settle(error)
        if now_ms > 0 and self._ranks.rank == 0:
            log.warning(
                '"initial" norms are those of now, after %g ms were simulated; make the Normalizer before the first '
                "Simulate to keep norms as they were connected",
                now_ms,
            )

    def _remember(self, first: Sequence[FloatArray]) -> Exception | None:
        try:
            for found in self._measured(first):
                self._target_norms[found.number].remember(found.synapses.node_ids, found.norm)
        except Exception as error:
            return error
        return None

    def _first_passes(self, records: Records | None) -> tuple[list[FloatArray], Exception | None]:
        """Results of the first passes of all rules, on this rank, and an error to hand on.

        Args:
            records: Where histograms are filled in that are made on the way; None to make none.
        """
        passes = [first_pass(rule, on_all_ranks=rule.of == "outgoing") for rule in self._rules]
        try:
            if records is None:
                found = run_all(self._synapses, passes)
            else:
                found = self.watched.run(self._synapses, passes, records.weights)
        except Exception as error:
            return [], error
        return [rows for rows in found if rows is not None], None

    @property
    def _norms_of_outgoing(self) -> list[TargetNorms]:
        return [self._target_norms[i] for i in self.outgoing.numbers]

    def _outgoing_of(self, first: Sequence[FloatArray]) -> dict[int, FloatArray]:
        return {i: first[i] for i in self.outgoing.numbers if first}

    def _measured(self, first: Sequence[FloatArray]) -> Iterator[Measured]:
        """What first passes have found of each rule of incoming norms, as it is worked out."""
        numbers = self._incoming if first else []
        several = [self._synapses[i] for i in numbers]
        return worked_out(numbers, several, [first[i] for i in numbers], partial(run_all, several))

    def measure(self, now_ms: float, elapsed_ms: float) -> tuple[Records, Sequence[Changing], Exception | None]:
        """Drift records of this rank and a correction per rule.

        An error of this rank is handed on, not raised: the others must hear of it in the agreement.
        """
        observe, watched = bool(self._start_norms), self.watched.asked
        records = Records.of(len(self._rules), observe=observe, within_slices=self.held, watched=watched)
        corrections: list[Correction] = []
        first: list[FloatArray] | None = None
        if self._looks is not None:
            plain, first = self._looks.look(records.drifts)
            if plain is not None:
                return records, plain, self._still_kept()
        error = None
        if first is None:
            first, error = self._first_passes(records)
        try:
            incoming = [self._synapses[i] for i in self._incoming]
            for found in self._measured(first):
                corrections.append(self._correction(found.number, found, elapsed_ms, records))
            for kept in self._kept:
                kept.check()
            work_out(corrections, incoming)
            for i, correction, synapses in zip(self._incoming, corrections, incoming, strict=not error):
                if not self._start_norms:
                    synapses.check_settable(correction.counting)
                self._fill_in(records, i, correction, now_ms)
                synapses.count_unreachable(records.drifts[i], correction.present)
            if not self._explained and not error:
                explain(self._parrots, corrections, incoming, [records.drifts[i] for i in self._incoming])
        except Exception as raised:
            error = error or raised
        if self.outgoing.numbers:
            more, error = self._measure_outgoing(first, error, now_ms, elapsed_ms, records)
            corrections += more
        return records, [] if error else corrections, error

    def _still_kept(self) -> Exception | None:
        """Why the models of some rule do not keep weights that were written, if so."""
        try:
            for kept in self._kept:
                kept.check()
        except Exception as error:
            return error
        return None

    def _fill_in(self, records: Records, i: int, correction: Correction, now_ms: float) -> None:
        records.drifts[i] = correction.record()
        records.drifts[i]["late_initial"] = self._target_norms[i].initial.taken if now_ms > 0 else 0

    def _measure_outgoing(
        self,
        first: Sequence[FloatArray],
        error: BaseException | None,
        now_ms: float,
        elapsed_ms: float,
        records: Records,
    ) -> tuple[list[Correction], Exception | None]:
        """Corrections of the rules of outgoing norms, and an error to hand on. Collective.

        An error from before is raised on all ranks.
        """
        numbers = self.outgoing.numbers
        every = self.outgoing.take(self._outgoing_of(first), error)
        corrections = self.outgoing.correct(every, self._norms_of_outgoing, elapsed_ms)
        counted = [] if self._explained else self.outgoing.count(corrections)
        try:
            for i, found, correction in zip(numbers, every, corrections, strict=True):
                self._fill_in(records, i, correction, now_ms)
                records.drifts[i]["no_input"] = found.synapses.number_without(found.counts)
                if len(records.since_start):
                    start = self._start_norms[i].of(found.node_ids, found.norm)
                    records.since_start[i] = drift.summarize(found.norm, start, found.counts, found.node_ids)
        except Exception as raised:
            return [], raised
        for i, of_rule in zip(numbers, counted, strict=False):
            records.drifts[i]["above_wmax"], records.drifts[i]["below_wmin"] = of_rule["above"], of_rule["below"]
        return corrections, None

    def _correction(self, i: int, found: Measured, elapsed_ms: float, records: Records) -> Correction:
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
            for found in self._of_other_weights():
                i, synapses = found.number, found.synapses
                target_norms = self._target_norms[i].of(synapses.node_ids, found.norm, found.counts)
                records.other_weights[i] = drift.summarize(found.norm, target_norms, found.counts, synapses.node_ids)
        except Exception as error:
            return error
        return None

    def _of_other_weights(self) -> Iterator[Measured]:
        """What a first pass finds of weights that rules do not ask for; not of those for which both are the same."""
        numbers = [i for i in self._incoming if self._synapses[i].is_behind]
        several = [self._synapses[i] for i in numbers]
        run = partial(run_on_other, several)
        found = run([first_pass(synapses.rule) for synapses in several])
        return worked_out(numbers, several, [rows for rows in found if rows is not None], run)

    def agreed(self, drifts: Sequence[Drift]) -> None:
        """All ranks agree on these drifts, one per rule. Collective.

        How a rule's connections are reached is checked as soon as it has any, on whatever rank.
        """
        if not self._explained:
            self._explained = True
            self._looks = self._plain_looks()
        for i in [i for i in self._unverified if drifts[i].targets]:
            verify(self._nest, self._synapses[i], self._ranks)
            self._unverified.remove(i)

    def _plain_looks(self) -> PlainLooks | None:
        """Looks at the rules in one call of the kernel, if all that is asked for is plain."""
        plain = [synapses for synapses in self._synapses if is_plain(synapses)]
        if self._start_norms or self.watched.asked or len(plain) < len(self._rules):
            return None
        return PlainLooks(plain, self._target_norms)

    def rescale(self, corrections: Sequence[Changing]) -> None:
        """Bring the norms to their targets. Where norms of both ways are of the same connections: the incoming ones."""
        with self._writing():
            if self._looks and isinstance(corrections[0], Plain) and self._looks.rescale():
                return
            rescale_all([self._synapses[i] for i in self._incoming], corrections[: len(self._incoming)])
            if self.outgoing.numbers and not self.sweeps.crossing:
                self.outgoing.rescale(corrections[len(self._incoming) :])

    def alternate(self, elapsed_ms: float) -> Swept:
        """After that: outgoing and incoming norms in turn, where they are of the same connections. Collective."""
        if not self.sweeps.crossing:
            return Swept(sweeps=0, left=0.0, within=True)
        incoming = [self._synapses[i] for i in self._incoming]
        with self._writing():
            return self.sweeps.run(
                lambda: self.outgoing.correct(self.outgoing.measure(), self._norms_of_outgoing, elapsed_ms),
                self.outgoing.rescale,
                lambda: self._ranks.together(lambda: self._correct_again(incoming, elapsed_ms)),
                lambda corrections: self._ranks.together(lambda: rescale_all(incoming, corrections)),
            )

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """While weights are written: look whether their models keep them."""
        for kept in self._kept:
            kept.before_writing()
        yield
        for kept in self._kept:
            kept.after_writing()

    def _correct_again(self, incoming: Sequence[Synapses], elapsed_ms: float) -> list[Correction]:
        """What the rules of incoming norms ask for now; nothing is collective."""
        passes = [first_pass(synapses.rule) for synapses in incoming]
        first = [rows for rows in run_all(incoming, passes) if rows is not None]
        none = Records.of(0, observe=False, within_slices=False, watched=False)
        found = worked_out(self._incoming, incoming, first, partial(run_all, incoming))
        corrections = [self._correction(each.number, each, elapsed_ms, none) for each in found]
        work_out(corrections, incoming)
        return corrections

    def refresh(self) -> None:
        """Before simulating: models that hold norms hold those of neurons made since, too. Nothing is collective."""
        for synapses, norms_of in zip(self._synapses, self._target_norms, strict=True):
            synapses.follow(norms_of.known)

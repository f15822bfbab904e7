"""The loop, and the only place that knows it.

simulate  one interval                                                  all ranks, inside NEST
measure   sums of |w|^p and counts per local target                     weights, by the kernel
work out  target norm / norm, inside bounds, -> one record per rule     correction, with further passes if need be
agree     records and errors of all ranks, ONE Allreduce                ranks
decide    interval from the agreed drift, the same on every rank        schedule, by the controller
rescale   w *= factor per local target                                  weights, by the kernel
"""

from __future__ import annotations

import ctypes
import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from ..intervals.controller import Clock, FixedInterval, Interval
from ..intervals.exact import ExactInterval
from ..mpi.ranks import Ranks
from ..norms.drift import Drift
from ..outgoing.sweeps import Swept
from ..rules.rule import Rule
from ..synapses.access import Backend, Changing
from .arguments import OURS, checked_interval, of_user
from .chunks import Chunks, PhaseTimer
from .measurement import Measurement, without_histograms
from .nest_calls import NestCalls
from .one_run import Run
from .preconditions import Preconditions
from .schedule import Schedule
from .state import NormalizerState
from .warnings import Warnings
from .weights import Weights

log = logging.getLogger(__name__)


class Loop:
    """Measures and normalizes a network while NEST simulates it.

    Attributes:
        rules: The rules, in order.
        observes: Whether it only measures.
        changes: The rules whose weights it changes: none when observing.
        clock: Resolution and smallest delay of the network.
        interval: Controller of the interval.
        schedule: Simulated time, and when the next measurement is due.
        weights: The weights under the rules on this rank.
        chunks: Simulates, and tells who wants to know how far it is.
        log: All measurements so far, without histograms.
    """

    def __init__(
        self,
        nest: Any,
        ranks: Ranks,
        calls: NestCalls,
        rules: tuple[Rule, ...],
        interval: Interval | float,
        *,
        observe: bool,
        watch: bool | tuple[float, float],
        sweeps: tuple[int, float],
        backend: Backend,
        on_measurement: Callable[[Measurement], None] | None,
        on_chunk: Callable[[float], None] | None,
    ) -> None:
        """Prepare for the network as it stands; arguments as those of `Normalizer`, checked. Collective."""
        self._ranks, self._calls = ranks, calls
        self.rules, self.observes = rules, observe
        self.changes: tuple[Rule, ...] = () if observe else rules
        smallest = ranks.gather(float(nest.min_delay)) or []  # NEST itself agrees on it when it first simulates
        min_delay_ms = ranks.from_first(lambda: min(smallest))
        self.clock = Clock(resolution_ms=calls.resolution_ms, min_delay_ms=min_delay_ms)
        self._slice = round(min_delay_ms / calls.resolution_ms)
        self.interval = ranks.together(lambda: checked_interval(interval, observe, rules, self.clock))
        self._preconditions = Preconditions(calls, self.changes)
        self._on_measurement = None if on_measurement is None else of_user("on_measurement", on_measurement)
        self.chunks = Chunks(ranks, lambda: self.time_ms)
        if on_chunk is not None:
            self.chunks.hooks.append(of_user("on_chunk", on_chunk))
        self.weights = Weights(
            nest,
            rules,
            ranks,
            backend=backend,
            exact=isinstance(self.interval, ExactInterval),
            observe=observe,
            watch=watch,
            sweeps=sweeps,
            edits=lambda: calls.edits,
        )
        self._pending: BaseException | None = None
        self._warnings = Warnings(rules, fixed=isinstance(self.interval, FixedInterval) and not observe)
        self._measured = False
        tic_ms = float(nest.ms_per_tic)
        self.schedule = ranks.together(lambda: Schedule(self.interval, self.clock, tic_ms))
        ranks.same({"interval, to the first measurement": self.schedule.left})
        self.log: list[Measurement] = []
        self.weights.remember_initial(self.time_ms)

    @property
    def stands(self) -> bool:
        """Whether the network is the one this was made for: nest.ResetKernel ends that."""
        return self._preconditions.stands

    @property
    def time_ms(self) -> float:
        """Simulated time in ms since NEST's time 0, that of runs before a checkpoint included.

        It goes on where a script that only observes sets nest.biological_time back. Where the network is gone, it is
        that at the end of its last simulation.
        """
        ended = self._preconditions.ended_ms
        return self.schedule.total_ms(self._calls.time_ms if ended is None else ended)

    @property
    def kernel(self) -> ctypes.CDLL | None:
        """The compiled kernel; None where only PyNEST serves."""
        return self.weights.kernel

    @property
    def wall_s(self) -> float:
        """Wall time on this rank in s of simulating, measuring, agreeing and rescaling so far."""
        return sum(sum(measurement.seconds.values()) for measurement in self.log) + self.chunks.seconds

    def begin(self) -> None:
        """Measure what is due before NEST prepares the network. Collective."""
        self._preconditions.check()
        self.weights.open()
        wanted, hinted = self._ranks.settle(self._take_pending(), bool(self.chunks.hooks), self.schedule.hinted)
        self.chunks.wanted = bool(wanted)
        if hinted and not self.schedule.hinted:
            self.schedule.expect_change()
        if not self.schedule.begun:
            self.normalize()
        elif self.weights.held and not self._preconditions.holds:
            self._hold_again()
        if self.schedule.hinted:
            self._measure(forced=False)
        self._measure_if_due()  # an Interruption came just before
        try:
            self.weights.refresh()
        except Exception as error:  # raised on all ranks at the next agreement
            self._pending = error

    def advance(self, run: Run) -> None:
        """Simulate what is left of a Run of NEST, which is prepared, and measure in between. Collective."""
        self._measured = False
        is_short = run.left <= run.grid.span
        while run.left:
            for steps in self.chunks.simulate(self.schedule.steps_to_simulate(run.left, run.grid), run):
                self.schedule.passed(steps)
            self._measure_if_due()
        # Else nothing but Ctrl-C can have come, which waits for the next Run.
        if self._measured or self.weights.held or not is_short:
            self._ranks.settle(self._take_pending())

    def is_idle(self, steps: int) -> bool:
        """Whether nothing is to be done in the next steps, nor before and after them, on any rank. Collective."""
        if self.schedule.left <= steps or not (self.schedule.begun and self._preconditions.unchanged):
            return False
        if not self.weights.is_open or self.weights.held:
            return False
        return not self._ranks.wants_any(self._pending is not None or bool(self.chunks.hooks) or self.schedule.hinted)

    def pass_by(self, steps: int, simulate: Callable[[], None]) -> None:
        """Have NEST simulate so many steps, for which this is idle. Collective."""
        self.chunks.timed(simulate)
        self.schedule.passed(steps)
        if steps > self._slice:  # Ctrl-C in a shorter Run waits for the next
            self._ranks.settle()

    def normalize(self) -> Measurement:
        """Measure and normalize now. Collective."""
        with self._ranks.interruptible():
            done = self._measure(forced=True)
            self._ranks.settle(self._take_pending())
            return done

    def state(self, clock_ms: float) -> NormalizerState:
        """See `Normalizer.state`; `clock_ms` is the time on NEST's clock."""
        norms = tuple(initial.known() for initial in self.weights.initial_norms)
        return replace(self.schedule.state(clock_ms), initial_norms=norms, bins=self.weights.watched.state())

    def restore(self, state: NormalizerState, clock_ms: float) -> None:
        """See `Normalizer.restore`."""
        self.schedule.restore(state, clock_ms)
        for initial, (node_ids, norms) in zip(self.weights.initial_norms, state.initial_norms, strict=True):
            initial.recall(node_ids, norms)
        self.weights.watched.restore(state.bins)

    def _measure_if_due(self) -> None:
        if self.schedule.due:
            self._measure(forced=False)

    def _measure(self, forced: bool) -> Measurement:
        self._preconditions.check()
        self.weights.open()
        self._preconditions.check_holder()
        timer = PhaseTimer(simulate=self.chunks.take_seconds(), compare=0.0)
        now_ms = self.time_ms
        elapsed_ms = self.schedule.elapsed_ms(now_ms)
        self.weights.fix_bins()
        records, corrections, error = self.weights.measure(now_ms, elapsed_ms)
        timer.ended("measure")
        if self.observes:
            error = error or self.weights.compare(records)
            timer.ended("compare")
        heard = forced or self._on_measurement is not None
        found, histograms = records.agreed(self._ranks, self._take_pending() or error, with_histograms=heard)
        drifts, since_start, other_weights, within_slices = found
        timer.ended("agree")
        self.weights.agreed(drifts)
        timer.skip()
        ends = self._decide(elapsed_ms, drifts, forced) and not self.observes
        self.schedule.measured(now_ms, ends)
        if ends:
            self._rescale(corrections)
        swept = self.weights.alternate(elapsed_ms) if ends else Swept(sweeps=0, left=0.0, within=True)
        timer.ended("rescale")
        done = Measurement(
            time_ms=now_ms,
            elapsed_ms=elapsed_ms,
            normalized=ends,
            next_measurement_ms=self.schedule.left_ms,
            drifts=drifts,
            since_start=since_start,
            other_weights=other_weights,
            within_slices=within_slices,
            weights=self.weights.watched.read(histograms),
            sweeps=swept.sweeps,
            left_by_sweeps=swept.left,
            sent_bytes=self.weights.outgoing.take_sent_bytes(),
            waited_s=self._ranks.waited_s,
            slowest_rank=self._ranks.slowest,
            seconds=timer.seconds,
        )
        if self._ranks.rank == 0:
            self._warnings.tell(done)
            self._warnings.tell_sweeps(swept)
        self._measured = True
        self.log.append(without_histograms(done) if heard else done)
        self._tell(done)
        return done

    def _decide(self, elapsed_ms: float, drifts: Sequence[Drift], forced: bool) -> bool:
        """Whether to normalize now; a controller that is not of distnorm must say the same on all ranks."""
        if isinstance(self.interval, OURS):
            return self.schedule.decide(elapsed_ms, drifts, forced)
        ends = self._ranks.together(lambda: self.schedule.decide(elapsed_ms, drifts, forced))
        self._ranks.same(
            {"interval, whether to normalize": ends, "interval, to the next measurement": self.schedule.left}
        )
        return bool(ends)

    def _hold_again(self) -> None:
        """An exact interval goes on from a checkpoint: hold what its weights give. Nothing is measured. Collective."""
        self.weights.open()
        records, corrections, error = self.weights.measure(0.0, 0.0)
        records.agreed(self._ranks, error, with_histograms=False)
        self._rescale(corrections)

    def _rescale(self, corrections: Sequence[Changing]) -> None:
        try:
            self.weights.rescale(corrections)
        except Exception as error:
            # Half of the weights are written and the other ranks go on: nothing can be agreed any more.
            log.error("rank %d: rescaling failed: %s", self._ranks.rank, error)
            self._ranks.ending.abort()
            raise
        if self.weights.held:
            self._preconditions.hold()

    def _tell(self, done: Measurement) -> None:
        if self._on_measurement is None:
            return
        try:
            self._on_measurement(done)
        except BaseException as error:  # raised on all ranks at the next agreement
            self._pending = error

    def _take_pending(self) -> BaseException | None:
        error, self._pending = self._pending, None
        return error

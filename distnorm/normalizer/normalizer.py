"""The loop, and the only place that knows it.

simulate  one interval                                                  all ranks, inside NEST
measure   sums of |w|^p and counts per local target                     synapses, in place
work out  target norm / norm, inside bounds, -> one record per rule     correction, with further passes if need be
agree     records and errors of all ranks, ONE Allreduce                parallel
rescale   w *= factor per local target                                  synapses, in place
next      interval from the agreed drift, the same on every rank        interval
"""

from __future__ import annotations

import ctypes
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

import nest
from nest import nestkernel_api

from ..errors import CallbackError, DistnormError
from ..intervals.controller import Clock, FixedInterval, Hintable, Interval
from ..intervals.exact import ExactInterval
from ..mpi import ranks as parallel
from ..norms import drift
from ..norms.correction import Correction
from ..rules.rule import Rule
from ..synapses.access import Backend
from .arguments import OURS, check_arguments, check_network, checked_interval, checked_rules, digests
from .chunks import Chunks, PhaseTimer
from .measurement import Measurement
from .nest_calls import calls_of, replaced
from .one_run import Run
from .preconditions import Preconditions
from .progress import shown
from .schedule import Schedule
from .warnings import Warnings
from .weights import Weights

log = logging.getLogger(__name__)


class Normalizer:
    """Keeps norms of incoming weights while NEST simulates.

    Attributes:
        rules: The rules, in order; one with `jointly=False` as one per synapse model.
        clock: Resolution and smallest delay of the network.
        interval: Controller of the interval.
        observes: Whether it only measures.
        changes: The rules whose weights it changes: none when observing.
        schedule: Simulated time and when the next measurement is due, for checkpoints.
        weights: The weights under the rules on this rank, for checkpoints.
        next_interval: Time in ms from now to the next look at the drift.
        log: One `Measurement` for each made so far, with the statistics of its drifts but not their histograms: 1 kB
            each.
    """

    def __init__(
        self,
        rules: Rule | Sequence[Rule],
        *,
        interval: Interval | float = 100.0,
        observe: bool = False,
        on_measurement: Callable[[Measurement], None] | None = None,
        on_chunk: Callable[[float], None] | None = None,
        backend: Backend = "auto",
    ) -> None:
        """Prepare to normalize the network as it then is. Collective.

        Args:
            rules: One rule or several; no two may touch the same connection.
            interval: Time between normalizations in ms, or a controller such as `AdaptiveInterval`; or `ExactInterval`,
                which holds the norms in every time slice and audits them between intervals.
            observe: Measure and log as usual but change no weight: the spikes are those of plain `nest.Simulate`.
                Measurements are 20 ms apart unless the interval is a fixed one.
            on_measurement: Called on this rank after each measurement. An exception in it is raised on all ranks when
                they agree.
            on_chunk: Called on this rank with the simulated time in ms after each second or so of wall time, which
                changes no result. An exception in it is raised on all ranks.
            backend: "inplace" insists on the compiled kernel, "pynest" on PyNEST; "auto" picks.

        Raises:
            RuleError: Rules, interval or way make no sense for this NEST.
            MPIError: NEST, mpi4py and the way the processes were started do not fit together.
        """
        self._ranks = ranks = parallel.world(nest.build_info["have_mpi"])
        self._calls = calls_of(nest, ranks)
        self.rules = ranks.together(lambda: checked_rules(rules))
        ranks.together(lambda: check_arguments(backend, {"on_measurement": on_measurement, "on_chunk": on_chunk}))
        ranks.same(digests(self.rules, interval, observe, backend))
        ranks.together(lambda: check_network(nest, self.rules))
        smallest = ranks.gather(float(nest.min_delay)) or []  # NEST itself agrees on it when it first simulates
        min_delay_ms = ranks.from_first(lambda: min(smallest))
        self.clock = Clock(resolution_ms=self._calls.resolution_ms, min_delay_ms=min_delay_ms)
        self.interval = ranks.together(lambda: checked_interval(interval, observe, self.rules, self.clock))
        self.observes = observe
        self.changes: tuple[Rule, ...] = () if observe else self.rules
        self._preconditions = Preconditions(self._calls, self.changes)
        self._exact = isinstance(self.interval, ExactInterval)
        self._on_measurement = None if on_measurement is None else _told("on_measurement", on_measurement)
        self.chunks = Chunks(ranks, lambda: self.time_ms)
        if on_chunk is not None:
            self.chunks.hooks.append(_told("on_chunk", on_chunk))
        self.weights = Weights(
            nest,
            self.rules,
            ranks,
            backend=backend,
            exact=self._exact,
            observe=observe,
            edits=lambda: self._calls.edits,
        )
        self._pending: BaseException | None = None
        self._warnings = Warnings(self.rules, fixed=isinstance(self.interval, FixedInterval) and not observe)
        self._unheard = False
        self._last_ms = 0.0
        tic_ms = float(nest.ms_per_tic)
        self.schedule = ranks.together(lambda: Schedule(self.interval, self.clock, tic_ms))
        ranks.same({"interval, to the first measurement": self.schedule.left})
        self.log: list[Measurement] = []
        self.weights.remember_initial(self.time_ms)

    @property
    def next_interval(self) -> float:
        """Time in ms that `simulate` would run before the next measurement."""
        return self.schedule.left_ms

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
        return self.schedule.total_ms(self._calls.time_ms) if self.stands else self._last_ms

    @property
    def kernel(self) -> ctypes.CDLL | None:
        """The compiled kernel; None where only PyNEST serves."""
        return self.weights.kernel

    @property
    def wall_s(self) -> float:
        """Wall time on this rank in s of simulating, measuring, agreeing and rescaling so far."""
        return sum(sum(measurement.seconds.values()) for measurement in self.log) + self.chunks.seconds

    def simulate(self, time_ms: float, *, progress: bool = False) -> None:
        """Simulate in place of `nest.Simulate`, normalizing between intervals. Collective.

        The first call normalizes before it simulates, so norms are at their target from the start. Several calls
        behave as one long call: an interval that does not end within one goes on in the next.

        To NEST it is one Simulate. An interval ends at the end of a call, or at that of a slice (min_delay). One that
        would end in between ends at the next such time, and the following one is shorter.

        Args:
            time_ms: Time to simulate in ms, a multiple of the resolution; the same on all ranks.
            progress: Show how far it is, on rank 0: a bar on a terminal and in a notebook, else lines. This changes no
                result.

        Raises:
            RuleError: Not a multiple of the resolution.
            Interruption: `on_chunk` raised it on some rank; simulate the rest whenever you like.
            KeyboardInterrupt: Ctrl-C on some rank.
            DistnormError: Something was wrong on some rank; the same error on every rank.
        """
        steps = self._ranks.together(lambda: self._calls.whole_steps(time_ms))
        self._ranks.same({"time to simulate": steps})
        end_ms = self.time_ms + float(time_ms)
        with self.attached(), shown(self, end_ms) if progress and self._ranks.rank == 0 else nullcontext():
            nestkernel_api.llapi_simulate(time_ms)

    @contextmanager
    def attached(self) -> Iterator[None]:
        """While this lasts, the model's own `nest.Simulate` and `nest.Run` normalize as `simulate` does.

        It may be entered again later, and inside that of another Normalizer that changes other connections; inside its
        own it does nothing. After a Prepare made before it, the first measurement is made within Run. After
        `nest.ResetKernel` inside, the next Simulate raises a RuleError.
        """
        if self in self._calls.cutters:
            yield
            return
        with replaced(self._calls, self):
            yield

    def begin(self) -> None:
        """What `simulate` does before NEST prepares the network. Collective."""
        self._preconditions.check()
        self.weights.open()
        wanted, hinted = self._ranks.settle(None, bool(self.chunks.hooks), self.schedule.hinted)
        self.chunks.wanted = bool(wanted)
        if hinted and not self.schedule.hinted:
            self.schedule.expect_change()
        if not self.schedule.begun:
            self.normalize()
        elif self._exact and not self._preconditions.holds:
            self._hold_again()
        if self.schedule.hinted:
            self._measure(forced=False)
        self._measure_if_due()  # an Interruption came just before
        try:
            self.weights.refresh()
        except Exception as error:  # raised on all ranks at the next agreement
            self._pending = error

    def advance(self, run: Run) -> None:
        """What `simulate` does once NEST has prepared the network. Collective.

        Args:
            run: What of a Run of NEST is to be simulated.
        """
        while run.left:
            for steps in self.chunks.simulate(self.schedule.piece(run.left, run.grid), run):
                self.schedule.passed(steps)
            self._measure_if_due()
        self._last_ms = self.time_ms
        self._ranks.settle(self._take_pending())

    def normalize(self) -> Measurement:
        """Measure, agree, rescale, and choose the next interval. Collective.

        Raises:
            WeightError: A weight is not finite.
            DistnormError: Something was wrong on some rank; the same error on every rank, and no weight was changed.
        """
        with self._ranks.interruptible():
            done = self._measure(forced=True)
            self._ranks.settle(self._take_pending())
            return done

    __call__ = normalize

    def expect_change(self) -> None:
        """Say that the drift may change now, as when a stimulus is switched; one rank that says so is enough.

        An adaptive interval then normalizes and measures again soon. A fixed one does not change, nor does a controller
        without a method `expect_change`, which is said once.
        """
        self.schedule.expect_change()
        if not isinstance(self.interval, Hintable | FixedInterval) and not self._unheard:
            self._unheard = True
            if self._ranks.rank == 0:
                log.warning("%r has no method expect_change; it is not told of changes", self.interval)

    def _measure_if_due(self) -> None:
        if self.schedule.due:
            self._measure(forced=False)

    def _measure(self, forced: bool) -> Measurement:
        self._preconditions.check()
        self.weights.open()
        self._preconditions.check_not_held()
        clock = PhaseTimer(simulate=self.chunks.take_seconds())
        now = self.time_ms
        elapsed = self.schedule.elapsed_ms(now)
        records, corrections, error = self.weights.measure(now, elapsed)
        clock.ended("measure")
        merged = self._ranks.agree(records, self._take_pending() or error)
        clock.ended("agree")
        every = tuple(drift.read(record) for record in merged)
        drifts, others = every[: len(self.rules)], every[len(self.rules) :]
        self.weights.agreed(drifts)
        clock.skip()
        ends = bool(self._decide(elapsed, drifts, forced)) and not self.observes
        self.schedule.measured(now, ends)
        if ends:
            self._rescale(corrections)
        clock.ended("rescale")
        since_start, within = ((), others) if self._exact else (others, ())
        if self._ranks.rank == 0:
            self._warnings.tell(drifts)
            self._warnings.say_let_go(within)
        done = Measurement(
            time_ms=now,
            elapsed_ms=elapsed,
            normalized=ends,
            next_measurement_ms=self.next_interval,
            drifts=drifts,
            since_start=since_start,
            within_slices=within,
            seconds=clock.seconds,
        )
        self.log.append(done.small())
        self._tell(done)
        return done

    def _decide(self, elapsed_ms: float, drifts: Sequence[drift.Drift], forced: bool) -> bool:
        """Whether to normalize now; a controller that is not of distnorm must say the same on all ranks."""
        if isinstance(self.interval, OURS):
            return self.schedule.decide(elapsed_ms, drifts, forced)
        ends = self._ranks.together(lambda: self.schedule.decide(elapsed_ms, drifts, forced))
        self._ranks.same(
            {"interval, whether to normalize": ends, "interval, to the next measurement": self.schedule.left}
        )
        return ends

    def _hold_again(self) -> None:
        """An exact interval goes on from a checkpoint: hold what its weights give. Nothing is measured. Collective."""
        self.weights.open()
        records, corrections, error = self.weights.measure(0.0, 0.0)
        self._ranks.agree(records, error)
        self._rescale(corrections)

    def _rescale(self, corrections: list[Correction]) -> None:
        try:
            self.weights.rescale(corrections)
        except Exception as error:
            # Half of the weights are written and the other ranks go on: nothing can be agreed any more.
            log.error("rank %d: rescaling failed: %s", self._ranks.rank, error)
            self._ranks.abort()
            raise
        if self._exact:
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


def _told(name: str, function: Callable[[Any], object]) -> Callable[[Any], None]:
    """A function of the user's, whose errors say that they are."""

    def call(argument: Any) -> None:
        try:
            function(argument)
        except (DistnormError, KeyboardInterrupt):  # such as an Interruption
            raise
        except BaseException as error:
            raise CallbackError(f"{name} raised {type(error).__name__}: {error}") from error

    return call

"""The loop, and the only place that knows it.

simulate  one interval                                                  all ranks, inside NEST
measure   sums of |w|^p and counts per local target                     synapses, in place
work out  target norm / norm, inside bounds, -> one record per rule     correction, with further passes if need be
agree     records and errors of all ranks, ONE Allreduce                parallel
rescale   w *= factor per local target                                  synapses, in place
next      interval from the agreed drift, the same on every rank        interval
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext

import nest
import numpy as np
from nest import nestkernel_api

from . import drift, parallel
from .calls import Calls, Run, replaced
from .checks import check_network, checked_interval, checked_rules
from .correction import Correction
from .errors import CallbackError, RuleError
from .exact import Exact
from .interval import Clock, FixedInterval, Hintable, Interval
from .look import Look
from .notices import Notices
from .progress import shown
from .rule import Rule
from .schedule import Schedule
from .slices import Laps, Slices
from .synapses import Way
from .weights import Weights

log = logging.getLogger(__name__)

_GONE = "the network of this Normalizer is gone (nest.ResetKernel); make a new Normalizer"


class Normalizer:
    """Keeps norms of incoming weights while NEST simulates.

    Attributes:
        rules: The rules, in order; one with `jointly=False` as one per synapse model.
        clock: Resolution and smallest delay of the network.
        interval: Controller of the interval.
        observes: Whether it only measures.
        schedule: Simulated time and when the next look is due, for checkpoints.
        weights: The weights under the rules on this rank, for checkpoints.
        next_interval: Time in ms from now to the next look at the drift.
        log: One `Look` for each made so far, with the statistics of its drifts but not their histograms: 1 kB each.
    """

    def __init__(
        self,
        rules: Rule | Sequence[Rule],
        *,
        interval: Interval | float = 100.0,
        observe: bool = False,
        on_look: Callable[[Look], None] | None = None,
        on_slice: Callable[[float], None] | None = None,
        way: Way = "auto",
    ) -> None:
        """Prepare to normalize the network as it then is. Collective.

        Args:
            rules: One rule or several; no two may touch the same connection.
            interval: Time between normalizations in ms, or a controller such as `AdaptiveInterval`; or `Exact`, which
                holds the norms in every time slice and audits them between intervals.
            observe: Measure and log as usual but change no weight: the spikes are those of plain `nest.Simulate`. The
                interval is then a fixed one.
            on_look: Called on every rank after each look. An exception in it, on any rank, is raised on all ranks at
                the next agreement.
            on_slice: Called on every rank with the biological time in ms after each second or so of wall time within an
                interval, which is then simulated in slices; this changes no result.
            way: "inplace" insists on the compiled kernel, "pynest" on PyNEST; "auto" picks.

        Raises:
            RuleError: Rules, interval or way make no sense for this NEST.
            MPIError: NEST, mpi4py and the way the processes were started do not fit together.
        """
        self.rules = checked_rules(rules)
        if way not in ("auto", "inplace", "pynest"):
            raise RuleError(f'way is {way!r}; choose "auto", "inplace" or "pynest"')
        check_network(nest, self.rules)
        self._alive = nest.NodeCollection([1])  # not valid any more after nest.ResetKernel
        self.interval = checked_interval(interval, observe, self.rules)
        self.observes = observe
        self._exact = isinstance(self.interval, Exact)
        self._ranks = parallel.world(nest.build_info["have_mpi"])
        self._on_look = on_look
        self._slices = Slices(nest, self._ranks, on_slice and (lambda ms: on_slice(self.schedule.total_ms(ms))))
        self._attached = False
        self.weights = Weights(nest, self.rules, self._ranks, way=way, exact=self._exact, observe=observe)
        self._pending: Exception | None = None
        self._notices = Notices(self.rules)
        self._unheard = False
        self.clock = Clock(resolution_ms=float(nest.resolution), min_delay_ms=self._slices.agreed_min_delay())
        self.schedule = Schedule(self.interval, self.clock, float(nest.ms_per_tic))
        self.log: list[Look] = []

    @property
    def next_interval(self) -> float:
        """Time in ms that `simulate` would run before the next look."""
        return self.schedule.left_ms

    @property
    def stands(self) -> bool:
        """Whether the network is the one this was made for: nest.ResetKernel ends that."""
        try:
            self._alive[0]
        except Exception:
            return False
        return True

    @property
    def time_ms(self) -> float:
        """Simulated time in ms, that of runs before a checkpoint included. Collective."""
        return self.schedule.total_ms(float(nest.biological_time))

    def simulate(self, time_ms: float, *, progress: bool = False) -> None:
        """Simulate in place of `nest.Simulate`, normalizing between intervals. Collective.

        The first call normalizes before it simulates, so norms are at their target from the start. Several calls
        behave as one long call: an interval that does not end within one goes on in the next.

        NEST prepares the network once per call, as `nest.Simulate` does. An interval ends where NEST can be stopped
        without changing a random number: at the end of a call, or after whole spans of min_delay. One that would end
        in between ends at the next such time, and the following one is shorter.

        Args:
            time_ms: Time to simulate in ms, a multiple of the resolution.
            progress: Show how far it is: a bar on a terminal and in a notebook, else lines. This changes no result.

        Raises:
            RuleError: Not a multiple of the resolution.
            Interruption: `on_slice` raised it on some rank; simulate the rest whenever you like.
            DistnormError: Something was wrong on some rank; the same error on every rank.
        """
        self.schedule.steps(time_ms)
        end_ms = float(nest.biological_time) + float(time_ms)
        with shown(self, self._slices, end_ms) if progress else nullcontext():
            if self._attached:
                nestkernel_api.llapi_simulate(time_ms)
            else:
                Calls.now(nestkernel_api).simulate(self, time_ms)

    @contextmanager
    def attached(self) -> Iterator[None]:
        """While this lasts, the model's own `nest.Simulate` and `nest.Run` normalize as `simulate` does.

        It may be entered again later, and inside that of another Normalizer; inside its own it does nothing. A Prepare
        made before it is not seen, so the first look is then made within Run. After `nest.ResetKernel` inside, the next
        Simulate raises a RuleError.
        """
        if self._attached:
            yield
            return
        self._attached = True
        try:
            with replaced(nestkernel_api, self):
                yield
        finally:
            self._attached = False

    def begin(self) -> None:
        """What `simulate` does before NEST prepares the network. Collective."""
        self._start()
        self._slices.read_grid()

    def _start(self) -> None:
        if not self.stands:
            raise RuleError(_GONE)
        if not self.schedule.begun:
            self.normalize()
        elif self._exact and not self.weights.opened:
            self._hold_again()
        if self.schedule.hinted:
            self._look(forced=False)
        self._look_if_due()  # an Interruption came just before
        try:
            self.weights.refresh()
        except Exception as error:  # raised on all ranks at the next agreement
            self._pending = error

    def advance(self, time_ms: float, run: Run) -> None:
        """What `simulate` does once NEST has prepared the network. Collective.

        Args:
            time_ms: Time to simulate in ms; what NEST would refuse is handed to it.
            run: NEST's Run.
        """
        try:
            steps = self.schedule.steps(math.ldexp(time_ms, 0))  # text raises here, as in NEST
        except (RuleError, TypeError):
            run(time_ms)
            raise
        self._start()
        while steps:
            grid = self._slices.take_grid()
            piece = self.schedule.piece(steps, grid)
            try:
                self._slices.run(piece, grid, run)
            finally:
                self.schedule.passed(self._slices.take_steps())
            steps -= piece
            self._look_if_due()
        if self._on_look is not None:
            self._ranks.agree(np.zeros(0, drift.RECORD), self._take_pending())

    def normalize(self) -> Look:
        """Measure, agree, rescale, and choose the next interval. Collective.

        Raises:
            WeightError: A weight is not finite.
            DistnormError: Something was wrong on some rank; the same error on every rank, and no weight was changed.
        """
        return self._look(forced=True)

    __call__ = normalize

    def expect_change(self) -> None:
        """Say that the drift may change now, as when a stimulus is switched; the same call on every rank.

        An adaptive interval then normalizes and looks again soon. A fixed one does not change, nor does a controller
        without a method `expect_change`, which is said once.
        """
        self.schedule.expect_change()
        if not isinstance(self.interval, Hintable | FixedInterval) and not self._unheard:
            self._unheard = True
            if self._ranks.rank == 0:
                log.warning("%r has no method expect_change; it is not told of changes", self.interval)

    def _look_if_due(self) -> None:
        if self.schedule.due:
            self._look(forced=False)

    def _look(self, forced: bool) -> Look:
        if not self.stands:
            raise RuleError(_GONE)
        self.weights.open()
        clock = Laps(simulate=self._slices.take_seconds())
        now = self.time_ms
        elapsed = self.schedule.elapsed_ms(now)
        records, corrections, error = self.weights.measure(elapsed)
        clock.lap("measure")
        merged = self._ranks.agree(records, self._take_pending() or error)
        clock.lap("agree")
        every = tuple(drift.read(record) for record in merged)
        drifts, others = every[: len(self.rules)], every[len(self.rules) :]
        self.weights.agreed(drifts)
        clock.skip()
        ends = self.schedule.decide(elapsed, drifts, forced) and not self.observes
        self.schedule.looked(now, ends)
        if ends:
            self._rescale(corrections)
        clock.lap("rescale")
        since_start, within = ((), others) if self._exact else (others, ())
        if self._ranks.rank == 0:
            self._notices.tell(drifts)
            self._notices.tell_let_go(within)
        done = Look(now, elapsed, drifts, ends, self.next_interval, since_start, within, clock.seconds)
        self.log.append(done.small())
        self._tell(done)
        return done

    def _hold_again(self) -> None:
        """With `Exact`, going on from a checkpoint: hold what its weights give, without a look. Collective."""
        self.weights.open()
        records, corrections, error = self.weights.measure(0.0)
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

    def _tell(self, done: Look) -> None:
        if self._on_look is None:
            return
        try:
            self._on_look(done)
        except Exception as error:  # raised on all ranks at the next agreement
            self._pending = CallbackError(f"on_look raised {type(error).__name__}: {error}")
            self._pending.__cause__ = error

    def _take_pending(self) -> Exception | None:
        error, self._pending = self._pending, None
        return error

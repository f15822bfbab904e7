"""What a user's script has of distnorm while NEST simulates; the loop itself is in `loop`."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext

import nest
from nest import nestkernel_api

from ..intervals.controller import FixedInterval, Hintable, Interval
from ..mpi.ranks import world
from ..norms.histogram import checked_watch
from ..outgoing.sweeps import MOST_SWEEPS, SWEEP_TOLERANCE, checked_sweeps
from ..rules.rule import Rule
from ..synapses.access import Backend
from .arguments import check_arguments, check_network, checked_rules, digests
from .loop import Loop
from .measurement import Measurement
from .nest_calls import calls_of
from .progress import shown
from .state import NormalizerState

log = logging.getLogger(__name__)


class Normalizer:
    """Keeps norms of incoming, or of outgoing, weights while NEST simulates."""

    def __init__(
        self,
        rules: Rule | Sequence[Rule],
        *,
        interval: Interval | float = 100.0,
        observe: bool = False,
        weights: bool | tuple[float, float] = False,
        sweeps: int = MOST_SWEEPS,
        sweep_tolerance: float = SWEEP_TOLERANCE,
        on_measurement: Callable[[Measurement], None] | None = None,
        on_chunk: Callable[[float], None] | None = None,
        backend: Backend = "auto",
    ) -> None:
        """Prepare to normalize the network as it then is. Collective.

        Args:
            rules: One rule or several; no two may touch the same connection, but one of incoming and one of outgoing
                norms.
            interval: Time between normalizations in ms, or a controller such as `AdaptiveInterval`; or `ExactInterval`,
                which holds the norms in every time slice and audits them between intervals.
            observe: Measure and log as usual but change no weight: the spikes are those of plain `nest.Simulate`.
                Measurements are 20 ms apart unless the interval is a fixed one.
            weights: Whether each measurement has a histogram of each rule's weights. Two weights are the limits of its
                bins; otherwise these are fixed at the first measurement that finds weights.
            sweeps: Where connections have norms of both ways, how often at most these are rescaled in turn.
            sweep_tolerance: Drift of incoming norms at which that ends; outgoing ones then hold exactly.
            on_measurement: Called on this rank after each measurement. An exception in it is raised on all ranks when
                they agree.
            on_chunk: Called on this rank with the simulated time in ms after each second or so of wall time, which
                changes no result. An exception in it is raised on all ranks.
            backend: "inplace" insists on the compiled kernel, "pynest" on PyNEST; "auto" picks.

        Raises:
            RuleError: Rules, interval or backend make no sense for this NEST.
            MPIError: NEST, mpi4py and the way the processes were started do not fit together.
        """
        self._ranks = ranks = world(nest.build_info["have_mpi"])
        self._calls = calls_of(nest, ranks)
        checked = ranks.together(lambda: checked_rules(rules))
        ranks.together(lambda: check_arguments(backend, {"on_measurement": on_measurement, "on_chunk": on_chunk}))
        watch = ranks.together(lambda: checked_watch(weights))
        limits = ranks.together(lambda: checked_sweeps(sweeps, sweep_tolerance))
        ranks.same(digests(checked, interval, observe, backend, weights=watch, sweeps=limits))
        ranks.together(lambda: check_network(nest, checked))
        self._loop = Loop(
            *(nest, ranks, self._calls, checked, interval),
            observe=observe,
            watch=watch,
            sweeps=limits,
            backend=backend,
            on_measurement=on_measurement,
            on_chunk=on_chunk,
        )
        self._said_unheard = False

    @property
    def rules(self) -> tuple[Rule, ...]:
        """The rules, in the order of `Measurement.drifts`; one with `jointly=False` as one per synapse model."""
        return self._loop.rules

    @property
    def log(self) -> list[Measurement]:
        """All measurements so far, with the statistics of their drifts but not their histograms: 1 kB each, and as much
        for a histogram of weights.
        """
        return self._loop.log

    @property
    def next_interval(self) -> float:
        """Time in ms that `simulate` would run before the next measurement."""
        return self._loop.schedule.left_ms

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
        end_ms = self._loop.time_ms + float(time_ms)
        with self.attached(), shown(self._loop, end_ms) if progress and self._ranks.rank == 0 else nullcontext():
            nestkernel_api.llapi_simulate(time_ms)

    @contextmanager
    def attached(self) -> Iterator[None]:
        """While this lasts, the model's own `nest.Simulate` and `nest.Run` normalize as `simulate` does.

        It may be entered again later, and inside that of another Normalizer that changes other connections; inside its
        own it does nothing. After a Prepare made before it, the first measurement is made within Run. After
        `nest.ResetKernel` inside, the next Simulate raises a RuleError.
        """
        with nullcontext() if self._loop in self._calls.drivers else self._calls.driven(self._loop):
            yield

    def normalize(self) -> Measurement:
        """Measure, agree, rescale, and choose the next interval. Collective.

        Raises:
            WeightError: A weight is not finite.
            DistnormError: Something was wrong on some rank; the same error on every rank, and no weight was changed.
        """
        return self._loop.normalize()

    __call__ = normalize

    def expect_change(self) -> None:
        """Say that the drift may change now, as when a stimulus is switched; one rank that says so is enough.

        An adaptive interval then normalizes and measures again soon. A fixed one does not change, nor does a controller
        without a method `expect_change`, which is said once.
        """
        interval = self._loop.interval
        self._loop.schedule.expect_change()
        if not isinstance(interval, Hintable | FixedInterval) and not self._said_unheard:
            self._said_unheard = True
            if self._ranks.rank == 0:
                log.warning("%r has no method expect_change; it is not told of changes", interval)

    def state(self) -> NormalizerState:
        """What the Normalizer knows beside the network's weights, for `restore`. Collective."""
        return self._loop.state(float(nest.biological_time))

    def restore(self, state: NormalizerState) -> None:
        """Go on from a state, with another Normalizer of the same rules and interval. Collective.

        The network must be the same, built anew, with the weights of that time. Its clock may have begun at 0 again.

        Args:
            state: Of `state`; initial norms of the targets on this rank, or of more.
        """
        self._loop.restore(state, float(nest.biological_time))

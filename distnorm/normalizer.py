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
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import nest
import numpy as np
import numpy.typing as npt

from . import drift, norms, parallel
from .adaptive import AdaptiveInterval
from .correction import Correction, first_pass
from .drift import Drift
from .errors import CallbackError, RuleError, WeightError
from .initial import InitialNorms, TargetNorms
from .interval import Clock, FixedInterval, Interval
from .memory import Memory
from .norms import FloatArray
from .notices import Notices, look_closer
from .rule import Rule, check_disjoint, with_drawn_norms
from .slices import Laps, Slices
from .synapses import Synapses, Way, check_models, check_selection, open_synapses, run_all, work_out

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Look:
    """What one look at the drift found and did; the same on every rank but for the seconds.

    Attributes:
        time_ms: Biological time of NEST in ms.
        elapsed_ms: Time since the last normalization, in ms.
        drifts: Drift of each rule's targets over all ranks, before any rescaling.
        normalized: True if an interval ended and the weights were rescaled; False for a probe part-way in an interval,
            and when only observing.
        next_look_ms: Time to the next look, in ms.
        since_start: When only observing, the drift from each target's own norm at the first look; else empty.
        seconds: Wall time of "simulate" (since the last look), "measure", "agree" and "rescale" on this rank.
    """

    time_ms: float
    elapsed_ms: float
    drifts: tuple[Drift, ...]
    normalized: bool
    next_look_ms: float
    since_start: tuple[Drift, ...]
    seconds: dict[str, float]

    @property
    def drift_max(self) -> float:
        """Largest drift of all rules and ranks."""
        return max(d.max for d in self.drifts)


class Normalizer:
    """Keeps norms of incoming weights while NEST simulates.

    Attributes:
        rules: The rules, in order; one with `jointly=False` as one per synapse model.
        clock: Resolution and smallest delay of the network.
        next_interval: Time in ms from now to the next look at the drift.
        log: One `Look` for each made so far.
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
            interval: Time between normalizations in ms, or a controller such as `AdaptiveInterval`.
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
        given: tuple[Rule, ...] = (rules,) if isinstance(rules, Rule) else tuple(rules)
        if not given or not all(isinstance(rule, Rule) for rule in given):
            raise RuleError(f"rules is {rules!r}; give a distnorm.Rule or several")
        self.rules = tuple(with_drawn_norms(part) for rule in given for part in rule.parts())
        if way not in ("auto", "inplace", "pynest"):
            raise RuleError(f'way is {way!r}; choose "auto", "inplace" or "pynest"')
        check_disjoint(self.rules)
        nodes = int(nest.network_size)
        if nodes == 0:
            raise RuleError("the network has no nodes yet; make the Normalizer when it stands")
        self._alive = nest.NodeCollection([1])  # not valid any more after nest.ResetKernel
        for i, rule in enumerate(self.rules):
            check_models(nest, rule.synapse_models)
            check_selection(nest, rule)
            for name, runs in (("targets", rule.target_runs), ("sources", rule.source_runs)):
                if runs is not None and runs[-1, 1] > nodes:
                    raise RuleError(f"rules[{i}].{name} holds node ID {runs[-1, 1]}; the network has {nodes} nodes")
        self._interval = FixedInterval(interval) if isinstance(interval, int | float) else interval
        if observe and not isinstance(self._interval, FixedInterval):
            raise RuleError(f"observe goes with a fixed interval, not {self._interval!r}: nothing is normalized")
        if isinstance(self._interval, AdaptiveInterval) and any(rule.soft for rule in self.rules):
            raise RuleError(
                "an adaptive interval keeps the drift below a bound by correcting all of it, and a rule has rate or "
                "tau_ms; give a fixed interval"
            )
        self._observe = observe
        self._ranks = parallel.world(nest.build_info["have_mpi"])
        self._on_look = on_look
        self._slices = Slices(nest, self._ranks, on_slice and (lambda ms: on_slice(self._total_ms(ms))))
        self._way: Way = way
        self._synapses: list[Synapses] = []
        self._target_norms = [TargetNorms(rule) for rule in self.rules]
        self._start_norms = [InitialNorms() for _ in self.rules] if observe else []
        self._pending: Exception | None = None
        self._notices = Notices(self.rules)
        self._resolution_ms = float(nest.resolution)
        self._hint = False
        self._begun = False
        self._steps_before = 0  # simulated by runs that this one goes on from
        self._normalized_ms = 0.0
        self.clock = Clock(resolution_ms=self._resolution_ms, min_delay_ms=float(nest.min_delay))
        self._state: Any
        first_ms, self._state = self._interval.first(self.clock)
        self._steps_left = self._steps(first_ms, "interval")
        self.log: list[Look] = []

    @property
    def next_interval(self) -> float:
        """Time in ms that `simulate` would run before the next look."""
        return self._steps_left * self._resolution_ms

    @property
    def time_ms(self) -> float:
        """Simulated time in ms, that of runs before a checkpoint included. Collective."""
        return self._total_ms(float(nest.biological_time))

    def _total_ms(self, clock_ms: float) -> float:
        if not self._steps_before:
            return clock_ms
        return (round(clock_ms / self._resolution_ms) + self._steps_before) * self._resolution_ms

    def simulate(self, time_ms: float) -> None:
        """Simulate in place of `nest.Simulate`, normalizing between intervals. Collective.

        The first call normalizes before it simulates, so norms are at their target from the start. Several calls
        behave as one long call: an interval that does not end within one goes on in the next.

        Args:
            time_ms: Time to simulate in ms, a multiple of the resolution.

        Raises:
            RuleError: Not a multiple of the resolution.
            Interruption: `on_slice` raised it on some rank; simulate the rest whenever you like.
            DistnormError: Something was wrong on some rank; the same error on every rank.
        """
        steps = self._steps(time_ms, "time to simulate")
        if not self._begun:
            self.normalize()
        if self._hint:
            self._look(forced=False)
        self._look_if_due()  # an Interruption came just before
        while steps:
            run = min(steps, self._steps_left)
            try:
                self._slices.simulate(run, self._resolution_ms)
            finally:
                self._steps_left -= self._slices.take_steps()
            steps -= run
            self._look_if_due()
        if self._on_look is not None:
            self._ranks.agree(np.zeros(0, drift.RECORD), self._take_pending())

    def memory(self) -> Memory:
        """What this Normalizer knows beside the network and `initial_norms`. Collective."""
        return Memory(
            time_steps=round(self.time_ms / self._resolution_ms),
            steps_left=self._steps_left,
            normalized_ms=self._normalized_ms,
            hint=self._hint,
            state=self._state,
        )

    def time_of(self, memory: Memory) -> float:
        """Simulated time of a memory in ms."""
        return memory.time_steps * self._resolution_ms

    def recall(self, memory: Memory) -> None:
        """Go on from where another Normalizer was, on a network whose clock is at 0."""
        self._begun = True
        self._steps_before = memory.time_steps
        self._steps_left = memory.steps_left
        self._normalized_ms = memory.normalized_ms
        self._hint = memory.hint
        self._state = memory.state

    @property
    def initial_norms(self) -> list[InitialNorms]:
        """Norms once measured and kept: for the rules, then for what observing compares with."""
        return [each.initial for each in self._target_norms] + self._start_norms

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

        An adaptive interval then looks at once and again soon. A fixed one does not change.
        """
        if isinstance(self._interval, AdaptiveInterval) and self._begun:
            self._state = self._interval.expect_change(self._state)
            self._hint = True

    def _look_if_due(self) -> None:
        if self._steps_left == 0:
            self._look(forced=False)

    def _look(self, forced: bool) -> Look:
        try:
            self._alive[0]
        except Exception:
            raise RuleError(
                "the network of this Normalizer is gone (nest.ResetKernel); make a new Normalizer"
            ) from None
        if not self._synapses:
            self._synapses = open_synapses(nest, self.rules, self._ranks, self._way)
        clock = Laps(simulate=self._slices.take_seconds())
        now = self.time_ms
        elapsed = now - self._normalized_ms if self._begun else 0.0
        records, corrections, error = self._measure(elapsed)
        clock.lap("measure")
        merged = self._ranks.agree(records, self._take_pending() or error)
        clock.lap("agree")
        every = tuple(drift.read(record) for record in merged)
        drifts, since_start = every[: len(self.rules)], every[len(self.rules) :]
        ends = self._decide(elapsed, drifts, forced) and not self._observe
        if not self._begun:
            self._normalized_ms = now
        self._begun = True
        if ends:
            self._rescale(corrections)
            self._normalized_ms = now
        clock.lap("rescale")
        if self._ranks.rank == 0:
            self._notices.tell(drifts)
        done = Look(now, elapsed, drifts, ends, self.next_interval, since_start, clock.seconds)
        self.log.append(done)
        self._tell(done)
        return done

    def _rescale(self, corrections: list[Correction]) -> None:
        try:
            run_all(self._synapses, [correction.change for correction in corrections])
        except Exception as error:
            # Half of the weights are written and the other ranks go on: nothing can be agreed any more.
            log.error("rank %d: rescaling failed: %s", self._ranks.rank, error)
            self._ranks.abort()
            raise

    def _decide(self, elapsed_ms: float, drifts: tuple[Drift, ...], forced: bool) -> bool:
        """Whether to normalize now; sets the time to the next look."""
        if not self._begun or (elapsed_ms == 0 and not self._hint):
            return True  # the first of all, or once more at the same time: the plan stands
        ends, after_ms, self._state = self._interval.look(self._state, elapsed_ms, drifts, forced)
        self._steps_left = self._steps(after_ms, "interval")
        self._hint = False
        return ends or forced

    def _measure(self, elapsed_ms: float) -> tuple[npt.NDArray[np.void], list[Correction], Exception | None]:
        """Drift records and corrections per rule; an error of this rank is handed on, not raised."""
        records = np.zeros(len(self.rules) + len(self._start_norms), drift.RECORD)
        corrections: list[Correction] = []
        try:
            measured = run_all(self._synapses, [first_pass(rule) for rule in self.rules])  # may be collective: first
            for i, (synapses, sums) in enumerate(zip(self._synapses, measured, strict=True)):
                assert sums is not None
                _check_finite(synapses, sums[0])
                norm, counts = norms.norms(sums[0], synapses.rule.power), sums[1].astype(np.int64)
                target = self._target_norms[i].of(synapses.node_ids, norm, counts)
                corrections.append(Correction(synapses.rule, sums, target, synapses.node_ids, elapsed_ms))
                if self._start_norms:
                    start = self._start_norms[i].of(synapses.node_ids, norm)
                    records[len(self.rules) + i] = drift.summarize(norm, start, counts, synapses.node_ids)
            work_out(corrections, self._synapses)
            for i, correction in enumerate(corrections):
                records[i] = correction.record()
            if not self.log:
                look_closer(nest, corrections, self._synapses, records)
        except Exception as error:  # the other ranks must hear of it in the agreement
            return records, [], error
        return records, corrections, None

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

    def _steps(self, time_ms: float, what: str) -> int:
        steps = round(time_ms / self._resolution_ms)
        if time_ms < 0 or abs(steps * self._resolution_ms - time_ms) > 1e-6 * self._resolution_ms * max(steps, 1):
            near = max(steps, 1) * self._resolution_ms
            raise RuleError(
                f"{what} is {time_ms} ms, not a multiple of the resolution of {self._resolution_ms} ms; "
                f"{near:g} ms would be"
            )
        if steps == 0 and what == "interval":
            raise RuleError(f"{what} is {time_ms} ms, less than the resolution of {self._resolution_ms} ms")
        return steps


def _check_finite(synapses: Synapses, sums: FloatArray) -> None:
    wrong = np.flatnonzero(~np.isfinite(sums))
    if wrong.size:
        raise WeightError(
            f"neuron {synapses.node_ids[wrong[0]]} has an incoming {' or '.join(synapses.rule.synapse_models)} weight "
            f"that is not finite ({wrong.size} such neurons on this rank); find it with nest.GetConnections(target=...)"
        )

"""The loop, and the only place that knows it.

simulate  one interval                                                  all ranks, inside NEST
measure   sums of |w|^p and counts per local target                     synapses, in place
summarize norms, drift -> one record per rule                           drift
agree     records and errors of all ranks, ONE Allreduce                parallel
rescale   w *= target norm / norm per local target                      synapses, in place
next      interval from the agreed drift, the same on every rank        interval
"""

from __future__ import annotations

import logging
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import nest
import numpy as np
import numpy.typing as npt

from . import drift, norms, parallel
from .drift import Drift
from .errors import CallbackError, RuleError, WeightError
from .initial import TargetNorms
from .interval import FixedInterval, Interval
from .norms import FloatArray
from .rule import Rule, check_disjoint
from .synapses import Synapses, Way, check_models, open_synapses

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Normalization:
    """What one normalization found and did; the same on every rank but for the seconds.

    Attributes:
        time_ms: Biological time of NEST in ms.
        interval_ms: Time simulated since the one before, in ms.
        drifts: Drift of each rule's targets over all ranks, before rescaling.
        rescaled: False if only observed.
        seconds: Wall time of "simulate" (since the one before), "measure", "agree" and "rescale" on this rank.
    """

    time_ms: float
    interval_ms: float
    drifts: tuple[Drift, ...]
    rescaled: bool
    seconds: dict[str, float]

    @property
    def drift_max(self) -> float:
        """Largest drift of all rules and ranks."""
        return max(d.max for d in self.drifts)


class Normalizer:
    """Keeps norms of incoming weights while NEST simulates.

    Attributes:
        rules: The rules, in order.
        next_interval: Time in ms from now to the next normalization.
        log: One `Normalization` for each made so far.
    """

    def __init__(
        self,
        rules: Rule | Sequence[Rule],
        *,
        interval: Interval | float = 100.0,
        observe: bool = False,
        on_normalize: Callable[[Normalization], None] | None = None,
        way: Way = "auto",
    ) -> None:
        """Prepare to normalize the network as it then is. Collective.

        Args:
            rules: One rule or several; no two may touch the same connection.
            interval: Time between normalizations in ms, or a controller such as `FixedInterval`.
            observe: Measure and log as usual but change no weight: the spikes are those of plain `nest.Simulate`.
            on_normalize: Called on every rank after each normalization. An exception in it, on any rank, is raised on
                all ranks at the next agreement.
            way: "inplace" insists on the compiled kernel, "pynest" on PyNEST; "auto" picks.

        Raises:
            RuleError: Rules, interval or way make no sense for this NEST.
            MPIError: NEST, mpi4py and the way the processes were started do not fit together.
        """
        self.rules: tuple[Rule, ...] = (rules,) if isinstance(rules, Rule) else tuple(rules)
        if not self.rules or not all(isinstance(rule, Rule) for rule in self.rules):
            raise RuleError(f"rules is {rules!r}; give a distnorm.Rule or several")
        if way not in ("auto", "inplace", "pynest"):
            raise RuleError(f'way is {way!r}; choose "auto", "inplace" or "pynest"')
        check_disjoint(self.rules)
        for rule in self.rules:
            check_models(nest, rule.synapse_models)
        self._ranks = parallel.world(nest.build_info["have_mpi"])
        self._interval: Interval = FixedInterval(interval) if isinstance(interval, int | float) else interval
        self._observe = observe
        self._on_normalize = on_normalize
        self._way: Way = way
        self._synapses: list[Synapses] = []
        self._target_norms = [TargetNorms(rule) for rule in self.rules]
        self._pending: Exception | None = None
        self._resolution_ms = float(nest.resolution)
        self._simulate_seconds = 0.0
        self._elapsed = 0
        self._state: Any
        interval_ms, self._state = self._interval.first()
        self._steps_left = self._steps(interval_ms, "interval")
        self.log: list[Normalization] = []

    @property
    def next_interval(self) -> float:
        """Time in ms that `simulate` would run before the next normalization."""
        return self._steps_left * self._resolution_ms

    def simulate(self, time_ms: float) -> None:
        """Simulate in place of `nest.Simulate`, normalizing between intervals. Collective.

        The first call normalizes before it simulates, so norms are at their target from the start. Several calls
        behave as one long call: an interval that does not end within one goes on in the next.

        Args:
            time_ms: Time to simulate in ms, a multiple of the resolution.

        Raises:
            RuleError: Not a multiple of the resolution.
            DistnormError: Something was wrong on some rank; the same error on every rank.
        """
        steps = self._steps(time_ms, "time to simulate")
        if not self.log:
            self.normalize()
        while steps:
            run = min(steps, self._steps_left)
            self._run(run)
            steps -= run
            if self._steps_left == 0:
                self.normalize()
        if self._on_normalize is not None:
            self._ranks.agree(np.zeros(0, drift.RECORD), self._take_pending())

    def normalize(self) -> Normalization:
        """Measure, agree, rescale, and choose the next interval. Collective.

        Raises:
            WeightError: A weight is not finite.
            DistnormError: Something was wrong on some rank; the same error on every rank, and no weight was changed.
        """
        if not self._synapses:
            self._synapses = open_synapses(nest, self.rules, self._ranks, self._way)
        clock = _Clock(simulate=self._simulate_seconds)
        records, factors, error = self._measure()
        clock.lap("measure")
        merged = self._ranks.agree(records, self._take_pending() or error)
        clock.lap("agree")
        if not self._observe:
            for synapses, factor in zip(self._synapses, factors, strict=True):
                synapses.rescale(factor)
        clock.lap("rescale")
        done = Normalization(
            time_ms=float(nest.biological_time),
            interval_ms=self._elapsed * self._resolution_ms,
            drifts=tuple(drift.read(record) for record in merged),
            rescaled=not self._observe,
            seconds=clock.seconds,
        )
        self._choose_next(done)
        self._tell(done)
        return done

    __call__ = normalize

    def _measure(self) -> tuple[npt.NDArray[np.void], list[FloatArray], Exception | None]:
        """Drift record and factors per rule; an error of this rank is handed on, not raised."""
        records = np.zeros(len(self.rules), drift.RECORD)
        factors = []
        try:
            for i, synapses in enumerate(self._synapses):
                sums, counts = synapses.measure()
                _check_finite(synapses, sums)
                norm = norms.norms(sums, synapses.rule.power)
                target = self._target_norms[i].of(synapses.node_ids, norm)
                records[i] = drift.summarize(norm, target, counts, synapses.node_ids)
                factors.append(norms.factors(norm, target))
        except Exception as error:  # the other ranks must hear of it in the agreement
            return records, [], error
        return records, factors, None

    def _choose_next(self, done: Normalization) -> None:
        if self.log:
            interval_ms, self._state = self._interval.next(self._state, done.interval_ms, done.drifts[0])
            self._steps_left = self._steps(interval_ms, "interval")
        self._elapsed = 0
        self._simulate_seconds = 0.0
        self.log.append(done)

    def _tell(self, done: Normalization) -> None:
        if self._on_normalize is None:
            return
        try:
            self._on_normalize(done)
        except Exception as error:  # raised on all ranks at the next agreement
            self._pending = CallbackError(f"on_normalize raised {type(error).__name__}: {error}")
            self._pending.__cause__ = error

    def _take_pending(self) -> Exception | None:
        error, self._pending = self._pending, None
        return error

    def _run(self, steps: int) -> None:
        start = time.perf_counter()
        try:
            nest.Simulate(steps * self._resolution_ms)
        except Exception as error:
            # The other ranks sit in NEST's own collectives and cannot be told.
            log.error("rank %d: nest.Simulate failed at %s ms: %s", self._ranks.rank, nest.biological_time, error)
            traceback.print_exc()
            self._ranks.abort()
            raise
        self._simulate_seconds += time.perf_counter() - start
        self._elapsed += steps
        self._steps_left -= steps

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


class _Clock:
    def __init__(self, **seconds: float) -> None:
        self.seconds = seconds
        self._last = time.perf_counter()

    def lap(self, name: str) -> None:
        now = time.perf_counter()
        self.seconds[name] = now - self._last
        self._last = now


def _check_finite(synapses: Synapses, sums: FloatArray) -> None:
    wrong = np.flatnonzero(~np.isfinite(sums))
    if wrong.size:
        raise WeightError(
            f"neuron {synapses.node_ids[wrong[0]]} has an incoming {' or '.join(synapses.rule.synapse_models)} weight "
            f"that is not finite ({wrong.size} such neurons on this rank); find it with nest.GetConnections(target=...)"
        )

"""What one normalization does to the targets of a rule on this rank.

measured  sums, counts, and with bounds a tally       Correction(...)
next norm the norm to reach now                       rate, tau_ms, only, tolerance
search    a factor or shift inside the bounds         next_pass, learn: further passes, until each target has its own
change    one last pass                               change
record    drift, and targets that no change reaches   record
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from ..errors import WeightError
from ..rules.node_ids import Int64Array
from ..rules.rule import Rule
from . import drift
from . import sums as norms
from .bounds import LEAST, ROWS
from .measured import Measured
from .passes import Pass
from .solver import MET, Clip, Search, SearchLargest
from .sums import BoolArray, FloatArray

_CANCELLED = 2.0**-20  # a signed sum below this fraction of the sum of |w| is zero to a factor


class Correction:
    """The change of a rule's weights, worked out in as many passes over memory as it needs."""

    def __init__(
        self,
        rule: Rule,
        measured: FloatArray,
        target_norm: FloatArray,
        node_ids: Int64Array,
        elapsed_ms: float,
        unit: Int64Array | None = None,
    ) -> None:
        """Work out what can be without another pass.

        Args:
            rule: The rule.
            measured: Result of `first_pass`, shape (3 or len(ROWS), n).
            target_norm: Of each target, shape (n,); NaN where not known.
            node_ids: Of each target, shape (n,).
            elapsed_ms: Time since the last normalization, in ms.
            unit: Exponent of the unit of each target's weights, as those measured are in (`units`); None: all in 1.

        Raises:
            WeightError: A norm is zero and the rule says to raise.
        """
        self.rule, self.node_ids, self._measured = rule, node_ids, measured
        self.counts = measured[1].astype(np.int64)
        self._now = Measured(rule, measured, target_norm, np.zeros(len(node_ids), np.int64) if unit is None else unit)
        self._find_present()
        self._check_zero()
        self._drift = self._distance(self._now.norm)
        self._due = self.present & (np.abs(self._drift) > rule.tolerance)
        self._flat = np.where(self.zero & (rule.zero == "equal") & ~np.isnan(target_norm), 1.0, 0.0)
        self._next_norm = self._now.next_norms(self._due | (self._flat > 0), rule.fraction(elapsed_ms))
        self._search: Search | SearchLargest | None = None
        self._at_bound = _number(measured, "low", "high", "outside") if len(measured) == len(ROWS) else 0
        if rule.shifts or rule.bounded:
            self._begin_search()
        else:
            self._at = self._factors()

    def _find_present(self) -> None:
        """Which targets can be normalized, which have norm zero, and which a factor would have to turn over."""
        connected, known, norm = self.counts > 0, ~np.isnan(self._now.target), self._now.own_norm
        self._opposite: BoolArray = np.zeros(connected.shape, np.bool_)
        if self.rule.shifts:
            self.present = connected & known
            self.zero = np.zeros(connected.shape, np.bool_)
            return
        self.present = connected & norms.present(norm, self._now.target)
        if self.rule.norm == "sum":
            cancelled = np.abs(norm) <= _CANCELLED * self._now.own_scale
            self.present &= ~cancelled
            self._opposite = connected & known & ~cancelled & ~self.present
        self.zero = connected & ~self.present & ~self._opposite

    def _check_zero(self) -> None:
        if self.rule.zero == "raise" and self.zero.any():
            raise WeightError(
                f"neuron {self.node_ids[self.zero].min()}: the norm of its {self.rule.of} "
                f"{' or '.join(self.rule.synapse_models)} weights is zero ({self.zero.sum()} such neurons on this "
                'rank); give the rule zero="skip" or "equal" if that may be'
            )

    def _distance(self, norm: FloatArray, norm_is: FloatArray | None = None) -> FloatArray:
        """Drift from the target norm, with its sign; 0 on the side that the rule leaves alone."""
        now = self._now
        target = now.target if norm_is is None else norm_is
        with np.errstate(all="ignore"):
            size = np.maximum(now.scale, np.where(np.isnan(now.target), 0.0, np.abs(now.target)))
            size = np.maximum(size, np.abs(norm))  # of weights that were all zero, and are lifted
            relative = np.where(target == 0, np.where(size > 0, norm / size, 0.0), norm / target - 1.0)
            if self.rule.norm == "sum":  # above means above, also where the target is below zero
                relative = np.where(target < 0, -relative, relative)
        relative = np.where(np.isnan(relative), 0.0, relative)
        if self.rule.only == "above":
            return np.maximum(relative, 0.0)
        return np.minimum(relative, 0.0) if self.rule.only == "below" else relative

    def _factors(self) -> FloatArray:
        result = norms.factors(self._now.own_norm, self._next_norm)
        result[~self._due] = 1.0
        return np.where(self._flat > 0, self._equal_size(), result)

    def _equal_size(self) -> FloatArray:
        """Size of each weight of a target when all are equal."""
        number = np.maximum(self.counts, 1).astype(np.float64)
        return self._now.target / (1.0 if self.rule.power == math.inf else norms.powers(number, 1 / self.rule.power))

    def _begin_search(self) -> None:
        rule, flat = self.rule, self._flat > 0
        if rule.clips:
            self._begin_clipping()
            return
        self._next_norm = np.where(flat, self._now.target, self._next_norm)
        units = self._now.units
        begin = np.where(flat, self._equal_size(), 0.0 if rule.shifts else 1.0)
        if units is not None and not rule.shifts:
            begin = np.where(units.are_ones, begin, self._factors())
        if rule.power == math.inf:
            self._search = SearchLargest(self._next_norm, np.where(self.present | flat, begin, np.nan), units)
            return
        inside = self._measured[ROWS.index("outside_count")] == 0
        active = (self.present & (self._due | ~inside)) | flat
        self._search = Search(self._next_norm, np.where(active, begin, np.nan), shifts=rule.shifts, power=rule.power)
        if units is None and not flat.any():  # the tally was made where the search begins
            self._search.learn(self._measured)

    def _begin_clipping(self) -> None:
        """The change that there would be without bounds, of all targets, as each weight must be inside."""
        change = self._shift() if self.rule.shifts else self._factors()
        at = np.where(self.present | (self._flat > 0), change, np.nan)
        self._search = Clip(self._next_norm, at, shifts=self.rule.shifts, power=self.rule.power)

    def _shift(self) -> FloatArray:
        return np.where(self._due, (self._next_norm - self._now.norm) / np.maximum(self.counts, 1), 0.0)

    @property
    def _made_equal(self) -> FloatArray | None:
        return self._flat if (self._flat > 0).any() else None

    @property
    def next_pass(self) -> Pass | None:
        """A tally that is still needed; None when there is none."""
        if self._search is None or self._search.done:
            return None
        at, units = self._search.at, None
        if isinstance(self._search, Search):
            at, units = self._now.for_tally(at, self._search.unit)
        return Pass(kind="tally", at=at, flat=self._made_equal, units=units)

    def learn(self, tally: FloatArray) -> None:
        """Take in the result of `next_pass`."""
        assert self._search is not None
        self._search.learn(tally)
        if self.rule.clips:
            self._at_bound = _number(tally, "low", "high", "outside")
        elif len(self._measured) < len(ROWS):  # the largest |w|: this is its first tally
            self._measured, self._at_bound = tally, _number(tally, "outside")

    @property
    def largest_drift(self) -> float:
        """Of the targets on this rank; 0 without any."""
        return float(np.abs(self._drift[self.present]).max(initial=0.0))

    @property
    def change(self) -> Pass | None:
        """The pass that changes the weights; None where none changes."""
        at, units = self._now.plain(self._at if self._search is None else self._search.x)
        if self._search is not None:
            return None if np.isnan(at).all() else Pass(kind="move", at=at, flat=self._made_equal, units=units)
        if self._made_equal is not None:
            return Pass(kind="move", at=at, flat=self._made_equal, units=units)
        return None if (at == 1.0).all() else Pass(kind="scale", at=at, units=units)

    @property
    def counting(self) -> Pass:
        """The change, for counting the weights that it brings beyond their synapse's own limits."""
        none = Pass(kind="scale", at=np.ones(self.counts.shape))
        return replace(self.change or none, counts=True)

    def record(self) -> npt.NDArray[np.void]:
        """Record of the local targets, for the agreement.

        Raises:
            WeightError: A norm is beyond 2^40 times its target.
        """
        nearest, unreachable = self._now.target, self._opposite
        drifts = missed = np.abs(self._drift)
        off = np.zeros_like(drifts)
        if self.rule.clips:
            off = self._left_off()
        elif self._search is not None:
            missed = np.abs(self._distance(self._search.reached))
            unreachable = self._search.unreachable & (missed > MET)
            nearest = np.where(unreachable, self._search.reached, nearest)
            drifts = np.where(unreachable, np.abs(self._distance(self._now.norm, nearest)), drifts)
        counted = self.present & ((nearest != 0) | (self.rule.norm == "sum"))
        record = drift.tabulate(drifts[counted], counted, self.counts, self.node_ids)
        if self.rule.named_runs is None:
            record["no_input"] = 0  # nobody has named these
        record["zero_norm"] = self.zero.sum()
        record["unreachable"] = unreachable.sum()
        record["unreachable_max"] = missed[unreachable].max(initial=0.0)
        record["at_bound"] = self._at_bound
        record["clipped_off"] = (off > MET).sum()
        record["clipped_off_max"] = off.max(initial=0.0)
        return record

    def _left_off(self) -> FloatArray:
        """Distance of each norm after clipping from the norm that was to be reached."""
        assert isinstance(self._search, Clip)
        which = (self.present | (self._flat > 0)) & (self._search.clips is not None and self._search.clips)
        size = np.where(self._next_norm == 0, np.maximum(self._now.scale, LEAST), np.abs(self._next_norm))
        with np.errstate(all="ignore"):
            return np.where(which, np.abs(self._search.reached - self._next_norm) / size, 0.0)


def _number(tally: FloatArray, *kinds: str) -> int:
    return sum(int(tally[ROWS.index(f"{kind}_count")].sum()) for kind in kinds)


def first_pass(rule: Rule, *, on_all_ranks: bool = False) -> Pass:
    """The pass that measures a rule: a tally where the weights are, if it has bounds; on all ranks, with `rests`."""
    tallies = not rule.clips and (rule.shifts or (rule.bounded and rule.power != math.inf))
    return Pass(kind="tally" if tallies else "measure", rests=on_all_ranks)

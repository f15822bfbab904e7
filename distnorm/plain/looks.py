"""A look at plain rules in one call of the kernel, with arrays kept from look to look.

What most runs ask for is plain: factors, without bounds, of norms that are ordinary numbers, towards target norms that
are known. All else is worked out in numpy (norms/correction.py), from the same sums; both give the same bits.
"""

from __future__ import annotations

import ctypes
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeGuard

import numpy as np
import numpy.typing as npt

from ..norms.correction import first_pass
from ..norms.passes import Pass
from ..norms.sums import FloatArray
from ..norms.target_norms import TargetNorms
from ..rules.rule import Rule
from ..synapses.in_place import InPlace
from ..synapses.kernel_interface import CallFailed, LookStruct, PassStruct
from ..synapses.synapses import Synapses

_SIDES = {None: 0.0, "above": 1.0, "below": -1.0}


def is_plain(synapses: Synapses) -> TypeGuard[InPlace]:
    """Whether looks at a rule's connections can be plain: by what it asks for, whatever the weights are."""
    rule = synapses.rule
    return (
        type(synapses) is InPlace
        and rule.of == "incoming"
        and rule.norm not in ("linf", "sum")
        and not (rule.shifts or rule.bounded or rule.clips or rule.soft)
    )


@dataclass(frozen=True, eq=False)
class Plain:
    """What is to be done for a rule: a pass that scales weights, or None."""

    change: Pass | None


_NOTHING = Plain(None)


class _Kept:
    """Arrays of one rule, as long as its connections are open as they are."""

    def __init__(self, synapses: InPlace) -> None:
        self.synapses = synapses
        self.handle, self.node_ids = synapses.handle, synapses.node_ids
        self.a_pass, self.sums = synapses.prepared(first_pass(synapses.rule))
        self.factors = np.ones(len(self.node_ids))
        self._norms: FloatArray | None = None
        self.done = Plain(Pass(kind="scale", at=self.factors))
        self.scale, _ = synapses.prepared(Pass(kind="scale", at=self.factors))

    @property
    def fits(self) -> bool:
        """Whether the connections are still open as they were."""
        return self.handle == self.synapses.handle and self.node_ids is self.synapses.node_ids

    def prepare(self, look: LookStruct) -> None:
        """Fill in what stays as it is."""
        rule: Rule = self.synapses.rule
        look.node_ids, look.factors = self.node_ids.ctypes.data, self.factors.ctypes.data
        look.mean_weight = math.nan if rule.mean_weight is None else rule.mean_weight
        look.tolerance, look.side = rule.tolerance, _SIDES[rule.only]
        look.skips_zero, look.counts_no_input = rule.zero == "skip", rule.named_runs is not None

    def find_norms(self, norms: TargetNorms, look: LookStruct) -> None:
        """Fill in the target norms."""
        found = norms.fixed(self.node_ids)
        if found is not self._norms:
            self._norms = found  # kept alive
            look.target_norms = None if found is None else found.ctypes.data


class PlainLooks:
    """Looks at plain rules.

    Args:
        several: Their connections.
        norms: Their target norms.
    """

    def __init__(self, several: Sequence[InPlace], norms: Sequence[TargetNorms]) -> None:
        self._several, self._norms = several, norms
        self._kept: list[_Kept] = []
        self._plain = np.zeros(1, np.int64)

    def look(self, records: npt.NDArray[np.void]) -> tuple[list[Plain] | None, list[FloatArray] | None]:
        """Measure, and work out what is to be done. Nothing is collective.

        Args:
            records: A drift record per rule, which is filled in.

        Returns:
            What is to be done for each rule, None where that takes more than a plain look; and the results of first
            passes, None where these were not made.
        """
        if not self._kept or not all(kept.fits for kept in self._kept):
            self._keep()
        first = records.ctypes.data
        for i, (kept, norms, look) in enumerate(zip(self._kept, self._norms, self._looks, strict=True)):
            kept.find_norms(norms, look)
            look.record = first + i * records.itemsize
        try:
            self._several[0].kernel.dn_look(len(self._kept), self._handles, self._passes, self._looks, self._plain)
        except CallFailed:  # connections that are out of date, and what else a pass may find
            return None, None
        if not self._plain[0]:
            return None, [kept.sums.copy() for kept in self._kept]
        return [kept.done if look.due else _NOTHING for kept, look in zip(self._kept, self._looks, strict=True)], None

    def rescale(self) -> bool:
        """Make the changes that the last look has worked out; False where that takes more than a pass for each rule."""
        due = [look.due for look in self._looks]
        if not any(due):
            return True
        if not all(due) or any(synapses.rule.weights == "current" for synapses in self._several):
            return False
        try:
            self._several[0].kernel.dn_run_passes(len(self._kept), self._handles, self._scales)
        except CallFailed:  # before any weight was written
            return False
        return True

    def _keep(self) -> None:
        self._kept = [_Kept(synapses) for synapses in self._several]
        self._handles = (ctypes.c_void_p * len(self._kept))(*(kept.handle for kept in self._kept))
        self._passes = (PassStruct * len(self._kept))(*(kept.a_pass for kept in self._kept))
        self._scales = (PassStruct * len(self._kept))(*(kept.scale for kept in self._kept))
        self._looks = (LookStruct * len(self._kept))()
        for kept, look in zip(self._kept, self._looks, strict=True):
            kept.prepare(look)

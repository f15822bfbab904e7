"""Target norms of the targets on this rank, "initial" ones included."""

from __future__ import annotations

import math
import sys

import numpy as np

from ..errors import WeightError
from ..rules.node_ids import Int64Array
from ..rules.rule import Rule
from .sums import FloatArray, powers


class InitialNorms:
    """Each target's norm when it was first measured and not zero.

    Attributes:
        taken: For how many targets the last call of `of` was the first such measurement.
    """

    def __init__(self) -> None:
        self.taken = 0
        self._ids = np.zeros(0, np.int64)  # ascending
        self._norms = np.zeros(0)
        self._all: tuple[Int64Array, FloatArray] | None = None  # targets, and the norms of them all

    def known(self) -> tuple[Int64Array, FloatArray]:
        """Targets and their initial norms, each of shape (n,)."""
        return self._ids, self._norms

    def recall(self, node_ids: Int64Array, norm: FloatArray) -> None:
        """Take initial norms as known, each array of shape (n,)."""
        self._all = None
        order = np.argsort(node_ids)
        self._ids, self._norms = node_ids[order], norm[order]

    def of(self, node_ids: Int64Array, norm: FloatArray) -> FloatArray:
        """Initial norms, shape of `node_ids`; NaN for a target whose norm was always zero.

        Args:
            node_ids: Targets on this rank, shape (n,).
            norm: Their norms as just measured, shape (n,).

        Raises:
            WeightError: One is larger than any double.
        """
        new = (norm != 0) & ~np.isin(node_ids, self._ids)
        self.taken = int(new.sum())
        if self.taken:
            _check_doubles(node_ids[new], norm[new], "norm")
            ids = np.concatenate((self._ids, node_ids[new]))
            order = np.argsort(ids)
            self._ids, self._norms = ids[order], np.concatenate((self._norms, norm[new]))[order]
            self._all = None
        return self._known_of(node_ids)

    def all_of(self, node_ids: Int64Array) -> FloatArray:
        """Initial norms as far as known, shape of `node_ids`; else NaN. The same array until there are more."""
        if self._all is None or self._all[0] is not node_ids:
            self._all = node_ids, self._known_of(node_ids)
        return self._all[1]

    def _known_of(self, node_ids: Int64Array) -> FloatArray:
        result = np.full(node_ids.shape, np.nan)
        known = np.isin(node_ids, self._ids)
        result[known] = self._norms[np.searchsorted(self._ids, node_ids[known])]
        return result


class TargetNorms:
    """What each target's norm should be."""

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self.initial = InitialNorms()
        self._given: tuple[Int64Array, FloatArray] | None = None  # targets, and the norms that the rule gives them

    def of(self, node_ids: Int64Array, norm: FloatArray, counts: Int64Array) -> FloatArray:
        """Target norms, shape of `node_ids`; NaN for one that is not known yet.

        Args:
            node_ids: Targets on this rank, shape (n,).
            norm: Their norms as just measured, shape (n,).
            counts: Their numbers of connections, shape (n,).
        """
        rule = self.rule
        if rule.norms_by_target is not None:
            return rule.target_norms(node_ids)
        if rule.mean_weight is None:
            return self.initial.of(node_ids, norm)
        number = counts.astype(np.float64)
        of_ones = np.ones(len(number)) if rule.power == math.inf else powers(number, 1 / rule.power)
        with np.errstate(over="ignore"):
            target: FloatArray = rule.mean_weight * np.where(counts > 0, of_ones, np.nan)
        _check_doubles(node_ids, target, "target norm")
        return target

    def fixed(self, node_ids: Int64Array) -> FloatArray | None:
        """Target norms as far as they are known before measuring, shape of `node_ids`, else NaN.

        None where the rule has a mean weight: the numbers of connections then tell.

        The same array of node IDs gives the same array, until more is known.
        """
        if self.rule.keeps_initial:
            return self.initial.all_of(node_ids)
        if self.rule.norms_by_target is None:
            return None
        if self._given is None or self._given[0] is not node_ids:
            self._given = node_ids, self.rule.target_norms(node_ids)
        return self._given[1]

    def remember(self, node_ids: Int64Array, norm: FloatArray) -> None:
        """Take norms as measured now for "initial" ones, if the rule asks for these; arguments as those of `of`."""
        if self.rule.keeps_initial:
            self.initial.of(node_ids, norm)

    def known(self, node_ids: Int64Array) -> FloatArray:
        """What is known of target norms before a norm is measured, shape of `node_ids`; else NaN."""
        nothing = np.zeros(len(node_ids), np.int64)
        return self.of(node_ids, nothing.astype(np.float64), nothing)


def _check_doubles(node_ids: Int64Array, values: FloatArray, what: str) -> None:
    beyond = np.flatnonzero(np.isinf(values))
    if beyond.size:
        raise WeightError(
            f"neuron {node_ids[beyond[0]]}: its {what} is larger than the largest double, {sys.float_info.max:.2g} "
            f"({beyond.size} such neurons on this rank); give smaller weights, in another unit"
        )

"""Target norms of the targets on this rank, "initial" ones included."""

from __future__ import annotations

import numpy as np

from .node_ids import Int64Array
from .norms import FloatArray
from .rule import Rule


class InitialNorms:
    """Each target's norm when it was first measured above zero."""

    def __init__(self) -> None:
        self._ids = np.zeros(0, np.int64)  # ascending
        self._norms = np.zeros(0)

    def of(self, node_ids: Int64Array, norm: FloatArray) -> FloatArray:
        """Initial norms, shape of `node_ids`; NaN for a target whose norm was never above zero.

        Args:
            node_ids: Targets on this rank, shape (n,).
            norm: Their norms as just measured, shape (n,).
        """
        new = (norm > 0) & ~np.isin(node_ids, self._ids)
        if new.any():
            ids = np.concatenate((self._ids, node_ids[new]))
            order = np.argsort(ids)
            self._ids, self._norms = ids[order], np.concatenate((self._norms, norm[new]))[order]
        result = np.full(node_ids.shape, np.nan)
        known = np.isin(node_ids, self._ids)
        result[known] = self._norms[np.searchsorted(self._ids, node_ids[known])]
        return result


class TargetNorms:
    """What each target's norm should be."""

    def __init__(self, rule: Rule) -> None:
        self._rule = rule
        self._initial = InitialNorms()

    def of(self, node_ids: Int64Array, norm: FloatArray) -> FloatArray:
        """Target norms, as `InitialNorms.of` where the rule says "initial"."""
        if self._rule.target_norm_is_given:
            return self._rule.target_norms(node_ids)
        return self._initial.of(node_ids, norm)

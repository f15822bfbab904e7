"""Sets of NEST node IDs as runs: int64 of shape (n, 2), sorted, disjoint rows [first, last], both inclusive.

A population is a handful of runs however large it is, so a rank needs no memory for the neurons of other ranks.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .errors import RuleError

Int64Array = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Nodes:
    """Nodes by their runs, which may stand for a NodeCollection.

    Attributes:
        runs: Shape (n, 2), sorted and disjoint.
    """

    runs: Int64Array

    def tolist(self) -> list[int]:
        """All node IDs, ascending."""
        return [each for first, last in self.runs.tolist() for each in range(first, last + 1)]


def union(parts: Sequence[Any], what: str) -> Nodes:
    """Nodes of several sets together.

    Raises:
        RuleError: As `as_id_array`, or a node is in two of them.
    """
    runs = np.concatenate([runs_of(each, what) for each in parts])
    runs = runs[np.argsort(runs[:, 0])]
    shared = np.flatnonzero(runs[1:, 0] <= runs[:-1, 1])
    if shared.size:
        raise RuleError(f"{what} holds node ID {runs[shared[0] + 1, 0]} twice; name each node once")
    return Nodes(runs)


def as_id_array(nodes: Any, what: str) -> Int64Array:
    """Node IDs of a NodeCollection or an iterable of integers, in the given order, shape (n,).

    Raises:
        RuleError: Not node IDs, empty, not positive, or one of them twice.
    """
    ids = nodes.tolist() if hasattr(nodes, "tolist") else nodes
    if isinstance(ids, str) or not isinstance(ids, Iterable):
        raise RuleError(f"{what} is {nodes!r}; give a NodeCollection, a list of node IDs, or None for all")
    try:
        array = np.asarray(list(ids))
    except ValueError:
        raise RuleError(f"{what} is {nodes!r}; give a NodeCollection, a list of node IDs, or None for all") from None
    if array.size == 0:
        raise RuleError(f"{what} is empty; give at least one node, or None for all")
    if array.ndim != 1 or not np.issubdtype(array.dtype, np.integer):
        raise RuleError(f"{what} is {nodes!r}; give a NodeCollection, a list of node IDs, or None for all")
    if array.min() < 1:
        raise RuleError(f"{what} holds node ID {array.min()}; node IDs of NEST start at 1")
    if np.unique(array).size != array.size:
        values, counts = np.unique(array, return_counts=True)
        raise RuleError(f"{what} holds node ID {values[counts > 1][0]} twice; name each node once")
    return array.astype(np.int64)


def runs_of(nodes: Any, what: str) -> Int64Array:
    """Runs of a NodeCollection or an iterable of node IDs; a contiguous NodeCollection is not spread out.

    Raises:
        RuleError: As `as_id_array`.
    """
    if isinstance(nodes, Nodes):
        return nodes.runs
    if type(nodes).__name__ == "NodeCollection" and len(nodes) > 0:
        first, last = nodes[0].global_id, nodes[-1].global_id
        if last - first + 1 == len(nodes):
            return np.array([[first, last]], dtype=np.int64)
    ids = np.sort(as_id_array(nodes, what))
    ends = np.flatnonzero(np.diff(ids) > 1)
    firsts = np.concatenate(([0], ends + 1))
    lasts = np.concatenate((ends, [ids.size - 1]))
    return np.stack((ids[firsts], ids[lasts]), axis=1)


def contains(runs: Int64Array, ids: Int64Array) -> npt.NDArray[np.bool_]:
    """For each ID, whether a run holds it; shape of `ids`."""
    position = np.searchsorted(runs[:, 1], ids)
    inside = position < len(runs)
    inside[inside] = runs[position[inside], 0] <= ids[inside]
    return inside


def overlap(a: Int64Array | None, b: Int64Array | None) -> bool:
    """Whether two sets share a node; None is the set of all nodes."""
    if a is None or b is None:
        return True
    position = np.searchsorted(a[:, 1], b[:, 0])
    inside = position < len(a)
    return bool(np.any(a[position[inside], 0] <= b[inside, 1]))

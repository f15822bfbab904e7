"""Sets of NEST node IDs as runs: int64 of shape (n, 2), sorted, disjoint rows [first, last], both inclusive.

A population is a handful of runs however large it is, so a rank needs no memory for the neurons of other ranks.
"""

from __future__ import annotations

import numbers
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import RuleError
from ..files.typed_json import shown

Int64Array = npt.NDArray[np.int64]

LARGEST = 2**61 - 2
"""NEST keeps a node ID in 61 bits, and the largest number stands for none."""

_RANGE = re.compile(r"([0-9]+)-([0-9]+)")
_DIGITS = len(str(LARGEST))


@dataclass(frozen=True, eq=False)
class Nodes:
    """Nodes by their runs, which may stand for a NodeCollection.

    Attributes:
        runs: Shape (n, 2), sorted and disjoint.
    """

    runs: Int64Array

    def tolist(self) -> list[int]:
        """All node IDs, ascending."""
        return [node_id for first, last in self.runs.tolist() for node_id in range(first, last + 1)]


def union(parts: Sequence[Any], what: str) -> Nodes:
    """Nodes of several sets together."""
    runs = np.concatenate([runs_of(nodes, what) for nodes in parts])
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
    wrong = RuleError(f"{what} is {shown(nodes)}; give a NodeCollection, a list of node IDs, or None for all")
    if isinstance(ids, str | bytes) or not isinstance(ids, Iterable):
        raise wrong
    values = list(ids)
    try:
        array = np.asarray(values)
    except ValueError:
        raise wrong from None
    if array.size == 0:
        raise RuleError(f"{what} is empty; give at least one node, or None for all")
    if (largest := _largest(values, array)) > LARGEST:
        raise RuleError(f"{what} holds node ID {shown(largest)}; node IDs of NEST end at {LARGEST}")
    if array.ndim != 1 or not np.issubdtype(array.dtype, np.integer):
        raise wrong
    if array.min() < 1:
        raise RuleError(f"{what} holds node ID {array.min()}; node IDs of NEST start at 1")
    if np.unique(array).size != array.size:
        unique, counts = np.unique(array, return_counts=True)
        raise RuleError(f"{what} holds node ID {unique[counts > 1][0]} twice; name each node once")
    return array.astype(np.int64)


def _largest(values: list[Any], array: npt.NDArray[Any]) -> int:
    """Of the whole numbers; those that int64 does not hold made another array of the list."""
    if array.dtype.kind == "i":
        return int(array.max())
    return max((int(value) for value in values if isinstance(value, numbers.Integral)), default=0)


def range_of(text: str, what: str) -> Nodes | None:
    """The nodes of a range such as "1-800"; None if it is none."""
    ends = _RANGE.fullmatch(text)
    if ends is None:
        return None
    first, last = (int(end) if len(end) <= _DIGITS else LARGEST + 1 for end in ends.groups())
    if not 1 <= first <= last <= LARGEST:
        raise RuleError(
            f'{what} is {shown(text)}; a range of node IDs is "FIRST-LAST", with 1 <= FIRST <= LAST <= {LARGEST}'
        )
    return Nodes(np.array([[first, last]], dtype=np.int64))


def count_of(nodes: Any, what: str) -> int:
    """Number of nodes; those of runs are not spread out."""
    return sum(last - first + 1 for first, last in runs_of(nodes, what).tolist())


def runs_of(nodes: Any, what: str) -> Int64Array:
    """Runs of a NodeCollection or an iterable of node IDs; what is contiguous is not spread out."""
    if isinstance(nodes, Nodes):
        return nodes.runs
    if isinstance(nodes, range) and nodes.step == 1 and 1 <= nodes.start < nodes.stop <= LARGEST + 1:
        return np.array([[nodes.start, nodes.stop - 1]], dtype=np.int64)
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

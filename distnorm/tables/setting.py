"""Weights set in place, on any number of ranks: all of them, or none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import RuleError, WeightError
from ..mpi.ranks import Ranks, world
from ..norms.sums import FloatArray
from ..synapses.kernel_interface import CallFailed
from .selection import check_same, kept_kernel
from .table import Connections, columns_of, connections

_NEEDED = ("target", "weight", "location")
_BLOCK = 4_000_000


def set_weights(
    weights: npt.NDArray[np.void] | Callable[[Connections], npt.ArrayLike], /, *args: Any, **selection: Any
) -> int:
    """Set the weights of connections on this rank, in place. Collective.

    NEST is asked about each weight that it could refuse, such as one without the sign of its Wmax, before any is
    written on any rank. So either all are set, or none.

    Args:
        weights: Rows of `connections` with the columns "target", "weight" and "location", of which "weight" is set. Or
            a function that is given blocks of connections with these columns and "source", and returns their new
            weights.
        *args: For a function, the arguments of `connections` that say which.
        **selection: Likewise; also `columns`, for further ones.

    Returns:
        Number of weights on this rank that were set.

    Raises:
        WeightError: A weight that is not finite, or that NEST does not take; with the connection.
        RuleError: Rows without these columns, or a value that makes no sense.
        KernelError: A connection is not where it was; read them again.
    """
    import nest

    ranks = world(nest.build_info["have_mpi"])
    check_same(ranks, weights=callable(weights))
    rows = _made_by(weights, ranks, args, selection) if callable(weights) else [np.ascontiguousarray(weights)]
    kernel = kept_kernel(nest, ranks)

    def check() -> None:
        for of_block in rows:
            _check(kernel, of_block)

    def write() -> None:
        for of_block in rows:
            kernel.dn_write_weights(columns_of(of_block), len(of_block))

    ranks.together(check)
    ranks.together(write)
    return sum(map(len, rows))


def _made_by(
    function: Callable[[Connections], npt.ArrayLike], ranks: Ranks, args: tuple[Any, ...], selection: dict[str, Any]
) -> list[npt.NDArray[np.void]]:
    columns = dict.fromkeys(("source", *_NEEDED, *selection.pop("columns", ())))
    blocks = connections(*args, columns=tuple(columns), blocks=_BLOCK, **selection)
    return ranks.of_user(lambda: [_with_weights(block, function(block)) for block in blocks])


def _with_weights(block: Connections, made: npt.ArrayLike) -> npt.NDArray[np.void]:
    """Only what is needed to set them."""
    new: FloatArray = np.asarray(made, np.float64)
    if new.shape != block.shape:
        raise RuleError(f"the function made {new.shape} weights of {block.shape} connections; return one for each")
    rows = np.empty(len(block), np.dtype([(name, block.dtype[name]) for name in _NEEDED]))
    rows["target"], rows["location"], rows["weight"] = block["target"], block["location"], new
    return rows


def _check(kernel: Any, rows: npt.NDArray[np.void]) -> None:
    missing = [name for name in _NEEDED if name not in (rows.dtype.names or ())]
    if missing:
        raise RuleError(f"these connections have no column {missing[0]!r}; read them with {', '.join(_NEEDED)}")
    infinite = np.flatnonzero(~np.isfinite(rows["weight"]))
    if infinite.size:
        raise _refused(rows[infinite[0]], "it is not finite")
    wrong = np.full(1, -1)
    try:
        kernel.dn_check_weights(columns_of(rows), len(rows), wrong)
    except CallFailed as failure:
        if failure.text.startswith("the connection is not there"):
            raise
        raise _refused(rows[wrong[0]], failure.text) from None


def _refused(row: np.void, reason: str) -> WeightError:
    names = row.dtype.names or ()
    source = f" from {row['source']}" if "source" in names else ""
    return WeightError(f"weight {float(row['weight'])!r} of a connection onto neuron {row['target']}{source}: {reason}")

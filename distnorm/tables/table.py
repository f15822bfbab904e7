"""Connections as a structured array, read in place; and what can be made of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from ..errors import RuleError
from ..norms.passes import Pass
from ..norms.sums import BoolArray
from ..rules.node_ids import Int64Array
from ..synapses.in_place import InPlace
from ..synapses.kernel_interface import ColumnsStruct
from ..synapses.synapse_models import forgotten_sources
from .selection import Selection, Weights, no_such

COLUMNS = {
    "source": np.int64,
    "target": np.int64,
    "weight": np.float64,
    "delay": np.float64,
    "receptor": np.int64,
    "label": np.int64,
    "synapse_model": np.int64,
    "location": np.uint64,
}
"""Columns of a table, with their types."""
_FIELDS = {"synapse_model": "model"}  # of the C structure, where they have another name


class Connections(npt.NDArray[np.void]):
    """Connections as a structured numpy array, one row each; a column by its name, as in `found["weight"]`.

    Attributes:
        models: Names of the synapse models, by their numbers in the column "synapse_model".
    """

    models: dict[int, str]

    def __array_finalize__(self, made_of: Any) -> None:
        """Keep the names of the models."""
        self.models = getattr(made_of, "models", {})

    def to_pandas(self) -> Any:
        """A pandas DataFrame with the columns; synapse models by their names, as a categorical.

        Raises:
            RuleError: pandas is missing.
        """
        try:
            import pandas
        except ImportError as error:
            raise RuleError(f'a DataFrame needs pandas: pip install "distnorm[pandas]" ({error})') from None
        frame = pandas.DataFrame({name: np.asarray(self[name]) for name in self.dtype.names or ()})
        if "synapse_model" in frame:
            frame["synapse_model"] = frame["synapse_model"].map(self.models).astype("category")
        return frame

    def to_sparse(self, *, targets: Any = None, sources: Any = None) -> Any:
        """Weights as a scipy.sparse.csr_array, row by target and column by source; those of multapses add up.

        Args:
            targets: Node IDs or a NodeCollection, in the order of the rows; None: those that occur, ascending.
            sources: Likewise, of the columns.

        Raises:
            RuleError: scipy is missing, or a connection is of another node.
        """
        try:
            from scipy import sparse
        except ImportError as error:
            raise RuleError(f'a sparse matrix needs scipy: pip install "distnorm[scipy]" ({error})') from None
        rows, num_rows = _positions(self, "target", targets)
        columns, num_columns = _positions(self, "source", sources)
        return sparse.csr_array((np.asarray(self["weight"]), (rows, columns)), shape=(num_rows, num_columns))

    def save(self, path: str | Path) -> None:
        """Write it as an .npy file, which numpy.load reads; a file that is there already is kept.

        Raises:
            RuleError: It cannot be written.
        """
        try:
            with Path(path).open("xb") as file:
                np.save(file, np.asarray(self))
        except OSError as error:
            raise RuleError(f"cannot write connections to {path}: {error.strerror}") from None


def _positions(table: Connections, name: str, nodes: Any) -> tuple[Int64Array, int]:
    """Position of each connection's node among the nodes, and their number."""
    if name not in (table.dtype.names or ()):
        raise RuleError(f"these connections have no column {name!r}; read them with it")
    ids = np.asarray(table[name])
    if nodes is None:
        known, positions = np.unique(ids, return_inverse=True)
        return positions, len(known)
    given = np.array(nodes.tolist() if hasattr(nodes, "tolist") else list(nodes), np.int64)
    order = np.argsort(given)
    places = np.minimum(np.searchsorted(given, ids, sorter=order), len(given) - 1)
    found = order[places] if len(given) else places
    if len(ids) and (not len(given) or (given[found] != ids).any()):
        raise RuleError(f"a connection has a {name} that is not among the {len(given)} given ones")
    return found, len(given)


def connections(
    synapse_model: str | Sequence[str] | None = None,
    *,
    sources: Any = None,
    targets: Any = None,
    receptor_type: int | Sequence[int] | None = None,
    label: int | Sequence[int] | None = None,
    sign: Literal["positive", "negative"] | None = None,
    weights: Weights = "stored",
    columns: Sequence[str] = ("source", "target", "weight"),
    blocks: int | None = None,
    gather: bool = False,
) -> Any:
    """The connections between neurons whose targets are on this rank, read in place. Collective.

    Rows are in ascending order of target, then of the synapse model's number, then of source, then as NEST keeps them:
    the same rows in the same order however virtual processes are split, once those of all ranks are sorted by target.

    Args:
        synapse_model: Name of a synapse model of NEST, or several; None for all that have a weight per connection.
        sources: As of `Rule`; so are targets, receptor_type, label and sign.
        targets: See above.
        receptor_type: See above.
        label: See above.
        sign: See above.
        weights: "stored", as PyNEST reads them, or "current", as of `Rule`.
        columns: Some of "source", "target" (node IDs), "weight", "delay" (ms), "receptor", "label" (-1: none),
            "synapse_model" (its number in NEST) and "location" (with which `set_weights` finds it again).
        blocks: In place of one array an iterator of several with about so many rows each, all connections of a target
            in one. Each is a pass over all connections, on this rank alone.
        gather: Rank 0 gets the rows of all ranks, the others an empty array.

    Returns:
        The `Connections`; with `blocks` an iterator of them.

    Raises:
        RuleError: A value that makes no sense, a model without a weight per connection, or sources that NEST has not
            kept (nest.keep_source_table).
        KernelError: The kernel cannot be compiled.
    """
    selection = Selection(
        synapse_model,
        sources=sources,
        targets=targets,
        receptor_type=receptor_type,
        label=label,
        sign=sign,
        weights=weights,
        blocks=blocks is None,
        gather=bool(gather),
    )
    dtype = selection.ranks.together(lambda: _checked(columns, blocks, gather, selection))
    if blocks is not None:
        return blocks_of(selection, dtype, blocks)
    mine = selection.ranks.together(lambda: _read(selection, dtype))
    return _gathered(selection, mine) if gather else mine


def _checked(columns: Sequence[str], blocks: int | None, gather: bool, selection: Selection) -> np.dtype[np.void]:
    if blocks is not None and (not isinstance(blocks, int) or blocks < 1):
        raise RuleError(f"blocks is {blocks!r}; give a number of rows")
    if blocks is not None and gather:
        raise RuleError("blocks and gather do not go together; gather is for arrays that fit on rank 0")
    return dtype_of(columns, selection)


def dtype_of(columns: Sequence[str], selection: Selection) -> np.dtype[np.void]:
    """The type of a row with these columns.

    Raises:
        RuleError: They are not names of columns, or of one that NEST does not know here.
    """
    for name in (columns,) if isinstance(columns, str) else columns:
        if name not in COLUMNS:
            raise no_such("columns", name, tuple(COLUMNS))
    if isinstance(columns, str) or not columns or len(set(columns)) != len(columns):
        raise RuleError(f"columns is {columns!r}; give a list of different names, such as ('source', 'weight')")
    synapses = selection.synapses
    if "source" in columns and synapses is not None and not synapses.sources_are_known():
        raise forgotten_sources(synapses.rule.synapse_models)
    return np.dtype([(name, COLUMNS[name]) for name in columns])


def _read(selection: Selection, dtype: np.dtype[np.void]) -> Connections:
    if selection.synapses is None:
        return _empty(selection, dtype, 0)
    counts = counts_of(selection.synapses)
    return _collect(selection, selection.synapses, dtype, counts, np.argsort(selection.synapses.node_ids))


def counts_of(synapses: InPlace) -> Int64Array:
    """Number of connections per target on this rank, shape (n,)."""
    counts: Int64Array = synapses.measure()[1].astype(np.int64)
    return counts


def blocks_of(
    selection: Selection, dtype: np.dtype[np.void], rows: int, chosen: BoolArray | None = None
) -> Iterator[Connections]:
    """Arrays of about so many rows, all connections of a target in one; of all targets, or those chosen, shape (n,)."""
    synapses = selection.synapses
    if synapses is None:
        return
    counts = counts_of(synapses)
    order = np.argsort(synapses.node_ids)
    order = order[(counts[order] > 0) & (True if chosen is None else chosen[order])]
    ends = np.cumsum(counts[order])
    begin = 0
    while begin < len(order):
        before = ends[begin - 1] if begin else 0
        end = max(begin + 1, int(np.searchsorted(ends, before + rows, side="right")))
        yield _collect(selection, synapses, dtype, counts, order[begin:end])
        begin = end


def _collect(
    selection: Selection, synapses: InPlace, dtype: np.dtype[np.void], counts: Int64Array, targets: Int64Array
) -> Connections:
    """The rows of some targets, by their numbers, in this order."""
    ends = np.cumsum(counts[targets])
    following = np.full(len(counts), -1)
    following[targets] = ends - counts[targets]
    table = _empty(selection, dtype, int(ends[-1]) if len(ends) else 0)
    synapses.run(Pass(kind="collect", columns=columns_of(table, following)))
    if (following[targets] != ends).any():
        raise RuleError("connections were made or removed while they were read")
    return table


def columns_of(table: npt.NDArray[np.void], following: Int64Array | None = None) -> ColumnsStruct:
    """What the kernel takes for the columns of a table, which must stay alive."""
    offsets = {_FIELDS.get(name, name): -1 for name in COLUMNS}
    offsets |= {_FIELDS.get(name, name): dtype[1] for name, dtype in (table.dtype.fields or {}).items()}
    made = ColumnsStruct(rows=table.ctypes.data, size=table.dtype.itemsize, **offsets)
    made.next = None if following is None else following.ctypes.data
    made.arrays = (table, following)  # kept alive
    return made


def _empty(selection: Selection, dtype: np.dtype[np.void], rows: int) -> Connections:
    table = np.empty(rows, dtype).view(Connections)
    table.models = selection.models
    return table


def _gathered(selection: Selection, mine: Connections) -> Connections:
    parts = selection.ranks.gather(np.asarray(mine))
    if parts is None:
        return _empty(selection, mine.dtype, 0)
    every = np.concatenate(parts).view(Connections)
    every.models = selection.models
    if len(parts) == 1 or "target" not in (mine.dtype.names or ()):
        return every
    return every[np.argsort(every["target"], kind="stable")].view(Connections)

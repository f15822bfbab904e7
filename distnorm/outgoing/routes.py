"""Who has a part of a source's norm, and who puts the parts together.

Each thread of a rank has a number for each source of its connections. A rank adds up what its threads have found, and
sends one row of numbers per source to the rank that owns the source: the one on which NEST has the neuron. The owner
knows the norm, works out a factor, and sends that back the same way. So a rank's memory, and its message, are as large
as the number of sources of its connections, never as the number of connections.
"""

from __future__ import annotations

import numpy as np

from ..mpi.ranks import Ranks
from ..norms.sums import FloatArray
from ..rules.node_ids import Int64Array
from .merging import Parts


class Routes:
    """The way of numbers per source to their owners, and back. All but `take` is collective.

    Attributes:
        owned: Node IDs of the sources that this rank owns and that have such connections on some rank, ascending.
        sent_bytes: Bytes that this rank has sent to other ranks so far.
    """

    def __init__(self, ranks: Ranks, node_ids: Int64Array) -> None:
        """Agree on the routes.

        Args:
            ranks: All ranks.
            node_ids: Of the source of each number on this rank, thread by thread, shape (n,).
        """
        self._ranks = ranks
        self.sent_bytes = 0
        self._sources, self._position = np.unique(node_ids, return_inverse=True)
        owner = self._sources % ranks.size  # as NEST assigns neurons to ranks
        self._order = np.argsort(owner, kind="stable")
        self._to = np.bincount(owner, minlength=ranks.size)
        self._from = ranks.exchange(self._to, np.ones(ranks.size, np.int64), np.ones(ranks.size, np.int64))
        received = ranks.exchange(self._sources[self._order], self._to, self._from)
        self.owned, self._slots = np.unique(received, return_inverse=True)

    @property
    def num_arriving(self) -> int:
        """Number of columns that arrive at this rank."""
        return len(self._slots)

    @property
    def parts(self) -> Parts:
        """Which of the rows that arrive belong to which source that this rank owns."""
        return Parts(self._slots, len(self.owned))

    @property
    def of_threads(self) -> Parts:
        """Which of a rank's numbers belong to which source of its connections."""
        return Parts(self._position, len(self._sources))

    def to_owners(self, rows: FloatArray) -> FloatArray:
        """Rows of numbers per source of this rank's connections, shape (rows, sources), as they arrive at owners."""
        return self._exchange(rows[:, self._order], self._to, self._from)

    def to_parts(self, rows: FloatArray) -> FloatArray:
        """Rows of numbers per owned source, shape (rows, owned), as each number of this rank has them, (rows, n)."""
        arrived = self._exchange(rows[:, self._slots], self._from, self._to)
        result = np.empty_like(arrived)
        result[:, self._order] = arrived
        return result[:, self._position]

    def _exchange(self, rows: FloatArray, to: Int64Array, from_: Int64Array) -> FloatArray:
        """Send columns; a column goes whole."""
        number = len(rows)
        self.sent_bytes += 8 * number * int(to.sum() - to[self._ranks.rank])
        received = self._ranks.exchange(np.ascontiguousarray(rows.T).reshape(-1), number * to, number * from_)
        return np.ascontiguousarray(received.reshape(-1, number).T)

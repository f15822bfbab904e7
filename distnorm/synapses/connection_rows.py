"""Connections as rows, a block at a time, through the compiled kernel (kernel/connections/rows.h).

A row tells a connection apart (source, target, delay, receptor, model) and has its weight; beside it come the members
that change while NEST simulates, as the model has them. Rows are numbered as NEST numbers the connections of a model on
one of its threads: by source, and in no particular order among those of one source.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import KernelError, RuleError
from ..mpi.ranks import Ranks
from ..norms.sums import FloatArray
from .kernel_interface import ROW, CallFailed
from .kernel_library import agree_on_delays, kernel_of, model_of

__all__ = ["KEY_BYTES", "ROW", "Connections", "Model", "connected_models"]

KEY_BYTES = 16
"""The first bytes of a row tell connections apart."""


@dataclass(frozen=True, kw_only=True)
class Model:
    """A synapse model whose connections are kept.

    Attributes:
        name: Its name in NEST.
        synapse_id: Its number in NEST.
        state: Names of the members that come beside the weight.
    """

    name: str
    synapse_id: int
    state: tuple[str, ...]

    @property
    def times(self) -> list[int]:
        """Which members are points in time."""
        return [i for i, name in enumerate(self.state) if name.startswith("t_")]


class Connections:
    """The connections on this rank whose weights change.

    Attributes:
        models: Their synapse models, the same on every rank.
        left_out: Synapse models with connections that the kernel does not know: they are as the network was built.
        num_virtual: Number of virtual processes.
        virtual: Virtual processes on this rank, by thread.
    """

    def __init__(self, nest: Any, ranks: Ranks, rule_models: Sequence[str]) -> None:
        """Find the models. Collective.

        Args:
            nest: The imported module.
            ranks: All ranks.
            rule_models: Models of rules, which are kept even if only normalization changes their weights.

        Raises:
            KernelError: The kernel cannot be compiled.
            RuleError: Connections that cannot be told apart, or whose weights cannot be kept.
        """
        self._library = kernel_of(nest, ranks)
        if not nest.keep_source_table:
            raise RuleError("keep_source_table is off, so NEST forgets sources; checkpoints need it on")
        threads = int(nest.local_num_threads)
        self.virtual = [thread * ranks.size + ranks.rank for thread in range(threads)]
        self.num_virtual = threads * ranks.size
        self._nest, self._ranks = nest, ranks
        self.models: list[Model] = []
        self.left_out: list[str] = []
        self._find_models(connected_models(nest, ranks), rule_models)

    def _find_models(self, connected: dict[str, int], rule_models: Sequence[str]) -> None:
        for name, synapse_id in connected.items():
            known = model_of(self._nest, self._library, name)
            if known is None:
                self.left_out.append(name)
            elif name in rule_models or not known.fixed:
                members = tuple(member.rstrip("_") for member in known.state.split())
                self.models.append(Model(name=name, synapse_id=synapse_id, state=members))

    def sort(self) -> None:
        """Have NEST sort its connections, as it does before it simulates. Collective.

        GetConnections does that too, and unlike Prepare it leaves nodes and recorders alone.
        """
        self._nest.GetConnections(source=self._nest.NodeCollection([1]))
        agree_on_delays(self._nest, self._library, self._ranks)

    def count(self, thread: int, model: Model) -> int:
        """Number of rows of a model on a thread."""
        return int(self._library.dn_count_rows(thread, model.synapse_id))

    def read(self, thread: int, model: int, first: int, rows: npt.NDArray[np.void], state: FloatArray) -> None:
        """Read rows from `first` on, as many as `rows` has.

        Args:
            thread: One of NEST's threads.
            model: Position in `models`.
            first: Number of the first row.
            rows: Filled; shape (n,), dtype ROW.
            state: Filled; shape (n, members).
        """
        self._call(self._library.dn_get_rows, thread, model, first, rows, state)
        rows["model"] = model

    def write(self, thread: int, model: int, first: int, rows: npt.NDArray[np.void], state: FloatArray) -> None:
        """Write weights and state of rows from `first` on, as many as `rows` has; see `read`."""
        self._call(self._library.dn_set_rows, thread, model, first, rows, state)

    def fingerprint(self, rows: npt.NDArray[np.void]) -> int:
        """Sum of hashes of what tells the rows apart, modulo 2^64."""
        return int(self._library.dn_fingerprint(len(rows), rows))

    def _call(
        self, call: Any, thread: int, model: int, first: int, rows: npt.NDArray[np.void], state: FloatArray
    ) -> None:
        try:
            call(thread, self.models[model].synapse_id, first, len(rows), rows, state)
        except CallFailed as failure:
            raise KernelError(f"{self.models[model].name}: {failure.text}") from None


def connected_models(nest: Any, ranks: Ranks) -> dict[str, int]:
    """Synapse models with a connection on some rank, by name, and their numbers in NEST. Collective."""
    numbers, mine = {}, []
    for name in nest.synapse_models:
        defaults = nest.GetDefaults(name)
        numbers[name] = int(defaults["synapse_modelid"])
        if defaults["num_connections"]:
            mine.append(name)
    everywhere = ranks.gather(mine)
    used = ranks.from_first(lambda: {name for names in everywhere or [] for name in names})
    return {name: number for name, number in numbers.items() if name in used}

"""The connections of rules of outgoing norms: passes on all ranks together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np

from ..mpi.ranks import Ranks
from ..norms.passes import Pass
from ..norms.sums import FloatArray
from ..norms.units import Units
from ..rules.node_ids import Int64Array
from ..rules.rule import Rule
from ..synapses.in_place import InPlace
from ..synapses.kernel_interface import KINDS
from .routes import Routes


class OutgoingSynapses:
    """The connections of a rule of outgoing norms.

    Attributes:
        rule: The rule.
        local: Its connections on this rank, with a number for each source and thread.
        node_ids: Node IDs of the sources that this rank owns, ascending, shape (n,).
    """

    def __init__(self, local: InPlace, ranks: Ranks) -> None:
        """Nothing is agreed on before the first pass."""
        self.rule: Rule = local.rule
        self.local = local
        self.node_ids: Int64Array = np.zeros(0, np.int64)
        self._ranks = ranks
        self._routes: Routes | None = None
        self._known: Int64Array | None = None

    @property
    def is_out_of_date(self) -> bool:
        """Whether the connections on this rank are others than when routes were agreed on."""
        return self._known is not self.local.node_ids

    def agree(self) -> None:
        """Agree on routes anew. Collective."""
        sent = self.sent_bytes
        self._routes = Routes(self._ranks, self.local.node_ids)
        self._routes.sent_bytes = sent
        self._known, self.node_ids = self.local.node_ids, self._routes.owned

    @property
    def sent_bytes(self) -> int:
        """Bytes that this rank has sent to others so far, routes apart."""
        return 0 if self._routes is None else self._routes.sent_bytes

    def put_together(self, a_pass: Pass, rows: FloatArray) -> FloatArray:
        """The result of a pass on this rank, with `rests`, as that of owned sources, of all ranks. Collective."""
        assert self._routes is not None
        mine = self._routes.of_threads.put_together(a_pass, self.rule, rows)
        used = _used(a_pass, self.rule, len(mine) // 2)
        arrived = np.zeros((len(mine), self._routes.num_arriving))
        arrived[used] = self._routes.to_owners(mine[used])
        whole = self._routes.parts.put_together(a_pass, self.rule, arrived)
        return whole[: len(whole) // 2]

    def spread(self, rows: FloatArray) -> FloatArray:
        """Rows of numbers per owned source, as this rank's passes take them. Collective."""
        assert self._routes is not None
        return self._routes.to_parts(rows)

    def number_without(self, counts: Int64Array) -> int:
        """Of the sources that the rule names and that this rank owns, how many have no such connection anywhere."""
        runs = self.rule.source_runs
        if runs is None:
            return 0
        size, rank = self._ranks.size, self._ranks.rank
        owned = (runs[:, 1] - rank) // size - (runs[:, 0] - 1 - rank) // size
        return int(owned.sum()) - int((counts > 0).sum())


def _used(a_pass: Pass, rule: Rule, half: int) -> list[int]:
    """Which rows of a result are sent: those that are not zero for all."""
    if a_pass.kind == "measure":
        first = [0, 1] if rule.norm != "sum" or a_pass.largest else [0, 1, 2]
        return [*first, *(half + i for i in first if i != 1)]
    return list(range(2 * half))


@dataclass(frozen=True, kw_only=True)
class _Asked:
    """What some rank asks of a rule: a pass of its kind, with these arrays."""

    kind: int  # number of its kind + 1; 0: no rank asks for a pass
    largest: int
    counts: int
    at: int
    flat: int
    units: int

    @classmethod
    def by(cls, a_pass: Pass | None) -> _Asked:
        if a_pass is None:
            return cls(kind=0, largest=0, counts=0, at=0, flat=0, units=0)
        return cls(
            kind=KINDS.index(a_pass.kind) + 1,
            largest=int(a_pass.largest),
            counts=int(a_pass.counts),
            at=int(a_pass.at is not None),
            flat=int(a_pass.flat is not None),
            units=int(a_pass.units is not None),
        )


class Together:
    """Passes over the connections of several rules of outgoing norms. Collective.

    Args:
        several: Connections of each rule.
        ranks: All ranks.
    """

    def __init__(self, several: Sequence[OutgoingSynapses], ranks: Ranks) -> None:
        self._several, self._ranks = several, ranks

    def run(self, passes: Sequence[Pass | None], error: BaseException | None = None) -> list[FloatArray | None]:
        """Make a pass for each rule for which some rank asks for one; results of owned sources, as `Synapses.run`.

        Args:
            passes: Arrays are by owned source. Where another rank asks for a change, no pass leaves weights alone.
            error: What went wrong on this rank before; raised on all.
        """
        flat = [number for a_pass in passes for number in vars(_Asked.by(a_pass)).values()]
        merged = iter(self._ranks.settle(error, *flat))
        names = [field.name for field in fields(_Asked)]
        asked = [_Asked(**{name: next(merged) for name in names}) for _ in passes]
        every = [
            None if not what.kind else self._spread(synapses, a_pass, what)
            for synapses, a_pass, what in zip(self._several, passes, asked, strict=True)
        ]
        if not any(every):
            return [None] * len(every)
        found = self._ranks.together(lambda: self._run_local(every))
        return [
            None if a_pass is None or rows is None or not a_pass.rows else synapses.put_together(a_pass, rows)
            for synapses, a_pass, rows in zip(self._several, every, found, strict=True)
        ]

    def first(
        self, passes: Sequence[Pass], found: Sequence[FloatArray], error: BaseException | None
    ) -> list[FloatArray]:
        """Results of first passes, made on each rank by itself with `rests`, as those of owned sources.

        Args:
            passes: The passes.
            found: Their results; none where there was an error.
            error: What went wrong on this rank; raised on all.
        """
        (changed,) = self._ranks.settle(error, any(synapses.is_out_of_date for synapses in self._several))
        for synapses in self._several:
            synapses.agree() if changed else None
        return [
            synapses.put_together(a_pass, rows)
            for synapses, a_pass, rows in zip(self._several, passes, found, strict=True)
        ]

    def _spread(self, synapses: OutgoingSynapses, a_pass: Pass | None, what: _Asked) -> Pass:
        """The pass as this rank makes it, with arrays by number."""
        size = len(synapses.node_ids)
        rows = {}
        if what.at:
            given = None if a_pass is None else a_pass.at
            # To scale by one, or not to move, leaves weights alone.
            rows["at"] = np.full(size, 1.0 if KINDS[what.kind - 1] == "scale" else np.nan) if given is None else given
        if what.flat:
            given = None if a_pass is None else a_pass.flat
            rows["flat"] = np.zeros(size) if given is None else given
        if what.units:
            mine = a_pass.units if a_pass is not None and a_pass.units is not None else _ones(size)
            rows |= {"weights": mine.weights.astype(float), "norms": mine.norms.astype(float)}
        if rows:
            rows = dict(zip(rows, synapses.spread(np.array(list(rows.values()))), strict=True))
        units = Units(rows["weights"].astype(np.int64), rows["norms"].astype(np.int64)) if what.units else None
        made = Pass(
            kind=KINDS[what.kind - 1],  # type: ignore[arg-type]
            at=rows.get("at"),
            flat=rows.get("flat"),
            units=units,
            largest=bool(what.largest),
            counts=bool(what.counts),
        )
        return replace(made, rests=made.rows > 0)

    def _run_local(self, passes: Sequence[Pass | None]) -> list[FloatArray | None]:
        due = [(synapses.local, a_pass) for synapses, a_pass in zip(self._several, passes, strict=True) if a_pass]
        found = iter(InPlace.run_together([local for local, _ in due], [a_pass for _, a_pass in due]))
        return [None if a_pass is None else next(found) for a_pass in passes]


def _ones(size: int) -> Units:
    none = np.zeros(size, np.int64)
    return Units(none, none)

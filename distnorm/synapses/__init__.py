"""The only rooms that touch NEST's connections: two verbs, measure and rescale, and two ways to do them."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any, Literal, Protocol

from ..errors import KernelError
from ..node_ids import Int64Array
from ..norms import FloatArray
from ..parallel import Ranks
from ..rule import Rule
from .build import build_on
from .inplace import InPlace, load
from .models import check_models
from .pynest import ThroughPyNEST

__all__ = ["Synapses", "Way", "check_models", "open_synapses"]

log = logging.getLogger(__name__)

Way = Literal["auto", "inplace", "pynest"]


class Synapses(Protocol):
    """The connections of one rule whose targets are on this rank.

    Attributes:
        way: How the weights are reached, for logs.
        rule: The rule.
        node_ids: Node IDs of the possible targets on this rank, shape (n,); may change with `measure`.
    """

    way: str
    rule: Rule
    node_ids: Int64Array

    def measure(self) -> tuple[FloatArray, Int64Array]:
        """Sum of |w|^p and number of connections per target, each of shape (n,)."""
        ...

    def rescale(self, factors: FloatArray) -> None:
        """Multiply the weights of each target's connections by its factor, shape (n,)."""
        ...

    def close(self) -> None:
        """Free what is held."""
        ...


def open_synapses(nest: Any, rules: Sequence[Rule], ranks: Ranks, way: Way) -> list[Synapses]:
    """A way to the connections of each rule. Collective.

    Args:
        nest: The imported module.
        rules: The rules.
        ranks: All ranks.
        way: "inplace" insists on the compiled kernel, "pynest" on PyNEST; "auto" takes PyNEST, and says so, where the
            kernel cannot be compiled or does not know a synapse model.

    Raises:
        KernelError: The kernel was insisted on and does not serve, or it disagrees with PyNEST on a sample.
    """
    if way == "pynest":
        return [_through_pynest(nest, rule, ranks, "as asked") for rule in rules]
    try:
        path = build_on(nest, ranks)
    except KernelError as error:
        if way == "inplace":
            raise
        return [_through_pynest(nest, rule, ranks, str(error)) for rule in rules]
    library = ranks.together(lambda: load(path))
    opened: list[Synapses] = []
    for rule in rules:
        if InPlace.serves(nest, rule, library):
            synapses = ranks.together(lambda rule=rule: InPlace(nest, rule, library))  # type: ignore[misc]
            ranks.together(lambda synapses=synapses: synapses.verify(nest))  # type: ignore[misc]
            # GetConnections makes NEST forget that ranks must agree on it. Only where they differ: NEST sorts again.
            smallest = ranks.gather(float(nest.min_delay)) or []
            if ranks.from_first(lambda smallest=smallest: len(set(smallest)) > 1):  # type: ignore[misc]
                synapses.agree_on_delays()
            opened.append(synapses)
        elif way == "inplace":
            raise KernelError(
                f"the kernel does not know all of {', '.join(rule.synapse_models)}; use way='auto' or 'pynest'"
            )
        else:
            reason = f"the kernel does not know all of {', '.join(rule.synapse_models)}"
            opened.append(_through_pynest(nest, rule, ranks, reason))
    return opened


def _through_pynest(nest: Any, rule: Rule, ranks: Ranks, reason: str) -> Synapses:
    if ranks.rank == 0:
        log.warning(
            "%s: weights are normalized through PyNEST (%s); expect some 20 microseconds per connection, about a "
            "thousand times the compiled kernel",
            ", ".join(rule.synapse_models),
            reason,
        )
    return ranks.together(lambda: ThroughPyNEST(nest, rule))

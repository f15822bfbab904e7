"""Which connections are read: chosen as by rules, opened in place."""

from __future__ import annotations

import ctypes
import zlib
from collections.abc import Sequence
from typing import Any, Literal

from ..errors import RuleError
from ..mpi.ranks import Ranks, world
from ..rules.rule import Rule
from ..synapses.access import open_for_reading
from ..synapses.connection_rows import connected_models
from ..synapses.in_place import InPlace
from ..synapses.kernel_library import class_of, kernel_of, loaded
from ..synapses.synapse_models import check_models, check_selection, why_refused

Weights = Literal["stored", "current"]


class _Kept:
    kernel: ctypes.CDLL | None = None


_kept = _Kept()


def kept_kernel(nest: Any, ranks: Ranks) -> ctypes.CDLL:
    """As `kernel_of`, which takes a tenth of a second, once: connections are read again and again. Collective.

    Raises:
        KernelError: The kernel cannot be compiled.
    """
    if loaded.normalized is not None:
        return loaded.normalized
    if _kept.kernel is None:
        _kept.kernel = kernel_of(nest, ranks)
    return _kept.kernel


class Selection:
    """Connections on this rank, between neurons.

    Attributes:
        nest: PyNEST.
        ranks: All ranks.
        synapses: The connections; None where the network has none.
        models: Names of the synapse models, by their numbers in NEST.
    """

    def __init__(
        self,
        synapse_model: str | Sequence[str] | None,
        *,
        sources: Any = None,
        targets: Any = None,
        receptor_type: int | Sequence[int] | None = None,
        label: int | Sequence[int] | None = None,
        sign: Literal["positive", "negative"] | None = None,
        weights: Weights = "stored",
        **more: Any,
    ) -> None:
        """Open them; arguments as those of `connections`. Collective.

        Args:
            synapse_model: See `connections`; so are the others.
            sources: See above.
            targets: See above.
            receptor_type: See above.
            label: See above.
            sign: See above.
            weights: See above.
            **more: What else all ranks must have been given alike, as they do something together for it.

        Raises:
            RuleError: A value that makes no sense, or a synapse model without a weight per connection.
            KernelError: The kernel cannot be compiled.
        """
        import nest

        self.nest = nest
        self.ranks: Ranks = world(nest.build_info["have_mpi"])
        check_same(self.ranks, synapse_model=synapse_model, weights=weights, **more)
        kernel = kept_kernel(nest, self.ranks)
        names = _every_model(nest, self.ranks, kernel) if synapse_model is None else synapse_model
        self.synapses: InPlace | None = None
        self.models: dict[int, str] = {}
        if not names:
            return
        chosen = {"receptor_type": receptor_type, "label": label, "sign": sign, "weights": weights}
        rule = self.ranks.together(
            lambda: Rule(names, target_norm=1.0, sources=sources, targets=targets, **chosen)  # type: ignore[arg-type]
        )
        self.ranks.together(lambda: check_models(nest, rule.synapse_models))
        self.ranks.together(lambda: check_selection(nest, rule))
        _sort(nest, kernel, self.ranks)
        self.synapses = synapses = open_for_reading(nest, rule, self.ranks, kernel)
        if weights == "current":
            self.ranks.together(lambda: synapses.check_current(written=False))
        self.models = {int(nest.GetDefaults(name)["synapse_modelid"]): name for name in rule.synapse_models}


def check_same(ranks: Ranks, **given: Any) -> None:
    """Refuse arguments on which it depends what ranks do together, and that differ. Collective.

    Raises:
        RuleError: With the name of one that does.
    """
    ranks.same({name: zlib.crc32(repr(value).encode()) for name, value in given.items()})


def _every_model(nest: Any, ranks: Ranks, kernel: ctypes.CDLL) -> tuple[str, ...]:
    """All synapse models that have connections, but those that have no weight per connection."""
    names = connected_models(nest, ranks)
    return tuple(name for name in names if not why_refused(class_of(nest, kernel, name)))


def _sort(nest: Any, kernel: ctypes.CDLL, ranks: Ranks) -> None:
    """Have NEST sort its connections where it has not, as GetConnections does."""
    (unsorted,) = ranks.settle(None, kernel.dn_connections_have_changed())
    if unsorted and nest.keep_source_table:
        nest.GetConnections(source=nest.NodeCollection([1]))


def no_such(name: str, value: object, known: Sequence[str]) -> RuleError:
    """The error of a name that is none."""
    return RuleError(f"{name} is {value!r}; choose {', '.join(known)}")

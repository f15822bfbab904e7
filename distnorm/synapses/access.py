"""The only rooms that touch NEST's connections: passes over them, and two ways to make one."""

from __future__ import annotations

import ctypes
import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol

import numpy as np

from ..errors import KernelError, RuleError
from ..mpi.ranks import Ranks
from ..norms import sums as norms
from ..norms.correction import Correction
from ..norms.measured import measure_in_units
from ..norms.passes import Pass
from ..norms.sums import FloatArray
from ..norms.units import moved_by
from ..rules.node_ids import Int64Array
from ..rules.rule import Rule
from .compiling.extensions import add_extensions
from .in_place import InPlace
from .kernel_library import agree_on_delays, class_of, kernel_of, model_runs
from .node_models import NodeModels, by_name, runs_through_pynest
from .normalized import NormalizedModels, install_models, is_held, load_models, replace_models
from .synapse_models import check_class, check_copies, check_models, check_selection
from .synapses import Synapses
from .through_pynest import ThroughPyNEST
from .verify import Kept, compare

__all__ = [
    "Backend",
    "Kept",
    "NodeModels",
    "Synapses",
    "check_models",
    "check_selection",
    "install_models",
    "load_models",
    "nodes_by_model",
    "open_for_reading",
    "open_synapses",
    "replace_models",
    "rescale_all",
    "run_all",
    "verify",
    "work_out",
]

log = logging.getLogger(__name__)

Backend = Literal["auto", "inplace", "pynest"]


def run_all(synapses: Sequence[Synapses], passes: Sequence[Pass | None]) -> list[FloatArray | None]:
    """Make one pass for each that has one; the kernel goes once through memory for all of them.

    Args:
        synapses: The connections of each rule, all with the same backend.
        passes: A pass for each, or None.

    Returns:
        Result of `Synapses.run` for each, None where there was no pass.
    """
    results: list[FloatArray | None] = [None] * len(passes)
    due = [(i, synapses[i], a_pass) for i, a_pass in enumerate(passes) if a_pass]
    if due:
        places, several, made = zip(*due, strict=True)
        for i, result in zip(places, several[0].run_together(several, made), strict=True):
            results[i] = result
    return results


def work_out(corrections: Sequence[Correction], synapses: Sequence[Synapses]) -> int:
    """Make the passes that corrections still need, those of all rules together, until none is needed.

    Returns:
        Number of ways through memory.
    """
    number = 0
    while any(passes := [correction.next_pass for correction in corrections]):
        for correction, tally in zip(corrections, run_all(synapses, passes), strict=True):
            if tally is not None:
                correction.learn(tally)
        number += 1
    return number


class Changing(Protocol):
    """What is to be done for a rule."""

    @property
    def change(self) -> Pass | None:
        """The pass that changes the weights; None where none changes."""


def rescale_all(synapses: Sequence[Synapses], corrections: Sequence[Changing]) -> None:
    """Bring norms to their targets, or have models hold them there."""
    run_all(
        synapses, [Pass(kind="update") if connections.rule.weights == "current" else None for connections in synapses]
    )
    of_rules = zip(synapses, corrections, strict=True)
    run_all(synapses, [None if connections.holds else correction.change for connections, correction in of_rules])
    for connections in synapses:
        connections.put_in_force()


def open_synapses(
    nest: Any, rules: Sequence[Rule], ranks: Ranks, backend: Backend, exact: bool = False
) -> list[Synapses]:
    """A way to the connections of each rule. Collective.

    Args:
        nest: The imported module.
        rules: The rules.
        ranks: All ranks.
        backend: "inplace" insists on the compiled kernel, "pynest" on PyNEST; "auto" takes PyNEST, and says so, where
            the kernel cannot be compiled or loaded.
        exact: The rules' models hold the norms by themselves.

    Raises:
        KernelError: The kernel was insisted on and does not serve, or PyNEST cannot.
        RuleError: A copy of a synapse model that cannot be normalized; norms are to be held, or held already, and that
            cannot be.
    """
    for rule in rules:
        if exact:
            NormalizedModels.check(nest, rule)
        elif is_held(nest, rule):
            raise RuleError(
                f"{', '.join(rule.synapse_models)}: norms are held by an earlier distnorm.ExactInterval(); go on "
                "with that, or start anew with nest.ResetKernel()"
            )
    if backend == "pynest" and exact:
        raise RuleError('backend is "pynest"; distnorm.ExactInterval() is compiled, use backend="auto"')
    if backend == "pynest":
        return [_through_pynest(nest, rule, ranks, "as asked") for rule in rules]
    kernel = _kernel(nest, ranks)
    if isinstance(kernel, KernelError):
        if backend == "inplace":
            raise kernel
        return [_through_pynest(nest, rule, ranks, str(kernel)) for rule in rules]
    return list(_in_place(nest, rules, ranks, kernel, NormalizedModels if exact else InPlace))


def open_for_reading(nest: Any, rule: Rule, ranks: Ranks, kernel: ctypes.CDLL) -> InPlace:
    """The connections of a rule in place, whoever normalizes them. Collective.

    Raises:
        RuleError: A copy of a synapse model without a weight per connection.
    """
    (opened,) = _in_place(nest, [rule], ranks, kernel, InPlace)
    return opened


def _in_place(
    nest: Any, rules: Sequence[Rule], ranks: Ranks, kernel: ctypes.CDLL, kind: type[InPlace]
) -> list[InPlace]:
    models = sorted({name for rule in rules for name in rule.synapse_models})
    for name in models:
        check_class(name, class_of(nest, kernel, name))
    add_extensions(nest, ranks, kernel, models)
    opened: list[InPlace] = []
    for rule in rules:
        synapses = ranks.together(lambda rule=rule: kind(nest, rule, kernel))  # type: ignore[misc]
        ranks.together(lambda synapses=synapses: synapses.check_layout(nest))  # type: ignore[misc]
        _say_generic(nest, synapses, kernel, ranks)
        opened.append(synapses)
    return opened


def nodes_by_model(nest: Any, ranks: Ranks) -> dict[str, Int64Array]:
    """Runs of the node IDs of each node model that has nodes, on all ranks, by name. Collective.

    From NEST's own table, which has a row for each run of them; where the kernel cannot be compiled, node by node.
    """
    kernel = _kernel(nest, ranks)
    runs = runs_through_pynest(nest) if isinstance(kernel, KernelError) else model_runs(kernel)
    return by_name(NodeModels(nest).names, runs)


def _kernel(nest: Any, ranks: Ranks) -> ctypes.CDLL | KernelError:
    """The compiled kernel, loaded, or why there is none. Collective."""
    try:
        return kernel_of(nest, ranks)
    except KernelError as error:
        return error


def verify(nest: Any, synapses: Synapses, ranks: Ranks) -> None:
    """Compare a sample of connections, as the kernel sees them, with PyNEST's; before any is written to. Collective.

    Raises:
        KernelError: They differ; the same error on every rank.
        RuleError: A synapse model that does not keep a weight that is set.
    """
    if not isinstance(synapses, InPlace):
        return
    ranks.together(synapses.check_setting)
    if not synapses.sources_are_known():
        if ranks.rank == 0:
            log.warning(
                "keep_source_table is off: the kernel is used without comparing a sample of weights with PyNEST"
            )
        return
    ranks.together(lambda: compare(nest, synapses))
    agree_on_delays(nest, synapses.kernel, ranks)


def _say_generic(nest: Any, synapses: InPlace, library: Any, ranks: Ranks) -> None:
    if ranks.rank == 0 and synapses.generic:
        log.warning(
            "%s: the kernel was not compiled for %s, so weights are reached in place through NEST's status interface; "
            "expect some microsecond per connection; distnorm build --synapse HEADER.h, with the header of that class, "
            "makes it fifty times faster",
            ", ".join(synapses.generic),
            " and ".join(sorted({class_of(nest, library, name) for name in synapses.generic})),
        )


def _through_pynest(nest: Any, rule: Rule, ranks: Ranks, reason: str) -> Synapses:
    check_copies(nest, rule.synapse_models)
    synapses = ranks.together(lambda: ThroughPyNEST(nest, rule))
    if ranks.rank == 0:
        log.warning(
            "%s: weights are normalized through PyNEST (%s); expect some 20 microseconds per connection, about a "
            "thousand times the compiled kernel",
            ", ".join(rule.synapse_models),
            reason,
        )
    return synapses


@dataclass(frozen=True, kw_only=True, eq=False)
class Measured:
    """What a pass found of a rule's targets on this rank, and the number of the rule: `sums` of shape (rows, n), other
    arrays of shape (n,).
    """

    number: int
    synapses: Synapses
    sums: FloatArray
    unit: Int64Array
    norm: FloatArray
    counts: Int64Array


def run_on_other(several: Sequence[Synapses], passes: Sequence[Pass | None]) -> list[FloatArray | None]:
    """As `run_all`, on the weights that the rules do not ask for."""
    others = ["stored" if synapses.rule.weights == "current" else "current" for synapses in several]
    return run_all(
        several,
        [a_pass and replace(a_pass, weights=other) for a_pass, other in zip(passes, others, strict=True)],  # type: ignore[arg-type]
    )


def worked_out(
    numbers: Sequence[int],
    several: Sequence[Synapses],
    found: Sequence[FloatArray],
    run: Callable[[Sequence[Pass | None]], Sequence[FloatArray | None]],
) -> Iterator[Measured]:
    """What first passes have found of rules, by their numbers; `run` makes further ones over `several`."""
    units = measure_in_units([synapses.rule for synapses in several], found, run)
    for i, synapses, sums, unit in zip(numbers, several, found, units, strict=True):
        norms.check_finite(sums[0], synapses.node_ids, synapses.rule)
        norm = moved_by(norms.norms(sums[0], synapses.rule.power), unit)
        counts = sums[1].astype(np.int64)
        yield Measured(number=i, synapses=synapses, sums=sums, unit=unit, norm=norm, counts=counts)

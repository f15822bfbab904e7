"""The only rooms that touch NEST's connections: passes over them, and two ways to make one."""

from __future__ import annotations

import ctypes
import logging
from collections.abc import Sequence
from typing import Any, Literal, Protocol

import numpy as np
import numpy.typing as npt

from ..errors import KernelError, RuleError
from ..mpi.ranks import Ranks
from ..norms.correction import Correction
from ..norms.passes import Pass
from ..norms.sums import FloatArray
from ..rules.node_ids import Int64Array
from ..rules.rule import Rule
from .compiling.extensions import add_extensions
from .compiling.library import build_on
from .in_place import InPlace
from .kernel_library import agree_on_delays, class_of, load, model_runs
from .node_models import NodeModels, by_name, runs_through_pynest
from .normalized import ExactInPlace, install_models, is_held, library, load_models, replace_models
from .synapse_models import check_class, check_copies, check_models, check_selection
from .through_pynest import ThroughPyNEST
from .verify import Kept, compare

__all__ = [
    "Backend",
    "ExactInPlace",
    "Kept",
    "NodeModels",
    "Synapses",
    "check_models",
    "check_selection",
    "check_settable",
    "install_models",
    "load_models",
    "nodes_by_model",
    "open_synapses",
    "replace_models",
    "run_all",
    "verify",
    "work_out",
]

log = logging.getLogger(__name__)

Backend = Literal["auto", "inplace", "pynest"]


class Synapses(Protocol):
    """The connections of one rule whose targets are on this rank.

    Attributes:
        kernel: The compiled kernel; None where only PyNEST serves.
        backend: How the weights are reached, for logs.
        rule: The rule.
        node_ids: Node IDs of the possible targets on this rank, shape (n,); may change with `measure`.
    """

    backend: str
    rule: Rule
    node_ids: Int64Array

    @property
    def kernel(self) -> ctypes.CDLL | None: ...

    def run(self, a_pass: Pass) -> FloatArray:
        """Make one pass over the connections.

        Returns:
            For "measure" rows 0 to 2, for "tally" all rows of `bounds.ROWS`, each of shape (n,); else nothing.
        """
        ...

    def target_models(self) -> Int64Array:
        """Number of the node model of each target, shape (n,)."""
        ...

    def labels(self) -> dict[int, int]:
        """Number of connections on this rank by synapse label, -1 for none; where all models of the rule have them."""
        ...

    def sample(self, name: str, turn: int) -> npt.NDArray[np.void]:
        """At most SAMPLE connections of one of the rule's models, some of which may be no connection of the rule.

        Args:
            name: Of the model.
            turn: Another number gives other connections.

        Returns:
            Array of shape (n,) and dtype PLACE. Right after a pass nothing is collective.
        """
        ...

    def weights_now(self, name: str, places: npt.NDArray[np.void]) -> FloatArray:
        """Weights of the last sample, shape (n,); NaN where connections may have moved. As `sample`."""
        ...

    def close(self) -> None:
        """Free what is held."""
        ...


def run_all(synapses: Sequence[Synapses], passes: Sequence[Pass | None]) -> list[FloatArray | None]:
    """Make one pass for each that has one: all of the kernel's together in one way through memory.

    Returns:
        Result of `Synapses.run` for each, None where there was no pass.
    """
    due = [(i, each, a_pass) for i, (each, a_pass) in enumerate(zip(synapses, passes, strict=True)) if a_pass]
    together = [(i, each, a_pass) for i, each, a_pass in due if isinstance(each, InPlace)]
    found = InPlace.run_together([each for _, each, _ in together], [a_pass for _, _, a_pass in together])
    results: list[FloatArray | None] = [None] * len(passes)
    for (i, _, _), result in zip(together, found, strict=True):
        results[i] = result
    for i, each, a_pass in due:
        if not isinstance(each, InPlace):
            results[i] = each.run(a_pass)
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


def check_settable(corrections: Sequence[Correction], synapses: Sequence[Synapses]) -> None:
    """Refuse changes that PyNEST would refuse half-way, before any weight is set.

    Raises:
        RuleError: Weights beyond limits that NEST enforces.
    """
    for correction, each in zip(corrections, synapses, strict=True):
        if isinstance(each, ThroughPyNEST):
            each.check_settable(correction.counting)


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
            ExactInPlace.check(nest, rule)
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
    models = sorted({name for rule in rules for name in rule.synapse_models})
    for name in models:
        check_class(name, class_of(nest, kernel, name))
    add_extensions(nest, ranks, kernel, models)
    kind = ExactInPlace if exact else InPlace
    opened: list[Synapses] = []
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
    kernel = library()  # knows the models that hold norms, once they were installed
    if kernel is None:
        try:
            path = build_on(nest, ranks)
            kernel = ranks.together(lambda: load(path))
        except KernelError as error:
            return error
    return kernel


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

"""Synapse models that hold their targets' norms by themselves (kernel/normalized/), and the rules that tell them how.

The models are NEST's own, each with "_normalized" in its name, from a library of their own that is compiled only when
they are asked for. Without a rule they are exactly their parents, so they can also take the place of a parent under its
own name. They are NEST's until ResetKernel or a change of the number of threads, as models from nest.Install are.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import KernelError, RuleError
from ..mpi.ranks import Ranks, world
from ..norms.sums import BoolArray, FloatArray
from ..rules.node_ids import Int64Array
from ..rules.rule import Rule
from .compiling.library import build_on
from .in_place import InPlace
from .kernel_interface import CallFailed
from .kernel_library import load, loaded
from .synapse_models import BY_CLASS, PLASTIC_AT_SPIKES, check_models

_HELD = 2
_NOT_EXACT = ("mode", "rate", "tau_ms", "only", "tolerance", "w_min", "w_max", "bounds", "zero")


def install_models(replace: str | Sequence[str] = ()) -> tuple[str, ...]:
    """Give NEST the models that hold norms: `stdp_synapse_normalized`, with `_hpc` and `_lbl`, and so on. Collective.

    Call it before nodes are made, and again after `nest.ResetKernel` or a change of the number of threads.

    Args:
        replace: Synapse models, such as "stdp_synapse", that are to be such models under their own names, with the
            defaults that they have. Copies made of them later are, too.

    Returns:
        Names of the models, without variants.

    Raises:
        RuleError: There are nodes already, or a model that cannot be replaced.
        KernelError: The models cannot be compiled for this NEST.
    """
    import nest

    if nest.network_size:
        raise RuleError(
            f"install_models: the network has {nest.network_size} nodes; call it before any are made, after ResetKernel"
        )
    replaced = (replace,) if isinstance(replace, str) else tuple(replace)
    check_models(nest, replaced)
    ranks = world(nest.build_info["have_mpi"])
    load_models(nest, ranks)
    return ranks.together(lambda: _install(nest, replaced))


def load_models(nest: Any, ranks: Ranks) -> None:
    """Compile and load the models that hold norms; NEST does not have them yet. Collective.

    Raises:
        KernelError: They cannot be compiled for this NEST.
    """
    path = build_on(nest, ranks, "exact")
    ranks.together(lambda: _load(path))


def _load(path: Path) -> None:
    if loaded.normalized is None:
        loaded.normalized = load(path, exact=True)


def _install(nest: Any, replaced: Sequence[str]) -> tuple[str, ...]:
    assert loaded.normalized is not None
    if not _installed(nest):
        try:
            loaded.normalized.dn_install_models()
        except CallFailed as failure:
            raise KernelError(f"NEST does not take the normalized models: {failure.text}") from None
    replace_models(replaced)
    return _installed(nest)


def _installed(nest: Any) -> tuple[str, ...]:
    names = (f"{name}_normalized" for name in PLASTIC_AT_SPIKES)
    return tuple(name for name in names if name in nest.synapse_models)


def replace_models(names: Sequence[str]) -> None:
    """Put models that hold norms in place of others, under their names; those that NEST does not have are left out.

    Args:
        names: Synapse models without connections. Those that hold norms already are left as they are.

    Raises:
        RuleError: One has connections already, or cannot hold norms.
        KernelError: NEST does not take one.
    """
    assert loaded.normalized is not None
    for name in names:
        try:
            loaded.normalized.dn_replace_model(name.encode())
        except CallFailed as failure:
            if failure.code == "NO_MODEL":
                raise _cannot_hold(name) from None
            if failure.code == "USED":
                raise RuleError(
                    f"synapse model {name!r} has connections already, which do not hold norms; replace it before the "
                    "first Connect"
                ) from None
            raise KernelError(f"NEST does not take a normalized {name!r}: {failure.text}") from None


def _cannot_hold(name: str) -> RuleError:
    return RuleError(
        f'synapse model {name!r} cannot hold norms by itself; distnorm.ExactInterval() and kind = "exact" are for '
        f"{', '.join(PLASTIC_AT_SPIKES)} and their copies"
    )


class NormalizedModels(InPlace):
    """The connections of a rule whose models hold their norms. See `Synapses` for the interface."""

    backend = "exact"
    holds = True

    @staticmethod
    def check(nest: Any, rule: Rule) -> None:
        """Refuse what cannot be held, with the reason; the same on every rank.

        Raises:
            RuleError: The rule's models do not normalize themselves, or its norm is not one of all their connections.
        """
        for name in rule.synapse_models:
            if not _state_of(nest, name):
                base = name.removesuffix("_hpc").removesuffix("_lbl")
                if f"nest::{base}" in BY_CLASS and base not in PLASTIC_AT_SPIKES:
                    raise _cannot_hold(name)
                raise RuleError(
                    f"synapse model {name!r} does not hold norms by itself; for distnorm.ExactInterval() call "
                    f"distnorm.install_models(replace=[{name!r}]) before nodes are made, or connect with a model such "
                    "as stdp_synapse_normalized or a CopyModel of one"
                )
        for what in ("sources", "receptor_type", "label", "sign", "exclude"):
            if getattr(rule, what) is not None:
                raise RuleError(
                    f"distnorm.ExactInterval() holds the norm of all connections of a model; instead of {what}, give "
                    "these connections a model of their own with nest.CopyModel"
                )
        if rule.norm not in ("l1", "l2"):
            raise RuleError(
                f"norm is {rule.norm!r}; distnorm.ExactInterval() holds l1 and l2, which one changed weight changes "
                "by a term"
            )
        for field in dataclasses.fields(Rule):
            if field.name in _NOT_EXACT and getattr(rule, field.name) != field.default:
                raise RuleError(
                    f"{field.name} is {getattr(rule, field.name)!r}; distnorm.ExactInterval() multiplies weights to "
                    "the exact norm at all times, leave it out"
                )

    def _open(self) -> None:
        super()._open()
        try:
            self._library.dn_open_accounts(self.handle, int(self.rule.power))
        except CallFailed as failure:
            raise RuleError(f"{', '.join(self.rule.synapse_models)}: {failure.text}") from None

    def reachable(self, target_norms: FloatArray) -> FloatArray:
        """The target norms, or where Wmin and Wmax of the connections do not allow one, the nearest that they do."""
        self._wanted = np.ascontiguousarray(target_norms)
        self._nearest = np.empty_like(self._wanted)
        self._library.dn_find_nearest(self.handle, self._wanted, self._nearest)
        return self._nearest

    def farthest_norms(self) -> FloatArray:
        """See `Synapses`; since last asked, and 0 where all weights have become zero."""
        deviations = np.zeros(len(self.node_ids))
        self._library.dn_list_deviations(self.handle, deviations)
        return np.where(deviations < 0, 0.0, self._nearest * (1.0 + deviations))

    def count_unreachable(self, record: npt.NDArray[np.void], present: BoolArray) -> None:
        """See `Synapses`."""
        missed = np.abs(self._nearest / self._wanted - 1.0)[present]
        record["unreachable"] = (missed > 0).sum()
        record["unreachable_max"] = missed[missed > 0].max(initial=0.0)

    def put_in_force(self) -> None:
        """Hold each norm where it was last found reachable, starting from what is measured now."""
        self._want(self._wanted, anew=True)

    def follow(self, target_norms: Callable[[Int64Array], FloatArray]) -> None:
        """Hold new targets from their first spike on; the others are held as before. See `Synapses`."""
        if self._library.dn_is_stale(self.handle):
            self._open()
            self._want(target_norms(self.node_ids), anew=False)

    def _want(self, wanted: FloatArray, *, anew: bool) -> None:
        norms = np.ascontiguousarray(wanted)
        self._library.dn_want_norms(self.handle, norms, self.rule.mean_weight or 0.0, anew)


def is_held(nest: Any, rule: Rule) -> bool:
    """Whether an `ExactInterval` holds norms of the rule's models."""
    return any(_state_of(nest, name) == _HELD for name in rule.synapse_models)


def _state_of(nest: Any, name: str) -> int:
    """0 for a model that is no normalized one, `_HELD` where norms of its targets are held, else 1."""
    if loaded.normalized is None:
        return 0
    state: int = loaded.normalized.dn_norms_of(nest.GetDefaults(name)["synapse_modelid"])
    return state

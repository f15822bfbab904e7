"""Which connections are normalized, by which norm, to which value."""

from __future__ import annotations

import numbers
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from .errors import RuleError
from .node_ids import Int64Array, as_id_array, overlap, runs_of

NORM_POWERS = {"l1": 1, "l2": 2}


@dataclass(frozen=True, kw_only=True, eq=False)
class Rule:
    """Keep the norm of each target's incoming weights at a value.

    The incoming connections are those of the given synapse models, from the given sources, onto the target; their
    weights enter one norm together and are multiplied by one factor, so signs stay. Connections from devices, and onto
    anything that is not a neuron, do not belong to a rule. A target without such a connection, or whose norm is zero,
    is left alone and counted.

    Attributes:
        synapse_model: Name of a synapse model of NEST, or several, whose weights enter the norm together.
        targets: Postsynaptic neurons as a NodeCollection or node IDs; None for every neuron that receives such a
            connection.
        sources: Presynaptic neurons as a NodeCollection or node IDs; None for all neurons.
        norm: "l1", the sum of |w|, or "l2", the square root of the sum of w^2.
        target_norm: What the norm should be, in the unit of the weights: a positive number; a sequence with one value
            per target, in the order of `targets`; or "initial", each neuron's own norm when first measured.
        receptor_type: Receptor type of the connections, or several, as in the `syn_spec` of `nest.Connect`; None for
            all. The way to tell inhibitory inputs from excitatory ones where a neuron model counts them apart.
        tolerance: Targets whose drift is at most this keep their weights; a rank where all do writes none.
        synapse_models: `synapse_model` as a tuple.
        target_runs: `targets` as runs of node IDs, shape (n, 2); None for all.
        source_runs: `sources` as runs of node IDs, shape (n, 2); None for all.
        receptor_types: `receptor_type` as a tuple; empty for all.

    Raises:
        RuleError: A value that makes no sense.
    """

    synapse_model: str | Sequence[str] = field(kw_only=False)
    targets: Any = None
    sources: Any = None
    norm: Literal["l1", "l2"] = "l1"
    target_norm: float | Sequence[float] | npt.NDArray[np.float64] | Literal["initial"]
    receptor_type: int | Sequence[int] | None = None
    tolerance: float = 0.0

    synapse_models: tuple[str, ...] = field(init=False, repr=False)
    target_runs: Int64Array | None = field(init=False, repr=False)
    source_runs: Int64Array | None = field(init=False, repr=False)
    receptor_types: tuple[int, ...] = field(init=False, repr=False)
    _norms: npt.NDArray[np.float64] | None = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "synapse_models", _names(self.synapse_model))
        if self.norm not in tuple(NORM_POWERS):
            raise RuleError(f"norm is {self.norm!r}; choose one of {', '.join(NORM_POWERS)}")
        for name in ("targets", "sources"):
            given = getattr(self, name)
            object.__setattr__(self, f"{name[:-1]}_runs", None if given is None else runs_of(given, name))
        object.__setattr__(self, "receptor_types", _receptors(self.receptor_type))
        object.__setattr__(self, "_norms", self._checked_norms())
        if not is_number(self.tolerance) or not 0 <= self.tolerance < 1:
            raise RuleError(f"tolerance is {self.tolerance!r}; give a drift from 0 to below 1, such as 0.001")

    def _checked_norms(self) -> npt.NDArray[np.float64] | None:
        """Positive norms by ascending target ID, shape (number of targets,) or (1,); None for "initial"."""
        if isinstance(self.target_norm, str):
            if self.target_norm != "initial":
                raise RuleError(
                    f'target_norm is {self.target_norm!r}; give a positive number, one per target, or "initial"'
                )
            return None
        try:
            given = np.asarray(self.target_norm)
            values = np.atleast_1d(given.astype(np.float64))
        except OverflowError:
            raise RuleError(f"target_norm is {self.target_norm}; a norm to be kept is positive and finite") from None
        except (TypeError, ValueError):
            given = np.array(False)
        # numpy would take node IDs, or True, for numbers.
        if given.dtype == np.bool_ or type(self.target_norm).__name__ == "NodeCollection":
            raise RuleError(
                f'target_norm is {self.target_norm!r}; give a positive number, one per target, or "initial"'
            )
        wrong = ~(np.isfinite(values) & (values > 0))
        if wrong.any():
            raise RuleError(f"target_norm is {values[wrong][0]}; a norm to be kept is positive and finite")
        if np.ndim(self.target_norm) == 0:
            return values
        if self.targets is None:
            raise RuleError(
                f"target_norm has {values.size} values but targets is None; name the targets they belong to"
            )
        ids = as_id_array(self.targets, "targets")
        if values.shape != ids.shape:
            raise RuleError(
                f"target_norm has {values.size} values for {ids.size} targets; give one per target, or one number"
            )
        return values[np.argsort(ids)]

    @property
    def power(self) -> int:
        """The p of the norm (sum |w|^p)^(1/p)."""
        return NORM_POWERS[self.norm]

    @property
    def target_norm_is_given(self) -> bool:
        """False for "initial"."""
        return self._norms is not None

    def target_norms(self, node_ids: Int64Array) -> npt.NDArray[np.float64]:
        """Target norm of each of the given targets, shape of `node_ids`; not for "initial"."""
        norms = self._norms
        assert norms is not None  # see target_norm_is_given
        runs = self.target_runs
        if runs is None or len(norms) == 1:
            return np.full(node_ids.shape, norms[0])
        lengths = runs[:, 1] - runs[:, 0] + 1
        first_position = np.concatenate(([0], np.cumsum(lengths)[:-1]))
        run = np.searchsorted(runs[:, 1], node_ids)
        result: npt.NDArray[np.float64] = norms[first_position[run] + node_ids - runs[run, 0]]
        return result


def _names(synapse_model: Any) -> tuple[str, ...]:
    names = (synapse_model,) if isinstance(synapse_model, str) else synapse_model
    if not isinstance(names, Sequence) or not names or not all(isinstance(name, str) and name for name in names):
        raise RuleError(f"synapse_model is {synapse_model!r}; give the name of a synapse model, or several")
    if len(set(names)) != len(names):
        raise RuleError(f"synapse_model names {max(names, key=list(names).count)!r} twice; name each model once")
    return tuple(names)


def _receptors(receptor_type: Any) -> tuple[int, ...]:
    if receptor_type is None:
        return ()
    given = [receptor_type] if isinstance(receptor_type, numbers.Integral) else receptor_type
    sound = isinstance(given, Sequence) and all(isinstance(each, numbers.Integral) and int(each) >= 0 for each in given)
    if not sound or not given or any(isinstance(each, bool) for each in given):
        raise RuleError(f"receptor_type is {receptor_type!r}; give a receptor type, a whole number from 0, or several")
    return tuple(sorted({int(each) for each in given}))


def is_number(value: object) -> bool:
    """Whether a value is a real number, which True is not."""
    return isinstance(value, numbers.Real) and not isinstance(value, bool)


def check_disjoint(rules: Sequence[Rule]) -> None:
    """Refuse rules of which two would touch the same connection.

    Raises:
        RuleError: Two rules share a synapse model, a target and a source.
    """
    for later, b in enumerate(rules):
        for earlier, a in enumerate(rules[:later]):
            shared = [model for model in a.synapse_models if model in b.synapse_models]
            apart = a.receptor_types and b.receptor_types and not set(a.receptor_types) & set(b.receptor_types)
            if shared and not apart and overlap(a.target_runs, b.target_runs) and overlap(a.source_runs, b.source_runs):
                raise RuleError(
                    f"rules {earlier + 1} and {later + 1} both normalize {shared[0]!r} connections of the same targets "
                    "and sources; give them different targets, sources, receptor types or synapse models, or make them "
                    "one rule"
                )

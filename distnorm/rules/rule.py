"""Which connections are normalized, by which norm, to which value, and how."""

from __future__ import annotations

import dataclasses
import math
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from ..errors import RuleError
from ..files.typed_json import shown
from . import validation as checks
from .node_ids import Int64Array, runs_of


@dataclass(frozen=True, kw_only=True, eq=False)
class Rule:
    """Keep the norm of each target's incoming weights, or of each source's outgoing ones, at a value.

    The incoming connections are those of the given synapse models, from the given sources, onto the target; their
    weights enter one norm together. No weight changes its sign. Connections from devices, and onto anything that is not
    a neuron (an astrocyte, a population in one node), do not belong to a rule. A target without such a connection is
    left alone and counted.

    Attributes:
        synapse_model: Name of a synapse model of NEST, or several.
        of: "incoming": a norm for each postsynaptic neuron; "outgoing": one for each presynaptic neuron, over its
            connections on all ranks. What is said below of targets then is about sources: `target_norm` has one value
            per source, in the order of `sources`.
        targets: Postsynaptic neurons as a NodeCollection or node IDs; None for every neuron that receives such a
            connection.
        sources: Presynaptic neurons as a NodeCollection or node IDs; None for all neurons.
        receptor_type: Receptor type of the connections, or several, as in the `syn_spec` of `nest.Connect`; None for
            all. The way to tell inhibitory inputs from excitatory ones where a neuron model counts them apart.
        label: `synapse_label` of the connections, or several; None for all.
        sign: "positive" or "negative": only weights of this sign (a zero has that of its `Wmax`); None for all.
        exclude: Connections that do not belong, as pairs (source, target) of node IDs or what nest.GetConnections
            returned; every connection of such a pair is left out.
        jointly: False for one norm per synapse model in place of one of all together.
        norm: "l1", the sum of |w|; "l2", the square root of the sum of w^2; another "lP" such as "l1.5" or "l3";
            "linf", the largest |w|; or "sum", the sum of w.
        target_norm: What the norm should be, in the unit of the weights: a positive number (of either sign for "sum");
            a sequence with one value per target, in the order of `targets`; "initial", each neuron's own norm when
            first measured; or a NEST Parameter, such as nest.random.uniform(...), drawn for each of `targets`.
        mean_weight: In place of `target_norm`: that of this size of all the target's weights, which for "l1" is
            `mean_weight` times the in-degree.
        mode: "multiplicative" multiplies a target's weights by one factor; "subtractive" adds the same to the size of
            each (norm "l1") or to each (norm "sum"), down to a size of zero.
        rate: Fraction of the correction that one normalization makes.
        tau_ms: In place of `rate`: the fraction 1 - exp(-elapsed / tau_ms), where `elapsed` is the time since the last
            normalization, so that the interval does not change the course of the norm.
        only: "above" or "below" to normalize only norms above, or below, their target.
        tolerance: Targets whose drift is at most this keep their weights; a rank where all do writes none.
        w_min: Smallest size |w|, or "Wmin", what the synapse's own limits allow.
        w_max: Largest size |w|, or "Wmax", what the synapse's own limits allow.
        bounds: "exact": the norm is met with each weight within these limits; "clip": the factor, or shift, that would
            meet it without limits, and then each weight is clipped to them, which leaves the norm off its target.
        weights: "stored": weights as NEST has them and PyNEST reads them, which know of a postsynaptic spike only once
            the next presynaptic one has arrived; "current": with what postsynaptic spikes have yet to do to them. Norms
            are of these, and a normalization brings weights up to date before it changes them.
        zero: What becomes of a target whose weights are all zero: "skip" leaves it alone, "raise" raises WeightError,
            "equal" sets equal weights.
        synapse_models: `synapse_model` as a tuple.
        target_runs: `targets` as runs of node IDs, shape (n, 2); None for all.
        source_runs: `sources` as runs of node IDs, shape (n, 2); None for all.
        receptor_types: `receptor_type` as a tuple; empty for all.
        labels: `label` as a tuple; empty for all.
        excluded: `exclude` as (target, source), shape (n, 2), sorted.
        power: The p of the norm (sum |w|^p)^(1/p); inf for "linf", 1 for "sum".
        box: Smallest and largest |w|; NaN for the synapse's own.
        norms_by_target: Target norms by ascending target ID, shape (number of targets,) or (1,); None for "initial", a
            NEST Parameter and `mean_weight`.

    Raises:
        RuleError: A value, or a combination, that makes no sense.
    """

    synapse_model: str | Sequence[str] = field(kw_only=False)
    of: Literal["incoming", "outgoing"] = "incoming"
    targets: Any = None
    sources: Any = None
    receptor_type: int | Sequence[int] | None = None
    label: int | Sequence[int] | None = None
    sign: Literal["positive", "negative"] | None = None
    exclude: Any = None
    jointly: bool = True
    norm: str = "l1"
    target_norm: float | Sequence[float] | npt.NDArray[np.float64] | Literal["initial"] | Any = None
    mean_weight: float | None = None
    mode: Literal["multiplicative", "subtractive"] = "multiplicative"
    rate: float = 1.0
    tau_ms: float | None = None
    only: Literal["above", "below"] | None = None
    tolerance: float = 0.0
    w_min: float | Literal["Wmin"] = 0.0
    w_max: float | Literal["Wmax"] = math.inf
    bounds: Literal["exact", "clip"] = "exact"
    zero: Literal["skip", "raise", "equal"] = "skip"
    weights: Literal["stored", "current"] = "stored"

    synapse_models: tuple[str, ...] = field(init=False, repr=False)
    target_runs: Int64Array | None = field(init=False, repr=False)
    source_runs: Int64Array | None = field(init=False, repr=False)
    receptor_types: tuple[int, ...] = field(init=False, repr=False)
    labels: tuple[int, ...] = field(init=False, repr=False)
    excluded: Int64Array = field(init=False, repr=False)
    power: float = field(init=False, repr=False)
    box: tuple[float, float] = field(init=False, repr=False)
    norms_by_target: npt.NDArray[np.float64] | None = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._set(synapse_models=checks.names_of(self.synapse_model), power=checks.power_of(self.norm))
        for name in ("targets", "sources"):
            given = getattr(self, name)
            if isinstance(given, Iterator):  # it can be read once only
                given = tuple(given)
                self._set(**{name: given})
            self._set(**{f"{name[:-1]}_runs": None if given is None else runs_of(given, name)})
        self._set(
            receptor_types=checks.whole_numbers(self.receptor_type, "receptor_type", "receptor type"),
            labels=checks.whole_numbers(self.label, "label", "synapse label"),
            excluded=checks.pairs_of(self.exclude),
            box=(checks.bound_of(self.w_min, "w_min", "Wmin"), checks.bound_of(self.w_max, "w_max", "Wmax")),
            norms_by_target=None
            if self.target_norm is None
            else checks.norms_given(self.target_norm, self.named, self.names, signed=self.norm == "sum"),
        )
        for name, choices in (
            ("of", ("incoming", "outgoing")),
            ("sign", ("positive", "negative", None)),
            ("mode", ("multiplicative", "subtractive")),
            ("only", ("above", "below", None)),
            ("bounds", ("exact", "clip")),
            ("zero", ("skip", "raise", "equal")),
            ("weights", ("stored", "current")),
        ):
            checks.check_choice(getattr(self, name), name, choices)
        if not isinstance(self.jointly, bool):
            raise RuleError(f"jointly is {shown(self.jointly)}; give True or False")
        checks.check_numbers(self)
        checks.check_together(self)

    def _set(self, **values: Any) -> None:
        for name, value in values.items():
            object.__setattr__(self, name, value)

    @property
    def names(self) -> str:
        """Which argument names the neurons that have the norms."""
        return "sources" if self.of == "outgoing" else "targets"

    @property
    def named(self) -> Any:
        """The neurons that have the norms, as given; None for all."""
        return getattr(self, self.names)

    @property
    def named_runs(self) -> Int64Array | None:
        """The same as runs of node IDs, shape (n, 2)."""
        return self.source_runs if self.of == "outgoing" else self.target_runs

    def incoming(self) -> Rule:
        """A rule of incoming norms over the same connections, for a look at them."""
        return dataclasses.replace(self, of="incoming", target_norm=1.0, mean_weight=None)

    @property
    def text(self) -> str:
        """Which connections, in a few words that tell this rule from others."""
        parts = [", ".join(self.synapse_models)]
        if self.source_runs is not None:
            parts.append(f"from {_runs_text(self.source_runs)}")
        if self.target_runs is not None:
            parts.append(f"onto {_runs_text(self.target_runs)}")
        for name, values in (("receptor type", self.receptor_types), ("label", self.labels)):
            if values:
                parts.append(f"{name} {' or '.join(map(str, values))}")
        if self.sign is not None:
            parts.append(f"{self.sign} weights")
        if self.of == "outgoing":
            parts.append("(outgoing norms)")
        return " ".join(parts)

    def as_json(self) -> dict[str, Any]:
        """All that it says, for a run log: node IDs as runs; of excluded pairs and of norms per target a digest."""
        runs = {"targets": self.target_runs, "sources": self.source_runs}
        norms = self.norms_by_target
        return {
            "text": self.text,
            "synapse_models": list(self.synapse_models),
            "of": self.of,
            **{name: None if nodes is None else nodes.tolist() for name, nodes in runs.items()},
            "receptor_type": list(self.receptor_types),
            "label": list(self.labels),
            "sign": self.sign,
            "exclude": _digest(self.excluded) if len(self.excluded) else None,
            "norm": self.norm,
            "target_norm": "initial" if self.keeps_initial else None if norms is None else _one_or_digest(norms),
            **{name: getattr(self, name) for name in ("mean_weight", "mode", "rate", "tau_ms", "only", "tolerance")},
            **{name: None if getattr(self, name) == math.inf else getattr(self, name) for name in ("w_min", "w_max")},
            "bounds": self.bounds,
            "zero": self.zero,
            "weights": self.weights,
        }

    @property
    def keeps_initial(self) -> bool:
        """Whether each target is to keep the norm that it begins with."""
        return isinstance(self.target_norm, str)

    @property
    def bounded(self) -> bool:
        """Whether there is a bound other than zero."""
        return self.box != (0.0, math.inf)

    @property
    def shifts(self) -> bool:
        """Whether the mode is subtractive."""
        return self.mode == "subtractive"

    @property
    def clips(self) -> bool:
        """Whether weights are clipped after an ordinary change."""
        return self.bounds == "clip"

    @property
    def soft(self) -> bool:
        """Whether one normalization makes only a part of the correction."""
        return self.rate < 1 or self.tau_ms is not None

    def fraction(self, elapsed_ms: float) -> float:
        """Fraction of the correction that a normalization makes this long after the last one."""
        return self.rate if self.tau_ms is None else -math.expm1(-elapsed_ms / self.tau_ms)

    def parts(self) -> tuple[Rule, ...]:
        """This rule, or one per synapse model if each is normalized by itself."""
        if self.jointly or len(self.synapse_models) == 1:
            return (self,)
        return tuple(dataclasses.replace(self, synapse_model=name) for name in self.synapse_models)

    def target_norms(self, node_ids: Int64Array) -> npt.NDArray[np.float64]:
        """Target norm of each of the given targets, shape of `node_ids`; where `norms_by_target` is not None."""
        norms = self.norms_by_target
        assert norms is not None
        runs = self.named_runs
        if runs is None or len(norms) == 1:
            return np.full(node_ids.shape, norms[0])
        lengths = runs[:, 1] - runs[:, 0] + 1
        first_position = np.concatenate(([0], np.cumsum(lengths)[:-1]))
        run = np.searchsorted(runs[:, 1], node_ids)
        result: npt.NDArray[np.float64] = norms[first_position[run] + node_ids - runs[run, 0]]
        return result


def with_drawn_norms(rule: Rule) -> Rule:
    """A rule with a NEST Parameter's values in its place, drawn in the order of the targets. Collective.

    They come from the random numbers that NEST draws alike on every rank.
    """
    if not checks.is_parameter(rule.target_norm):
        return rule
    try:
        values = rule.target_norm.apply(rule.named)  # type: ignore[union-attr]
    except Exception as error:
        raise RuleError(
            f"target_norm is a NEST Parameter that cannot be applied to the {rule.names}: {error}"
        ) from None
    return dataclasses.replace(rule, target_norm=np.array(values))


def _one_or_digest(norms: npt.NDArray[np.float64]) -> float | str:
    return float(norms[0]) if len(norms) == 1 else f"{norms.min():g} to {norms.max():g}, {_digest(norms)}"


def _digest(values: npt.NDArray[Any]) -> str:
    return f"{len(values)} values, crc32 {zlib.crc32(np.ascontiguousarray(values).tobytes()):08x}"


def _runs_text(runs: Int64Array) -> str:
    """The first runs of node IDs, and how many more there are."""
    shown = [str(first) if first == last else f"{first}-{last}" for first, last in runs[:3].tolist()]
    return ", ".join(shown) + (f" and {len(runs) - 3:,} more runs" if len(runs) > 3 else "")

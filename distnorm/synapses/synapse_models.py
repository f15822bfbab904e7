"""What NEST's synapse models allow: which have a weight per connection, and which cannot be normalized.

A model made with `nest.CopyModel` has a name of its own but the C++ class of the model it came from, which the kernel
tells. Without the kernel it is recognized by its parameters and size; where these leave a doubt, a model that could
have one weight for all its connections is refused.
"""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass, replace
from typing import Any

from ..errors import RuleError
from ..rules.rule import Rule
from .limits import common_limits
from .selection import needs_sources


@dataclass(frozen=True, kw_only=True)
class Deferred:
    """How a model changes a weight, when a presynaptic spike arrives, for what its target did since the one before.

    Attributes:
        facilitate: Arguments of its `facilitate_`: of `weight`, `trace`, the `value` in the target's history and the
            properties in `common` of all its connections.
        tau: Time constant with which the trace decays after a presynaptic spike, in ms: a member, or one of common.
        trace: Member with the trace of presynaptic spikes; "": it is 1 at each of them, as where only the nearest
            counts. Without one NEST has no place for a change that was made early, so it can only be read.
        erased: Whether the trace is zero once it was used.
        decaying: A second trace, which only decays meanwhile, and its time constant.
        pairs_first_only: Whether only the first entry of the history counts.
        exponent: The exponent in facilitate_ that most often is 1, as a member or of common; "": none. Half of the cost
            is the power, and a compiler that sees the 1 leaves it out.
        history: What the target keeps, by the name of its class in kernel/passes/history.h.
    """

    facilitate: str = "weight, trace"
    tau: str = "tau_plus_"
    trace: str = "Kplus_"
    erased: bool = False
    decaying: tuple[str, str] | None = None
    pairs_first_only: bool = False
    exponent: str = ""
    history: str = "Spikes"


@dataclass(frozen=True)
class SynapseModel:
    """A synapse model whose connections have a weight each, and what its C++ class keeps beside it.

    Attributes:
        name: Of its class without `nest::`, which is its name in NEST.
        normalized: Whether there is a normalized model of it: its weights change at presynaptic spikes, or when
            dopamine is released.
        fixed: Whether nothing in its connections changes while NEST simulates; checkpoints leave them out.
        limits: Those of Wmin and Wmax that each connection has for itself, in Wmin_ and Wmax_, apart by blanks. Other
            models have them in common, if at all. None: not known, as of extensions.
        state: Members of type double that change while NEST simulates, apart by blanks; checkpoints keep them. A name
            that begins with t_ is of a point in time.
        weight: The member with the weight, or a member of a member (S_.w). A write in place changes it for good.
        deferred: What is applied to a weight only when the next presynaptic spike arrives. None: nothing, so weights
            are always up to date. A text: why it cannot be told before.
    """

    name: str
    _: KW_ONLY
    normalized: bool = False
    fixed: bool = False
    limits: str | None = ""
    state: str = ""
    weight: str = "weight_"
    deferred: Deferred | str | None = None

    def why_not_current(self, *, written: bool) -> str:
        """Why its weights cannot be read, or written, as if they were up to date; empty if they can."""
        if isinstance(self.deferred, str):
            return self.deferred
        if written and self.deferred and not self.deferred.trace:
            return (
                "it keeps no trace of presynaptic spikes but the time of the last one, so a change that was made early "
                "would be made again; observe=True can report them"
            )
        return ""


_PAIRS = Deferred(exponent="mu_plus_")
_IN_COMMON = Deferred(facilitate="weight, trace, common", tau="common.tau_plus_")
_NEEDS_OPTIMIZER = "its gradients are summed up over an update interval, and its optimizer turns them into weights"

# The table of NEST 3.10's models. The kernel's C++ is generated from it (compiling/model_headers.py).
SYNAPSE_MODELS = (
    SynapseModel("static_synapse", fixed=True),
    SynapseModel("bernoulli_synapse", fixed=True),
    SynapseModel("cont_delay_synapse", fixed=True),
    SynapseModel("ht_synapse", state="p_ t_lastspike_"),
    SynapseModel("quantal_stp_synapse"),  # its state is an integer
    SynapseModel("tsodyks_synapse", state="x_ y_ u_ t_lastspike_"),
    SynapseModel("tsodyks2_synapse", state="x_ u_ t_lastspike_"),
    SynapseModel("stdp_synapse", normalized=True, limits="Wmax", state="Kplus_ t_lastspike_", deferred=_PAIRS),
    SynapseModel(
        "stdp_synapse_hom",
        normalized=True,
        state="Kplus_ t_lastspike_",
        deferred=replace(_IN_COMMON, exponent="common.mu_plus_"),
    ),
    SynapseModel("stdp_pl_synapse_hom", normalized=True, state="Kplus_ t_lastspike_", deferred=_IN_COMMON),
    SynapseModel(
        "stdp_triplet_synapse",
        normalized=True,
        limits="Wmax",
        state="Kplus_ Kplus_triplet_ t_lastspike_",
        deferred=Deferred(facilitate="weight, trace, value", decaying=("Kplus_triplet_", "tau_plus_triplet_")),
    ),
    SynapseModel(
        "stdp_nn_symm_synapse",
        normalized=True,
        limits="Wmax",
        state="t_lastspike_",
        deferred=replace(_PAIRS, trace=""),
    ),
    SynapseModel(
        "stdp_nn_restr_synapse",
        normalized=True,
        limits="Wmax",
        state="t_lastspike_",
        deferred=replace(_PAIRS, trace="", pairs_first_only=True),
    ),
    SynapseModel(
        "stdp_nn_pre_centered_synapse",
        normalized=True,
        limits="Wmax",
        state="Kplus_ t_lastspike_",
        deferred=replace(_PAIRS, erased=True, pairs_first_only=True),
    ),
    SynapseModel(  # its state is a place in its transmitter's history
        "stdp_dopamine_synapse",
        normalized=True,
        deferred="dopamine, too, changes its weights, which its volume_transmitter brings up to date by itself every "
        "deliver_interval",
    ),
    SynapseModel(
        "vogels_sprekeler_synapse",
        normalized=True,
        limits="Wmax",
        state="Kplus_ t_lastspike_",
        deferred=Deferred(tau="tau_"),
    ),
    SynapseModel(
        "clopath_synapse",
        normalized=True,
        limits="Wmin Wmax",
        state="x_bar_ t_lastspike_",
        deferred=Deferred(facilitate="weight, value, trace", tau="tau_x_", trace="x_bar_", history="Potentiations"),
    ),
    SynapseModel("jonke_synapse", normalized=True, state="Kplus_ t_lastspike_", deferred=_IN_COMMON),
    SynapseModel("eprop_synapse", deferred=_NEEDS_OPTIMIZER),  # its optimizer starts from the weight that it finds
    SynapseModel("eprop_synapse_bsshslm_2020", deferred=_NEEDS_OPTIMIZER),
)
BY_CLASS = {f"nest::{model.name}": model for model in SYNAPSE_MODELS}
PLASTIC_AT_SPIKES = tuple(model.name for model in SYNAPSE_MODELS if model.normalized)
_VARIANTS = ("", "_hpc", "_lbl")

_HOMOGENEOUS = "has one weight for all its connections; use {0}, which has one per connection"
_NO_SPIKES = "does not transmit spikes; name the model of the plastic spike synapses"
_REFUSED = {
    "static_synapse_hom_w": _HOMOGENEOUS.format("static_synapse"),
    "tsodyks_synapse_hom": _HOMOGENEOUS.format("tsodyks_synapse"),
    "urbanczik_synapse": "recomputes its weight from the initial one at each spike, so a written weight would be lost",
    "stdp_facetshw_synapse_hom": "re-quantizes weights in a cycle that depends on the ranks; use stdp_synapse_hom",
    "gap_junction": _NO_SPIKES,
    "rate_connection_instantaneous": _NO_SPIKES,
    "rate_connection_delayed": _NO_SPIKES,
    "sic_connection": _NO_SPIKES,
    "diffusion_connection": _NO_SPIKES,
    "eprop_learning_signal_connection": _NO_SPIKES,
    "eprop_learning_signal_connection_bsshslm_2020": _NO_SPIKES,
}
# Model names of NEST, by the name of their class.
_KNOWN = (*_REFUSED, *(model.name for model in SYNAPSE_MODELS))
_NAMED = {base + variant: base for base in _KNOWN for variant in _VARIANTS}


def check_models(nest: Any, names: tuple[str, ...]) -> None:
    """Refuse synapse models that do not exist or, by name, cannot be normalized; the same answer on every rank.

    Raises:
        RuleError: With the reason and what to use instead.
    """
    known = set(nest.synapse_models)
    for name in names:
        if name not in known:
            if "_normalized" in name:
                raise RuleError(
                    f"NEST has no synapse model {name!r}; call distnorm.install_models() before nodes are made, and "
                    "again after nest.ResetKernel or a change of the number of threads"
                )
            near = sorted(model for model in known if model.split("_")[0] == name.split("_")[0])[:6]
            hint = f"; similar: {', '.join(near)}" if near else "; nest.synapse_models lists them"
            raise RuleError(f"NEST has no synapse model {name!r}{hint}")
        _refuse(_NAMED.get(name, ""), repr(name))
        if "weight" not in nest.GetDefaults(name):
            raise RuleError(f"synapse model {name!r} has no weight; name the model of the plastic connections")


def forgotten_sources(names: tuple[str, ...]) -> RuleError:
    """The error of a rule with sources where NEST has not kept them."""
    return RuleError(
        f"the rule for {', '.join(names)} has sources, which NEST forgets with nest.keep_source_table = False; set it "
        "to True before the first Simulate, or leave sources out"
    )


def check_class(name: str, class_name: str) -> None:
    """Refuse a copy of a model that cannot be normalized, by the C++ class of its connections.

    Raises:
        RuleError: As `check_models`.
    """
    base = class_name.removeprefix("nest::")
    _refuse(base, f"{name!r}, a copy of {base},")


def why_refused(class_name: str) -> str:
    """Why a C++ class of connections has no weight for each; empty if it has."""
    return _REFUSED.get(class_name.removeprefix("nest::"), "")


def keeps_weights(nest: Any, name: str) -> bool:
    """Whether a synapse model is one of NEST's own, or like a copy of one: these keep a weight that is written."""
    fingerprint = _fingerprint(nest, name)
    own = set(nest.synapse_models).intersection(_NAMED)
    return name in own or any(_fingerprint(nest, model) == fingerprint for model in own)


def check_copies(nest: Any, names: tuple[str, ...]) -> None:
    """As `check_class` for each model, by parameters and size, where no kernel tells the classes.

    Raises:
        RuleError: Also for a model that cannot be told from one to be refused.
    """
    fingerprints = {model: _fingerprint(nest, model) for model in set(nest.synapse_models).intersection(_NAMED)}
    for name in set(names) - set(_NAMED):
        fingerprint = _fingerprint(nest, name)
        like = [_NAMED[model] for model in fingerprints if fingerprints[model] == fingerprint]
        refused = [base for base in like if base in _REFUSED]
        if len(refused) == len(like) or any(_REFUSED[base] != _NO_SPIKES for base in refused):
            check_class(name, refused[0] if refused else "")


def _refuse(base: str, label: str) -> None:
    if base in _REFUSED:
        raise RuleError(f"synapse model {label} cannot be normalized: it {_REFUSED[base]}")


def _fingerprint(nest: Any, name: str) -> tuple[frozenset[tuple[str, str]], int]:
    """Parameters with their types (flags with their values), and the size of a connection."""
    defaults = nest.GetDefaults(name)
    parameters = (
        (key, str(value) if isinstance(value, bool) else type(value).__name__) for key, value in defaults.items()
    )
    return frozenset(parameters), defaults.get("sizeof", 0)


def check_selection(nest: Any, rule: Rule) -> None:
    """Refuse labels, bounds and sources that NEST does not have for a rule's synapse models; the same on every rank.

    Raises:
        RuleError: With the model.
    """
    if needs_sources(rule) and not nest.keep_source_table:
        raise forgotten_sources(rule.synapse_models)
    for name in rule.synapse_models:
        defaults = nest.GetDefaults(name)
        if rule.labels and "synapse_label" not in defaults:
            raise RuleError(
                f"label is {rule.label!r}, but {name!r} connections have none; use a model such as {name}_lbl"
            )
        limits = common_limits(nest, name)
        for bound, key in ((rule.w_min, "Wmin"), (rule.w_max, "Wmax")):
            if bound == key and key not in limits:
                raise RuleError(f'w_{key[1:]} is "{key}", but {name!r} has no {key}; give a number')

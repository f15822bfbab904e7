"""What NEST's synapse models allow: which have a weight per connection, and which cannot be normalized.

A model made with `nest.CopyModel` has a name of its own but the C++ class of the model it came from, which the kernel
tells. Without the kernel it is recognized by its parameters and size; where these leave a doubt, a model that could
have one weight for all its connections is refused.
"""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import Any

from ..errors import RuleError
from ..rules.rule import Rule
from .limits import common_limits
from .selection import needs_sources


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
    """

    name: str
    _: KW_ONLY
    normalized: bool = False
    fixed: bool = False
    limits: str | None = ""
    state: str = ""
    weight: str = "weight_"


# The table of NEST 3.10's models. The kernel's C++ is generated from it (compiling/headers.py).
SYNAPSE_MODELS = (
    SynapseModel("static_synapse", fixed=True),
    SynapseModel("bernoulli_synapse", fixed=True),
    SynapseModel("cont_delay_synapse", fixed=True),
    SynapseModel("ht_synapse", state="p_ t_lastspike_"),
    SynapseModel("quantal_stp_synapse"),  # its state is an integer
    SynapseModel("tsodyks_synapse", state="x_ y_ u_ t_lastspike_"),
    SynapseModel("tsodyks2_synapse", state="x_ u_ t_lastspike_"),
    SynapseModel("stdp_synapse", normalized=True, limits="Wmax", state="Kplus_ t_lastspike_"),
    SynapseModel("stdp_synapse_hom", normalized=True, state="Kplus_ t_lastspike_"),
    SynapseModel("stdp_pl_synapse_hom", normalized=True, state="Kplus_ t_lastspike_"),
    SynapseModel("stdp_triplet_synapse", normalized=True, limits="Wmax", state="Kplus_ Kplus_triplet_ t_lastspike_"),
    SynapseModel("stdp_nn_symm_synapse", normalized=True, limits="Wmax", state="t_lastspike_"),
    SynapseModel("stdp_nn_restr_synapse", normalized=True, limits="Wmax", state="t_lastspike_"),
    SynapseModel("stdp_nn_pre_centered_synapse", normalized=True, limits="Wmax", state="Kplus_ t_lastspike_"),
    SynapseModel("stdp_dopamine_synapse", normalized=True),  # its state is a place in its transmitter's history
    SynapseModel("vogels_sprekeler_synapse", normalized=True, limits="Wmax", state="Kplus_ t_lastspike_"),
    SynapseModel("clopath_synapse", normalized=True, limits="Wmin Wmax", state="x_bar_ t_lastspike_"),
    SynapseModel("jonke_synapse", normalized=True, state="Kplus_ t_lastspike_"),
    SynapseModel("eprop_synapse"),  # its optimizer starts from the weight that it finds
    SynapseModel("eprop_synapse_bsshslm_2020"),
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

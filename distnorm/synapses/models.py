"""What NEST's synapse models allow: which have a weight per connection, and which cannot be normalized.

A model made with `nest.CopyModel` has a name of its own but the parameters and the size of the model it came from; by
these it is recognized.
"""

from __future__ import annotations

from typing import Any

from ..errors import RuleError

# Models of NEST 3.10 whose connections have a member weight_ that a write in place changes for good.
WEIGHT_PER_CONNECTION = (
    "static_synapse",
    "stdp_synapse",
    "stdp_synapse_hom",
    "stdp_pl_synapse_hom",
    "stdp_triplet_synapse",
    "vogels_sprekeler_synapse",
)

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


def check_models(nest: Any, names: tuple[str, ...]) -> None:
    """Refuse synapse models that do not exist or cannot be normalized; the same answer on every rank.

    Raises:
        RuleError: With the reason and what to use instead.
    """
    known = set(nest.synapse_models)
    for name in names:
        if name not in known:
            near = sorted(model for model in known if model.split("_")[0] == name.split("_")[0])[:6]
            hint = f"; similar: {', '.join(near)}" if near else "; nest.synapse_models lists them"
            raise RuleError(f"NEST has no synapse model {name!r}{hint}")
    like = {
        _fingerprint(nest, base + variant): (base, reason)
        for base, reason in _REFUSED.items()
        for variant in ("", "_hpc", "_lbl")
        if base + variant in known
    }
    for name in names:
        fingerprint = _fingerprint(nest, name)
        if fingerprint in like:
            base, reason = like[fingerprint]
            label = repr(name) if name.startswith(base) else f"{name!r} (a copy of {base})"
            raise RuleError(f"synapse model {label} cannot be normalized: it {reason}")
        if "weight" not in dict(fingerprint[0]):
            raise RuleError(f"synapse model {name!r} has no weight; name the model of the plastic connections")


def _fingerprint(nest: Any, name: str) -> tuple[frozenset[tuple[str, str]], int]:
    defaults = nest.GetDefaults(name)
    return frozenset((key, type(value).__name__) for key, value in defaults.items()), defaults.get("sizeof", 0)

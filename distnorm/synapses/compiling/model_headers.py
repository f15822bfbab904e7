"""The C++ headers that describe synapse models, made of their table.

distnorm_models.h      where each model has its weight, its limits and its state, and a function that goes through them
distnorm_normalized.h  the same for the normalized models that are made of some of them
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from ..synapse_models import Deferred, SynapseModel

_VARIANTS = ("{0}< distnorm::Pointer >", "{0}< distnorm::Index >", "nest::ConnectionLabel< {0}< distnorm::Pointer > >")

_COMMON = "common."
_TRAITS = """
template <>
struct distnorm::Traits< {class_name} >
{{
  static constexpr bool knows_limits = {knows_limits};
  static constexpr bool has_own_wmin = {wmin};
  static constexpr bool has_own_wmax = {wmax};
  using State = Names< {state} >;
{deferred}
  template < typename Synapse >
  static double&
  weight( Synapse& synapse )
  {{
    return ( synapse.*member< "{member}", Synapse > ){within};
  }}
}};
"""
_DEFERRED = """
  static constexpr bool is_deferred = true;
  static constexpr bool can_commit = {can_commit};
  static constexpr bool pairs_first_only = {pairs_first_only};
  using History = {history};

  template < typename Synapse >
  static double
  trace( [[maybe_unused]] const Synapse& synapse )
  {{
    return {trace};
  }}

  template < typename Synapse, typename CommonProperties >
  static double
  decay( [[maybe_unused]] const Synapse& synapse, [[maybe_unused]] const CommonProperties& common, const double time )
  {{
    return std::exp( time / {tau} );
  }}

  template < typename Synapse, typename CommonProperties >
  static double
  facilitated( Synapse& synapse,
    [[maybe_unused]] const CommonProperties& common,
    const double weight,
    const double trace,
    [[maybe_unused]] const double value )
  {{
    constexpr auto facilitate = member< "facilitate_", Synapse >;
    return {facilitated};
  }}

  template < typename Synapse, typename CommonProperties >
  static void
  advance( [[maybe_unused]] Synapse& synapse,
    [[maybe_unused]] const CommonProperties& common,
    [[maybe_unused]] const double time )
  {{
    {advance}
  }}
"""
_NOT_DEFERRED = "  static constexpr bool is_deferred = false;\n"
# What is declared for the parent and not defined is in NEST's own library.
_CONNECTOR = """
template <>
size_t nest::Connector< {parent} >::send( size_t, size_t, const std::vector< ConnectorModel* >&, Event& );
template <>
void nest::Connector< {parent} >::trigger_update_weight(
  long, size_t, const std::vector< spikecounter >&, double, const std::vector< ConnectorModel* >& );
template <>
void nest::Connector< {parent} >::sort_connections( BlockVector< Source >& );

template <>
inline size_t
nest::Connector< {own} >::send( size_t tid, size_t lcid, const std::vector< ConnectorModel* >& models, Event& e )
{{
  return distnorm::send( *this, tid, lcid, models, e );
}}
template <>
inline void
nest::Connector< {own} >::trigger_update_weight( long transmitter,
  size_t tid,
  const std::vector< spikecounter >& spikes,
  double time,
  const std::vector< ConnectorModel* >& models )
{{
  distnorm::trigger_update_weight( *this, transmitter, tid, spikes, time, models );
}}
template <>
inline void
nest::Connector< {own} >::sort_connections( BlockVector< Source >& sources )
{{
  distnorm::as_parent( *this ).Connector< {parent} >::sort_connections( sources );
}}
"""


def models_header(included: Iterable[str], models: Mapping[str, SynapseModel]) -> str:
    """Text of distnorm_models.h.

    Args:
        included: Headers with the classes of the models.
        models: By the names of their classes.
    """
    includes = [f'#include "{header}"' for header in ("synapse.h", *included)]
    visits = [f"visit.template operator()< {name} >();" for name in models]
    return _text(includes, map(_traits, models, models.values()), _function("for_each_model", visits))


def _traits(class_name: str, model: SynapseModel) -> str:
    member, dot, within = model.weight.partition(".")
    limits = [f"{limit}_" for limit in (model.limits or "").split()]
    text = _TRAITS.format(
        class_name=class_name,
        knows_limits=str(model.limits is not None).lower(),
        wmin=str("Wmin_" in limits).lower(),
        wmax=str("Wmax_" in limits).lower(),
        state=", ".join(f'"{name}"' for name in model.state.split()),
        deferred=_deferred(model),
        member=member,
        within=dot + within,
    )
    variants = [variant.format(class_name) for variant in _VARIANTS]
    own = dict.fromkeys((member, *limits, *model.state.split(), *_members_of_deferred(model)))
    members = [(variant, name) for variant in variants[:2] for name in own]
    members += [(f"nest::Connector< {variant} >", "C_") for variant in variants]
    return text + "\n".join(_revealed(*member) for member in members)


def _deferred(model: SynapseModel) -> str:
    deferred = model.deferred
    if not isinstance(deferred, Deferred):
        return _NOT_DEFERRED
    traces = [(deferred.trace, "0.0" if deferred.erased else f"std::exp( time / {_value(deferred.tau)} )")]
    if deferred.decaying:
        traces.append((deferred.decaying[0], f"std::exp( time / {_value(deferred.decaying[1])} )"))
    call = f"( synapse.*facilitate )( {deferred.facilitate} )"
    return _DEFERRED.format(
        can_commit=str(bool(deferred.trace)).lower(),
        pairs_first_only=str(deferred.pairs_first_only).lower(),
        history=deferred.history,
        trace=_value(deferred.trace) if deferred.trace else "1.0",
        tau=_value(deferred.tau),
        facilitated=f"{_value(deferred.exponent)} == 1.0 ? {call} : {call}" if deferred.exponent else call,
        advance="\n    ".join(f"{_value(name)} *= {factor};" for name, factor in traces if name),
    )


def _members_of_deferred(model: SynapseModel) -> tuple[str, ...]:
    deferred = model.deferred
    if not isinstance(deferred, Deferred):
        return ()
    names = ("facilitate_", deferred.tau, deferred.trace, deferred.exponent, *(deferred.decaying or ()))
    return tuple(name for name in names if name and not name.startswith(_COMMON))


def _value(name: str) -> str:
    """A member of a connection, or of what all have in common, in C++."""
    return name if name.startswith(_COMMON) else f'( synapse.*member< "{name}", Synapse > )'


def normalized_header(names: Iterable[str]) -> str:
    """Text of distnorm_normalized.h, for the models of NEST with these names."""
    visits = [f'visit.template operator()< nest::{name} >( "{name}_normalized" );' for name in names]
    includes = [f'#include "{header}"' for header in ("distnorm_models.h", "normalized/delivery.h")]
    return _text(includes, map(_normalized, names), _function("for_each_normalized_model", visits))


def _normalized(name: str) -> str:
    parents = [variant.format(f"nest::{name}") for variant in _VARIANTS]
    own = [variant.replace("{0}<", f"distnorm::Normalized< nest::{name},") for variant in _VARIANTS]
    connectors = (
        _CONNECTOR.format(parent=parent, own=connection) for parent, connection in zip(parents, own, strict=True)
    )
    members = [(f"nest::Connector< {connection} >", "C_") for connection in own]
    members += [(f"nest::GenericConnectorModel< {connection} >", "receptor_type_") for connection in parents + own]
    members += [(own[2], "label_")]
    return "".join(connectors) + "\n".join(_revealed(*member) for member in members)


def _revealed(owner: str, member: str) -> str:
    return f'template struct distnorm::Reveal< "{member}", &{owner}::{member}, {owner} >;'


def _function(name: str, lines: Sequence[str]) -> str:
    """A function that calls visit for each model."""
    body = "\n  ".join(lines)
    return f"""
namespace distnorm
{{
template < typename Visit >
void
{name}( Visit visit )
{{
  {body}
}}
}} // namespace distnorm
"""


def _text(includes: Iterable[str], models: Iterable[str], function: str) -> str:
    return "\n".join(["#pragma once", "", *includes, *models, function])

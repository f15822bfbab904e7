// Connections of a compiled type one by one: their rows and state for checkpoints, and weights that are set.

#pragma once

#include <span>

#include "passes/status_access.h"
#include "synapse.h"

namespace distnorm
{

template < typename Synapse >
int64_t
node_id_of( const Synapse& synapse, const size_t tid )
{
  return synapse.get_target( tid )->get_node_id();
}

//! Sets, or tries, what NEST might refuse, which then keeps its bits.
inline void
set_one_by_status( nest::ConnectorBase& connector,
  const size_t tid,
  const std::span< const Setting > setting,
  const size_t which,
  const bool only_try,
  double& weight )
{
  const double before = weight;
  try
  {
    set_by_status( connector, tid, setting, false );
  }
  catch ( const Refusal& refusal )
  {
    weight = before;
    throw Refusal { which, refusal.text };
  }
  weight = only_try ? before : weight;
}

template < typename Synapse, Name... names >
void
get_state( const Synapse& synapse, double* state, Names< names... > )
{
  ( ( *state++ = synapse.*member< names, Synapse > ), ... );
}

template < typename Synapse, Name... names >
void
set_state( Synapse& synapse, const double* state, Names< names... > )
{
  ( ( synapse.*member< names, Synapse > = *state++ ), ... );
}

//! Sets weights, or only tries; see ConnectionType.
template < typename ConnectionT >
void
set_in_place( nest::ConnectorBase& connector,
  const size_t tid,
  const std::span< const Setting > settings,
  const bool only_try )
{
  constexpr size_t ahead = 16;
  auto& all = elements_of< ConnectionT >( connector );
  Range range = range_in_common( nest::kernel().model_manager.get_connection_model( connector.get_syn_id(), tid ) );
  for ( size_t i = 0; i < settings.size(); ++i )
  {
    const size_t later = settings[ std::min( i + ahead, settings.size() - 1 ) ].lcid;
    later < all.size() ? __builtin_prefetch( &all[ later ], 1 ) : void();
    const auto [ lcid, target, wanted ] = settings[ i ];
    if ( lcid >= all.size() or all[ lcid ].is_disabled() or ( target and node_id_of( all[ lcid ], tid ) != target ) )
    {
      throw Refusal { i, gone };
    }
    typename SynapseOf< ConnectionT >::type& synapse = all[ lcid ];
    double& weight = weight_of( synapse );
    read_own_limits( synapse, range );
    const bool keeps_sign = weight * wanted > 0.0;
    if ( not( SynapseOf< ConnectionT >::Its::knows_limits and std::isnan( range.least ) and keeps_sign ) )
    {
      set_one_by_status( connector, tid, settings.subspan( i, 1 ), i, only_try, weight );
    }
    else if ( not only_try )
    {
      weight = wanted;
    }
  }
}

//! Reads rows from number `first` on, with their state row by row.
template < typename ConnectionT >
void
read_rows( nest::ConnectorBase& connector,
  const size_t tid,
  const size_t first,
  const std::span< Row > rows,
  double* state )
{
  auto& all = elements_of< ConnectionT >( connector );
  for ( size_t i = 0; i < rows.size(); ++i, state += SynapseOf< ConnectionT >::Its::State::size )
  {
    typename SynapseOf< ConnectionT >::type& synapse = all[ first + i ];
    if ( synapse.is_disabled() )
    {
      throw std::runtime_error(
        "connections were disconnected, and NEST 3.10 keeps their places, which no checkpoint tells from others; "
        "build the network without them, or leave out --checkpoint" );
    }
    const size_t source =
      nest::kernel().connection_manager.get_source_node_id( tid, connector.get_syn_id(), first + i );
    const size_t target = synapse.get_target( tid )->get_node_id();
    const size_t receptor = synapse.get_rport();
    rows[ i ] = { .source = static_cast< uint32_t >( source ),
      .target = static_cast< uint32_t >( target ),
      .delay_steps = static_cast< uint32_t >( synapse.get_delay_steps() ),
      .receptor = static_cast< uint16_t >( receptor ),
      .model = 0,
      .weight = weight_of( synapse ) };
    if ( rows[ i ].source != source or rows[ i ].target != target or rows[ i ].receptor != receptor )
    {
      throw std::runtime_error( "a node ID above 4294967295, or a receptor above 65535" );
    }
    get_state( synapse, state, typename SynapseOf< ConnectionT >::Its::State() );
  }
}

template < typename ConnectionT >
void
write_rows( nest::ConnectorBase& connector,
  const size_t first,
  const std::span< const Row > rows,
  const double* state )
{
  auto& all = elements_of< ConnectionT >( connector );
  for ( size_t i = 0; i < rows.size(); ++i, state += SynapseOf< ConnectionT >::Its::State::size )
  {
    typename SynapseOf< ConnectionT >::type& synapse = all[ first + i ];
    weight_of( synapse ) = rows[ i ].weight;
    set_state( synapse, state, typename SynapseOf< ConnectionT >::Its::State() );
  }
}

} // namespace distnorm

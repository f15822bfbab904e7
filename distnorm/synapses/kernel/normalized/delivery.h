// How a spike comes to the targets of its source on a thread. NEST's loop meets their cache misses one after the other;
// this one asks for what a group of targets needs at once, which makes up for the line of the account.
//
// Without a rule, and to sort connections, a normalized model runs its parent's code as NEST has it, so that it is its
// parent to the last bit: NEST may have been compiled with other options (-march, contraction), and sorts with Boost
// where it has it.

#pragma once

#include <array>

#include "archiving_node.h"
#include "structural_plasticity_node.h"

#include "normalized/normalized.h"

namespace distnorm
{

constexpr size_t group_size = 16;
constexpr size_t line = 64;

//! Asks for the lines of a node that plasticity reads: its index on the thread, and its trace and history.
inline void
prefetch_node( const nest::Node* node )
{
  const char* const first = reinterpret_cast< const char* >( node );
  __builtin_prefetch( first );
  for ( size_t at = sizeof( nest::StructuralPlasticityNode ); at < sizeof( nest::ArchivingNode ); at += line )
  {
    __builtin_prefetch( first + at );
  }
}

//! Sends an event to the targets of a source, whose connections begin at lcid; returns their number.
//! After each connection that did send, record( lcid ) is called.
template < typename ConnectionT, typename Record >
size_t
deliver( BlockVector< ConnectionT >& connections,
  const size_t tid,
  const nest::synindex synapse_id,
  const size_t lcid,
  nest::Event& e,
  const typename ConnectionT::CommonPropertiesType& cp,
  Record record )
{
  const Slot& slot = slot_of( tid, synapse_id );
  std::array< Account*, group_size > accounts;
  size_t first = lcid;
  for ( bool has_more = true; has_more; )
  {
    size_t end = first;
    while ( has_more and end < first + group_size )
    {
      ConnectionT& connection = connections[ end++ ];
      prefetch_node( connection.get_target( tid ) );
      has_more = connection.source_has_more_targets();
    }
    for ( size_t i = first; i < end; ++i )
    {
      Account* const account = connections[ i ].account_in( slot, tid );
      __builtin_prefetch( account, 1 );
      accounts[ i - first ] = account;
    }
    for ( size_t i = first; i < end; ++i )
    {
      ConnectionT& connection = connections[ i ];
      e.set_port( i );
      if ( not connection.is_disabled() and connection.send_with( accounts[ i - first ], slot, e, tid, cp ) )
      {
        record( i );
      }
    }
    first = end;
  }
  return first - lcid;
}

//! Of a normalized connection, with or without a label, the parent's.
template < typename ConnectionT >
struct ParentOf;
template < template < typename > class Parent, typename Identifier >
struct ParentOf< Normalized< Parent, Identifier > >
{
  using type = Parent< Identifier >;
  static constexpr bool has_label = false;
};
template < typename ConnectionT >
struct ParentOf< nest::ConnectionLabel< ConnectionT > >
{
  using type = nest::ConnectionLabel< typename ParentOf< ConnectionT >::type >;
  static constexpr bool has_label = true;
};

//! The connector as one of the parent's, of the same layout.
template < typename ConnectionT >
auto&
as_parent( nest::Connector< ConnectionT >& connector )
{
  using Parent = typename ParentOf< ConnectionT >::type;
  static_assert( sizeof( ConnectionT ) == sizeof( Parent ) and alignof( ConnectionT ) == alignof( Parent )
    and sizeof( nest::Connector< ConnectionT > ) == sizeof( nest::Connector< Parent > )
    and sizeof( nest::GenericConnectorModel< ConnectionT > ) == sizeof( nest::GenericConnectorModel< Parent > ) );
  return reinterpret_cast< nest::Connector< Parent >& >( connector );
}

template < typename ConnectionT >
const auto&
properties_of( const nest::Connector< ConnectionT >& connector, const std::vector< nest::ConnectorModel* >& models )
{
  using Connector = nest::Connector< ConnectionT >;
  const auto* model = models[ connector.Connector::get_syn_id() ];
  return static_cast< const nest::GenericConnectorModel< ConnectionT >* >( model )->get_common_properties();
}

//! In place of nest::Connector< ConnectionT >::send, as distnorm_normalized.h says.
template < typename ConnectionT >
size_t
send( nest::Connector< ConnectionT >& connector,
  const size_t tid,
  const size_t lcid,
  const std::vector< nest::ConnectorModel* >& models,
  nest::Event& e )
{
  using Connector = nest::Connector< ConnectionT >;
  using Parent = nest::Connector< typename ParentOf< ConnectionT >::type >;
  const nest::synindex synapse_id = connector.Connector::get_syn_id();
  if ( not slot_of( tid, synapse_id ).store )
  {
    return as_parent( connector ).Parent::send( tid, lcid, models, e );
  }
  if ( e.is_flush_event() and not ConnectionT::supports_flush_event )
  {
    return 0;
  }
  const auto& cp = properties_of( connector, models );
  return deliver( connector.*member< "C_", Connector >,
    tid,
    synapse_id,
    lcid,
    e,
    cp,
    [ & ]( const size_t at ) { connector.send_weight_event( tid, at, e, cp ); } );
}

//! Likewise.
template < typename ConnectionT >
void
trigger_update_weight( nest::Connector< ConnectionT >& connector,
  const long transmitter,
  const size_t tid,
  const std::vector< nest::spikecounter >& spikes,
  const double time,
  const std::vector< nest::ConnectorModel* >& models )
{
  using Connector = nest::Connector< ConnectionT >;
  using Parent = nest::Connector< typename ParentOf< ConnectionT >::type >;
  const auto& cp = properties_of( connector, models );
  if ( not slot_of( tid, connector.Connector::get_syn_id() ).store )
  {
    as_parent( connector ).Parent::trigger_update_weight( transmitter, tid, spikes, time, models );
  }
  else if ( cp.get_vt_node_id() == transmitter )
  {
    auto& connections = connector.*member< "C_", Connector >;
    for ( size_t i = 0; i < connections.size(); ++i )
    {
      connections[ i ].trigger_update_weight( tid, spikes, time, cp );
    }
  }
}

} // namespace distnorm

// How a spike comes to the targets of its source on a thread. NEST's loop meets their cache misses one after the other;
// this one asks for what a group of targets needs at once, which makes up for the line of the account.
//
// Without a rule, and to sort connections, a twin runs its parent's code as NEST has it, so that it is its parent to the
// last bit: NEST may have been compiled with other options (-march, contraction), and sorts with Boost where it has it.

#pragma once

#include <array>

#include "archiving_node.h"
#include "structural_plasticity_node.h"

#include "normalized/normalized.h"
#include "normalized/twin.h"

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

//! The connector as one of the parent's, of the same layout.
template < typename ConnectionT >
nest::Connector< typename ParentOf< ConnectionT >::type >&
as_parent( nest::Connector< ConnectionT >& connector )
{
  using Parent = typename ParentOf< ConnectionT >::type;
  static_assert( sizeof( ConnectionT ) == sizeof( Parent ) and alignof( ConnectionT ) == alignof( Parent )
    and sizeof( nest::Connector< ConnectionT > ) == sizeof( nest::Connector< Parent > )
    and sizeof( nest::GenericConnectorModel< ConnectionT > ) == sizeof( nest::GenericConnectorModel< Parent > ) );
  return reinterpret_cast< nest::Connector< Parent >& >( connector );
}

} // namespace distnorm

// Before the connections of a type are made. What is declared for the parent and not defined is in NEST's own library.
#define DN_DELIVERY( ConnectionT ) DN_DELIVERY_AS( ConnectionT, distnorm::ParentOf< ConnectionT >::type )
#define DN_DELIVERY_AS( ConnectionT, Parent )                                                                          \
  template <>                                                                                                          \
  size_t nest::Connector< Parent >::send( size_t, size_t, const std::vector< ConnectorModel* >&, Event& );             \
  template <>                                                                                                          \
  void nest::Connector< Parent >::trigger_update_weight(                                                               \
    long, size_t, const std::vector< spikecounter >&, double, const std::vector< ConnectorModel* >& );                 \
  template <>                                                                                                          \
  void nest::Connector< Parent >::sort_connections( BlockVector< Source >& );                                          \
  template <>                                                                                                          \
  inline size_t nest::Connector< ConnectionT >::send( const size_t tid,                                                \
    const size_t lcid,                                                                                                 \
    const std::vector< ConnectorModel* >& models,                                                                      \
    Event& e )                                                                                                         \
  {                                                                                                                    \
    if ( not distnorm::slot_of( tid, syn_id_ ).store )                                                                 \
    {                                                                                                                  \
      return distnorm::as_parent( *this ).Connector< Parent >::send( tid, lcid, models, e );                           \
    }                                                                                                                  \
    if ( e.is_flush_event() and not ConnectionT::supports_flush_event )                                                \
    {                                                                                                                  \
      return 0;                                                                                                        \
    }                                                                                                                  \
    const auto& cp = static_cast< GenericConnectorModel< ConnectionT >* >( models[ syn_id_ ] )->get_common_properties(); \
    return distnorm::deliver(                                                                                          \
      C_, tid, syn_id_, lcid, e, cp, [ & ]( const size_t at ) { send_weight_event( tid, at, e, cp ); } );               \
  }                                                                                                                    \
  template <>                                                                                                          \
  inline void nest::Connector< ConnectionT >::trigger_update_weight( const long transmitter,                           \
    const size_t tid,                                                                                                  \
    const std::vector< spikecounter >& spikes,                                                                         \
    const double time,                                                                                                 \
    const std::vector< ConnectorModel* >& models )                                                                     \
  {                                                                                                                    \
    const auto& cp = static_cast< GenericConnectorModel< ConnectionT >* >( models[ syn_id_ ] )->get_common_properties(); \
    if ( not distnorm::slot_of( tid, syn_id_ ).store )                                                                 \
    {                                                                                                                  \
      return distnorm::as_parent( *this ).Connector< Parent >::trigger_update_weight(                                  \
        transmitter, tid, spikes, time, models );                                                                      \
    }                                                                                                                  \
    for ( size_t i = 0; i < C_.size() and cp.get_vt_node_id() == transmitter; ++i )                                    \
    {                                                                                                                  \
      C_[ i ].trigger_update_weight( tid, spikes, time, cp );                                                          \
    }                                                                                                                  \
  }                                                                                                                    \
  template <>                                                                                                          \
  inline void nest::Connector< ConnectionT >::sort_connections( BlockVector< Source >& sources )                       \
  {                                                                                                                    \
    distnorm::as_parent( *this ).Connector< Parent >::sort_connections( sources );                                     \
  }

// How a spike comes to the targets of its source on a thread. NEST's loop meets their cache misses one after the other;
// this one asks for what a group of targets needs at once, which makes up for the line of the account.

#pragma once

#include <array>

#include "archiving_node.h"
#include "structural_plasticity_node.h"

#include "normalized.h"

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
      if ( not connection.is_disabled() and connection.send_with( accounts[ i - first ], slot.power, e, tid, cp ) )
      {
        record( i );
      }
    }
    first = end;
  }
  return first - lcid;
}

} // namespace distnorm

// Before the connections of a type are made.
#define DN_DELIVERY( ConnectionT )                                                                                     \
  template <>                                                                                                          \
  inline size_t nest::Connector< ConnectionT >::send( const size_t tid,                                                \
    const size_t lcid,                                                                                                 \
    const std::vector< ConnectorModel* >& models,                                                                      \
    Event& e )                                                                                                         \
  {                                                                                                                    \
    if ( e.is_flush_event() and not ConnectionT::supports_flush_event )                                                \
    {                                                                                                                  \
      return 0;                                                                                                        \
    }                                                                                                                  \
    const auto& cp = static_cast< GenericConnectorModel< ConnectionT >* >( models[ syn_id_ ] )->get_common_properties(); \
    return distnorm::deliver(                                                                                          \
      C_, tid, syn_id_, lcid, e, cp, [ & ]( const size_t at ) { send_weight_event( tid, at, e, cp ); } );               \
  }

// What Python calls for exact normalization.

#pragma once

#include "normalized/stores.h"

namespace distnorm
{

//! Calls body( node, target ) for each target of the group on the thread.
template < typename Body >
void
for_each_target( const Group& group, const size_t tid, Body body )
{
  const auto& target_of_node = group.threads[ tid ].target_of_node;
  for ( size_t node = 0; node < target_of_node.size(); ++node )
  {
    if ( target_of_node[ node ] != not_a_target )
    {
      body( node, group.threads[ tid ].first + target_of_node[ node ] );
    }
  }
}

//! 1 if connections of this synapse model normalize themselves; 2 if a rule holds some of them.
inline int64_t
norms_of( const int64_t synapse_id )
{
  if ( not dynamic_cast< const NormalizedType* >( &find_type( synapse_id ) ) )
  {
    return 0;
  }
  return slot_of( 0, synapse_id ).size ? 2 : 1;
}

//! Gives the group's models accounts, or makes room for nodes that are new.
inline void
open_accounts( const Group* group, const int64_t power )
{
  Store* store = find_store( group->synapse_ids, power );
  if ( not store )
  {
    stores.push_back( std::make_unique< Store >() );
    store = stores.back().get();
    *store = { group->synapse_ids, static_cast< int >( power ), std::vector< Store::Thread >( group->threads.size() ) };
    std::sort( store->synapse_ids.begin(), store->synapse_ids.end() );
  }
  for ( size_t tid = 0; tid < group->threads.size(); ++tid )
  {
    const size_t size = std::max< size_t >( group->threads[ tid ].num_nodes, 1 );
    store->threads[ tid ].accounts.resize( size );
    store->threads[ tid ].wanted.resize( size );
  }
  wire_slots();
}

//! 1 if nodes or threads have changed since the group was opened.
inline int64_t
is_stale( const Group* group )
{
  return group->is_stale();
}

//! Norm that is wanted for target i: norms[ i ] (NaN: the one that it has first), or mean_weight in place of all these.
//! Targets that no norm was wanted for are measured before their first event; with `anew` all targets are, at once.
inline void
want_norms( const Group* group, const double* norms, const double mean_weight, const int64_t anew )
{
  group->check();
  on_all_threads(
    [ & ]( const size_t tid )
    {
      Store& store = store_of( *group );
      for_each_target( *group,
        tid,
        [ & ]( const size_t node, const size_t i )
        {
          Account& account = store.threads[ tid ].accounts[ node ];
          if ( anew or account.state == Account::FREE )
          {
            store.threads[ tid ].wanted[ node ] = { norms[ i ], mean_weight };
            account.await_measuring( store.power );
          }
        } );
      if ( anew )
      {
        measure( store, tid, current_slice() );
      }
    } );
}

//! nearest[ i ]: norms[ i ], or what the bounds of the connections of target i allow that is nearest to it.
inline void
find_nearest( const Group* group, const double* norms, double* nearest )
{
  on_all_threads(
    [ & ]( const size_t tid )
    {
      const auto& thread = group->threads[ tid ];
      const Store& store = store_of( *group );
      const auto totals = add_up( store, tid, thread.target_of_node, thread.node_ids.size() );
      for ( size_t i = 0; i < totals.size(); ++i )
      {
        const Wanted wanted { .norm = norms[ thread.first + i ] };
        nearest[ thread.first + i ] = wanted.nearest( totals[ i ], store.power );
      }
    } );
}

//! Of target i: largest deviation from its norm at the end of a slice since last asked; -1 where it has vanished.
inline void
list_deviations( const Group* group, double* deviations )
{
  on_all_threads(
    [ & ]( const size_t tid )
    {
      Store& store = store_of( *group );
      for_each_target( *group,
        tid,
        [ & ]( const size_t node, const size_t i )
        {
          Account& account = store.threads[ tid ].accounts[ node ];
          const double deviation = account.read_deviation( store.power );
          deviations[ i ] = account.state == Account::ZERO and deviation >= 1.0 ? -1.0 : deviation;
          account.deviation = 0.0F;
        } );
    } );
}

} // namespace distnorm

// The accounts of all rules, and how they are measured.

#pragma once

#include "normalized/normalized_type.h"

namespace distnorm
{

//! Views of all stores, by thread and synapse model.
inline void
wire_slots()
{
  slots.assign( nest::kernel().vp_manager.get_num_threads(), std::vector< Slot >( nest::MAX_SYN_ID + 1 ) );
  for ( const auto& store : stores )
  {
    for ( size_t tid = 0; tid < store->threads.size(); ++tid )
    {
      auto& accounts = store->threads[ tid ].accounts;
      for ( const auto synapse_id : store->synapse_ids )
      {
        slots[ tid ][ synapse_id ] = { accounts.data(), accounts.size(), store->power, store.get() };
      }
    }
  }
}

inline void
forget_accounts()
{
  stores.clear();
  wire_slots();
}

//! The store of exactly these models; null if none of them has one.
inline Store*
find_store( std::vector< nest::synindex > synapse_ids, const int power )
{
  std::sort( synapse_ids.begin(), synapse_ids.end() );
  for ( const auto& store : stores )
  {
    if ( store->synapse_ids == synapse_ids and store->power == power )
    {
      return store.get();
    }
    for ( const auto synapse_id : synapse_ids )
    {
      if ( std::count( store->synapse_ids.begin(), store->synapse_ids.end(), synapse_id ) )
      {
        throw std::runtime_error( "rules that share a synapse model must name the same models and the same norm" );
      }
    }
  }
  return nullptr;
}

inline Store&
store_of( const Group& group )
{
  for ( const auto& store : stores )
  {
    if ( std::count( store->synapse_ids.begin(), store->synapse_ids.end(), group.synapse_ids.front() ) )
    {
      return *store;
    }
  }
  throw std::runtime_error( "the models of this rule are gone: ResetKernel, or another number of threads" );
}

//! Calls body( type, connector ) for each connector of the store's models on the thread.
template < typename Body >
void
for_each_connector( const Store& store, const size_t tid, Body body )
{
  for ( const auto synapse_id : store.synapse_ids )
  {
    if ( nest::ConnectorBase* connector = find_connector( tid, synapse_id ) )
    {
      body( dynamic_cast< const NormalizedType& >( find_type( synapse_id ) ), *connector );
    }
  }
}

inline std::vector< Totals >
add_up( const Store& store, const size_t tid, const Numbers& numbers, const size_t how_many )
{
  std::vector< Totals > totals( how_many );
  for_each_connector( store,
    tid,
    [ & ]( const NormalizedType& type, nest::ConnectorBase& connector )
    { type.add_up( connector, tid, store.power, numbers, totals ); } );
  return totals;
}

inline void
measure( Store& store, const size_t tid, const int32_t slice )
{
  auto& [ accounts, wanted ] = store.threads[ tid ];
  Numbers numbers( accounts.size(), not_a_target );
  std::vector< size_t > nodes;
  for ( size_t node = 0; node < accounts.size(); ++node )
  {
    if ( accounts[ node ].state == Account::STALE and accounts[ node ].slice != slice )
    {
      numbers[ node ] = nodes.size();
      nodes.push_back( node );
    }
  }
  auto totals = add_up( store, tid, numbers, nodes.size() );
  std::vector< double > factors;
  for ( size_t i = 0; i < nodes.size(); ++i )
  {
    Account& account = accounts[ nodes[ i ] ];
    factors.push_back( account.rebasing( totals[ i ], wanted[ nodes[ i ] ], store.power ) );
    account.rebase( totals[ i ], factors[ i ], store.power );
    account.anchor( totals[ i ], wanted[ nodes[ i ] ], store.power );
  }
  if ( std::any_of( factors.begin(), factors.end(), []( const double factor ) { return factor != 1.0; } ) )
  {
    for_each_connector( store,
      tid,
      [ & ]( const NormalizedType& type, nest::ConnectorBase& connector )
      { type.scale( connector, tid, numbers, factors ); } );
  }
}

} // namespace distnorm

// What Python calls for exact normalization, beside the calls of kernel.cpp; groups are those of dn_open().

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

//! Calls body( type, connector ) for each connector of the store's models on the thread.
template < typename Body >
void
for_each_connector( const Store& store, const size_t tid, Body body )
{
  const auto& connections = nest::kernel().connection_manager.*reveal( ConnectionsTag() );
  for ( const auto synapse_id : store.synapse_ids )
  {
    nest::ConnectorBase* connector = synapse_id < connections[ tid ].size() ? connections[ tid ][ synapse_id ] : nullptr;
    if ( connector )
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

extern "C"
{

//! Registers the models with NEST, those that it does not have yet, and forgets all accounts.
int
dn_exact_install()
{
  return guarded(
    []
    {
      forget_accounts();
      for ( const auto& model : normalized_models )
      {
        model.install( model.name );
      }
      return OK;
    } );
}

//! Names of the models, without their variants, separated by spaces.
const char*
dn_exact_models()
{
  static std::string names;
  names.clear();
  for ( const auto& model : normalized_models )
  {
    names += ( names.empty() ? "" : " " ) + model.name;
  }
  return names.c_str();
}

//! 1 if connections of this synapse model normalize themselves; 2 if a rule holds some of them.
int
dn_exact_state( const int64_t synapse_id )
{
  int state = 0;
  guarded(
    [ & ]
    {
      state = dynamic_cast< const NormalizedType* >( &find_type( synapse_id ) ) != nullptr;
      if ( state and slot_of( 0, synapse_id ).size )
      {
        state = 2;
      }
      return OK;
    } );
  return state;
}

//! Gives the group's models accounts, or makes room for nodes that are new.
int
dn_exact_open( void* handle, const int power )
{
  return guarded(
    [ & ]
    {
      auto& group = *static_cast< Group* >( handle );
      Store* store = find_store( group.synapse_ids, power );
      if ( not store )
      {
        stores.push_back( std::make_unique< Store >() );
        store = stores.back().get();
        *store = { group.synapse_ids, power, std::vector< Store::Thread >( group.threads.size() ) };
        std::sort( store->synapse_ids.begin(), store->synapse_ids.end() );
      }
      for ( size_t tid = 0; tid < group.threads.size(); ++tid )
      {
        const size_t size = std::max< size_t >( group.threads[ tid ].num_nodes, 1 );
        store->threads[ tid ].accounts.resize( size );
        store->threads[ tid ].wanted.resize( size );
      }
      wire_slots();
      return OK;
    } );
}

//! 1 if nodes or threads have changed since the group was opened.
int
dn_exact_is_stale( const void* handle )
{
  return static_cast< const Group* >( handle )->is_stale();
}

//! Norm that is wanted for target i: norms[ i ] (NaN: the one that it has first), or mean_weight in place of all these.
//! Targets that no norm was wanted for are measured before their first event; with `anew` all targets are, at once.
int
dn_exact_want( void* handle, const double* norms, const double mean_weight, const int anew )
{
  const auto& group = *static_cast< Group* >( handle );
  if ( group.is_stale() )
  {
    return STALE;
  }
  return on_all_threads(
    [ & ]( const size_t tid )
    {
      Store& store = store_of( group );
      for_each_target( group,
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
int
dn_exact_nearest( void* handle, const double* norms, double* nearest )
{
  const auto& group = *static_cast< Group* >( handle );
  return on_all_threads(
    [ & ]( const size_t tid )
    {
      const auto& thread = group.threads[ tid ];
      const Store& store = store_of( group );
      const auto totals = add_up( store, tid, thread.target_of_node, thread.node_ids.size() );
      for ( size_t i = 0; i < totals.size(); ++i )
      {
        const Wanted wanted { .norm = norms[ thread.first + i ] };
        nearest[ thread.first + i ] = wanted.nearest( totals[ i ], store.power );
      }
    } );
}

//! Of target i: largest deviation from its norm at the end of a slice since last asked; -1 where it has vanished.
int
dn_exact_deviations( void* handle, double* deviations )
{
  const auto& group = *static_cast< Group* >( handle );
  return on_all_threads(
    [ & ]( const size_t tid )
    {
      Store& store = store_of( group );
      for_each_target( group,
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

} // extern "C"

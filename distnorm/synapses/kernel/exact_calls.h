// What Python calls for exact normalization, beside the calls of kernel.cpp; groups are those of dn_open().

#pragma once

#include "normalized_type.h"

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
      auto& accounts = store->threads[ tid ];
      for ( const auto synapse_id : store->synapse_ids )
      {
        slots[ tid ][ synapse_id ] = { accounts.data(), accounts.size(), store->power };
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

//! Calls body( account, target ) for each target of the group on the thread.
template < typename Body >
void
for_each_account( const Group& group, const size_t tid, Body body )
{
  auto& accounts = store_of( group ).threads[ tid ];
  const auto& target_of_node = group.threads[ tid ].target_of_node;
  for ( size_t node = 0; node < target_of_node.size(); ++node )
  {
    if ( target_of_node[ node ] != not_a_target )
    {
      body( accounts[ node ], target_of_node[ node ] );
    }
  }
}

using Way = decltype( &NormalizedType::run_raw );

//! A pass over the thread's connections in one of the ways of NormalizedType; sums go to group.threads[ tid ].sums.
inline void
run( Group& group, const size_t tid, const Kind kind, const int power, const double* at, const Way way )
{
  const std::vector< double > low( group.synapse_ids.size(), 0.0 ), high( group.synapse_ids.size(), never );
  const Pass pass {
    .kind = kind, .norm = power, .power = power * 1.0, .shifts = 0, .at = at, .flat = nullptr, .low = low.data(),
    .high = high.data(), .out = nullptr };
  begin( group, pass, tid );
  for_each_connector( { &group },
    tid,
    [ & ]( nest::ConnectorBase& connector, const size_t synapse_id )
    {
      std::vector< Work > works;
      works.emplace_back( group, pass, tid, group.find_model( synapse_id ) );
      ( dynamic_cast< const NormalizedType& >( find_type( synapse_id ) ).*way )( works, connector, tid );
    } );
}

// A factor this far from 1 goes into the raw weights, long before one of them over- or underflows.
constexpr int largest_exponent = 32;

//! Moves powers of two from the factors into the raw weights, which changes no bit of a weight.
inline void
rebase( Group& group, const size_t tid, const int power )
{
  std::vector< double > scaling( group.threads[ tid ].first + group.threads[ tid ].node_ids.size(), 1.0 );
  bool any = false;
  for_each_account( group,
    tid,
    [ & ]( Account& account, const int32_t i )
    {
      const int exponent = account.is_held() ? std::ilogb( account.g ) : 0;
      if ( std::abs( exponent ) > largest_exponent )
      {
        const Sum& sum = group.threads[ tid ].sums[ i ];
        scaling[ group.threads[ tid ].first + i ] = std::ldexp( 1.0, exponent );
        account.anchor( std::ldexp( sum.total(), exponent * power ), power );
        any = true;
      }
    } );
  if ( any )
  {
    run( group, tid, SCALE, power, scaling.data(), &NormalizedType::run_raw );
  }
}

//! Anchors the accounts for which wanted( account ) holds to sums measured in place.
template < typename Wanted >
void
anchor_thread( Group& group, const size_t tid, const int power, Wanted wanted )
{
  run( group, tid, MEASURE, power, nullptr, &NormalizedType::run_raw );
  for_each_account( group,
    tid,
    [ & ]( Account& account, const int32_t i )
    {
      if ( wanted( account ) )
      {
        const Sum& sum = group.threads[ tid ].sums[ i ];
        account.anchor( sum.total(), power );
      }
    } );
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
        *store = { group.synapse_ids, power, std::vector< std::vector< Account > >( group.threads.size() ) };
        std::sort( store->synapse_ids.begin(), store->synapse_ids.end() );
      }
      for ( size_t tid = 0; tid < group.threads.size(); ++tid )
      {
        store->threads[ tid ].resize( std::max< size_t >( group.threads[ tid ].num_nodes, 1 ) );
      }
      wire_slots();
      return OK;
    } );
}

//! From now on keeps the norm of target i at target_norms[i] (0: does not hold it), by sums measured in place.
int
dn_exact_hold( void* handle, const int power, const double* target_norms )
{
  auto& group = *static_cast< Group* >( handle );
  if ( group.is_stale() )
  {
    return STALE;
  }
  return on_all_threads(
    [ & ]( const size_t tid )
    {
      for_each_account( group,
        tid,
        [ & ]( Account& account, const int32_t i )
        { account.target_norm = target_norms[ group.threads[ tid ].first + i ]; } );
      anchor_thread( group, tid, power, []( const Account& ) { return true; } );
      rebase( group, tid, power );
    } );
}

//! Measures the targets that need it: their first connections, or changes too large for their account.
int
dn_exact_refresh( void* handle, const int power )
{
  auto& group = *static_cast< Group* >( handle );
  if ( group.is_stale() )
  {
    return STALE;
  }
  const auto wanted = []( const Account& account ) { return account.trusted == never and account.target_norm > 0.0; };
  return on_all_threads(
    [ & ]( const size_t tid )
    {
      bool any = false;
      for_each_account( group, tid, [ & ]( const Account& account, int32_t ) { any = any or wanted( account ); } );
      if ( any )
      {
        anchor_thread( group, tid, power, wanted );
      }
    } );
}

//! sums[i]: sum of |Wmax|^power over the incoming connections of target i; infinite where the model has no Wmax.
int
dn_exact_largest( void* handle, const int power, double* sums )
{
  auto& group = *static_cast< Group* >( handle );
  return on_all_threads(
    [ & ]( const size_t tid )
    {
      auto& thread = group.threads[ tid ];
      run( group, tid, MEASURE, power, nullptr, &NormalizedType::measure_largest );
      std::transform( thread.sums.begin(),
        thread.sums.end(),
        sums + thread.first,
        []( const Sum& sum ) { return std::isfinite( sum.high ) ? sum.total() : never; } );
    } );
}

//! Of target i: largest deviation from its norm at the end of a slice since last asked; -1 where the norm was let go.
int
dn_exact_deviations( void* handle, const int power, double* deviations )
{
  auto& group = *static_cast< Group* >( handle );
  return on_all_threads(
    [ & ]( const size_t tid )
    {
      for_each_account( group,
        tid,
        [ & ]( Account& account, const int32_t i )
        {
          const bool let_go = account.trusted == never and account.is_held();
          deviations[ group.threads[ tid ].first + i ] =
            not account.is_held() ? 0.0 : let_go ? -1.0 : account.read_deviation( power );
          account.deviation = 0.0F;
        } );
    } );
}

} // extern "C"

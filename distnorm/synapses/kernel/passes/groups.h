// What is done with the connections of groups, on all of NEST's threads.

#pragma once

#include "open_group.h"
#include "statistics/drift.h"
#include "types.h"

namespace distnorm
{

//! Calls body( connector, synapse_id ) for each connector on this thread that one of the groups has.
template < typename Body >
void
for_each_connector( const std::span< Group* const > groups, const size_t tid, Body body )
{
  for ( size_t synapse_id = 0; synapse_id < nest::kernel().model_manager.get_num_connection_models(); ++synapse_id )
  {
    nest::ConnectorBase* connector = find_connector( tid, synapse_id );
    const auto has = [ synapse_id ]( const Group* group )
    { return group->find_model( synapse_id ) < group->synapse_ids.size(); };
    if ( connector and std::any_of( groups.begin(), groups.end(), has ) )
    {
      body( *connector, synapse_id );
    }
  }
}

//! All passes in one way through the connections of a thread.
inline void
run_on_thread( const std::span< Group* const > groups, const Pass* passes, const size_t tid )
{
  for ( size_t i = 0; i < groups.size(); ++i )
  {
    begin( *groups[ i ], passes[ i ], tid );
  }
  for_each_connector( groups,
    tid,
    [ & ]( nest::ConnectorBase& connector, const size_t synapse_id )
    {
      std::vector< Work > works;
      for ( size_t i = 0; i < groups.size(); ++i )
      {
        const size_t model = groups[ i ]->find_model( synapse_id );
        if ( not works.empty() and works.back().takes_along( *groups[ i ], passes[ i ] ) )
        {
          works.back().take_along();
        }
        else if ( model < groups[ i ]->synapse_ids.size() )
        {
          works.emplace_back( *groups[ i ], passes[ i ], tid, model );
        }
      }
      const bool asks_limits =
        std::any_of( works.begin(), works.end(), []( const Work& work ) { return work.asks_range(); } );
      const ConnectionType& type = find_type( synapse_id, asks_limits );
      StatusAccess status( connector, tid );
      for ( auto& work : works )
      {
        work.status = type.knows_limits() ? nullptr : &status;
      }
      type.run( works, connector, tid );
    } );
  for ( size_t i = 0; i < groups.size(); ++i )
  {
    finish( *groups[ i ], passes[ i ], tid );
  }
}

//! Does passes[i] on groups[i], for all i in one way through memory.
inline void
run_passes( const int64_t number, Group** all, const Pass* passes )
{
  const std::span< Group* const > groups( all, number );
  for ( const Group* group : groups )
  {
    group->check();
  }
  on_all_threads( [ & ]( const size_t tid ) { run_on_thread( groups, passes, tid ); } );
}

//! Does passes that measure, and works out what they ask for; `plain` says whether that was all it takes.
inline void
look( const int64_t number, Group** all, const Pass* passes, Look* looks, int64_t* plain )
{
  run_passes( number, all, passes );
  *plain = 1;
  for ( int64_t i = 0; i < number; ++i )
  {
    *plain &= work_out( *all[ i ], passes[ i ], looks[ i ] );
  }
}

//! The labels of a group's connections on one thread.
inline Labels
labels_on_thread( Group* group, const size_t tid )
{
  const std::vector< double > low( group->synapse_ids.size(), 0.0 );
  const std::vector< double > high( group->synapse_ids.size(), std::numeric_limits< double >::infinity() );
  const Pass pass { .kind = MEASURE, .norm = L1, .power = 1.0, .low = low.data(), .high = high.data() };
  Labels labels;
  for_each_connector( { &group, 1 },
    tid,
    [ & ]( nest::ConnectorBase& connector, const size_t synapse_id )
    {
      Work work( *group, pass, tid, group->find_model( synapse_id ) );
      find_type( synapse_id ).count_labels( work, connector, tid, labels );
    } );
  return labels;
}

//! Labels of a group's connections on this rank, each with the number of those.
inline void
count_labels( Group* group, Ints* counted )
{
  Labels all;
  on_all_threads(
    [ & ]( const size_t tid )
    {
      const Labels found = labels_on_thread( group, tid );
#pragma omp critical( distnorm_labels )
      for ( const auto& [ label, count ] : found )
      {
        all[ label ] += count;
      }
    } );
  std::vector< int64_t > numbers;
  for ( const auto& [ label, count ] : all )
  {
    numbers.insert( numbers.end(), { label, count } );
  }
  *counted = kept( std::move( numbers ) );
}

} // namespace distnorm

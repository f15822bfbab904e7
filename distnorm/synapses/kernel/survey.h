// What a network has: the node models of its nodes and targets, and the labels of its connections.

#pragma once

#include <map>

#include "calls.h"

namespace distnorm
{

using Labels = std::map< int64_t, int64_t >; //!< number of connections by label

//! The labels of a group's connections on one thread.
inline Labels
labels_on_thread( Group& group, const size_t tid )
{
  const std::vector< double > low( group.synapse_ids.size(), 0.0 );
  const std::vector< double > high( group.synapse_ids.size(), std::numeric_limits< double >::infinity() );
  const Pass pass { .kind = MEASURE, .norm = L1, .power = 1.0, .low = low.data(), .high = high.data() };
  Labels labels;
  for_each_connector( { &group },
    tid,
    [ & ]( nest::ConnectorBase& connector, const size_t synapse_id )
    {
      Work work( group, pass, tid, group.find_model( synapse_id ) );
      find_type( synapse_id ).count_labels( work, connector, tid, labels );
    } );
  return labels;
}

} // namespace distnorm

extern "C"
{

//! Number of the node model of each target of a group.
int
dn_target_models( const void* handle, int64_t* models )
{
  return distnorm::guarded(
    [ & ]
    {
      for ( const auto& thread : static_cast< const distnorm::Group* >( handle )->threads )
      {
        for ( size_t i = 0; i < thread.node_ids.size(); ++i )
        {
          models[ thread.first + i ] = nest::kernel().modelrange_manager.get_model_id( thread.node_ids[ i ] );
        }
      }
      return distnorm::OK;
    } );
}

int64_t
dn_num_model_runs()
{
  const auto& ranges = nest::kernel().modelrange_manager;
  return ranges.end() - ranges.begin();
}

//! Runs of nodes of one model: its number, the first and the last node ID of each.
void
dn_model_runs( int64_t* runs )
{
  const auto& ranges = nest::kernel().modelrange_manager;
  for ( auto range = ranges.begin(); range != ranges.end(); ++range )
  {
    *runs++ = range->get_model_id();
    *runs++ = range->get_first_node_id();
    *runs++ = range->get_last_node_id();
  }
}

//! Labels of a group's connections on this rank: their number; called again with room for so many, also the labels and
//! how many connections have each. -1 on failure.
int64_t
dn_labels( void* handle, const int64_t room, int64_t* labels, int64_t* counts )
{
  using namespace distnorm;
  auto& group = *static_cast< Group* >( handle );
  Labels all;
  const int code = on_all_threads(
    [ & ]( const size_t tid )
    {
      const Labels found = labels_on_thread( group, tid );
#pragma omp critical( distnorm_labels )
      for ( const auto& [ label, count ] : found )
      {
        all[ label ] += count;
      }
    } );
  if ( code != OK )
  {
    return -1;
  }
  if ( static_cast< int64_t >( all.size() ) == room )
  {
    for ( const auto& [ label, count ] : all )
    {
      *labels++ = label;
      *counts++ = count;
    }
  }
  return all.size();
}

} // extern "C"

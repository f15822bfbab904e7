// What a network has: the node models of its nodes and targets, the labels of its connections, and samples of them.

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

//! A connection of a sample; as PLACE of kernel_library.py.
struct Place
{
  int64_t thread;
  int64_t synapse_id;
  int64_t lcid;
  int64_t size; //!< of its connector
  int64_t source; //!< 0 where NEST does not tell
  int64_t target;
  double weight;
  double least; //!< limits; NaN: none
  double most;
};

//! Fills what tells whether it is still the same connection there.
inline void
identify( Place& place, const nest::ConnectorBase& connector )
{
  place.size = connector.size();
  place.source = sources_are_known()
    ? nest::kernel().connection_manager.get_source_node_id( place.thread, place.synapse_id, place.lcid )
    : 0;
  place.target = connector.get_target_node_id( place.thread, place.lcid );
}

//! The connections of a model on a thread whose numbers are `first` and so on by `stride`.
inline void
sample_on_thread( const size_t tid,
  const size_t synapse_id,
  const size_t first,
  const size_t stride,
  std::vector< Place >& found )
{
  nest::ConnectorBase* connector = find_connector( tid, synapse_id );
  if ( not connector )
  {
    return;
  }
  StatusAccess access( *connector, tid );
  for ( size_t lcid = first; lcid < connector->size(); lcid += stride )
  {
    Place place {};
    place.thread = tid;
    place.synapse_id = synapse_id;
    place.lcid = lcid;
    identify( place, *connector );
    const Range range = access.range( lcid );
    place.weight = access.weight( lcid );
    place.least = range.least;
    place.most = range.most;
    found.push_back( place );
  }
}

//! The weight of a connection of a sample as it is now; NaN where another one may lie there.
inline double
weight_now( const Place& place )
{
  nest::ConnectorBase* connector = find_connector( place.thread, place.synapse_id );
  if ( not connector or connector->size() != static_cast< size_t >( place.size ) )
  {
    return NAN;
  }
  Place now = place;
  identify( now, *connector );
  const bool same = now.source == place.source and now.target == place.target;
  return same ? StatusAccess( *connector, place.thread ).weight( place.lcid ) : NAN;
}

} // namespace distnorm

extern "C"
{

//! Up to `number` connections of a synapse model on this rank, from all over it, others at each turn; `found` says how
//! many.
int
dn_sample( const int64_t synapse_id, const int64_t number, const int64_t turn, distnorm::Place* places, int64_t* found )
{
  using namespace distnorm;
  return guarded(
    [ & ]
    {
      const size_t num_threads = nest::kernel().vp_manager.get_num_threads();
      size_t all = 0;
      for ( size_t tid = 0; tid < num_threads; ++tid )
      {
        all += number_of_connections( tid, synapse_id );
      }
      const size_t stride = all / number + 1;
      std::vector< Place > some;
      for ( size_t tid = 0; tid < num_threads; ++tid )
      {
        sample_on_thread( tid, synapse_id, turn % stride, stride, some );
      }
      *found = std::min< size_t >( some.size(), number );
      std::copy_n( some.begin(), *found, places );
      return OK;
    } );
}

//! Weights of a sample as they are now; NaN for a connection that is no longer where it was.
int
dn_weights_now( const int64_t number, const distnorm::Place* places, double* weights )
{
  using namespace distnorm;
  return guarded(
    [ & ]
    {
      std::transform( places, places + number, weights, weight_now );
      return OK;
    } );
}

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

// What a network has: runs of nodes of one model, and samples of its connections.

#pragma once

#include "filter.h"
#include "passes/status_access.h"
#include "types.h"

namespace distnorm
{

//! Runs of nodes of one model: its number, the first and the last node ID of each.
inline void
list_model_runs( Ints* found )
{
  std::vector< int64_t > runs;
  const auto& ranges = nest::kernel().modelrange_manager;
  for ( auto range = ranges.begin(); range != ranges.end(); ++range )
  {
    for ( const auto number : { range->get_model_id(), range->get_first_node_id(), range->get_last_node_id() } )
    {
      runs.push_back( number );
    }
  }
  *found = kept( std::move( runs ) );
}

template struct Reveal< "node_models_", &nest::ModelManager::node_models_ >;
static std::string name_of_node_model;

//! Name of a node model; null: there are no more. Valid until the next call. PyNEST's list of them is part of the kernel
//! status, which ranks may have to read together.
inline const char*
node_model_name( const int64_t number )
{
  const auto& models = nest::kernel().model_manager.*member< "node_models_" >;
  if ( static_cast< size_t >( number ) >= models.size() )
  {
    return nullptr;
  }
  name_of_node_model = models[ number ]->get_name();
  return name_of_node_model.c_str();
}

//! Before the first Simulate: have NEST agree anew on the smallest delay of all ranks. GetConnections clears the flag
//! on which that depends, and each rank would go on with its own (NEST 3.10, ConnectionManager::update_delay_extrema_).
inline void
agree_on_delays()
{
  if ( not nest::kernel().simulation_manager.has_been_simulated() )
  {
    nest::kernel().connection_manager.set_connections_have_changed();
  }
}

//! Whether NEST will sort its connections before it simulates, or in GetConnections.
inline int64_t
connections_have_changed()
{
  return nest::kernel().connection_manager.connections_have_changed();
}

//! Fills what tells whether it is still the same connection there.
inline void
identify( Place& place, const nest::ConnectorBase& connector )
{
  place.size = connector.size();
  place.source = sources_are_known()
    ? nest::kernel().connection_manager.get_source_node_id( place.thread, place.synapse_id, place.port )
    : 0;
  place.target = connector.get_target_node_id( place.thread, place.port );
}

//! Up to `room` connections of a synapse model on this rank, from all over it, others at each turn.
inline void
sample( const int64_t synapse_id, const int64_t turn, const int64_t room, Place* places, int64_t* number )
{
  const int64_t num_threads = nest::kernel().vp_manager.get_num_threads();
  int64_t all = 0;
  for ( int64_t tid = 0; tid < num_threads; ++tid )
  {
    all += number_of_connections( tid, synapse_id );
  }
  const int64_t stride = all / room + 1;
  *number = 0;
  for ( int64_t tid = 0; tid < num_threads; ++tid )
  {
    if ( nest::ConnectorBase* connector = find_connector( tid, synapse_id ) )
    {
      StatusAccess access( *connector, tid );
      const int64_t size = connector->size();
      for ( int64_t port = turn % stride; port < size and *number < room; port += stride )
      {
        Place& place = places[ ( *number )++ ];
        place = { .thread = tid, .synapse_id = synapse_id, .port = port };
        identify( place, *connector );
        const Range range = access.range( port );
        place.weight = access.weight( port );
        place.least = range.least;
        place.most = range.most;
      }
    }
  }
}

inline bool
is_still_there( const Place& place, const nest::ConnectorBase* connector )
{
  if ( not connector or connector->size() != static_cast< size_t >( place.size ) )
  {
    return false;
  }
  Place now = place;
  identify( now, *connector );
  return now.source == place.source and now.target == place.target;
}

//! Weights of a sample as they are now; NaN for a connection that is no longer where it was.
inline void
weights_now( const int64_t number, const Place* places, double* weights )
{
  std::transform( places,
    places + number,
    weights,
    []( const Place& place )
    {
      nest::ConnectorBase* connector = find_connector( place.thread, place.synapse_id );
      return is_still_there( place, connector ) ? StatusAccess( *connector, place.thread ).weight( place.port ) : NAN;
    } );
}

//! Weights of connections, given by their places, targets and weights, with what NEST has yet to do to them.
inline void
current_weights( const int64_t number, const Place* places, double* weights )
{
  for ( const Place& place : std::span( places, number ) )
  {
    nest::ConnectorBase* connector = find_connector( place.thread, place.synapse_id );
    const ConnectionType& type = find_type( place.synapse_id );
    if ( not connector or static_cast< size_t >( place.port ) >= connector->size()
      or connector->get_target_node_id( place.thread, place.port ) != static_cast< size_t >( place.target )
      or type.weight( *connector, place.thread, place.port ) != place.weight )
    {
      throw std::runtime_error( "a connection comes from a device, or was moved since nest.GetConnections returned it" );
    }
    *weights++ = type.current_weight( *connector, place.thread, place.port );
  }
}

} // namespace distnorm

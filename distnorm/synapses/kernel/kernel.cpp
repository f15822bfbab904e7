// Passes over the connections of NEST: add up weights per target (measure, tally), and change them (scale, move).
//
// Loaded with ctypes into a process that has imported nest; every nest:: symbol resolves to that NEST. All functions
// are extern "C", return 0 or an error code, and never let a C++ exception out; dn_error() has the text.
//
// A "group" is the set of connections of one rule. Its targets on this rank are numbered 0 ... n-1, thread by thread
// and in order of node ID within a thread, so that no two threads write to the same cache line of a per-target array.

#include <cstdlib>
#include <cxxabi.h>

#include "calls.h"
#include "distnorm_models.h" // compiling/library.py writes it: DN_MODEL( nest::..., weight_, ) for each header that NEST has

#include "one_run.h"
#include "rows/rows.h"
#include "self_test.h"
#include "survey.h"

using namespace distnorm;

extern "C"
{

const char*
dn_error()
{
  return last_error.c_str();
}

//! Name of NEST's exception that the text of dn_error() is of; empty for any other.
const char*
dn_error_kind()
{
  return last_error_kind.c_str();
}

//! The C++ class of a synapse model's connector model, demangled; empty on failure. Valid until the next call.
const char*
dn_class( const int64_t synapse_id )
{
  static std::string name;
  name.clear();
  guarded(
    [ & ]
    {
      int status = 0;
      const auto& model = nest::kernel().model_manager.get_connection_model( synapse_id, 0 );
      const std::unique_ptr< char, void ( * )( void* ) > demangled(
        abi::__cxa_demangle( typeid( model ).name(), nullptr, nullptr, &status ), std::free );
      name = demangled ? demangled.get() : "";
      return OK;
    } );
  return name.c_str();
}

//! Bytes of a connection of the synapse model as it was compiled; 0 where only the generic way serves.
int64_t
dn_bytes( const int64_t synapse_id )
{
  int64_t bytes = 0;
  guarded(
    [ & ]
    {
      bytes = find_type( synapse_id ).bytes();
      return OK;
    } );
  return bytes;
}

//! Takes up a connection type of an extension's library, which stays loaded.
int
dn_add( const ConnectionType* type )
{
  return guarded(
    [ & ]
    {
      added_types.push_back( type );
      return OK;
    } );
}

//! 1 if each connection of the model has, or may have, a Wmax of its own, else 0.
int
dn_has_own_limits( const int64_t synapse_id )
{
  int found = 0;
  guarded(
    [ & ]
    {
      found = find_type( synapse_id, true ).has_own_limits();
      return OK;
    } );
  return found;
}

//! 1 if NEST can tell the source of each connection, else 0; GetConnections then ends the process.
int
dn_sources_are_known()
{
  return sources_are_known();
}

//! A new group: synapse models by ID, targets and sources as runs of node IDs, receptor types, labels, excluded pairs
//! (target, source), none of each: all; the node models that are neurons, ascending; sign of the weights, 0: both. Null
//! on failure.
void*
dn_open( const int64_t num_models,
  const int64_t* synapse_ids,
  const int64_t num_target_runs,
  const int64_t* target_runs,
  const int64_t num_source_runs,
  const int64_t* source_runs,
  const int64_t num_receptors,
  const int64_t* receptors,
  const int64_t num_labels,
  const int64_t* labels,
  const int64_t num_excluded,
  const int64_t* excluded,
  const int64_t num_neuron_models,
  const int64_t* neuron_models,
  const int64_t sign )
{
  std::unique_ptr< Group > group;
  const int code = guarded(
    [ & ]
    {
      group = std::make_unique< Group >( Group { .synapse_ids = { synapse_ids, synapse_ids + num_models },
        .sources = NodeIds( source_runs, num_source_runs ),
        .receptors = { receptors, receptors + num_receptors },
        .labels = { labels, labels + num_labels },
        .sign = sign } );
      for ( int64_t i = 0; i < num_excluded; ++i )
      {
        group->excluded.emplace_back( excluded[ 2 * i ], excluded[ 2 * i + 1 ] );
      }
      group->threads.resize( nest::kernel().vp_manager.get_num_threads() );
      const NodeIds targets( target_runs, num_target_runs );
      const std::vector< int64_t > neurons( neuron_models, neuron_models + num_neuron_models );
      const int opened = on_all_threads( [ & ]( const size_t tid ) { open_thread( *group, tid, targets, neurons ); } );
      for ( size_t tid = 1; tid < group->threads.size(); ++tid )
      {
        group->threads[ tid ].first = group->threads[ tid - 1 ].first + group->threads[ tid - 1 ].node_ids.size();
      }
      return opened;
    } );
  return code == OK ? group.release() : nullptr;
}

void
dn_close( void* handle )
{
  delete static_cast< Group* >( handle );
}

int64_t
dn_num_targets( const void* handle )
{
  return static_cast< const Group* >( handle )->num_targets();
}

void
dn_targets( const void* handle, int64_t* node_ids )
{
  for ( const auto& thread : static_cast< const Group* >( handle )->threads )
  {
    std::copy( thread.node_ids.begin(), thread.node_ids.end(), node_ids + thread.first );
  }
}

//! Does passes[i] on groups[i], for all i in one way through memory.
int
dn_run( const int64_t number, void* const* handles, const Pass* passes )
{
  const std::vector< Group* > groups(
    reinterpret_cast< Group* const* >( handles ), reinterpret_cast< Group* const* >( handles ) + number );
  for ( const Group* group : groups )
  {
    if ( const int code = check( *group ); code != OK )
    {
      return code;
    }
  }
  return on_all_threads( [ & ]( const size_t tid ) { run_on_thread( groups, passes, tid ); } );
}

//! Before the first Simulate: have NEST agree anew on the smallest delay of all ranks. GetConnections clears the flag on
//! which that depends, and each rank would go on with its own (NEST 3.10, ConnectionManager::update_delay_extrema_).
int
dn_agree_on_delays()
{
  return guarded(
    []
    {
      if ( not nest::kernel().simulation_manager.has_been_simulated() )
      {
        nest::kernel().connection_manager.set_connections_have_changed();
      }
      return OK;
    } );
}

//! Fails unless a weight that is set through NEST's status interface stays, tried on one connection of this rank, if it
//! has any of the synapse model.
int
dn_try_to_set( const int64_t synapse_id )
{
  return guarded(
    [ & ]
    {
      auto& connections = nest::kernel().connection_manager.*reveal( ConnectionsTag() );
      for ( size_t tid = 0; tid < connections.size(); ++tid )
      {
        nest::ConnectorBase* connector = static_cast< size_t >( synapse_id ) < connections[ tid ].size() ? connections[ tid ][ synapse_id ] : nullptr;
        for ( size_t lcid = 0; connector and lcid < connector->size(); ++lcid )
        {
          if ( try_to_set( *connector, tid, lcid ) )
          {
            return OK;
          }
        }
      }
      return OK;
    } );
}

//! Weight and target node ID of one connection, to be compared with what PyNEST says of it.
int
dn_connection( const int64_t tid, const int64_t synapse_id, const int64_t lcid, double* weight, int64_t* target )
{
  return guarded(
    [ & ]
    {
      auto& connections = nest::kernel().connection_manager.*reveal( ConnectionsTag() );
      nest::ConnectorBase* connector = connections.at( tid ).at( synapse_id );
      if ( not connector or static_cast< size_t >( lcid ) >= connector->size() )
      {
        last_error = "no such connection";
        return FAILED;
      }
      *weight = find_type( synapse_id ).weight( *connector, tid, lcid );
      *target = connector->get_target_node_id( tid, lcid );
      return OK;
    } );
}

} // extern "C"

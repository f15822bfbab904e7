// Passes over NEST's connectors: add up weights per target (measure, tally), and change them (scale, move); see operations.h.
//
// Loaded with ctypes into a process that has imported nest; every nest:: symbol resolves to that NEST. All functions
// are extern "C", return 0 or an error code, and never let a C++ exception out; dn_error() has the text.
//
// A "group" is the set of connections of one rule. Its targets on this rank are numbered 0 ... n-1, thread by thread
// and in order of node ID within a thread, so that no two threads write to the same cache line of a per-target array.

#include "calls.h"
#include "distnorm_models.h" // build.py writes it: DN_MODEL( ... ) for each model whose header this NEST has

#include "rows.h"

using namespace distnorm;

extern "C"
{

const char*
dn_error()
{
  return last_error.c_str();
}

//! 1 if the kernel knows the type of the synapse model, else 0.
int
dn_knows( const int64_t synapse_id )
{
  int known = 0;
  guarded(
    [ & ]
    {
      known = find_type( synapse_id ) != nullptr;
      return OK;
    } );
  return known;
}

//! Bit 0: each connection of the model has a lower bound of its own; bit 1: an upper one. For models that are known.
int
dn_own_bounds( const int64_t synapse_id )
{
  int found = 0;
  guarded(
    [ & ]
    {
      const ConnectionType* type = find_type( synapse_id );
      found = type ? type->has_own_low() + 2 * type->has_own_high() : 0;
      return OK;
    } );
  return found;
}

//! A new group: synapse models by ID, targets and sources as runs of node IDs, receptor types, labels, excluded pairs
//! (target, source), none of each: all; sign of the weights, 0: both. Null on failure.
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
      const int opened = on_all_threads( [ & ]( const size_t tid ) { open_thread( *group, tid, targets ); } );
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
  if ( std::any_of( groups.begin(), groups.end(), []( const Group* group ) { return group->is_stale(); } ) )
  {
    return STALE;
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

//! Reads (write = 0) or reads and writes back (write = 1) the bytes of the group's connectors; for benchmarks.
int
dn_stream( void* handle, const int write )
{
  auto& group = *static_cast< Group* >( handle );
  return on_all_threads(
    [ & ]( const size_t tid )
    {
      static volatile double sink;
      double total = 0.0;
      for_each_connector( { &group },
        tid,
        [ & ]( const ConnectionType& type, nest::ConnectorBase& connector, size_t )
        { total += type.stream( connector, write ); } );
      sink = total;
      (void) sink;
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
      *weight = find_type( synapse_id )->weight( *connector, lcid );
      *target = connector->get_target_node_id( tid, lcid );
      return OK;
    } );
}

} // extern "C"

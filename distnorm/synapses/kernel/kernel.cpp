// Two loops over NEST's connectors: add up |w|^p per target (measure) and multiply w by a factor per target (rescale).
//
// Loaded with ctypes into a process that has imported nest; every nest:: symbol resolves to that NEST. All functions
// are extern "C", return 0 or an error code, and never let a C++ exception out; dn_error() has the text.
//
// A "group" is the set of connections of one rule. Its targets on this rank are numbered 0 ... n-1, thread by thread
// and in order of node ID within a thread, so that no two threads write to the same cache line of a per-target array.

#include "calls.h"
#include "distnorm_models.h" // build.py writes it: DN_MODEL( ... ) for each model whose header this NEST has

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

//! A new group: synapse models by ID, targets and sources as runs of node IDs, receptor types (none: all). Null on
//! failure.
void*
dn_open( const int64_t num_models,
  const int64_t* synapse_ids,
  const int64_t num_target_runs,
  const int64_t* target_runs,
  const int64_t num_source_runs,
  const int64_t* source_runs,
  const int64_t num_receptors,
  const int64_t* receptors )
{
  std::unique_ptr< Group > group;
  const int code = guarded(
    [ & ]
    {
      group.reset( new Group { { synapse_ids, synapse_ids + num_models }, NodeIds( source_runs, num_source_runs ), { receptors, receptors + num_receptors }, {} } );
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
  const auto& last = static_cast< const Group* >( handle )->threads.back();
  return last.first + last.node_ids.size();
}

void
dn_targets( const void* handle, int64_t* node_ids )
{
  for ( const auto& thread : static_cast< const Group* >( handle )->threads )
  {
    std::copy( thread.node_ids.begin(), thread.node_ids.end(), node_ids + thread.first );
  }
}

//! sums[i]: sum of |w|^power over the incoming connections of target i; counts[i]: their number.
int
dn_measure( void* handle, const int power, double* sums, int64_t* counts )
{
  auto& group = *static_cast< Group* >( handle );
  if ( group.is_stale() )
  {
    return STALE;
  }
  return on_all_threads(
    [ & ]( const size_t tid )
    {
      auto& thread = group.threads[ tid ];
      std::fill( thread.sums.begin(), thread.sums.end(), Sum() );
      for_each_connector( group,
        tid,
        [ & ]( const ConnectionType& type, nest::ConnectorBase& connector )
        { type.measure( group, connector, tid, power ); } );
      for ( size_t i = 0; i < thread.sums.size(); ++i )
      {
        sums[ thread.first + i ] = thread.sums[ i ].high + thread.sums[ i ].low;
        counts[ thread.first + i ] = thread.sums[ i ].count;
      }
    } );
}

//! Multiplies the weights of the incoming connections of target i by factors[i].
int
dn_rescale( void* handle, const double* factors )
{
  auto& group = *static_cast< Group* >( handle );
  if ( group.is_stale() )
  {
    return STALE;
  }
  return on_all_threads(
    [ & ]( const size_t tid )
    {
      for_each_connector( group,
        tid,
        [ & ]( const ConnectionType& type, nest::ConnectorBase& connector )
        { type.rescale( group, connector, tid, factors ); } );
    } );
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
      for_each_connector( group,
        tid,
        [ & ]( const ConnectionType& type, nest::ConnectorBase& connector ) { total += type.stream( connector, write ); } );
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

// Calls into C++ that end in a code, and the ways over threads and connectors.

#pragma once

#include <exception>
#include <stdexcept>
#include <string>

#include "passes/connection_type.h"
#include "passes/generic_type.h"

namespace distnorm
{

// Static, not inline: variables of another kernel in the same process must stay apart.
static std::string last_error;
static std::string last_error_kind; // name of an exception of NEST, else empty

// Outcome of a call; the Python side has the same numbers.
enum Code : int
{
  OK = 0,
  FAILED = 1, // an exception; dn_error() has the text
  STALE = 2,  // nodes or threads have changed since the group was opened
  FORGOTTEN = 3, // the group has sources, and NEST does not keep them
  NO_TWIN = 4, // no twin of the synapse model normalizes itself
  USED = 5 // the synapse model has connections
};

//! Types of extensions, from libraries that dn_add has been given.
static std::vector< const ConnectionType* > added_types;

static const GenericType generic_type;

//! The type compiled for a synapse model, or else the generic one. With bounds of their own: types of extensions do not
//! know where these lie.
inline const ConnectionType&
find_type( const nest::synindex synapse_id, const bool own_bounds = false )
{
  const auto& model = nest::kernel().model_manager.get_connection_model( synapse_id, 0 );
  for ( const auto& type : connection_types )
  {
    if ( type->is_model( model ) )
    {
      return *type;
    }
  }
  for ( const auto* type : added_types )
  {
    if ( not own_bounds and type->is_model( model ) )
    {
      return *type;
    }
  }
  return generic_type;
}

inline bool
is_added( const ConnectionType& type )
{
  return std::find( added_types.begin(), added_types.end(), &type ) != added_types.end();
}

//! Whether the group still fits the network.
inline int
check( const Group& group )
{
  if ( ( not group.sources.everything() or not group.excluded.empty() ) and not sources_are_known() )
  {
    return FORGOTTEN;
  }
  return group.is_stale() ? STALE : OK;
}

//! Runs body, turning an exception into a code.
template < typename Body >
int
guarded( Body body )
{
  last_error_kind.clear();
  try
  {
    return body();
  }
  catch ( const nest::KernelException& e )
  {
    last_error = e.what();
    last_error_kind = e.exception_name();
  }
  catch ( const std::exception& e )
  {
    last_error = e.what();
  }
  catch ( ... )
  {
    last_error = "unknown C++ exception";
  }
  return FAILED;
}

//! Runs body( tid ) on each of NEST's threads, on the cores where NEST runs them.
template < typename Body >
int
on_all_threads( Body body )
{
  int worst = OK;
#pragma omp parallel num_threads( nest::kernel().vp_manager.get_num_threads() )
  {
    std::string error;
    int code = OK;
    try
    {
      body( static_cast< size_t >( nest::kernel().vp_manager.get_thread_id() ) );
    }
    catch ( const std::exception& e )
    {
      code = FAILED;
      error = e.what();
    }
#pragma omp critical( distnorm_error )
    if ( code != OK )
    {
      worst = code;
      last_error = error;
    }
  }
  return worst;
}

//! Calls body( connector, synapse_id ) for each connector on this thread that one of the groups has.
template < typename Body >
void
for_each_connector( const std::vector< Group* >& groups, const size_t tid, Body body )
{
  const auto& connections = nest::kernel().connection_manager.*reveal( ConnectionsTag() );
  if ( tid >= connections.size() )
  {
    return;
  }
  for ( size_t synapse_id = 0; synapse_id < connections[ tid ].size(); ++synapse_id )
  {
    nest::ConnectorBase* connector = connections[ tid ][ synapse_id ];
    const auto has = [ synapse_id ]( const Group* group )
    { return group->find_model( synapse_id ) < group->synapse_ids.size(); };
    if ( not connector or std::none_of( groups.begin(), groups.end(), has ) )
    {
      continue;
    }
    body( *connector, synapse_id );
  }
}

//! All passes in one way through the connections of a thread.
inline void
run_on_thread( const std::vector< Group* >& groups, const Pass* passes, const size_t tid )
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
        if ( model < groups[ i ]->synapse_ids.size() )
        {
          works.emplace_back( *groups[ i ], passes[ i ], tid, model );
        }
      }
      const bool own_bounds =
        std::any_of( works.begin(), works.end(), []( const Work& work ) { return work.asks_range(); } );
      const ConnectionType& type = find_type( synapse_id, own_bounds );
      StatusAccess status( connector, tid );
      for ( auto& work : works )
      {
        work.status = is_added( type ) ? &status : nullptr;
      }
      type.run( works, connector, tid );
    } );
  for ( size_t i = 0; i < groups.size(); ++i )
  {
    finish( *groups[ i ], passes[ i ], tid );
  }
}

} // namespace distnorm

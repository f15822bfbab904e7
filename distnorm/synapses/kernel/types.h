// The type of each synapse model's connections: compiled in, of an extension, or generic.

#pragma once

#include <cstdlib>
#include <cxxabi.h>
#include <memory>

#include "failure.h"
#include "passes/generic_type.h"
#include "passes/typed_connection.h"

namespace distnorm
{

static const GenericType generic_type;
static std::string class_name;

//! One of an extension, whose library stays loaded.
inline void
add_type( const ConnectionType* type )
{
  connection_types.push_back( type );
}

inline const ConnectionType&
find_type( const nest::synindex synapse_id, const bool asks_limits = false )
{
  const auto& model = nest::kernel().model_manager.get_connection_model( synapse_id, 0 );
  for ( const auto* type : connection_types )
  {
    if ( type->is_model( model ) and ( type->knows_limits() or not asks_limits ) )
    {
      return *type;
    }
  }
  return generic_type;
}

inline const CompiledType&
find_compiled_type( const nest::synindex synapse_id )
{
  const auto* type = dynamic_cast< const CompiledType* >( &find_type( synapse_id ) );
  return type ? *type : throw std::runtime_error( "the kernel was not compiled for these connections" );
}

//! Bytes of a connection of the synapse model as it was compiled; 0 where only the generic type serves.
inline int64_t
bytes_of( const int64_t synapse_id )
{
  return find_compiled_type( synapse_id ).bytes();
}

//! The C++ class of a synapse model's connector model, demangled; empty on failure. Valid until the next call.
inline const char*
class_of( const int64_t synapse_id )
{
  int status = 0;
  const auto& model = nest::kernel().model_manager.get_connection_model( synapse_id, 0 );
  const std::unique_ptr< char, void ( * )( void* ) > demangled(
    abi::__cxa_demangle( typeid( model ).name(), nullptr, nullptr, &status ), std::free );
  class_name = demangled ? demangled.get() : "";
  return class_name.c_str();
}

//! Fails unless a weight that is set through NEST's status interface stays, tried on one connection of this rank, if it
//! has any of the synapse model.
inline void
try_to_set( const int64_t synapse_id )
{
  for ( size_t tid = 0; tid < nest::kernel().vp_manager.get_num_threads(); ++tid )
  {
    nest::ConnectorBase* connector = find_connector( tid, synapse_id );
    for ( size_t lcid = 0; connector and lcid < connector->size(); ++lcid )
    {
      if ( try_to_set( *connector, tid, lcid ) )
      {
        return;
      }
    }
  }
}

//! Weight and target node ID of one connection, to be compared with what PyNEST says of it.
inline void
read_connection( const int64_t tid, const int64_t synapse_id, const int64_t lcid, double* weight, int64_t* target )
{
  nest::ConnectorBase* connector = find_connector( tid, synapse_id );
  if ( not connector or static_cast< size_t >( lcid ) >= connector->size() )
  {
    throw std::runtime_error( "no such connection" );
  }
  *weight = find_type( synapse_id ).weight( *connector, tid, lcid );
  *target = connector->get_target_node_id( tid, lcid );
}

} // namespace distnorm

// A synapse model of NEST replaced by its twin that normalizes itself, under the same name and ID.

#pragma once

#include "normalized/exact_calls.h"

namespace distnorm
{

struct ModelsTag
{
  using type = std::vector< std::vector< nest::ConnectorModel* > > nest::ModelManager::*;
  friend constexpr type reveal( ModelsTag );
};
template struct Reveal< ModelsTag, &nest::ModelManager::connection_models_ >;

//! The type that has a twin of the model; null if none has.
inline const NormalizedType*
find_twin( const nest::ConnectorModel& model )
{
  for ( const auto& type : connection_types )
  {
    const auto* normalized = dynamic_cast< const NormalizedType* >( type.get() );
    if ( normalized and normalized->twin_of( model ) )
    {
      return normalized;
    }
  }
  return nullptr;
}

//! Whether a connector of the model's own type was made for some connection.
inline bool
is_used( const nest::synindex synapse_id )
{
  const auto& connections = nest::kernel().connection_manager.*reveal( ConnectionsTag() );
  return nest::kernel().connection_manager.get_num_connections( synapse_id ) > 0
    or std::any_of( connections.begin(),
      connections.end(),
      [ & ]( const auto& of_thread ) { return synapse_id < of_thread.size() and of_thread[ synapse_id ]; } );
}

inline int
replace( const nest::synindex synapse_id )
{
  auto& models = nest::kernel().model_manager.*reveal( ModelsTag() );
  const auto& model = *models[ 0 ][ synapse_id ];
  if ( dynamic_cast< const NormalizedType* >( &find_type( synapse_id ) ) )
  {
    return OK;
  }
  const NormalizedType* twin = find_twin( model );
  if ( not twin )
  {
    return NO_TWIN;
  }
  if ( is_used( synapse_id ) )
  {
    return USED;
  }
  return on_all_threads(
    [ & ]( const size_t tid )
    {
      auto& place = models[ tid ][ synapse_id ];
      auto made = twin->twin_of( *place );
      delete place;
      place = made.release();
    } );
}

} // namespace distnorm

extern "C"
{

//! Puts a twin in place of the synapse model of that name, if there is one and it is no twin itself. Without nodes,
//! forgets all accounts, as a kernel that was reset or has other threads needs it.
int
dn_exact_replace( const char* name )
{
  return guarded(
    [ & ]
    {
      if ( nest::kernel().node_manager.size() == 0 )
      {
        forget_accounts();
      }
      const auto& models = nest::kernel().model_manager.get_connection_models( 0 );
      const auto found = std::find_if(
        models.begin(), models.end(), [ & ]( const auto* model ) { return model->get_name() == name; } );
      return found == models.end() ? OK : replace( found - models.begin() );
    } );
}

} // extern "C"

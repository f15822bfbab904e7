// Normalized models as NEST's own: beside their parents, or in place of them under the same name and ID.

#pragma once

#include "normalized/exact_calls.h"

namespace distnorm
{

template struct Reveal< "connection_models_", &nest::ModelManager::connection_models_ >;

template < template < typename > class Parent >
struct NormalizedOf
{
  template < typename Identifier >
  using type = Normalized< Parent, Identifier >;
};

//! Registers the models with NEST, those that it does not have yet, and forgets all accounts.
inline void
install_models()
{
  forget_accounts();
  for_each_normalized_model( []< template < typename > class Parent >( const char* name )
    { nest::kernel().model_manager.register_connection_model< NormalizedOf< Parent >::template type >( name ); } );
}

//! The type that makes a normalized model of a model; null if none does.
inline const NormalizedType*
find_normalized( const nest::ConnectorModel& model )
{
  for ( const auto* type : connection_types )
  {
    const auto* normalized = dynamic_cast< const NormalizedType* >( type );
    if ( normalized and normalized->made_of( model ) )
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
  bool found = nest::kernel().connection_manager.get_num_connections( synapse_id ) > 0;
  for ( size_t tid = 0; tid < nest::kernel().vp_manager.get_num_threads(); ++tid )
  {
    found = found or find_connector( tid, synapse_id );
  }
  return found;
}

//! Puts a normalized model in place of the synapse model of that name, if there is one and it is not normalized itself.
//! Without nodes, forgets all accounts, as a kernel that was reset or has other threads needs it.
inline void
replace_model( const char* name )
{
  if ( nest::kernel().node_manager.size() == 0 )
  {
    forget_accounts();
  }
  auto& models = nest::kernel().model_manager.*member< "connection_models_" >;
  const auto found = std::find_if(
    models[ 0 ].begin(), models[ 0 ].end(), [ & ]( const auto* model ) { return model->get_name() == name; } );
  const size_t synapse_id = found - models[ 0 ].begin();
  if ( found == models[ 0 ].end() or norms_of( synapse_id ) )
  {
    return;
  }
  const NormalizedType* type = find_normalized( **found );
  if ( not type )
  {
    throw Failure { NO_MODEL, "no normalized model is made of this model" };
  }
  if ( is_used( synapse_id ) )
  {
    throw Failure { USED, "the model has connections" };
  }
  on_all_threads(
    [ & ]( const size_t tid )
    {
      auto& place = models[ tid ][ synapse_id ];
      auto made = type->made_of( *place );
      delete place;
      place = made.release();
    } );
}

} // namespace distnorm

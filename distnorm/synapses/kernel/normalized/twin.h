// From a synapse model of NEST its twin that normalizes itself, with all its defaults.

#pragma once

#include "normalized/normalized.h"

#include "connector_model_impl.h"

namespace distnorm
{

// What NEST's models do not tell of their defaults.
template < typename ConnectionT >
struct ReceptorTag
{
  using type = size_t nest::GenericConnectorModel< ConnectionT >::*;
  friend constexpr type reveal( ReceptorTag );
};
template < typename ConnectionT >
struct LabelTag
{
  using type = long ConnectionT::*;
  friend constexpr type reveal( LabelTag );
};

//! The parent of a twin: Parent< Identifier > of Normalized< Parent, Identifier >, with or without a label.
template < typename ConnectionT >
struct ParentOf;
template < template < typename > class Parent, typename Identifier >
struct ParentOf< Normalized< Parent, Identifier > >
{
  using type = Parent< Identifier >;
  static constexpr bool has_label = false;
};
template < template < typename > class Parent, typename Identifier >
struct ParentOf< nest::ConnectionLabel< Normalized< Parent, Identifier > > >
{
  using type = nest::ConnectionLabel< Parent< Identifier > >;
  static constexpr bool has_label = true;
};

//! A twin with the name, ID and defaults of a model; null if the model is not of the twin's parent.
template < typename ConnectionT, typename Synapse >
std::unique_ptr< nest::ConnectorModel >
make_twin( const nest::ConnectorModel& model )
{
  using Parent = typename ParentOf< ConnectionT >::type;
  const auto* parent = dynamic_cast< const nest::GenericConnectorModel< Parent >* >( &model );
  if ( not parent )
  {
    return nullptr;
  }
  auto twin = std::make_unique< nest::GenericConnectorModel< ConnectionT > >( model.get_name() );
  using CommonProperties = typename ConnectionT::CommonPropertiesType;
  const_cast< CommonProperties& >( twin->get_common_properties() ) = parent->get_common_properties();
  auto& defaults = const_cast< ConnectionT& >( twin->get_default_connection() );
  static_cast< Synapse& >( defaults ) = parent->get_default_connection();
  if constexpr ( ParentOf< ConnectionT >::has_label )
  {
    defaults.*reveal( LabelTag< ConnectionT >() ) = parent->get_default_connection().get_label();
  }
  *twin.*reveal( ReceptorTag< ConnectionT >() ) = parent->*reveal( ReceptorTag< Parent >() );
  return twin;
}

} // namespace distnorm

#define DN_RECEPTOR( ConnectionT )                                                                                     \
  template struct distnorm::Reveal< distnorm::ReceptorTag< ConnectionT >,                                              \
    &nest::GenericConnectorModel< ConnectionT >::receptor_type_ >;
#define DN_TWIN( ConnectionT )                                                                                         \
  DN_RECEPTOR( ConnectionT )                                                                                           \
  DN_RECEPTOR( distnorm::ParentOf< ConnectionT >::type )
#define DN_TWIN_LABEL( ConnectionT )                                                                                   \
  template struct distnorm::Reveal< distnorm::LabelTag< ConnectionT >, &ConnectionT::label_ >;

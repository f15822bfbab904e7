// The types of connections that normalize themselves: measured in weights, not in raw weights, and registered with NEST.

#pragma once

#include "connection_type.h"
#include "delivery.h"
#include "twin.h"

#include "connector_base_impl.h"
#include "model_manager_impl.h"

namespace distnorm
{

//! What a raw weight is multiplied by.
template < typename Synapse >
double
factor_of( const Synapse& synapse, const Slot& slot, const size_t tid )
{
  const Account* account = slot.find( target_index( synapse, tid ) );
  return account ? account->read_factor( slot.power ) : 1.0;
}

//! What is asked of the type of a normalized model, beside what is asked of any.
class NormalizedType
{
public:
  virtual ~NormalizedType() = default;
  //! Does a pass on raw weights, where run() does it on weights.
  virtual void run_raw( std::vector< Work >&, nest::ConnectorBase&, size_t tid ) const = 0;
  //! Adds |Wmax|^power of the connections to the sums of the work's thread.
  virtual void measure_largest( std::vector< Work >&, nest::ConnectorBase&, size_t tid ) const = 0;
  //! A model of this type with the name, ID and defaults of one of the parent's type; null for any other.
  virtual std::unique_ptr< nest::ConnectorModel > twin_of( const nest::ConnectorModel& ) const = 0;
};

template < typename ConnectionT, typename Synapse >
class NormalizedConnection : public TypedConnection< ConnectionT, Synapse >, public NormalizedType
{
  using Plain = TypedConnection< ConnectionT, Synapse >;

public:
  //! Shows each block to the passes in weights; one that a pass leaves alone gets its raw weight back.
  void
  run( std::vector< Work >& works, nest::ConnectorBase& connector, const size_t tid ) const override
  {
    const Slot& slot = slot_of( tid, connector.get_syn_id() );
    Buffer buffer;
    std::vector< double > raw( max_block_size ), shown( max_block_size ), factors( max_block_size );
    Plain::for_each_block( connector,
      [ & ]( ConnectionT* block, const size_t size, const size_t first )
      {
        for ( size_t i = 0; i < size; ++i )
        {
          double& weight = Plain::weight_of( block[ i ] );
          factors[ i ] = block[ i ].is_disabled() ? 1.0 : factor_of< Synapse >( block[ i ], slot, tid );
          raw[ i ] = weight;
          shown[ i ] = weight *= factors[ i ];
        }
        for ( auto& work : works )
        {
          Plain::run_block( work, block, size, first, tid, buffer );
        }
        for ( size_t i = 0; i < size; ++i )
        {
          double& weight = Plain::weight_of( block[ i ] );
          weight = weight == shown[ i ] ? raw[ i ] : weight / factors[ i ];
        }
      } );
  }

  void
  run_raw( std::vector< Work >& works, nest::ConnectorBase& connector, const size_t tid ) const override
  {
    Plain::run( works, connector, tid );
  }

  void
  measure_largest( std::vector< Work >& works, nest::ConnectorBase& connector, const size_t tid ) const override
  {
    Work& work = works.front();
    Dictionary defaults;
    nest::kernel().model_manager.get_connection_model( connector.get_syn_id(), tid ).get_status( defaults );
    double in_common = never;
    defaults.update_value( nest::names::Wmax, in_common );
    const auto add = [ & ]( const Synapse& synapse, const int32_t i, size_t )
    {
      double largest = in_common;
      if constexpr ( has_own_wmax< Synapse > )
      {
        largest = synapse.*reveal( WmaxTag< Synapse >() );
      }
      work.thread.sums[ i ].add( work.power_of( std::abs( largest ) ) );
    };
    Plain::for_each_block( connector,
      [ & ]( ConnectionT* block, const size_t size, const size_t first )
      { Plain::for_each( work, block, size, first, tid, add ); } );
  }

  double
  weight( nest::ConnectorBase& connector, const size_t tid, const size_t lcid ) const override
  {
    const Slot& slot = slot_of( tid, connector.get_syn_id() );
    return Plain::weight( connector, tid, lcid ) * factor_of< Synapse >( Plain::elements( connector )[ lcid ], slot, tid );
  }

  std::unique_ptr< nest::ConnectorModel >
  twin_of( const nest::ConnectorModel& model ) const override
  {
    return make_twin< ConnectionT, Synapse >( model );
  }

  //! Whether an element lies in a connector.
  static bool
  stores( nest::ConnectorBase& connector, const ConnectionT* element )
  {
    bool found = false;
    Plain::for_each_block( connector,
      [ & ]( ConnectionT* block, const size_t size, size_t )
      {
        const std::less_equal< const ConnectionT* > before;
        found = found or ( before( block, element ) and not before( block + size, element ) );
      } );
    return found;
  }
};

template < template < typename > class Parent, typename Identifier >
size_t
Normalized< Parent, Identifier >::thread_that_stores( const Normalized* connection )
{
  const auto& connections = nest::kernel().connection_manager.*reveal( ConnectionsTag() );
  for ( size_t tid = 0; tid < connections.size(); ++tid )
  {
    nest::ConnectorBase* connector = connections[ tid ][ connection->get_syn_id() ];
    if ( connector and NormalizedConnection< Normalized, Parent< Identifier > >::stores( *connector, connection ) )
    {
      return tid;
    }
  }
  throw std::runtime_error( "a connection that NEST does not have" );
}

struct NormalizedModel
{
  std::string name;
  void ( *install )( const std::string& );
};
inline std::vector< NormalizedModel > normalized_models;

template < template < typename > class Parent >
struct NormalizedOf
{
  template < typename Identifier >
  using Connection = Normalized< Parent, Identifier >;

  static void
  install( const std::string& name )
  {
    nest::kernel().model_manager.register_connection_model< Connection >( name );
  }
};

template < typename ConnectionT, typename Synapse >
bool
add_normalized_type()
{
  connection_types.push_back( std::make_unique< NormalizedConnection< ConnectionT, Synapse > >() );
  return true;
}

} // namespace distnorm

// After DN_MODEL of the same model.
#define DN_NORMALIZED_VARIANT( model, Identifier, ConnectionT )                                                        \
  template struct distnorm::Reveal< distnorm::ElementsTag< ConnectionT >, &nest::Connector< ConnectionT >::C_ >;       \
  DN_DELIVERY( ConnectionT )                                                                                           \
  DN_TWIN( ConnectionT )                                                                                               \
  static const bool DN_NAME( added_, __COUNTER__ ) =                                                                   \
    distnorm::add_normalized_type< ConnectionT, nest::model< Identifier > >();
#define DN_NORMALIZED( model )                                                                                         \
  static_assert( sizeof( distnorm::Normalized< nest::model, distnorm::Pointer > )                                      \
      == sizeof( nest::model< distnorm::Pointer > ) );                                                                 \
  namespace distnorm::named                                                                                            \
  {                                                                                                                    \
  using model##_pointer = Normalized< nest::model, Pointer >;                                                          \
  using model##_index = Normalized< nest::model, Index >;                                                              \
  using model##_label = nest::ConnectionLabel< model##_pointer >;                                                      \
  }                                                                                                                    \
  DN_NORMALIZED_VARIANT( model, distnorm::Pointer, distnorm::named::model##_pointer )                                  \
  DN_NORMALIZED_VARIANT( model, distnorm::Index, distnorm::named::model##_index )                                      \
  DN_NORMALIZED_VARIANT( model, distnorm::Pointer, distnorm::named::model##_label )                                    \
  DN_TWIN_LABEL( distnorm::named::model##_label )                                                                      \
  static const bool DN_NAME( listed_, __COUNTER__ ) = ( distnorm::normalized_models.push_back(                         \
    { #model "_normalized", distnorm::NormalizedOf< nest::model >::install } ), true );

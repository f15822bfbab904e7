// The types of connections that normalize themselves: measured in weights, not in raw weights, and registered with NEST.

#pragma once

#include "passes/connection_type.h"
#include "normalized/delivery.h"
#include "normalized/twin.h"

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

//! The Wmin and Wmax of a synapse.
struct Bounds
{
  double low = 0.0;
  double high = never;

  //! Bounds of |w| where a weight is. One of a model without Wmin has the sign of Wmax.
  std::pair< double, double >
  of_size( const double weight ) const
  {
    if ( low < 0.0 and high > 0.0 )
    {
      return { 0.0, std::signbit( weight ) ? -low : high };
    }
    return std::minmax( { std::abs( low ), std::abs( high ) } );
  }
};

//! Bounds that connections of a model have in common.
inline Bounds
common_bounds( const nest::synindex synapse_id, const size_t tid )
{
  Bounds bounds;
  Dictionary defaults;
  nest::kernel().model_manager.get_connection_model( synapse_id, tid ).get_status( defaults );
  defaults.update_value( nest::names::Wmin, bounds.low );
  defaults.update_value( nest::names::Wmax, bounds.high );
  return bounds;
}

//! Some targets of a thread, numbered: the number of each by thread-local node index, or not_a_target.
using Numbers = std::vector< int32_t >;

//! What is asked of the type of a normalized model, beside what is asked of any.
class NormalizedType
{
public:
  virtual ~NormalizedType() = default;
  //! Adds up the connections of some targets, by their numbers.
  virtual void add_up( nest::ConnectorBase&, size_t tid, int power, const Numbers&, std::vector< Totals >& ) const = 0;
  //! Multiplies the raw weights of some targets by factors, by their numbers.
  virtual void scale( nest::ConnectorBase&, size_t tid, const Numbers&, const std::vector< double >& factors ) const = 0;
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
  add_up( nest::ConnectorBase& connector,
    const size_t tid,
    const int power,
    const Numbers& numbers,
    std::vector< Totals >& totals ) const override
  {
    const auto term = [ power ]( const double weight ) { return power == 1 ? std::abs( weight ) : weight * weight; };
    const Bounds in_common = common_bounds( connector.get_syn_id(), tid );
    for_each_of( connector,
      tid,
      numbers,
      [ & ]( Synapse& synapse, const int32_t number )
      {
        Totals& of = totals[ number ];
        const double weight = Plain::weight_of( synapse );
        const auto [ least, largest ] = bounds_of( synapse, in_common ).of_size( weight );
        of.raw.add( term( weight ) );
        of.least.add( term( least ) );
        of.has_largest = of.has_largest and largest < never;
        of.largest.add( of.has_largest ? term( largest ) : 0.0 );
      } );
  }

  void
  scale( nest::ConnectorBase& connector,
    const size_t tid,
    const Numbers& numbers,
    const std::vector< double >& factors ) const override
  {
    for_each_of( connector,
      tid,
      numbers,
      [ & ]( Synapse& synapse, const int32_t number ) { Plain::weight_of( synapse ) *= factors[ number ]; } );
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

private:
  //! Calls body( synapse, number of its target ) for each connection of some targets.
  template < typename Body >
  static void
  for_each_of( nest::ConnectorBase& connector, const size_t tid, const Numbers& numbers, Body body )
  {
    Plain::for_each_block( connector,
      [ & ]( ConnectionT* block, const size_t size, size_t )
      {
        for ( size_t i = 0; i < size; ++i )
        {
          __builtin_prefetch( reinterpret_cast< const char* >( block + i ) + prefetch_distance );
          const size_t node = target_index< Synapse >( block[ i ], tid );
          if ( node < numbers.size() and numbers[ node ] != not_a_target and not block[ i ].is_disabled() )
          {
            body( static_cast< Synapse& >( block[ i ] ), numbers[ node ] );
          }
        }
      } );
  }

  static Bounds
  bounds_of( const Synapse& synapse, Bounds bounds )
  {
    if constexpr ( has_own_wmin< Synapse > )
    {
      bounds.low = synapse.*reveal( WminTag< Synapse >() );
    }
    if constexpr ( has_own_wmax< Synapse > )
    {
      bounds.high = synapse.*reveal( WmaxTag< Synapse >() );
    }
    return bounds;
  }

public:
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

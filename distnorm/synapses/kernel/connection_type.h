// One type of connection.

#pragma once

#include <memory>

#include "group.h"

namespace distnorm
{

template < typename Synapse >
struct IdentifierOf;
template < template < typename > class Synapse, typename Identifier >
struct IdentifierOf< Synapse< Identifier > >
{
  using type = Identifier;
};

template < typename Synapse >
size_t
target_index( const Synapse& synapse, const size_t tid )
{
  if constexpr ( std::is_same_v< typename IdentifierOf< Synapse >::type, Index > )
  {
    return synapse.*reveal( IdentifierTag< Index >() ).*reveal( TargetIndexTag() );
  }
  else
  {
    return synapse.get_target( tid )->get_thread_lid();
  }
}

class ConnectionType
{
public:
  virtual ~ConnectionType() = default;
  virtual bool is_model( const nest::ConnectorModel& ) const = 0;
  virtual void measure( Group&, nest::ConnectorBase&, size_t tid, int power ) const = 0;
  virtual void rescale( Group&, nest::ConnectorBase&, size_t tid, const double* factors ) const = 0;
  virtual double stream( nest::ConnectorBase&, bool write ) const = 0;
  virtual double weight( nest::ConnectorBase&, size_t lcid ) const = 0;
};

template < typename ConnectionT, typename Synapse >
class TypedConnection : public ConnectionType
{
  using Connector = nest::Connector< ConnectionT >;

  static BlockVector< ConnectionT >&
  elements( nest::ConnectorBase& connector )
  {
    return dynamic_cast< Connector& >( connector ).*reveal( ElementsTag< ConnectionT >() );
  }

  //! Calls body( first element, number of elements, lcid of the first ) for each contiguous block.
  template < typename Body >
  static void
  for_each_block( nest::ConnectorBase& connector, Body body )
  {
    auto& all = elements( connector );
    const size_t size = all.size();
    for ( size_t first = 0; first < size; first += max_block_size )
    {
      body( &all[ first ], std::min< size_t >( max_block_size, size - first ), first );
    }
  }

  //! Calls body( weight, target on this thread ) for each connection of the group.
  template < typename Body >
  static void
  for_each( Group& group, nest::ConnectorBase& connector, const size_t tid, Body body )
  {
    Filter filter( group, tid, connector.get_syn_id() );
    const auto& target_of_node = group.threads[ tid ].target_of_node;
    for_each_block( connector,
      [ & ]( ConnectionT* block, const size_t size, const size_t first )
      {
        for ( size_t i = 0; i < size; ++i )
        {
          Synapse& synapse = block[ i ];
          __builtin_prefetch( reinterpret_cast< const char* >( &synapse ) + prefetch_distance, 1 );
          const int32_t target = target_of_node[ target_index( synapse, tid ) ];
          if ( target != not_a_target and not synapse.is_disabled()
            and filter.selects( synapse, first + i ) )
          {
            body( synapse.*reveal( WeightTag< Synapse >() ), target );
          }
        }
      } );
  }

public:
  bool
  is_model( const nest::ConnectorModel& model ) const override
  {
    return dynamic_cast< const nest::GenericConnectorModel< ConnectionT >* >( &model );
  }

  void
  measure( Group& group, nest::ConnectorBase& connector, const size_t tid, const int power ) const override
  {
    auto& sums = group.threads[ tid ].sums;
    if ( power == 1 )
    {
      for_each( group, connector, tid, [ & ]( const double w, const int32_t i ) { sums[ i ].add( std::abs( w ) ); } );
    }
    else
    {
      for_each( group, connector, tid, [ & ]( const double w, const int32_t i ) { sums[ i ].add( w * w ); } );
    }
  }

  void
  rescale( Group& group, nest::ConnectorBase& connector, const size_t tid, const double* factors ) const override
  {
    const double* mine = factors + group.threads[ tid ].first;
    for_each( group, connector, tid, [ mine ]( double& w, const int32_t i ) { w *= mine[ i ]; } );
  }

  using Word = uint64_t __attribute__( ( may_alias ) );

  //! Reads, or reads and writes, all bytes of the connections: what the loops above are compared with.
  double
  stream( nest::ConnectorBase& connector, const bool write ) const override
  {
    double total = 0.0;
    for_each_block( connector,
      [ & ]( ConnectionT* block, const size_t size, size_t )
      {
        auto* words = reinterpret_cast< Word* >( block );
        const size_t n = size * sizeof( ConnectionT ) / sizeof( uint64_t );
        uint64_t folded[ 4 ] = { 0, 0, 0, 0 };
        if ( write )
        {
          // The compiler cannot know that the mask is zero, so every word is read and written back unchanged.
          static volatile uint64_t zero = 0;
          const uint64_t mask = zero;
          for ( size_t i = 0; i < n; ++i )
          {
            words[ i ] ^= mask;
          }
        }
        else
        {
          for ( size_t i = 0; i + 4 <= n; i += 4 )
          {
            for ( size_t j = 0; j < 4; ++j )
            {
              folded[ j ] ^= words[ i + j ];
            }
          }
        }
        total += static_cast< double >( ( folded[ 0 ] ^ folded[ 1 ] ^ folded[ 2 ] ^ folded[ 3 ] ) & 1 );
      } );
    return total;
  }

  double
  weight( nest::ConnectorBase& connector, const size_t lcid ) const override
  {
    Synapse& synapse = elements( connector )[ lcid ];
    return synapse.*reveal( WeightTag< Synapse >() );
  }
};

inline std::vector< std::unique_ptr< ConnectionType > > connection_types;

template < typename ConnectionT, typename Synapse >
bool
add_type()
{
  connection_types.push_back( std::make_unique< TypedConnection< ConnectionT, Synapse > >() );
  return true;
}

} // namespace distnorm

// A model with its variants: plain, _hpc and _lbl.
#define DN_VARIANT( ConnectionT, Synapse )                                                                             \
  template struct distnorm::Reveal< distnorm::ElementsTag< ConnectionT >, &nest::Connector< ConnectionT >::C_ >;       \
  static const bool DN_NAME( added_, __COUNTER__ ) = distnorm::add_type< ConnectionT, Synapse >();
#define DN_NAME( a, b ) DN_NAME_( a, b )
#define DN_NAME_( a, b ) a##b
#define DN_WEIGHT( Synapse ) template struct distnorm::Reveal< distnorm::WeightTag< Synapse >, &Synapse::weight_ >;
#define DN_MODEL( model )                                                                                              \
  DN_WEIGHT( nest::model< distnorm::Pointer > )                                                                        \
  DN_WEIGHT( nest::model< distnorm::Index > )                                                                          \
  DN_VARIANT( nest::model< distnorm::Pointer >, nest::model< distnorm::Pointer > )                                     \
  DN_VARIANT( nest::model< distnorm::Index >, nest::model< distnorm::Index > )                                         \
  DN_VARIANT( nest::ConnectionLabel< nest::model< distnorm::Pointer > >, nest::model< distnorm::Pointer > )

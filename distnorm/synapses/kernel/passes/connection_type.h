// One type of connection.

#pragma once

#include <map>
#include <memory>

#include "passes/operations.h"

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
  //! Does the passes, block by block, so that a block comes from memory once for all of them.
  virtual void run( std::vector< Work >&, nest::ConnectorBase&, size_t tid ) const = 0;
  //! Adds the number of the work's connections of each label.
  virtual void count_labels( Work&, nest::ConnectorBase&, size_t tid, std::map< int64_t, int64_t >& ) const = 0;
  virtual double weight( nest::ConnectorBase&, size_t tid, size_t lcid ) const = 0;
  virtual size_t bytes() const = 0; //!< of one connection; 0: unknown
  virtual bool has_own_limits() const = 0; //!< whether each connection has, or may have, a Wmax of its own
};

//! Where a synapse has its weight; DN_MODEL defines it.
template < typename Synapse >
struct Weight;

//! A type whose header was there at compile time: the weights where they lie.
template < typename ConnectionT, typename Synapse >
class TypedConnection : public ConnectionType
{
protected:
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

  //! Calls body( synapse, target on this thread, place in the block ) for each connection of the block in the group.
  template < typename Body >
  static void
  for_each( Work& work, ConnectionT* block, const size_t size, const size_t first, const size_t tid, Body body )
  {
    const auto& target_of_node = work.thread.target_of_node;
    for ( size_t i = 0; i < size; ++i )
    {
      Synapse& synapse = block[ i ];
      __builtin_prefetch( reinterpret_cast< const char* >( &synapse ) + prefetch_distance, 1 );
      if constexpr ( sizeof( ConnectionT ) > 64 ) // more than one cache line
      {
        __builtin_prefetch( reinterpret_cast< const char* >( &synapse ) + prefetch_distance + 64, 1 );
      }
      const int32_t target = target_of_node[ target_index( synapse, tid ) ];
      const auto weight = [ & ] { return weight_on_side( work, synapse, first + i ); };
      if ( target != not_a_target and not synapse.is_disabled()
        and work.filter.selects( block[ i ], weight, target, first + i ) )
      {
        body( synapse, target, i );
      }
    }
  }

  static double&
  weight_of( Synapse& synapse )
  {
    return Weight< Synapse >::of( synapse );
  }

  static Range
  range_of( const Work& work, const Synapse& synapse, const size_t lcid )
  {
    if ( work.status )
    {
      return work.status->range( lcid );
    }
    Range range = work.in_common;
    if constexpr ( has_own_wmax< Synapse > )
    {
      range.most = synapse.*reveal( WmaxTag< Synapse >() );
    }
    if constexpr ( has_own_wmin< Synapse > )
    {
      range.least = synapse.*reveal( WminTag< Synapse >() );
    }
    return range;
  }

  //! The weight; zero with the sign of its side, where the pass asks for that.
  static double
  weight_on_side( const Work& work, Synapse& synapse, const size_t lcid )
  {
    const double weight = weight_of( synapse );
    return weight == 0.0 and work.asks_side ? range_of( work, synapse, lcid ).on_side( weight ) : weight;
  }

  //! Zero stays the zero that it is: only its side counts.
  static void
  set_weight( Synapse& synapse, const double weight )
  {
    double& old = weight_of( synapse );
    old = weight == old ? old : weight;
  }

  //! The connections of the group in a block, with their own bounds where the pass asks for them.
  static void
  gather( Work& work, ConnectionT* block, const size_t size, const size_t first, const size_t tid, Buffer& all )
  {
    all.size = 0;
    for_each( work, block, size, first, tid,
      [ & ]( Synapse& synapse, const int32_t target, const size_t place )
      {
        if ( work.asks_range() )
        {
          const Range range = range_of( work, synapse, first + place );
          add( work, all, range.on_side( weight_of( synapse ) ), target, place, range );
        }
        else
        {
          add( work, all, weight_on_side( work, synapse, first + place ), target, place, Range() );
        }
      } );
  }

  //! One pass over one block; the passes that every run makes work without a buffer.
  static void
  run_block( Work& work, ConnectionT* block, const size_t size, const size_t first, const size_t tid, Buffer& all )
  {
    const Pass& pass = work.pass;
    auto* sums = work.thread.sums.data();
    const double* factors = work.at();
    if ( counts( pass ) )
    {
      gather( work, block, size, first, tid, all );
      count( work, all );
    }
    else if ( pass.kind == MEASURE and pass.norm == L1 and not pass.weight_unit )
    {
      for_each( work, block, size, first, tid,
        [ sums ]( Synapse& synapse, const int32_t i, size_t ) { sums[ i ].add( std::abs( weight_of( synapse ) ) ); } );
    }
    else if ( pass.kind == MEASURE and work.quick )
    {
      for_each( work, block, size, first, tid,
        [ & ]( Synapse& synapse, const int32_t i, size_t )
        { sums[ i ].add( multiplied_out( std::abs( weight_of( synapse ) ), work.whole ) ); } );
    }
    else if ( pass.kind == SCALE and not pass.weight_unit )
    {
      for_each( work, block, size, first, tid,
        [ factors ]( Synapse& synapse, const int32_t i, size_t )
        {
          double& weight = weight_of( synapse );
          weight = scaled( weight, factors[ i ] );
        } );
    }
    else if ( pass.kind == MOVE and work.quick )
    {
      for_each( work, block, size, first, tid,
        [ & ]( Synapse& synapse, const int32_t i, const size_t place )
        {
          const double weight = weight_on_side( work, synapse, first + place );
          set_weight( synapse, moved_quickly( work.box, factors[ i ], weight ) );
        } );
    }
    else
    {
      gather( work, block, size, first, tid, all );
      operate( work, all );
      for ( size_t i = 0; i < all.size and writes( pass ); ++i )
      {
        Synapse& synapse = block[ all.place[ i ] ];
        set_weight( synapse, all.weight[ i ] );
      }
    }
  }

public:
  bool
  is_model( const nest::ConnectorModel& model ) const override
  {
    return dynamic_cast< const nest::GenericConnectorModel< ConnectionT >* >( &model );
  }

  void
  run( std::vector< Work >& works, nest::ConnectorBase& connector, const size_t tid ) const override
  {
    Buffer buffer;
    for_each_block( connector,
      [ & ]( ConnectionT* block, const size_t size, const size_t first )
      {
        for ( auto& work : works )
        {
          run_block( work, block, size, first, tid, buffer );
        }
      } );
  }

  void
  count_labels( Work& work, nest::ConnectorBase& connector, const size_t tid, std::map< int64_t, int64_t >& counts )
    const override
  {
    for_each_block( connector,
      [ & ]( ConnectionT* block, const size_t size, const size_t first )
      {
        for_each( work, block, size, first, tid,
          [ & ]( Synapse&, int32_t, const size_t place ) { ++counts[ block[ place ].get_label() ]; } );
      } );
  }

  size_t
  bytes() const override
  {
    return sizeof( ConnectionT );
  }

  bool
  has_own_limits() const override
  {
    return has_own_wmax< Synapse >;
  }

  double
  weight( nest::ConnectorBase& connector, size_t, const size_t lcid ) const override
  {
    return weight_of( elements( connector )[ lcid ] );
  }
};

//! Static: the kernel and each library of an extension's synapses have a table of their own.
static std::vector< std::unique_ptr< const ConnectionType > > connection_types;

template < typename ConnectionT, typename Synapse >
bool
add_type()
{
  connection_types.push_back( std::make_unique< TypedConnection< ConnectionT, Synapse > >() );
  return true;
}

} // namespace distnorm

// Members with the bounds of a model's weights; before DN_MODEL.
#define DN_BOUND( Bound, has_bound, member, Synapse )                                                                  \
  template struct distnorm::Reveal< distnorm::Bound< Synapse >, &Synapse::member >;                                    \
  template <>                                                                                                          \
  inline constexpr bool distnorm::has_bound< Synapse > = true;
#define DN_WMAX( model )                                                                                               \
  DN_BOUND( WmaxTag, has_own_wmax, Wmax_, nest::model< distnorm::Pointer > )                                           \
  DN_BOUND( WmaxTag, has_own_wmax, Wmax_, nest::model< distnorm::Index > )
#define DN_WMIN( model )                                                                                               \
  DN_BOUND( WminTag, has_own_wmin, Wmin_, nest::model< distnorm::Pointer > )                                           \
  DN_BOUND( WminTag, has_own_wmin, Wmin_, nest::model< distnorm::Index > )

// A model with its variants: plain, _hpc and _lbl. Its weight is the member, or within it: DN_MODEL( nest::m, S_, .w ).
#define DN_MODEL( model, member, within )                                                                              \
  DN_WEIGHT( model< distnorm::Pointer >, member )                                                                      \
  DN_WEIGHT( model< distnorm::Index >, member )                                                                        \
  template < typename Identifier >                                                                                     \
  struct distnorm::Weight< model< Identifier > >                                                                       \
  {                                                                                                                    \
    static double&                                                                                                     \
    of( model< Identifier >& synapse )                                                                                 \
    {                                                                                                                  \
      return ( synapse.*reveal( distnorm::WeightTag< model< Identifier > >() ) ) within;                               \
    }                                                                                                                  \
  };                                                                                                                   \
  DN_VARIANT( model< distnorm::Pointer >, model< distnorm::Pointer > )                                                 \
  DN_VARIANT( model< distnorm::Index >, model< distnorm::Index > )                                                     \
  DN_VARIANT( nest::ConnectionLabel< model< distnorm::Pointer > >, model< distnorm::Pointer > )
#define DN_WEIGHT( Synapse, member )                                                                                   \
  template struct distnorm::RevealAny< distnorm::WeightTag< Synapse >, &Synapse::member >;
#define DN_VARIANT( ConnectionT, Synapse )                                                                             \
  template struct distnorm::Reveal< distnorm::ElementsTag< ConnectionT >, &nest::Connector< ConnectionT >::C_ >;       \
  static const bool DN_NAME( added_, __COUNTER__ ) = distnorm::add_type< ConnectionT, Synapse >();
#define DN_NAME( a, b ) DN_NAME_( a, b )
#define DN_NAME_( a, b ) a##b

// What a pass does with connections that were gathered side by side; the same as norms/sums.py and norms/bounds.py do in numpy.

#pragma once

#include <initializer_list>

#include "passes/tally.h"

namespace distnorm
{

inline void
measure( const Work& work, const Buffer& all )
{
  auto& sums = work.thread.sums;
  auto& scales = work.thread.scales;
  switch ( work.pass.norm )
  {
  case SIGNED:
    for ( size_t i = 0; i < all.size; ++i )
    {
      const double weight = work.in_weight_unit( all.weight[ i ], all.target[ i ] );
      sums[ all.target[ i ] ].add_signed( weight );
      scales[ all.target[ i ] ].add( std::abs( weight ) );
    }
    break;
  case LARGEST:
    for ( size_t i = 0; i < all.size; ++i )
    {
      sums[ all.target[ i ] ].raise( std::abs( all.weight[ i ] ) );
    }
    break;
  default:
    for ( size_t i = 0; i < all.size; ++i )
    {
      const double weight = work.in_weight_unit( all.weight[ i ], all.target[ i ] );
      sums[ all.target[ i ] ].add( work.power_of( std::abs( weight ) ) );
    }
  }
}

template < bool shifts >
double
moved( const Element& e )
{
  return shifts ? e.value + e.x : e.x * e.value;
}

//! A size with the sign of a weight, which does not become -0.0: several models take that for positive.
inline double
with_sign( const double size, const double weight )
{
  return ( size == 0.0 ) & ( weight < 0.0 ) ? -least : std::copysign( size, weight );
}

//! A weight times a factor, likewise.
inline double
scaled( const double weight, const double factor )
{
  const double product = weight * factor;
  return ( product == 0.0 ) & ( weight < 0.0 ) ? -least : product; // no branch
}

inline void
scale( const Work& work, Buffer& all )
{
  for ( size_t i = 0; i < all.size; ++i )
  {
    const int32_t target = all.target[ i ];
    const double weight = all.weight[ i ];
    const double product = work.plain( work.in_weight_unit( weight, target ) * work.at()[ target ], target );
    all.weight[ i ] = product == 0.0 and weight < 0.0 ? -least : product;
  }
}

//! The same as move_elements< false, false >, for one weight where the pass is quick.
inline double
moved_quickly( const Box& box, const double x, const double weight )
{
  const double low = box.low < box.high ? box.low : box.high;
  const double y = x * std::abs( weight );
  const double size = y < low ? low : y > box.high ? box.high : y;
  return x == x ? with_sign( size, weight ) : weight;
}

template < bool is_signed, bool shifts >
void
move_elements( const Work& work, Buffer& all )
{
  for_each_element< is_signed >( work,
    all,
    [ & ]( const size_t i, const int32_t target, const Element& e )
    {
      const double y = work.plain( moved< shifts >( e ), target );
      const double size = y < e.low ? e.low : y > e.high ? e.high : y;
      all.weight[ i ] = e.x == e.x ? with_sign( size, all.weight[ i ] ) : all.weight[ i ];
    } );
}

inline void
move( const Work& work, Buffer& all )
{
  if ( not work.pass.shifts )
  {
    move_elements< false, false >( work, all );
  }
  else if ( work.pass.norm == SIGNED )
  {
    move_elements< true, true >( work, all );
  }
  else
  {
    move_elements< false, true >( work, all );
  }
}

//! Adds a connection to those that were gathered, unless the pass leaves it alone.
inline void
add( const Work& work, Buffer& all, const double weight, const int32_t target, const size_t place, const Range& range )
{
  all.weight[ all.size ] = weight;
  all.target[ all.size ] = target;
  all.place[ all.size ] = place;
  all.low[ all.size ] = range.smallest( weight );
  all.high[ all.size ] = range.largest( weight );
  all.range[ all.size ] = range;
  all.size += not work.leaves_alone( target );
}

//! Does the pass on gathered connections.
inline void
operate( const Work& work, Buffer& all )
{
  switch ( work.pass.kind )
  {
  case MEASURE:
    measure( work, all );
    break;
  case TALLY:
    tally( work, all );
    break;
  case SCALE:
    scale( work, all );
    break;
  case MOVE:
    move( work, all );
    break;
  }
}

//! Counts what the pass would do, and leaves what it would make of the connections in the buffer.
inline void
count( const Work& work, Buffer& all )
{
  for ( size_t i = 0; i < all.size; ++i )
  {
    work.thread.beyond[ all.target[ i ] ].close_to_zero += all.range[ i ].is_close_to_zero( all.weight[ i ] );
  }
  operate( work, all );
  for ( size_t i = 0; i < all.size; ++i )
  {
    work.thread.beyond[ all.target[ i ] ].above += all.range[ i ].is_above( all.weight[ i ] );
    work.thread.beyond[ all.target[ i ] ].below += all.range[ i ].is_below( all.weight[ i ] );
  }
}

inline void
begin( Group& group, const Pass& pass, const size_t tid )
{
  auto& thread = group.threads[ tid ];
  const size_t n = thread.node_ids.size();
  if ( pass.kind == MEASURE )
  {
    thread.sums.assign( n, Sum() );
    thread.scales.assign( pass.norm == SIGNED ? n : 0, Sum() );
  }
  else if ( counts( pass ) )
  {
    thread.beyond.assign( n, Beyond() );
  }
  else if ( pass.kind == TALLY )
  {
    thread.tallies.assign( n, Tally( pass.shifts ? std::numeric_limits< double >::infinity() : 0.0 ) );
    thread.quick.assign( is_quick( group, pass ) ? n : 0, QuickTally() );
    for ( size_t i = 0; i < thread.quick.size(); ++i )
    {
      const double x = pass.at ? pass.at[ thread.first + i ] : 1.0;
      thread.quick[ i ].find_limits( thread.tallies[ i ], x );
    }
  }
}

inline void
finish( Group& group, const Pass& pass, const size_t tid )
{
  auto& thread = group.threads[ tid ];
  const size_t n = thread.node_ids.size();
  const size_t all = group.num_targets();
  for ( size_t i = 0; i < n and not writes( pass ); ++i )
  {
    double* out = pass.out + thread.first + i;
    const auto write = [ & ]( std::initializer_list< double > values )
    {
      for ( const double value : values )
      {
        *out = value;
        out += all;
      }
    };
    const auto count = []( const Sum& sum ) { return static_cast< double >( sum.count ); };
    if ( pass.kind == MEASURE )
    {
      const auto& sum = thread.sums[ i ];
      write( { sum.total(), count( sum ), pass.norm == SIGNED ? thread.scales[ i ].total() : 0.0 } );
      continue;
    }
    if ( counts( pass ) )
    {
      const Beyond& beyond = thread.beyond[ i ];
      write( { 1.0 * beyond.above, 1.0 * beyond.below, 1.0 * beyond.close_to_zero } );
      continue;
    }
    Tally& t = thread.tallies[ i ];
    if ( not thread.quick.empty() )
    {
      thread.quick[ i ].hand_over( t );
    }
    const double outside = t.under + t.over;
    const Sum every = t.every();
    Sum bound = t.bound;
    if ( bounds_alike( group, pass ) )
    {
      const Work work( group, pass, tid, 0 );
      const auto term = [ & ]( const double value ) { return pass.shifts ? value : work.power_of( value ); };
      t.under ? bound.add_times( term( pass.low[ 0 ] ), t.under ) : void();
      t.over ? bound.add_times( term( pass.high[ 0 ] ), t.over ) : void();
    }
    write( { every.total(), count( t.free ) + count( t.low ) + count( t.high ) + outside } );
    write( { t.scale.total(), t.free.total(), count( t.free ), t.low.total(), count( t.low ) } );
    write( { t.high.total(), count( t.high ), bound.total(), outside } );
    for ( const double* events : { t.left.edge, t.left.slope, t.right.edge, t.right.slope } )
    {
      for ( size_t k = 0; k < num_events; ++k )
      {
        write( { events[ k ] } );
      }
    }
  }
}

} // namespace distnorm

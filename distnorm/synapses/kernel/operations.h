// What a pass does with connections that were gathered side by side; the same as norms.py and box.py do in numpy.

#pragma once

#include <initializer_list>

#include "pass.h"

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
      sums[ all.target[ i ] ].add_signed( all.weight[ i ] );
      scales[ all.target[ i ] ].add( std::abs( all.weight[ i ] ) );
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
      sums[ all.target[ i ] ].add( work.power_of( std::abs( all.weight[ i ] ) ) );
    }
  }
}

//! A weight, or its size, with the least and the largest that it may become.
struct Element
{
  double value;
  double low;
  double high;
  double x; //!< factor or shift
};

//! Calls body( i, target, element ) for the connections that are not left alone. Signed: values are weights, not sizes.
template < bool is_signed, typename Body >
void
for_each_element( const Work& work, const Buffer& all, Body body )
{
  const double* at = work.at();
  const double* flat = work.pass.flat ? work.pass.flat + work.thread.first : nullptr;
  const double none = work.pass.shifts ? 0.0 : 1.0;
  const Box box = work.box;
  for ( size_t i = 0; i < all.size; ++i )
  {
    const int32_t target = all.target[ i ];
    const double x = at ? at[ target ] : none;
    if ( x != x )
    {
      continue;
    }
    const double w = all.weight[ i ];
    double high = box.own_high ? all.high[ i ] : box.high;
    double low = box.own_low ? all.low[ i ] : box.low;
    low = low < high ? low : high;
    double value = std::abs( w );
    if ( is_signed )
    {
      value = w;
      if ( std::signbit( w ) )
      {
        const double least = -high;
        high = -low;
        low = least;
      }
    }
    else if ( value < tiny and flat and flat[ target ] > 0 )
    {
      value = 1.0;
    }
    body( i, target, Element { value, low, high, x } );
  }
}

template < bool shifts >
double
moved( const Element& e )
{
  return shifts ? e.value + e.x : e.x * e.value;
}

//! Whether a factor leaves a weight inside its box, by more than rounding, and beyond the events that are kept.
inline bool
surely_free( const Tally& tally, const Element& e )
{
  const double up = e.x > tally.farthest_right ? e.x : tally.farthest_right;
  const double down = e.x < -tally.farthest_left ? e.x : -tally.farthest_left;
  return e.high > e.value * up * ( 1 + margin ) and ( e.low == 0 ? e.x > 0 : e.low < e.value * down * ( 1 - margin ) );
}

//! The same for a weight beyond its upper bound.
inline bool
surely_over( const Tally& tally, const Element& e )
{
  const double down = e.x < -tally.farthest_left ? e.x : -tally.farthest_left;
  return e.high < e.value * down * ( 1 - margin ) and e.low == 0;
}

template < bool is_signed, bool shifts >
void
tally_elements( const Work& work, const Buffer& all )
{
  auto& tallies = work.thread.tallies;
  auto& rests = work.thread.rests;
  const bool sums_bounds = not work.counts_bounds;
  const bool sums_outside = not work.at();
  const auto edge = []( const double bound, const double value ) { return shifts ? bound - value : bound / value; };
  const auto term = [ & ]( const double value ) { return shifts ? value : work.power_of( value ); };
  const auto outside = [ & ]( const int32_t target, const double value, const double bound )
  {
    if ( sums_outside )
    {
      rests[ target ].outside.template add_as< is_signed >( term( value ) );
    }
    if ( sums_bounds )
    {
      rests[ target ].bound.template add_as< is_signed >( term( bound ) );
    }
  };
  for_each_element< is_signed >( work,
    all,
    [ & ]( size_t, const int32_t target, const Element& e )
    {
      Tally& tally = tallies[ target ];
      if ( not shifts ) // most weights need neither a division nor an event
      {
        if ( surely_free( tally, e ) )
        {
          tally.free.add( term( e.value ) );
          return;
        }
        if ( surely_over( tally, e ) )
        {
          ++tally.over;
          outside( target, e.value, e.high );
          return;
        }
      }
      TallyRest& rest = rests[ target ];
      const auto going_left = [ & ]( const double at, const double change )
      { rest.left.offer( -at, change, tally.farthest_left ); };
      const auto going_right = [ & ]( const double at, const double change )
      { rest.right.offer( at, change, tally.farthest_right ); };
      const double edge_low = edge( e.low, e.value );
      const double edge_high = edge( e.high, e.value );
      const double value = term( e.value );
      const double slope = shifts ? 1.0 : value;
      if ( is_signed )
      {
        rest.scale.add( std::abs( e.value ) );
      }
      // By x, not by the changed weight: rounding must not put a weight on another side of the edge that is reported.
      if ( e.x < edge_low )
      {
        ++tally.under;
        outside( target, e.value, e.low );
        going_right( edge_low, slope );
        going_right( edge_high, -slope );
      }
      else if ( e.x > edge_high )
      {
        ++tally.over;
        outside( target, e.value, e.high );
        going_left( edge_high, slope );
        going_left( edge_low, -slope );
      }
      else if ( e.x == edge_low )
      {
        rest.low.template add_as< is_signed >( value );
        going_right( edge_high, -slope );
      }
      else if ( e.x == edge_high )
      {
        rest.high.template add_as< is_signed >( value );
        going_left( edge_low, -slope );
      }
      else
      {
        tally.free.template add_as< is_signed >( value );
        going_left( edge_low, -slope );
        going_right( edge_high, -slope );
      }
    } );
}

//! For the norm LARGEST, where `at` holds goals.
inline void
tally_largest( const Work& work, const Buffer& all )
{
  auto& tallies = work.thread.tallies;
  for_each_element< false >( work,
    all,
    [ & ]( size_t, const int32_t target, const Element& e )
    {
      Tally& tally = tallies[ target ];
      TallyRest& rest = work.thread.rests[ target ];
      rest.low.high = e.low > rest.low.high ? e.low : rest.low.high;
      if ( e.value > 0 )
      {
        rest.high.high = e.high > rest.high.high ? e.high : rest.high.high;
        if ( e.high >= e.x )
        {
          tally.free.high = e.value > tally.free.high ? e.value : tally.free.high;
        }
      }
      tally.under += e.value < e.low;
      tally.over += e.value > e.high;
    } );
}

inline void
tally( const Work& work, const Buffer& all )
{
  if ( work.pass.norm == LARGEST )
  {
    tally_largest( work, all );
  }
  else if ( not work.pass.shifts )
  {
    tally_elements< false, false >( work, all );
  }
  else if ( work.pass.norm == SIGNED )
  {
    tally_elements< true, true >( work, all );
  }
  else
  {
    tally_elements< false, true >( work, all );
  }
}

template < bool is_signed, bool shifts >
void
move_elements( const Work& work, Buffer& all )
{
  for_each_element< is_signed >( work,
    all,
    [ & ]( const size_t i, int32_t, const Element& e )
    {
      const double y = moved< shifts >( e );
      const double size = y < e.low ? e.low : y > e.high ? e.high : y;
      const double weight = std::copysign( size, all.weight[ i ] );
      all.weight[ i ] = shifts and weight == 0.0 and std::signbit( weight ) ? -least : weight;
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
    for ( size_t i = 0; i < all.size; ++i )
    {
      all.weight[ i ] *= work.at()[ all.target[ i ] ];
    }
    break;
  case MOVE:
    move( work, all );
    break;
  }
}

inline bool
writes( const Pass& pass )
{
  return pass.kind == SCALE or pass.kind == MOVE;
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
  else if ( pass.kind == TALLY )
  {
    thread.tallies.assign( n, Tally( pass.shifts ? std::numeric_limits< double >::infinity() : 0.0 ) );
    thread.rests.assign( n, TallyRest() );
  }
}

inline void
finish( Group& group, const Pass& pass, const size_t tid )
{
  const auto& thread = group.threads[ tid ];
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
    const auto& t = thread.tallies[ i ];
    const auto& rest = thread.rests[ i ];
    const double outside = t.under + t.over;
    const Sum every = rest.with( t.free );
    Sum bound = rest.bound;
    if ( bounds_alike( group, pass ) )
    {
      const Work work( group, pass, tid, 0 );
      const auto term = [ & ]( const double value ) { return pass.shifts ? value : work.power_of( value ); };
      t.under ? bound.add_times( term( pass.low[ 0 ] ), t.under ) : void();
      t.over ? bound.add_times( term( pass.high[ 0 ] ), t.over ) : void();
    }
    write( { every.total(), count( t.free ) + count( rest.low ) + count( rest.high ) + outside } );
    write( { rest.scale.total(), t.free.total(), count( t.free ), rest.low.total(), count( rest.low ) } );
    write( { rest.high.total(), count( rest.high ), bound.total(), outside } );
    for ( const double* events : { rest.left.edge, rest.left.slope, rest.right.edge, rest.right.slope } )
    {
      for ( size_t k = 0; k < num_events; ++k )
      {
        write( { events[ k ] } );
      }
    }
  }
}

} // namespace distnorm

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

template < bool is_signed, bool shifts >
void
tally_elements( const Work& work, const Buffer& all )
{
  auto& tallies = work.thread.tallies;
  const auto edge = []( const double bound, const double value ) { return shifts ? bound - value : bound / value; };
  const auto term = [ & ]( const double value ) { return shifts ? value : work.power_of( value ); };
  for_each_element< is_signed >( work,
    all,
    [ & ]( size_t, const int32_t target, const Element& e )
    {
      Tally& tally = tallies[ target ];
      const double edge_low = edge( e.low, e.value );
      const double edge_high = edge( e.high, e.value );
      const double value = term( e.value );
      if ( is_signed )
      {
        tally.scale.add( std::abs( e.value ) );
      }
      // By x, not by the changed weight: rounding must not put a weight on another side of the edge that is reported.
      if ( e.x < edge_low )
      {
        tally.outside.template add_as< is_signed >( value );
        tally.bound.template add_as< is_signed >( term( e.low ) );
        tally.lower_right( edge_low );
      }
      else if ( e.x > edge_high )
      {
        tally.outside.template add_as< is_signed >( value );
        tally.bound.template add_as< is_signed >( term( e.high ) );
        tally.raise_left( edge_high );
      }
      else if ( e.x == edge_low )
      {
        tally.low.template add_as< is_signed >( value );
        tally.lower_right( edge_high );
      }
      else if ( e.x == edge_high )
      {
        tally.high.template add_as< is_signed >( value );
        tally.raise_left( edge_low );
      }
      else
      {
        tally.free.template add_as< is_signed >( value );
        tally.raise_left( edge_low );
        tally.lower_right( edge_high );
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
      tally.raise_left( e.low );
      if ( e.value > 0 )
      {
        tally.right = e.high > tally.right ? e.high : tally.right;
        if ( e.high >= e.x )
        {
          tally.free.high = e.value > tally.free.high ? e.value : tally.free.high;
        }
      }
      tally.outside.count += e.value < e.low or e.value > e.high;
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
      all.weight[ i ] = weight == 0.0 and std::signbit( weight ) ? -least : weight;
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
    const double least = pass.shifts ? -std::numeric_limits< double >::infinity() : 0.0;
    const double most = pass.norm == LARGEST ? 0.0 : std::numeric_limits< double >::infinity();
    thread.tallies.assign( n, Tally { .left = least, .right = most } );
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
    const Sum every = t.every();
    write( { every.total(), count( every ), t.scale.total(), t.free.total(), count( t.free ) } );
    write( { t.low.total(), count( t.low ), t.high.total(), count( t.high ) } );
    write( { t.bound.total(), count( t.outside ), t.left, t.right } );
  }
}

} // namespace distnorm

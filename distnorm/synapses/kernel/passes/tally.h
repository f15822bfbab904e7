// What a change would do to the weights of each target, as norms/bounds.py does in numpy.
//
// Most weights lie clearly inside their bounds, or clearly beyond one, and are only added up. Those near a bound
// take a division, and may be events.

#pragma once

#include <bit>

#include "passes/element.h"

namespace distnorm
{

//! Whether a factor leaves a weight inside its box, by more than rounding, and beyond the events that are kept.
inline bool
surely_free( const Tally& tally, const Element& e )
{
  const double up = e.x > tally.farthest_right ? e.x : tally.farthest_right;
  const double down = e.x < -tally.farthest_left ? e.x : -tally.farthest_left;
  return e.high > e.value * up * ( 1 + margin ) and ( e.low == 0 ? e.x > 0 : e.low < e.value * down * ( 1 - margin ) );
}

//! The same for a shift, whose edges are exact.
inline bool
surely_free_shifted( const Tally& tally, const Element& e )
{
  const double edge_low = e.low - e.value;
  const double edge_high = e.high - e.value;
  return e.x > edge_low and e.x < edge_high and -edge_low > tally.farthest_left and edge_high > tally.farthest_right;
}

//! A weight that may have events.
template < bool is_signed, bool shifts >
[[gnu::noinline]] void
tally_element( const Work& work, const int32_t target, const Element& e )
{
  Tally& tally = work.thread.tallies[ target ];
  const auto edge = []( const double bound, const double value ) {
    return shifts ? bound - value : bound / value == 0.0 and bound > 0.0 ? least : bound / value;
  };
  const auto term = [ & ]( const double value ) { return shifts ? value : work.power_of( value ); };
  const auto going_left = [ & ]( const double at, const double change )
  { tally.left.offer( -at, change, tally.farthest_left ); };
  const auto going_right = [ & ]( const double at, const double change )
  { tally.right.offer( at, change, tally.farthest_right ); };
  const auto outside = [ & ]( const double bound )
  {
    if ( not work.at() )
    {
      tally.outside.template add_as< is_signed >( term( e.value ) );
    }
    if ( not work.counts_bounds )
    {
      tally.bound.template add_as< is_signed >( term( bound ) );
    }
  };
  const double edge_low = edge( e.low, e.value );
  const double edge_high = edge( e.high, e.value );
  const double value = term( e.value );
  const double slope = shifts ? 1.0 : value;
  if ( is_signed )
  {
    tally.scale.add( std::abs( e.value ) );
  }
  // By x, not by the changed weight: rounding must not put a weight on another side of the edge that is reported.
  if ( e.x < edge_low )
  {
    ++tally.under;
    outside( e.low );
    going_right( edge_low, slope );
    going_right( edge_high, -slope );
  }
  else if ( e.x > edge_high )
  {
    ++tally.over;
    outside( e.high );
    going_left( edge_high, slope );
    going_left( edge_low, -slope );
  }
  else if ( e.x == edge_low )
  {
    tally.low.template add_as< is_signed >( value );
    going_right( edge_high, -slope );
  }
  else if ( e.x == edge_high )
  {
    tally.high.template add_as< is_signed >( value );
    going_left( edge_low, -slope );
  }
  else
  {
    tally.free.template add_as< is_signed >( value );
    going_left( edge_low, -slope );
    going_right( edge_high, -slope );
  }
}

template < bool is_signed, bool shifts >
void
tally_elements( const Work& work, const Buffer& all )
{
  for_each_element< is_signed >( work,
    all,
    [ & ]( size_t, const int32_t target, const Element& e )
    {
      Tally& tally = work.thread.tallies[ target ];
      if ( not is_signed and ( shifts ? surely_free_shifted( tally, e ) : surely_free( tally, e ) ) )
      {
        tally.free.add( shifts ? e.value : work.power_of( e.value ) );
        return;
      }
      tally_element< is_signed, shifts >( work, target, e );
    } );
}

//! All bits of a number, or zero: no branch, as which it is may be as good as random.
inline double
only_if( const bool condition, const double value )
{
  return std::bit_cast< double >( std::bit_cast< uint64_t >( value ) & -static_cast< uint64_t >( condition ) );
}

//! On which side of its bounds a change brings a weight, where that is sure.
struct Side
{
  bool free;
  bool under;
  bool over;
};

template < bool shifts >
Side
side_of( const QuickTally& tally, const Box& box, const double value )
{
  const bool unlimited = box.high == std::numeric_limits< double >::infinity();
  if ( shifts )
  {
    const double edge_low = box.low - value;
    const double edge_high = box.high - value;
    return { ( edge_low < tally.least ) & ( ( edge_high > tally.most ) | unlimited ),
      edge_low > tally.most,
      edge_high < tally.least };
  }
  return { ( value >= box.low * tally.most ) & ( ( value < box.high * tally.least ) | unlimited ),
    value < box.low * tally.least,
    value > box.high * tally.most };
}

template < bool shifts >
void
find_limits( QuickTally& quick, const Tally& tally, const double x )
{
  shifts ? quick.find_limits_of_shifts( tally, x ) : quick.find_limits( tally, x );
}

//! What tally_quickly leaves over: those of the block that may have events.
template < bool shifts >
void
tally_slowly( const Work& work, const Buffer& all, const uint16_t* which, const size_t number )
{
  constexpr size_t ahead = 8;
  Tally* tallies = work.thread.tallies.data();
  const double* at = work.at();
  for ( size_t i = 0; i < number; ++i )
  {
    const Tally* later = &tallies[ all.target[ which[ i + ahead < number ? i + ahead : i ] ] ];
    for ( const auto* part : { &later->farthest_left, &later->low.high, later->left.edge, later->right.edge } )
    {
      __builtin_prefetch( part, 1 );
    }
    const int32_t target = all.target[ which[ i ] ];
    const double value = std::abs( all.weight[ which[ i ] ] );
    const double x = at ? at[ target ] : work.no_change();
    tally_element< false, shifts >( work, target, Element { value, work.box.low, work.box.high, x } );
    find_limits< shifts >( work.thread.quick[ target ], tallies[ target ], x );
  }
}

//! The same as tally_elements< false, shifts >, where the pass is quick.
template < bool shifts, bool sums_outside >
void
tally_quickly( const Work& work, const Buffer& all )
{
  constexpr size_t ahead = 16;
  QuickTally* quick = work.thread.quick.data();
  const int whole = work.whole;
  const Box box = work.box;
  uint16_t others[ max_block_size ];
  size_t num_others = 0;
  for ( size_t i = 0; i < all.size; ++i )
  {
    __builtin_prefetch( &quick[ all.target[ i + ahead < all.size ? i + ahead : i ] ], 1 );
    const double value = std::abs( all.weight[ i ] );
    const double term = shifts ? value : multiplied_out( value, whole );
    QuickTally& tally = quick[ all.target[ i ] ];
    const auto [ free, under, over ] = side_of< shifts >( tally, box, value );
    others[ num_others ] = i;
    num_others += not( free | over | under );
    tally.free.add( only_if( free, term ) );
    tally.free_count += free;
    tally.under += under;
    tally.over += over;
    if ( sums_outside )
    {
      tally.outside.add( only_if( over | under, term ) );
    }
  }
  tally_slowly< shifts >( work, all, others, num_others );
}

template < bool shifts >
void
tally_quickly( const Work& work, const Buffer& all )
{
  work.at() ? tally_quickly< shifts, false >( work, all ) : tally_quickly< shifts, true >( work, all );
}

//! For the norm LINF, where `at` holds target norms.
inline void
tally_largest( const Work& work, const Buffer& all )
{
  auto& tallies = work.thread.tallies;
  for_each_element< false >( work,
    all,
    [ & ]( size_t, const int32_t target, const Element& e )
    {
      Tally& tally = tallies[ target ];
      tally.low.high = std::max( tally.low.high, e.low );
      if ( e.value > 0 )
      {
        tally.high.high = std::max( tally.high.high, e.high );
        if ( e.high >= e.x )
        {
          tally.free.high = std::max( tally.free.high, e.value );
        }
      }
      tally.under += e.value < e.low;
      tally.over += e.value > e.high;
    } );
}

inline void
tally( const Work& work, const Buffer& all )
{
  if ( work.quick )
  {
    work.pass.shifts ? tally_quickly< true >( work, all ) : tally_quickly< false >( work, all );
  }
  else if ( work.pass.norm == LINF )
  {
    tally_largest( work, all );
  }
  else
  {
    in_mode( work.pass, [ & ]< bool is_signed, bool shifts >() { tally_elements< is_signed, shifts >( work, all ); } );
  }
}

} // namespace distnorm

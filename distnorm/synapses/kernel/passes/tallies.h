// What a tally keeps of each target; see norms/bounds.py for the rows it ends in.

#pragma once

#include <algorithm>
#include <limits>
#include <utility>

#include "distnorm_shared.h"
#include "passes/sums.h"

namespace distnorm
{

//! The nearest of the events on one side: edges, ascending, and changes of the slope.
struct Events
{
  double edge[ num_events ];
  double slope[ num_events ];

  Events()
  {
    std::fill_n( edge, num_events, std::numeric_limits< double >::infinity() );
    std::fill_n( slope, num_events, 0.0 );
  }

  void
  add( double at, double change )
  {
    for ( size_t i = 0; i < num_events; ++i )
    {
      if ( at < edge[ i ] or ( at == edge[ i ] and change < slope[ i ] ) )
      {
        std::swap( at, edge[ i ] );
        std::swap( change, slope[ i ] );
      }
    }
  }

  //! Adds an event unless it lies too far; `farthest` is what lies too far, kept next to what is touched anyway.
  void
  offer( const double at, const double change, double& farthest )
  {
    if ( at < farthest or ( at == farthest and at == edge[ num_events - 1 ] and not std::isinf( at ) ) )
    {
      add( at, change );
      farthest = std::min( farthest, edge[ num_events - 1 ] );
    }
  }
};

struct alignas( 64 ) Tally
{
  double farthest_left; //!< edges from here on, negated, are no events that are kept
  double farthest_right = std::numeric_limits< double >::infinity();
  int64_t under = 0; //!< connections that the change would bring below their lower bound
  int64_t over = 0;  //!< and above their upper one
  Sum free;
  Sum low;
  Sum high;
  Sum outside; //!< before the change; summed up only where there is none
  Sum bound;   //!< after it; where the bounds are alike, `under` and `over` say as much
  Sum scale;
  Events left; //!< edges negated
  Events right;

  //! Nothing yet.
  explicit Tally( const double no_left )
    : farthest_left( no_left )
  {
  }

  Sum
  every() const
  {
    Sum result;
    for ( const Sum* part : { &free, &low, &high, &outside } )
    {
      result.add( *part );
    }
    return result;
  }
};

//! The part of a target's tally that most connections touch where all have the same bounds, in one cache line.
struct alignas( 64 ) QuickTally
{
  ShortSum free;
  ShortSum outside;
  // By more than rounding, and than any event that is kept, a weight is beyond its lower bound below low * least,
  // inside from low * most to high * least, beyond its upper bound above high * most. Where weights are shifted, these
  // are the least and the most of the shifts that matter, and exact.
  double least;
  double most;
  int32_t free_count = 0;
  int32_t under = 0;
  int32_t over = 0;

  //! With a factor x and the events so far.
  void
  find_limits( const Tally& tally, const double x )
  {
    constexpr double more = 1 + 0x1p-47; // of some roundings
    const double down = std::min( x, -tally.farthest_left );
    least = 1 / ( std::max( x, tally.farthest_right ) * more );
    most = x > 0 ? 1 / std::max( down, std::numeric_limits< double >::min() ) * more : NAN;
  }

  //! With a shift x and the events so far.
  void
  find_limits_of_shifts( const Tally& tally, const double x )
  {
    least = std::min( x, -tally.farthest_left );
    most = std::max( x, tally.farthest_right );
  }

  //! Adds to the tally what was kept here.
  void
  hand_over( Tally& tally ) const
  {
    tally.free.add( Sum { free.high, free.low, free_count } );
    tally.outside.add( Sum { outside.high, outside.low } );
    tally.under += under;
    tally.over += over;
  }
};

static_assert( sizeof( QuickTally ) == 64 );

} // namespace distnorm

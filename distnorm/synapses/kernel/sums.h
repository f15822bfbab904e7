// What is summed up per target.

#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <utility>

namespace distnorm
{

//! Sum over the incoming connections of a target, as the unevaluated sum high + low + lowest.
struct alignas( 32 ) Sum
{
  double high = 0.0;
  double low = 0.0;
  int64_t count = 0;
  double lowest = 0.0;

  //! Knuth's TwoSum: adds to `to` and returns what the rounding lost.
  static double
  add_to( double& to, const double value )
  {
    const double total = to + value;
    const double part = total - to;
    const double lost = ( to - ( total - part ) ) + ( value - part );
    to = total;
    return lost;
  }

  //! For terms of one sign: about 106 bits, so that the rounded total does not depend on the order of the connections.
  void
  add( const double value )
  {
    low += add_to( high, value );
    ++count;
  }

  //! A term several times, exactly; does not count.
  void
  add_times( const double value, const double times )
  {
    const double product = value * times;
    add_signed( product );
    add_signed( std::fma( value, times, -product ) );
    count -= 2;
  }

  //! For terms that may cancel: about 159 bits.
  void
  add_signed( const double value )
  {
    lowest += add_to( low, add_to( high, value ) );
    ++count;
  }

  template < bool is_signed >
  void
  add_as( const double value )
  {
    is_signed ? add_signed( value ) : add( value );
  }

  void
  add( const Sum& other )
  {
    const int64_t both = count + other.count;
    add_signed( other.high );
    add_signed( other.low );
    add_signed( other.lowest );
    count = both;
  }

  //! The largest value in place of a sum; one that is no number stays.
  void
  raise( const double value )
  {
    high = value > high or value != value ? value : high;
    ++count;
  }

  double
  total() const
  {
    double first = high;
    const double second = add_to( first, low );
    return lowest == 0.0 ? first : first + ( second + lowest );
  }
};

constexpr size_t num_events = 8; // as in box.py

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
    if ( at < farthest or ( at == farthest and at == edge[ num_events - 1 ] ) )
    {
      add( at, change );
      farthest = std::min( farthest, edge[ num_events - 1 ] );
    }
  }
};

//! What most connections touch of a target's tally, in one cache line; with `TallyRest` the rows of box.py.
struct alignas( 64 ) Tally
{
  Sum free;
  double farthest_left;
  double farthest_right = std::numeric_limits< double >::infinity();
  int64_t under = 0; //!< connections that the change would bring below their lower bound
  int64_t over = 0;  //!< and above their upper one

  //! Nothing yet; edges from the given one on, negated, are no events on the left.
  explicit Tally( const double no_left )
    : farthest_left( no_left )
  {
  }
};

struct TallyRest
{
  Sum low;
  Sum high;
  Sum outside; //!< before the change; summed up only where there is none
  Sum bound;   //!< after it; where the bounds are alike, `under` and `over` say as much
  Sum scale;
  Events left; //!< edges negated
  Events right;

  Sum
  with( const Sum& free ) const
  {
    Sum result;
    for ( const Sum* part : { &free, &low, &high, &outside } )
    {
      result.add( *part );
    }
    return result;
  }
};

} // namespace distnorm

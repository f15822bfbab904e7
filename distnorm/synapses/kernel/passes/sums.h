// What is summed up per target.

#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>

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
    if ( not std::isinf( other.high ) ) // else the rest is what an overflow leaves, no number
    {
      add_signed( other.low );
      add_signed( other.lowest );
    }
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
    if ( std::isinf( first ) )
    {
      return first;
    }
    const double second = add_to( first, low );
    return lowest == 0.0 ? first : first + ( second + lowest );
  }

  //! What the rounding of the total leaves.
  double
  rest() const
  {
    double first = high;
    if ( not std::isfinite( first ) )
    {
      return 0.0;
    }
    const double second = add_to( first, low );
    return lowest == 0.0 ? second : add_to( first, second + lowest );
  }
};

//! A sum as the first two numbers of Sum.
struct ShortSum
{
  double high = 0.0;
  double low = 0.0;

  void
  add( const double value )
  {
    low += Sum::add_to( high, value );
  }

  double
  total() const
  {
    return high + low;
  }
};

//! What is asked of the weights of a target beside their norm, in one cache line.
struct alignas( 64 ) Moments
{
  ShortSum sum;
  ShortSum squares;
  double least = std::numeric_limits< double >::infinity();
  double largest = -std::numeric_limits< double >::infinity();
  int64_t count = 0;

  void
  add( const double value )
  {
    sum.add( value );
    squares.add( value * value );
    least = value < least ? value : least;
    largest = value > largest ? value : largest;
    ++count;
  }
};

} // namespace distnorm

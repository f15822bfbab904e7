// How the weights of a rule are distributed; the same as norms/histogram.py does in numpy.

#pragma once

#include <algorithm>
#include <bit>

#include "distnorm_shared.h"
#include "passes/range.h"

namespace distnorm
{

__extension__ using Int128 = __int128;
__extension__ using UInt128 = unsigned __int128;

//! Of the weights of a group on one thread. All sums are of whole numbers, so the order does not matter.
struct alignas( 64 ) Histogram
{
  const double* edges = nullptr; //!< of the bins, ascending, the last just above; null: only extents are found
  double low = 0.0;
  double per_width = 0.0;
  double per_unit = 0.0;
  double least = std::numeric_limits< double >::infinity();
  double largest = -std::numeric_limits< double >::infinity();
  Int128 total = 0;    //!< of weights in units
  UInt128 squares = 0; //!< of their squares
  int64_t at_limit = 0;
  double limit_low = std::numeric_limits< double >::infinity(); //!< extents of the limits of synapses
  double limit_high = -std::numeric_limits< double >::infinity();
  int64_t counts[ num_bins + 2 ] = {}; //!< below, by bin, above

  Histogram() = default;

  explicit Histogram( const Pass& pass )
    : edges( pass.edges )
    , low( edges ? edges[ 0 ] : 0.0 )
    , per_width( edges ? num_bins / ( edges[ num_bins ] - edges[ 0 ] ) : 0.0 )
    , per_unit( pass.per_unit )
  {
  }

  void
  add( const double weight, const Range& range )
  {
    if ( weight < least ) // as it seldom is
    {
      least = weight;
    }
    if ( weight > largest )
    {
      largest = weight;
    }
    if ( not edges )
    {
      add_limit( range.least );
      add_limit( range.most );
      return;
    }
    ++counts[ 1 + bin_of( weight ) ];
    const int64_t number = in_units( weight );
    total += number;
    squares += static_cast< UInt128 >( static_cast< Int128 >( number ) * number );
    at_limit += range.is_at_limit( weight );
  }

  //! Adds this to rows, which several threads write to, one after the other.
  void
  add_to( double* row ) const
  {
    for ( size_t i = 0; i < num_bins + 2; ++i )
    {
      row[ watched::counts + i ] += counts[ i ];
    }
    row[ watched::at_limit ] += at_limit;
    for ( size_t limb = 0; limb < 4; ++limb ) // of 32 bits; the highest has the sign
    {
      const auto mask = limb < 3 ? Int128 { 0xffffffff } : Int128 { -1 };
      row[ watched::total0 + limb ] += static_cast< double >( ( total >> 32 * limb ) & mask );
      row[ watched::squares0 + limb ] += static_cast< double >( static_cast< uint32_t >( squares >> 32 * limb ) );
    }
    row[ watched::least ] = std::min( row[ watched::least ], least );
    row[ watched::largest ] = std::max( row[ watched::largest ], largest );
    row[ watched::limit_low ] = std::min( row[ watched::limit_low ], limit_low );
    row[ watched::limit_high ] = std::max( row[ watched::limit_high ], limit_high );
  }

private:
  //! From -1, below, to num_bins, above and for what is no number. What rounding gets wrong, the edges put right.
  int64_t
  bin_of( const double weight ) const
  {
    constexpr double last = num_bins - 1;
    const double place = ( weight - low ) * per_width;
    const auto bin = static_cast< int64_t >( place < last ? ( place > 0.0 ? place : 0.0 ) : last );
    return bin + not( weight < edges[ bin + 1 ] ) - ( weight < edges[ bin ] );
  }

  //! The nearest whole number of units, but no larger than what sums have room for.
  int64_t
  in_units( const double weight ) const
  {
    constexpr double shift = 0x1.8p52; // then the last bit of the mantissa counts ones
    const double number = weight * per_unit;
    const double inside = number < most_units ? ( number > -most_units ? number : -most_units ) : most_units;
    return std::bit_cast< int64_t >( inside + shift ) - std::bit_cast< int64_t >( shift );
  }

  void
  add_limit( const double limit )
  {
    if ( std::isfinite( limit ) )
    {
      limit_low = std::min( limit_low, limit );
      limit_high = std::max( limit_high, limit );
    }
  }
};

} // namespace distnorm

// Between which weights a synapse model keeps a connection, and on which side of zero; limits.py does the same.

#pragma once

#include <cmath>
#include <cstdint>
#include <limits>

#include "distnorm_shared.h"

namespace distnorm
{

//! Wmin and Wmax; NaN where a model has none.
struct Range
{
  double least = std::numeric_limits< double >::quiet_NaN();
  double most = std::numeric_limits< double >::quiet_NaN();

  //! A weight; zero gets the sign of its side, and keeps its own where the model has no side.
  double
  on_side( const double weight ) const
  {
    if ( weight != 0.0 )
    {
      return weight;
    }
    if ( most < 0.0 or ( most == 0.0 and least < 0.0 ) )
    {
      return -0.0;
    }
    return most >= 0.0 and not( least < 0.0 ) ? 0.0 : weight;
  }

  //! Smallest |w| of a weight of this sign.
  double
  smallest( const double weight ) const
  {
    const double low = std::signbit( weight ) ? -most : least;
    return has_least() and low > 0.0 ? low : 0.0;
  }

  //! Largest |w| of a weight of this sign.
  double
  largest( const double weight ) const
  {
    const double high = std::signbit( weight ) ? -least : most;
    const double size = not has_least() ? std::abs( most ) : high < 0.0 ? 0.0 : high;
    return std::isnan( size ) ? std::numeric_limits< double >::infinity() : size;
  }

  //! Whether NEST brings a weight down to Wmax.
  bool
  is_above( const double weight ) const
  {
    return has_least() ? weight > most : std::abs( weight ) > std::abs( most );
  }

  //! Whether NEST lifts a weight to Wmin.
  bool
  is_below( const double weight ) const
  {
    return weight < least;
  }

  //! Whether a weight is zero, or at or beyond Wmax or Wmin.
  bool
  is_at_limit( const double weight ) const
  {
    const bool at_most = has_least() ? weight >= most : std::abs( weight ) >= std::abs( most );
    return ( weight == 0.0 ) | at_most | ( weight <= least );
  }

  //! Whether a weight is almost nothing beside what its synapse allows.
  bool
  is_close_to_zero( const double weight ) const
  {
    const double size = largest( weight );
    return std::isfinite( size ) and std::abs( weight ) < closeness * size;
  }

private:
  bool
  has_least() const
  {
    return not std::isnan( least );
  }
};

//! How many weights of a target a change brings beyond the limits of their synapses; see `counted`.
struct Beyond
{
  int64_t above = 0;
  int64_t below = 0;
  int64_t close_to_zero = 0; //!< before
};

} // namespace distnorm

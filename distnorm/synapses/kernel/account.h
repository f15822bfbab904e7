// What an exactly normalized target keeps: its weights are stored in units of one factor, weight = raw * g, with
// g = target norm / norm of the raw weights. So a change of one weight rescales all others, and costs no other access.

#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <memory>
#include <vector>

#include "nest_private.h"

namespace distnorm
{

constexpr double never = std::numeric_limits< double >::infinity();

//! State of one target, a cache line. All zero but g: not held, and its connections are those of the parent model.
struct alignas( 64 ) Account
{
  double g = 1.0;           //!< weight per raw weight, constant within a slice
  double sum = 0.0;         //!< of |raw|^power, without what is pending and changed
  double target_norm = 0.0; //!< 0: not known yet
  double scale = 0.0;       //!< fixed point units per unit of sum, a power of two; 0: not held
  double trusted = 0.0;     //!< g follows the sum down to this; `never`: g stays until the sum is measured anew
  int64_t pending = 0;      //!< learned in the slice, in fixed point: does not depend on the order of the spikes
  int64_t changed = 0;      //!< connected, removed and set between Simulates, in fixed point
  int32_t slice = 0;        //!< to which pending belongs
  float deviation = 0.0;    //!< largest |norm / target norm - 1| at the end of a slice, before g followed

  bool
  is_held() const
  {
    return scale != 0.0;
  }

  //! The factor of a sum.
  double
  factor( const double of_sum, const int power ) const
  {
    return target_norm / ( power == 1 ? of_sum : std::sqrt( of_sum ) );
  }

  //! The factor by which weights are read between Simulates: with all that was learned, wherever a slice was cut.
  double
  read_factor( const int power ) const
  {
    const double now = sum + static_cast< double >( pending ) / scale;
    return pending == 0 or not( now > trusted ) ? g : factor( now, power );
  }

  float
  read_deviation( const int power ) const
  {
    const double ratio = pending == 0 ? 1.0 : std::max( 0.0, 1.0 + static_cast< double >( pending ) / ( scale * sum ) );
    return std::max( deviation, static_cast< float >( std::abs( ( power == 1 ? ratio : std::sqrt( ratio ) ) - 1.0 ) ) );
  }

  //! Brings the account to a slice; at its first event, g follows what was learned before.
  void
  enter( const int32_t now, const int power )
  {
    if ( slice == now )
    {
      return;
    }
    deviation = read_deviation( power );
    slice = now;
    if ( ( pending | changed ) != 0 )
    {
      settle( sum + ( static_cast< double >( pending ) + static_cast< double >( changed ) ) / scale, power );
    }
  }

  //! From a sum that was measured. Without weights the target is not held.
  void
  anchor( const double measured, const int power )
  {
    const bool can_be_held = measured > 0.0 and target_norm > 0.0;
    trusted = 0.0;
    if ( can_be_held )
    {
      settle( measured, power );
      trusted = std::ldexp( measured, -trusted_bits );
    }
    else
    {
      *this = Account { .target_norm = target_norm };
    }
  }

  //! Adds a change of |raw|^power to one of the two accounts.
  void
  add( int64_t& account, const double change )
  {
    const double units = change * scale;
    if ( is_held() and std::abs( units ) < largest_change )
    {
      account += std::llrint( units );
    }
    else // a run-away or not finite weight, or the first one of a target: needs measuring
    {
      trusted = never;
    }
  }

private:
  // Errors made when the sum was larger stay: it may fall to 2^-10 of what was measured, for 1e-13 of the norm.
  static constexpr int trusted_bits = 10;
  // The sum has this many bits in fixed point, so rounding is to 1e-17 of it, and may grow 64-fold in a slice.
  static constexpr int sum_bits = 56;
  static constexpr double largest_change = 0x1p60;

  void
  settle( const double new_sum, const int power )
  {
    pending = changed = 0;
    sum = new_sum;
    if ( not( new_sum > trusted and new_sum < largest_sum ) )
    {
      trusted = never;
      return;
    }
    g = factor( new_sum, power );
    scale = std::ldexp( 1.0, sum_bits - std::ilogb( new_sum ) );
  }

  static constexpr double largest_sum = 0x1p900;
};
static_assert( sizeof( Account ) == 64 );

//! The accounts of a synapse model on a thread, by thread-local node index.
struct Slot
{
  Account* accounts = nullptr;
  size_t size = 0;
  int power = 1;

  Account*
  find( const size_t node ) const
  {
    return node < size ? accounts + node : nullptr;
  }
};

//! Those of the synapse models of one rule, which share them.
struct Store
{
  std::vector< nest::synindex > synapse_ids;
  int power;
  std::vector< std::vector< Account > > threads;
};

inline std::vector< std::unique_ptr< Store > > stores;
inline std::vector< std::vector< Slot > > slots; //!< [ thread ][ synapse model ], views into stores

inline const Slot&
slot_of( const size_t tid, const nest::synindex synapse_id )
{
  return slots[ tid ][ synapse_id ];
}

} // namespace distnorm

// What an exactly normalized target keeps: its weights are stored in units of one factor, weight = raw * g, with
// g = target norm / norm of the raw weights. So a change of one weight rescales all others, and costs no other access.
//
// Only what is learned is added up. After any other change, and where adding up does not suffice, the account is stale:
// its thread measures it in place before the target's next event (measure.h), so no norm hangs on a bookkeeper.

#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <memory>
#include <vector>

#include "nest_access.h"
#include "passes/sums.h"

namespace distnorm
{

constexpr double never = std::numeric_limits< double >::infinity();
constexpr int32_t no_slice = -1;

inline double
root( const double sum, const int power )
{
  return power == 1 ? sum : std::sqrt( sum );
}

inline double
term( const double weight, const int power )
{
  return power == 1 ? std::abs( weight ) : weight * weight;
}

//! Of a target's connections: sums of |w|^power where w is the raw weight, the synapse's Wmin and its Wmax.
struct Totals
{
  Sum raw;
  Sum least;
  Sum largest;
  bool has_largest = true;
};

//! Which norm a rule wants for a target. All zero: none.
struct Wanted
{
  double norm = 0.0;        //!< NaN: the one that it has when it is first measured and not zero
  double mean_weight = 0.0; //!< in place of the norm: that of this weight at each of its connections

  bool
  is_none() const
  {
    return norm == 0.0 and mean_weight == 0.0;
  }

  //! The norm, as near as the bounds of its connections allow.
  double
  nearest( const Totals& of, const int power ) const
  {
    constexpr double rounding = 1.0 + 0x1p-48;
    const double exact = mean_weight == 0.0 ? norm : mean_weight * root( static_cast< double >( of.raw.count ), power );
    const double least = root( of.least.total(), power );
    const double largest = of.has_largest ? root( of.largest.total(), power ) : never;
    return exact > largest * rounding ? largest : exact * rounding < least ? least : exact;
  }
};

//! State of one target, a cache line.
struct alignas( 64 ) Account
{
  __extension__ using Units = __int128;
  enum State : int16_t
  {
    FREE,  // no rule wants a norm of it, and its connections are those of the parent model
    HELD,  // g follows what is learned
    ZERO,  // all its weights are zero, or it has none
    STALE, // to be measured before its next event in another slice
  };

  double g = 1.0;           //!< weight per raw weight, constant within a slice
  double sum = 0.0;         //!< of |raw|^power, without what is pending
  double target_norm = 0.0; //!< as near to what is wanted as can be
  double scale = 0.0;       //!< fixed point units per unit of sum, a power of two; 0: not measured, or zero
  Units pending = 0;        //!< learned in the slice, in fixed point: does not depend on the order of the spikes
  int32_t slice = no_slice; //!< to which pending belongs; none: connections were made, removed or set since
  float deviation = 0.0;    //!< largest |norm / target norm - 1| at the end of a slice, before g followed
  int16_t exponent = 0;     //!< of the sum when it was measured
  State state = FREE;

  //! The factor by which weights are read between Simulates: with all that was learned, wherever a slice was cut.
  double
  read_factor( const int power ) const
  {
    const double now = with_pending();
    return pending != 0 and now > 0.0 ? factor( now, power ) : g;
  }

  float
  read_deviation( const int power ) const
  {
    return pending == 0 ? deviation : larger_deviation( with_pending(), power );
  }

  //! To be measured, if a rule wants a norm; weights until then read as they are now. Returns their factor.
  double
  touch( const int power )
  {
    if ( state != FREE )
    {
      deviation = read_deviation( power );
      await_measuring( power );
    }
    return g;
  }

  void
  await_measuring( const int power )
  {
    g = read_factor( power );
    pending = 0;
    state = STALE;
    slice = no_slice;
  }

  //! g follows what was learned, or the account is stale.
  void
  follow( const int power )
  {
    if ( pending == 0 or state != HELD )
    {
      return;
    }
    const double now = with_pending();
    const int growth = now > 0.0 ? std::ilogb( now ) - exponent : smallest_growth - 1;
    if ( growth < smallest_growth or growth > largest_growth )
    {
      state = STALE;
      return;
    }
    deviation = read_deviation( power );
    settle( now, power );
  }

  //! What the raw weights are to be multiplied by, before the account is anchored: 1, or a power of two that changes no
  //! bit of a weight, or, where no norm can be held, their factor.
  double
  rebasing( const Totals& of, const Wanted& wanted, const int power ) const
  {
    const double measured = of.raw.total();
    if ( not can_hold( measured, wanted ) )
    {
      return g;
    }
    const int exponent_of_norm = std::ilogb( measured ) / power;
    return std::abs( exponent_of_norm ) > largest_exponent ? std::ldexp( 1.0, -exponent_of_norm ) : 1.0;
  }

  //! The raw weights, whose totals these are, are multiplied.
  void
  rebase( Totals& of, const double factor, const int power )
  {
    const double of_terms = power == 1 ? factor : factor * factor;
    g /= factor;
    sum *= of_terms;
    of.raw = { .high = of.raw.total() * of_terms, .count = of.raw.count };
  }

  //! From sums that were measured.
  void
  anchor( const Totals& of, Wanted& wanted, const int power )
  {
    const double measured = of.raw.total();
    if ( slice != no_slice and scale != 0.0 )
    {
      deviation = larger_deviation( measured, power );
    }
    if ( not can_hold( measured, wanted ) )
    {
      *this = { .slice = slice, .deviation = deviation, .state = wanted.is_none() ? FREE : ZERO };
      return;
    }
    if ( std::isnan( wanted.norm ) )
    {
      wanted.norm = root( measured, power ) * g;
    }
    target_norm = wanted.nearest( of, power );
    exponent = static_cast< int16_t >( std::ilogb( measured ) );
    state = HELD;
    settle( measured, power );
  }

  //! Adds a change of |raw|^power.
  void
  add( const double change )
  {
    const double units = change * scale;
    const double size = std::abs( units );
    if ( scale == 0.0 or not( size < largest_change ) )
    {
      state = STALE; // the first weight, a run-away one, or none that is finite
    }
    else
    {
      pending += size < one_word ? static_cast< Units >( std::llrint( units ) ) : static_cast< Units >( units );
    }
  }

private:
  // Errors made when the sum was larger stay: it may fall to 2^-10 of what was measured, for 1e-13 of the norm. A raw
  // weight must not overflow, long before which it is rebased.
  static constexpr int smallest_growth = -10, largest_growth = 200;
  // A norm of the raw weights this far from 1 is rebased.
  static constexpr int largest_exponent = 32;
  // The sum has this many bits in fixed point, so rounding is to 1e-17 of it.
  static constexpr int sum_bits = 56;
  // A sum may grow 2^52-fold by one change, and a hundred thousand of these in a slice are added up right.
  static constexpr double largest_change = 0x1p108, one_word = 0x1p62;

  static bool
  can_hold( const double sum, const Wanted& wanted )
  {
    return not wanted.is_none() and sum > 0x1p-900 and sum < 0x1p900; // not zero, and finite
  }

  double
  factor( const double of_sum, const int power ) const
  {
    return target_norm / root( of_sum, power );
  }

  double
  with_pending() const
  {
    return pending == 0 ? sum : sum + static_cast< double >( pending ) / scale;
  }

  float
  larger_deviation( const double now, const int power ) const
  {
    const double ratio = root( std::max( 0.0, now / sum ), power );
    return std::max( deviation, static_cast< float >( std::abs( ratio - 1.0 ) ) );
  }

  void
  settle( const double new_sum, const int power )
  {
    pending = 0;
    sum = new_sum;
    g = factor( new_sum, power );
    scale = std::ldexp( 1.0, sum_bits - std::ilogb( new_sum ) );
  }
};
static_assert( sizeof( Account ) == 64 );

struct Store;

//! The accounts of a synapse model on a thread, by thread-local node index.
struct Slot
{
  Account* accounts = nullptr;
  size_t size = 0;
  int power = 1;
  Store* store = nullptr;

  Account*
  find( const size_t node ) const
  {
    return node < size ? accounts + node : nullptr;
  }

  //! What a raw weight onto the node is multiplied by.
  double
  read_factor( const size_t node ) const
  {
    const Account* account = find( node );
    return account ? account->read_factor( power ) : 1.0;
  }
};

//! Those of the synapse models of one rule, which share them.
struct Store
{
  struct Thread
  {
    std::vector< Account > accounts;
    std::vector< Wanted > wanted;
  };
  std::vector< nest::synindex > synapse_ids;
  int power;
  std::vector< Thread > threads;
};

inline std::vector< std::unique_ptr< Store > > stores;
inline std::vector< std::vector< Slot > > slots; //!< [ thread ][ synapse model ], views into stores

inline const Slot&
slot_of( const size_t tid, const nest::synindex synapse_id )
{
  return slots[ tid ][ synapse_id ];
}

//! Measures the stale accounts of a thread, in place, but those that became so in this slice.
[[gnu::cold]] inline void measure( Store& store, size_t tid, int32_t slice );

} // namespace distnorm

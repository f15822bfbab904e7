// What a library tests of its own arithmetic when it is loaded. Options such as -ffast-math, or a compiler that takes
// them for granted, break what norms rest on, and nothing else would show it.

#pragma once

#include "passes/operations.h"

namespace distnorm
{

//! Two targets, of which one is left alone (NaN) and the other doubled, inside an upper bound.
inline bool
does_a_pass( const double none, const double two )
{
  Group group { .synapse_ids = { 0 }, .threads = std::vector< ThreadTargets >( 1 ) };
  group.threads[ 0 ].node_ids = { 1, 2 };
  const double at[] = { none, two };
  const double low[] = { 0.0 }, high[] = { 1.5 };
  const Pass pass { .kind = MOVE, .norm = L1, .power = 1.0, .at = at, .low = low, .high = high };
  const Work work( group, pass, 0, 0 );
  Buffer all;
  all.size = 2;
  for ( size_t i = 0; i < all.size; ++i )
  {
    all.weight[ i ] = 0.5 * two;
    all.target[ i ] = 1;
  }
  operate( work, all );
  return work.leaves_alone( 0 ) and not work.leaves_alone( 1 ) and all.weight[ 0 ] == 1.5
    and moved_quickly< false >( work.box, none, -2.0 ) == -2.0 and moved_quickly< false >( work.box, two, -0.5 ) == -1.0
    and moved_quickly< true >( work.box, two, -0.5 ) == -1.5;
}

//! What is wrong; null if nothing is.
inline const char*
self_test()
{
  constexpr double infinite = std::numeric_limits< double >::infinity();
  // Volatile: computed when this runs, not by the compiler.
  volatile double none = std::numeric_limits< double >::quiet_NaN(), zero = 0.0, two = 2.0, large = 1e100;
  volatile double close = 1.0 + 0x1p-30;
  const double number = none;
  if ( number == number or not std::isnan( number ) or number < zero or std::isfinite( infinite * two ) )
  {
    return "it takes NaN and infinity for numbers, as -ffast-math and -ffinite-math-only do";
  }
  if ( not std::signbit( zero * -two ) )
  {
    return "it drops the sign of zero, as -ffast-math and -fno-signed-zeros do";
  }
  Sum sum;
  for ( const double term : { 1.0, large * 1.0, 1.0, large * -1.0 } )
  {
    sum.add_signed( term );
  }
  if ( sum.total() != two )
  {
    return "it adds up in another order than written, as -ffast-math and -fassociative-math do";
  }
  const double square = close * close;
  if ( square - ( 1.0 + 0x1p-29 ) != zero )
  {
    return "it does not round products, as -ffp-contract=fast and -mfpmath=387 do not";
  }
  return does_a_pass( none, two ) ? nullptr : "a pass over two weights goes wrong";
}

} // namespace distnorm

// Connections as rows, read and written back a block at a time: what a checkpoint needs. Rows of one model on one of
// NEST's threads are numbered as NEST numbers them. Any thread may call these functions, several at a time for
// different threads of NEST; none allocates memory per connection.

#pragma once

#include "types.h"

namespace distnorm
{

inline int64_t
count_rows( const int64_t tid, const int64_t synapse_id )
{
  return number_of_connections( tid, synapse_id );
}

//! Reads rows first ... first + number - 1 with their state, row by row.
inline void
get_rows( const int64_t tid,
  const int64_t synapse_id,
  const int64_t first,
  const int64_t number,
  Row* rows,
  double* state )
{
  auto& connector = *find_connector( tid, synapse_id );
  find_compiled_type( synapse_id ).get_rows( connector, tid, first, std::span( rows, number ), state );
}

//! Writes weights and state of rows first ... first + number - 1; that they belong there is for the caller to know.
inline void
set_rows( const int64_t tid,
  const int64_t synapse_id,
  const int64_t first,
  const int64_t number,
  const Row* rows,
  const double* state )
{
  auto& connector = *find_connector( tid, synapse_id );
  find_compiled_type( synapse_id ).set_rows( connector, first, std::span( rows, number ), state );
}

//! All bits of the result depend on all bits of the value (the finalizer of Steele, Lea & Flood's SplitMix, 2014).
inline uint64_t
mixed( uint64_t value )
{
  value += 0x9e3779b97f4a7c15;
  value = ( value ^ ( value >> 30 ) ) * 0xbf58476d1ce4e5b9;
  value = ( value ^ ( value >> 27 ) ) * 0x94d049bb133111eb;
  return value ^ ( value >> 31 );
}

//! Sum over rows of a hash of what tells connections apart: the same whatever their order.
inline uint64_t
fingerprint( const int64_t number, const Row* rows )
{
  uint64_t sum = 0;
  for ( const Row& row : std::span( rows, number ) )
  {
    const uint64_t pair = ( static_cast< uint64_t >( row.source ) << 32 ) | row.target;
    const uint64_t kind = ( static_cast< uint64_t >( row.delay_steps ) << 16 ) | row.receptor;
    sum += mixed( mixed( pair ) ^ kind );
  }
  return sum;
}

} // namespace distnorm

// How the messages of two ranks become one; the same as mpi/message.py does in numpy.

#pragma once

#include <algorithm>
#include <cstring>

#include "nest_access.h" // first: NEST's headers lean on it

#include "distnorm_shared.h"

namespace distnorm
{

inline void
merge( DriftRecord& into, const DriftRecord& other )
{
  if ( other.worst_target > 0
    and ( other.max > into.max or into.worst_target == 0
      or ( other.max == into.max and other.worst_target < into.worst_target ) ) )
  {
    into.worst_target = other.worst_target;
  }
  into.max = std::max( into.max, other.max );
  into.unreachable_max = std::max( into.unreachable_max, other.unreachable_max );
  into.clipped_off_max = std::max( into.clipped_off_max, other.clipped_off_max );
  add_drift_counts( into, other ); // generated
  for ( size_t i = 0; i < num_drift_bins; ++i )
  {
    into.histogram[ i ] += other.histogram[ i ];
  }
}

inline void
merge( WatchedRecord& into, const WatchedRecord& other )
{
  into.least = std::min( into.least, other.least );
  into.largest = std::max( into.largest, other.largest );
  add_watched_counts( into, other ); // generated
  for ( size_t i = 0; i < num_bins + 2; ++i )
  {
    into.counts[ i ] += other.counts[ i ];
  }
}

//! Goes on behind the records.
template < typename Record >
void
merge_records( char*& into, const char*& other, const int32_t number )
{
  for ( int32_t i = 0; i < number; ++i, into += sizeof( Record ), other += sizeof( Record ) )
  {
    merge( *reinterpret_cast< Record* >( into ), *reinterpret_cast< const Record* >( other ) );
  }
}

//! Number of bytes of a message.
inline size_t
size_of( const MessageHeader& header )
{
  return sizeof( MessageHeader ) + header.num_drifts * sizeof( DriftRecord )
    + header.num_histograms * sizeof( WatchedRecord );
}

inline void
merge_messages( char* into, const char* other )
{
  auto& header = *reinterpret_cast< MessageHeader* >( into );
  const auto& others = *reinterpret_cast< const MessageHeader* >( other );
  header.wrong = std::max( header.wrong, others.wrong );
  if ( others.busy_ns > header.busy_ns or ( others.busy_ns == header.busy_ns and others.slowest < header.slowest ) )
  {
    header.busy_ns = others.busy_ns;
    header.slowest = others.slowest;
  }
  into += sizeof( MessageHeader );
  other += sizeof( MessageHeader );
  merge_records< DriftRecord >( into, other, header.num_drifts );
  merge_records< WatchedRecord >( into, other, header.num_histograms );
}

#ifdef HAVE_MPI
//! As MPI calls it: elements of a type as large as a message.
extern "C" inline void
dn_merge_all( void* other, void* into, int* number, MPI_Datatype* )
{
  auto* from = static_cast< const char* >( other );
  auto* to = static_cast< char* >( into );
  for ( int i = 0; i < *number; ++i )
  {
    const size_t size = size_of( *reinterpret_cast< const MessageHeader* >( to ) );
    merge_messages( to, from );
    from += size;
    to += size;
  }
}
#endif

//! Makes an MPI operation that merges messages, where MPI keeps its handle.
inline void
create_operation( [[maybe_unused]] const int64_t handle )
{
#ifdef HAVE_MPI
  MPI_Op_create( dn_merge_all, 1, reinterpret_cast< MPI_Op* >( handle ) );
#else
  throw std::runtime_error( "this NEST was built without MPI" );
#endif
}

} // namespace distnorm

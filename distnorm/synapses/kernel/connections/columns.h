// Connections as rows of a table, with the columns that are asked for: filled by a pass, and read to set weights.

#pragma once

#include <cstring>

#include "filter.h"

namespace distnorm
{

//! Where NEST keeps a connection.
struct Location
{
  uint64_t thread;
  uint64_t synapse_id;
  uint64_t lcid;

  static Location
  of( const uint64_t number )
  {
    return { number >> 48, ( number >> 32 ) & 0xffff, number & 0xffffffff };
  }

  uint64_t
  number() const
  {
    return thread << 48 | synapse_id << 32 | lcid;
  }
};

//! A column of a row; an offset below zero: the table has none.
template < typename T >
T
column( const char* row, const int64_t offset, const T otherwise )
{
  T value = otherwise;
  if ( offset >= 0 )
  {
    std::memcpy( &value, row + offset, sizeof value );
  }
  return value;
}

//! Writes rows of the connections of one model on a thread.
class RowWriter
{
public:
  RowWriter( const Columns& to, const ThreadTargets& thread, const size_t tid, const nest::synindex synapse_id )
    : to_( to )
    , next_( to.next + thread.first )
    , node_ids_( thread.target_ids.data() )
    , tid_( tid )
    , synapse_id_( synapse_id )
    , sources_( tid, synapse_id )
  {
  }

  //! Writes a connection, unless its target is left out. What takes time is handed over as functions.
  template < typename Delay, typename Receptor, typename Label >
  void
  write( const int32_t target, const size_t lcid, const double weight, Delay delay, Receptor receptor, Label label )
  {
    if ( next_[ target ] < 0 )
    {
      return;
    }
    char* const row = to_.rows + to_.size * next_[ target ]++;
    put( row, to_.target, [ & ] { return node_ids_[ target ]; } );
    put( row, to_.weight, [ & ] { return weight; } );
    put( row, to_.source, [ & ] { return sources_.of( lcid ); } );
    put( row, to_.delay, delay );
    put( row, to_.receptor, [ & ] { return static_cast< int64_t >( receptor() ); } );
    put( row, to_.label, [ & ] { return static_cast< int64_t >( label() ); } );
    put( row, to_.model, [ & ] { return static_cast< int64_t >( synapse_id_ ); } );
    put( row, to_.location, [ & ] { return Location { tid_, synapse_id_, lcid }.number(); } );
  }

private:
  template < typename Value >
  static void
  put( char* row, const int64_t offset, Value value )
  {
    if ( offset >= 0 )
    {
      const auto made = value();
      std::memcpy( row + offset, &made, sizeof made );
    }
  }

  const Columns& to_;
  int64_t* const next_;
  const int64_t* const node_ids_;
  const size_t tid_;
  const nest::synindex synapse_id_;
  SourceRuns sources_;
};

} // namespace distnorm

// Lists from Python, and node IDs as sorted disjoint runs of a first and a last.

#pragma once

#include <algorithm>
#include <utility>
#include <vector>

#include "distnorm_shared.h"

namespace distnorm
{

inline std::vector< int64_t >
numbers_of( const Ints& list )
{
  return { list.values, list.values + list.size };
}

inline std::vector< std::pair< int64_t, int64_t > >
pairs_of( const Ints& list )
{
  std::vector< std::pair< int64_t, int64_t > > pairs;
  for ( const int64_t* at = list.values; at != list.values + 2 * list.size; at += 2 )
  {
    pairs.emplace_back( at[ 0 ], at[ 1 ] );
  }
  return pairs;
}

static thread_local std::vector< int64_t > last_list;

//! A list for Python, which is valid until the next one.
inline Ints
kept( std::vector< int64_t > list )
{
  last_list = std::move( list );
  return { static_cast< int64_t >( last_list.size() ), last_list.data() };
}

struct NodeIds
{
  std::vector< std::pair< int64_t, int64_t > > runs; //!< none: every node

  bool
  contains( const int64_t id ) const
  {
    const auto run = std::upper_bound(
      runs.begin(), runs.end(), id, []( const int64_t value, const auto& r ) { return value <= r.second; } );
    return runs.empty() or ( run != runs.end() and run->first <= id );
  }
};

} // namespace distnorm

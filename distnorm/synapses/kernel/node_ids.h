// Node IDs as sorted disjoint runs [first, last].

#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

namespace distnorm
{

struct Run
{
  int64_t first;
  int64_t last;
};

class NodeIds
{
public:
  NodeIds( const int64_t* runs, const int64_t n )
  {
    for ( int64_t i = 0; i < n; ++i )
    {
      runs_.push_back( { runs[ 2 * i ], runs[ 2 * i + 1 ] } );
    }
  }

  //! No runs at all means: every node.
  bool
  everything() const
  {
    return runs_.empty();
  }

  bool
  contains( const int64_t id ) const
  {
    const auto run = std::upper_bound(
      runs_.begin(), runs_.end(), id, []( const int64_t value, const Run& r ) { return value <= r.last; } );
    return everything() or ( run != runs_.end() and run->first <= id );
  }

private:
  std::vector< Run > runs_;
};

} // namespace distnorm

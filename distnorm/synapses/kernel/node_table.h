// Which target a node is, found by where the node lies. The node knows its number on the thread, but reading it there
// brings in a cache line, and often a page, for each target.

#pragma once

#include <bit>
#include <cstdint>

#include "failure.h"

namespace distnorm
{

constexpr int32_t not_a_target = -1;

//! Memory is divided into regions, and these into granules, which hold the beginning of one node at most. A hash table,
//! by the last bits of a region's number, has the regions with nodes, and each of those a number for each granule.
class NodeTable
{
  static constexpr int32_t not_a_node = -2;
  static constexpr uintptr_t region_size = 1 << 19;

  struct Region
  {
    uintptr_t number = 0; //!< 0: none
    size_t first = 0;     //!< of its granules
  };

public:
  //! For a loop, whose writes cannot change it.
  class Finder
  {
  public:
    //! The target that a node is, or not_a_target.
    int32_t
    operator()( const nest::Node* node ) const
    {
      const auto address = reinterpret_cast< uintptr_t >( node );
      const uintptr_t number = address / region_size;
      size_t i = number & last_;
      while ( regions_[ i ].number != number )
      {
        if ( not regions_[ i ].number )
        {
          fail();
        }
        i = ( i + 1 ) & last_;
      }
      const int32_t target = targets_[ regions_[ i ].first + ( address % region_size >> bits_ ) ];
      if ( target == not_a_node )
      {
        fail();
      }
      return target;
    }

  private:
    friend NodeTable;

    [[noreturn, gnu::cold]] static void
    fail()
    {
      throw Failure { STALE, "nodes have changed since the connections were opened" };
    }

    const Region* regions_;
    const int32_t* targets_;
    size_t last_;
    int bits_;
  };

  NodeTable() = default;

  //! Of all nodes of a thread, with the number of the target that each is, or not_a_target.
  NodeTable( const std::vector< const nest::Node* >& nodes, const std::vector< int32_t >& targets )
  {
    std::vector< std::pair< uintptr_t, int32_t > > placed;
    for ( size_t i = 0; i < nodes.size(); ++i )
    {
      placed.emplace_back( reinterpret_cast< uintptr_t >( nodes[ i ] ), targets[ i ] );
    }
    std::sort( placed.begin(), placed.end() );
    uintptr_t nearest = region_size;
    for ( size_t i = 1; i < placed.size(); ++i )
    {
      nearest = std::min( nearest, placed[ i ].first - placed[ i - 1 ].first );
    }
    bits_ = std::bit_width( nearest ) - 1;
    std::vector< Region > used;
    for ( const auto& [ address, target ] : placed )
    {
      const uintptr_t number = address / region_size;
      if ( used.empty() or used.back().number != number )
      {
        used.push_back( { number, targets_.size() } );
        targets_.resize( targets_.size() + ( region_size >> bits_ ), not_a_node );
      }
      targets_[ used.back().first + ( address % region_size >> bits_ ) ] = target;
    }
    regions_.resize( std::bit_ceil( 4 * used.size() + 2 ) ); // a quarter full: the first look mostly finds a region
    for ( const Region& region : used )
    {
      size_t i = region.number % regions_.size();
      while ( regions_[ i ].number )
      {
        i = ( i + 1 ) % regions_.size();
      }
      regions_[ i ] = region;
    }
  }

  Finder
  finder() const
  {
    Finder made;
    made.regions_ = regions_.data();
    made.targets_ = targets_.data();
    made.last_ = regions_.size() - 1;
    made.bits_ = bits_;
    return made;
  }

private:
  std::vector< Region > regions_ { 2 };
  std::vector< int32_t > targets_;
  int bits_ = 0;
};

} // namespace distnorm

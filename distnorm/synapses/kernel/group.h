// What belongs to a rule on this rank.

#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "nest_private.h"
#include "node_ids.h"

namespace distnorm
{

//! Sum over the incoming connections of a target, as the unevaluated sum high + low.
struct alignas( 32 ) Sum
{
  double high = 0.0;
  double low = 0.0;
  int64_t count = 0;

  //! Knuth's TwoSum: with about 106 bits the rounded total does not depend on the order of the connections.
  void
  add( const double value )
  {
    const double total = high + value;
    const double part = total - high;
    low += ( high - ( total - part ) ) + ( value - part );
    high = total;
    ++count;
  }
};

constexpr int32_t not_a_target = -1;

// Bytes between the connection at work and the one asked for from memory. The hardware's own prefetching loses sight
// of the stream among the accesses per target; `distnorm bench kernel` came to 1.23 times streaming without, 1.03 with.
constexpr size_t prefetch_distance = 2048;

struct ThreadTargets
{
  size_t num_nodes = 0;               //!< nodes on the thread when the group was opened
  std::vector< int32_t > target_of_node; //!< by thread-local node index
  std::vector< int64_t > node_ids;    //!< by target
  std::vector< Sum > sums;            //!< by target
  size_t first = 0;                   //!< number of the thread's first target
};

struct Group
{
  std::vector< nest::synindex > synapse_ids;
  NodeIds sources;
  std::vector< int64_t > receptors; //!< none: all
  std::vector< ThreadTargets > threads;

  bool
  is_stale() const
  {
    if ( threads.size() != nest::kernel().vp_manager.get_num_threads() )
    {
      return true;
    }
    for ( size_t tid = 0; tid < threads.size(); ++tid )
    {
      if ( threads[ tid ].num_nodes != nest::kernel().node_manager.get_local_nodes( tid ).size() )
      {
        return true;
      }
    }
    return false;
  }
};

//! Which connections onto a target belong to the group. Remembers the last source: connections are sorted by source.
class Filter
{
public:
  Filter( const Group& group, const size_t tid, const nest::synindex synapse_id )
    : sources_( group.sources )
    , receptors_( group.receptors )
    , everything_( group.sources.everything() and group.receptors.empty() )
    , tid_( tid )
    , synapse_id_( synapse_id )
  {
  }

  template < typename Synapse >
  bool
  selects( const Synapse& synapse, const size_t lcid )
  {
    return everything_ or ( selects_receptor( synapse.get_rport() ) and selects_source( lcid ) );
  }

private:
  bool
  selects_receptor( const int64_t receptor ) const
  {
    return receptors_.empty() or std::find( receptors_.begin(), receptors_.end(), receptor ) != receptors_.end();
  }

  bool
  selects_source( const size_t lcid )
  {
    if ( sources_.everything() )
    {
      return true;
    }
    const size_t source = nest::kernel().connection_manager.get_source_node_id( tid_, synapse_id_, lcid );
    if ( source != last_source_ )
    {
      last_source_ = source;
      last_answer_ = sources_.contains( source );
    }
    return last_answer_;
  }

  const NodeIds& sources_;
  const std::vector< int64_t >& receptors_;
  const bool everything_;
  const size_t tid_;
  const nest::synindex synapse_id_;
  size_t last_source_ = 0;
  bool last_answer_ = false;
};

//! The targets of a group on one thread.
inline void
open_thread( Group& group, const size_t tid, const NodeIds& targets )
{
  auto& thread = group.threads[ tid ];
  const auto& nodes = nest::kernel().node_manager.get_local_nodes( tid );
  thread.num_nodes = nodes.size();
  thread.target_of_node.assign( nodes.size(), not_a_target );
  size_t index = 0;
  for ( auto entry = nodes.begin(); entry < nodes.end(); ++entry, ++index )
  {
    const auto id = static_cast< int64_t >( entry->get_node_id() );
    if ( targets.contains( id ) and entry->get_node()->get_element_type() == "neuron" )
    {
      thread.target_of_node[ index ] = thread.node_ids.size();
      thread.node_ids.push_back( id );
    }
  }
  thread.sums.resize( thread.node_ids.size() );
}

} // namespace distnorm

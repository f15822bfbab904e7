// What belongs to a rule on this rank. Its targets are numbered 0 ... n-1, thread by thread and in order of node ID
// within a thread, so that no two threads write to the same cache line of an array by target.

#pragma once

#include <memory>

#include "failure.h"
#include "node_ids.h"
#include "passes/history.h"
#include "passes/range.h"
#include "passes/tallies.h"
#include "statistics/histogram.h"

namespace distnorm
{

constexpr int32_t not_a_target = -1;

// Bytes between the connection at work and the one asked for from memory. The hardware's own prefetching loses sight
// of the stream among the accesses per target. `distnorm bench kernel` on 10,000,000 stdp_synapse and one thread: 1.36
// times streaming at 2 KiB, 1.15 at 4, 1.10 at 6, 1.12 at 8.
constexpr size_t prefetch_distance = 6144;

//! Whether NEST can tell the source of a connection: once cleared, the table stays so, whatever is set later.
inline bool
sources_are_known()
{
  const auto& manager = nest::kernel().connection_manager;
  return manager.get_keep_source_table() and not manager.is_source_table_cleared();
}

struct ThreadTargets
{
  size_t num_nodes = 0;                  //!< nodes on the thread when the group was opened
  std::vector< int32_t > target_of_node; //!< by thread-local node index
  std::vector< int64_t > node_ids;       //!< by target
  std::vector< Sum > sums;               //!< by target, of the last measurement
  std::vector< Sum > scales;             //!< by target, where the norm is a signed sum
  std::vector< Tally > tallies;          //!< by target, of the last tally
  std::vector< QuickTally > quick;       //!< likewise, where bounds are alike
  std::vector< Moments > moments;        //!< by target, of the last pass that asked for them
  std::vector< Beyond > beyond;          //!< by target, of the last change that was counted
  Histogram histogram;                   //!< of the last pass that asked for one
  TargetHistories histories;             //!< collected for passes over weights that are brought up to date
  size_t first = 0;                      //!< number of the thread's first target
};

struct Group
{
  std::vector< nest::synindex > synapse_ids;
  NodeIds sources;
  std::vector< int64_t > receptors;                      //!< none: all
  std::vector< int64_t > labels;                         //!< none: all
  std::vector< std::pair< int64_t, int64_t > > excluded; //!< (target, source), sorted
  int64_t sign = 0;                                      //!< of the weights: 1, -1, or 0 for both
  std::vector< ThreadTargets > threads;

  size_t
  num_targets() const
  {
    return threads.back().first + threads.back().node_ids.size();
  }

  //! Position of a synapse model; its number if the group has none of it.
  size_t
  find_model( const nest::synindex synapse_id ) const
  {
    return std::find( synapse_ids.begin(), synapse_ids.end(), synapse_id ) - synapse_ids.begin();
  }

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

  bool
  asks_sources() const
  {
    return not sources.runs.empty() or not excluded.empty();
  }

  //! Whether the group still fits the network.
  void
  check() const
  {
    if ( asks_sources() and not sources_are_known() )
    {
      throw Failure { FORGOTTEN, "NEST does not keep the sources of connections" };
    }
    if ( is_stale() )
    {
      throw Failure { STALE, "nodes or threads have changed since the connections were opened" };
    }
  }
};

//! The targets of a group on one thread: nodes of the given models, which are in ascending order.
inline void
open_thread( Group& group, const size_t tid, const NodeIds& targets, const std::vector< int64_t >& neuron_models )
{
  auto& thread = group.threads[ tid ];
  const auto& nodes = nest::kernel().node_manager.get_local_nodes( tid );
  thread.num_nodes = nodes.size();
  thread.target_of_node.assign( nodes.size(), not_a_target );
  size_t index = 0;
  for ( auto entry = nodes.begin(); entry < nodes.end(); ++entry, ++index )
  {
    const auto id = static_cast< int64_t >( entry->get_node_id() );
    const int64_t model = entry->get_node()->get_model_id();
    if ( targets.contains( id ) and std::binary_search( neuron_models.begin(), neuron_models.end(), model ) )
    {
      thread.target_of_node[ index ] = thread.node_ids.size();
      thread.node_ids.push_back( id );
      thread.histories.targets.push_back( entry->get_node() );
    }
  }
}

//! A new group. Targets and sources are runs of node IDs, excluded pairs (target, source); none of each, of receptor
//! types or of labels: all. The node models that are neurons are ascending. Sign of the weights, 0: both.
inline void
open_group( const Ints& synapse_ids,
  const Ints& targets,
  const Ints& sources,
  const Ints& receptors,
  const Ints& labels,
  const Ints& excluded,
  const Ints& neuron_models,
  const int64_t sign,
  Group** opened,
  int64_t* num_targets )
{
  auto group = std::make_unique< Group >( Group { .synapse_ids = {},
    .sources = { pairs_of( sources ) },
    .receptors = numbers_of( receptors ),
    .labels = numbers_of( labels ),
    .excluded = pairs_of( excluded ),
    .sign = sign,
    .threads = std::vector< ThreadTargets >( nest::kernel().vp_manager.get_num_threads() ) } );
  group->synapse_ids.assign( synapse_ids.values, synapse_ids.values + synapse_ids.size );
  const NodeIds chosen { pairs_of( targets ) };
  const auto neurons = numbers_of( neuron_models );
  on_all_threads( [ & ]( const size_t tid ) { open_thread( *group, tid, chosen, neurons ); } );
  for ( size_t tid = 1; tid < group->threads.size(); ++tid )
  {
    group->threads[ tid ].first = group->threads[ tid - 1 ].first + group->threads[ tid - 1 ].node_ids.size();
  }
  *num_targets = group->num_targets();
  *opened = group.release();
}

inline void
close_group( const Group* group )
{
  delete group;
}

inline void
list_targets( const Group* group, int64_t* node_ids )
{
  for ( const auto& thread : group->threads )
  {
    node_ids = std::copy( thread.node_ids.begin(), thread.node_ids.end(), node_ids );
  }
}

} // namespace distnorm

// What belongs to a rule on this rank. Its targets are numbered 0 ... n-1, thread by thread and in order of node ID
// within a thread, so that no two threads write to the same cache line of an array by target.
//
// Of outgoing norms, sources take the place of targets: each thread has a number of its own for each source of its
// connections, and what is found of a source on several threads and ranks is put together later (outgoing/).

#pragma once

#include <memory>

#include "node_ids.h"
#include "node_table.h"
#include "passes/history.h"
#include "passes/range.h"
#include "passes/tallies.h"
#include "statistics/histogram.h"

namespace distnorm
{

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
  NodeTable nodes;                       //!< the same by where nodes lie
  std::vector< int64_t > target_ids;     //!< node IDs by target
  std::vector< int64_t > node_ids;       //!< those of targets, or of sources where norms are outgoing, ascending
  std::vector< size_t > sizes;           //!< number of connections by model when sources were listed
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
  bool by_source = false;                                //!< whether norms are outgoing
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

  //! Numbers of connections of its models on a thread.
  std::vector< size_t >
  sizes_on( const size_t tid ) const
  {
    std::vector< size_t > sizes;
    for ( const auto synapse_id : synapse_ids )
    {
      const nest::ConnectorBase* connector = find_connector( tid, synapse_id );
      sizes.push_back( connector ? connector->size() : 0 );
    }
    return sizes;
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
      if ( threads[ tid ].num_nodes != nest::kernel().node_manager.get_local_nodes( tid ).size()
        or ( by_source and threads[ tid ].sizes != sizes_on( tid ) ) )
      {
        return true;
      }
    }
    return false;
  }

  bool
  asks_sources() const
  {
    return by_source or not sources.runs.empty() or not excluded.empty();
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

} // namespace distnorm

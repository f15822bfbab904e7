// What belongs to a rule on this rank.

#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <utility>
#include <vector>

#include "nest_private.h"
#include "node_ids.h"
#include "passes/range.h"
#include "passes/tallies.h"

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
  size_t num_nodes = 0;               //!< nodes on the thread when the group was opened
  std::vector< int32_t > target_of_node; //!< by thread-local node index
  std::vector< int64_t > node_ids;    //!< by target
  std::vector< Sum > sums;            //!< by target, of the last measurement
  std::vector< Sum > scales;          //!< by target, where the norm is a signed sum
  std::vector< Tally > tallies;       //!< by target, of the last tally
  std::vector< QuickTally > quick;    //!< likewise, where bounds are alike
  std::vector< Beyond > beyond;       //!< by target, of the last change that was counted
  size_t first = 0;                   //!< number of the thread's first target
};

struct Group
{
  std::vector< nest::synindex > synapse_ids;
  NodeIds sources;
  std::vector< int64_t > receptors; //!< none: all
  std::vector< int64_t > labels;    //!< none: all
  int64_t sign = 0;                 //!< of the weights: 1, -1, or 0 for both
  std::vector< std::pair< int64_t, int64_t > > excluded; //!< (target, source), sorted
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
};

//! The connections of a synapse model on a thread; null: none.
inline nest::ConnectorBase*
find_connector( const size_t tid, const size_t synapse_id )
{
  const auto& connections = nest::kernel().connection_manager.*reveal( ConnectionsTag() );
  return tid < connections.size() and synapse_id < connections[ tid ].size() ? connections[ tid ][ synapse_id ] : nullptr;
}

inline size_t
number_of_connections( const size_t tid, const nest::synindex synapse_id )
{
  const nest::ConnectorBase* connector = find_connector( tid, synapse_id );
  return connector ? connector->size() : 0;
}

//! Which connections onto a target belong to the group; to be asked in the order of their numbers (lcid).
class Filter
{
public:
  Filter( const Group& group, const size_t tid, const nest::synindex synapse_id )
    : group_( group )
    , everything_( group.sources.everything() and group.receptors.empty() and group.labels.empty() and group.sign == 0
        and group.excluded.empty() )
    , tid_( tid )
    , synapse_id_( synapse_id )
    , is_sorted_( nest::kernel().connection_manager.use_compressed_spikes()
        and not nest::kernel().connection_manager.connections_have_changed() )
    , num_connections_( everything_ ? 0 : number_of_connections( tid, synapse_id ) )
  {
  }

  //! Asks for the weight, with the sign of its side where it is zero, only if the sign matters.
  template < typename Synapse, typename Weight >
  bool
  selects( const Synapse& synapse, Weight weight, const int32_t target, const size_t lcid )
  {
    return everything_
      or ( has( group_.receptors, synapse.get_rport() ) and has( group_.labels, synapse.get_label() )
        and ( group_.sign == 0 or std::signbit( weight() ) == ( group_.sign < 0 ) ) and selects_source( target, lcid ) );
  }

private:
  static bool
  has( const std::vector< int64_t >& chosen, const int64_t value )
  {
    return chosen.empty() or std::find( chosen.begin(), chosen.end(), value ) != chosen.end();
  }

  bool
  selects_source( const int32_t target, const size_t lcid )
  {
    if ( group_.sources.everything() and group_.excluded.empty() )
    {
      return true;
    }
    if ( lcid >= run_end_ )
    {
      find_source( lcid );
    }
    return answer_ and ( group_.excluded.empty() or not is_excluded( target ) );
  }

  bool
  is_excluded( const int32_t target ) const
  {
    const std::pair< int64_t, int64_t > pair( group_.threads[ tid_ ].node_ids[ target ], source_ );
    return std::binary_search( group_.excluded.begin(), group_.excluded.end(), pair );
  }

  bool
  has_source( const size_t lcid ) const
  {
    return lcid < num_connections_ and source_of( lcid ) == source_;
  }

  size_t
  source_of( const size_t lcid ) const
  {
    return nest::kernel().connection_manager.get_source_node_id( tid_, synapse_id_, lcid );
  }

  //! The source of a connection, and, where NEST has sorted by source, where its connections end: in growing strides.
  void
  find_source( const size_t lcid )
  {
    source_ = source_of( lcid );
    answer_ = group_.sources.contains( source_ );
    run_end_ = lcid + 1;
    size_t stride = is_sorted_ ? 1 : 0;
    for ( ; stride and has_source( run_end_ - 1 + stride ); stride *= 2 )
    {
      run_end_ += stride;
    }
    for ( ; stride; stride /= 2 )
    {
      run_end_ += has_source( run_end_ - 1 + stride ) ? stride : 0;
    }
  }

  const Group& group_;
  const bool everything_;
  const size_t tid_;
  const nest::synindex synapse_id_;
  const bool is_sorted_;
  const size_t num_connections_;
  size_t source_ = 0;
  size_t run_end_ = 0; //!< connections before it, from the last one asked for, have this source
  bool answer_ = false;
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
    }
  }
}

} // namespace distnorm

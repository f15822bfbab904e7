// Groups are opened and closed.

#pragma once

#include "filter.h"

namespace distnorm
{

//! The targets of a group on one thread: nodes of the given models, which are in ascending order.
inline void
open_thread( Group& group, const size_t tid, const NodeIds& targets, const std::vector< int64_t >& neuron_models )
{
  auto& thread = group.threads[ tid ];
  const auto& nodes = nest::kernel().node_manager.get_local_nodes( tid );
  thread.num_nodes = nodes.size();
  thread.target_of_node.assign( nodes.size(), not_a_target );
  std::vector< const nest::Node* > all;
  size_t index = 0;
  for ( auto entry = nodes.begin(); entry < nodes.end(); ++entry, ++index )
  {
    const auto id = static_cast< int64_t >( entry->get_node_id() );
    const int64_t model = entry->get_node()->get_model_id();
    all.push_back( entry->get_node() );
    if ( targets.contains( id ) and std::binary_search( neuron_models.begin(), neuron_models.end(), model ) )
    {
      thread.target_of_node[ index ] = thread.target_ids.size();
      thread.target_ids.push_back( id );
      thread.histories.targets.push_back( entry->get_node() );
    }
  }
  thread.nodes = NodeTable( all, thread.target_of_node );
}

//! The sources of a group's connections on one thread, as far as the group's sources tell.
inline void
list_sources( Group& group, const size_t tid )
{
  auto& thread = group.threads[ tid ];
  thread.sizes = group.sizes_on( tid );
  for ( size_t i = 0; i < group.synapse_ids.size(); ++i )
  {
    SourceRuns sources( tid, group.synapse_ids[ i ] );
    for ( size_t lcid = 0; lcid < thread.sizes[ i ]; lcid = sources.run_end() )
    {
      const int64_t source = sources.of( lcid );
      const bool again = not thread.node_ids.empty() and thread.node_ids.back() == source;
      again or not group.sources.contains( source ) ? void() : thread.node_ids.push_back( source );
    }
  }
  std::sort( thread.node_ids.begin(), thread.node_ids.end() );
  thread.node_ids.erase( std::unique( thread.node_ids.begin(), thread.node_ids.end() ), thread.node_ids.end() );
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
  const int64_t by_source,
  Group** opened,
  int64_t* num_targets )
{
  auto group = std::make_unique< Group >( Group { .synapse_ids = {},
    .sources = { pairs_of( sources ) },
    .receptors = numbers_of( receptors ),
    .labels = numbers_of( labels ),
    .excluded = pairs_of( excluded ),
    .sign = sign,
    .by_source = by_source != 0,
    .threads = std::vector< ThreadTargets >( nest::kernel().vp_manager.get_num_threads() ) } );
  group->synapse_ids.assign( synapse_ids.values, synapse_ids.values + synapse_ids.size );
  const NodeIds chosen { pairs_of( targets ) };
  const auto neurons = numbers_of( neuron_models );
  if ( by_source and not sources_are_known() )
  {
    throw Failure { FORGOTTEN, "NEST does not keep the sources of connections" };
  }
  on_all_threads(
    [ & ]( const size_t tid )
    {
      open_thread( *group, tid, chosen, neurons );
      auto& thread = group->threads[ tid ];
      by_source ? list_sources( *group, tid ) : void( thread.node_ids = thread.target_ids );
    } );
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

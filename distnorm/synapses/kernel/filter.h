// Which connections onto a target belong to a group.

#pragma once

#include "group.h"

namespace distnorm
{

inline size_t
number_of_connections( const size_t tid, const nest::synindex synapse_id )
{
  const nest::ConnectorBase* connector = find_connector( tid, synapse_id );
  return connector ? connector->size() : 0;
}

//! The sources of the connections of a model on a thread; to be asked in the order of their numbers (lcid).
class SourceRuns
{
public:
  SourceRuns( const size_t tid, const nest::synindex synapse_id )
    : tid_( tid )
    , synapse_id_( synapse_id )
    , is_sorted_( nest::kernel().connection_manager.use_compressed_spikes()
        and not nest::kernel().connection_manager.connections_have_changed() )
    , num_connections_( number_of_connections( tid, synapse_id ) )
  {
  }

  int64_t
  of( const size_t lcid )
  {
    if ( lcid >= run_end_ )
    {
      find( lcid );
    }
    return source_;
  }

  //! The one last asked for.
  int64_t
  source() const
  {
    return source_;
  }

  //! The first connection that may have another source than the one last asked for.
  size_t
  run_end() const
  {
    return run_end_;
  }

  //! Whether `of` will have to look for it.
  bool
  is_new( const size_t lcid ) const
  {
    return lcid >= run_end_;
  }

private:
  bool
  has_source( const size_t lcid ) const
  {
    return lcid < num_connections_ and source_of( lcid ) == source_;
  }

  int64_t
  source_of( const size_t lcid ) const
  {
    return nest::kernel().connection_manager.get_source_node_id( tid_, synapse_id_, lcid );
  }

  //! The source, and, where NEST has sorted by source, where its connections end: in growing strides.
  void
  find( const size_t lcid )
  {
    source_ = source_of( lcid );
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

  const size_t tid_;
  const nest::synindex synapse_id_;
  const bool is_sorted_;
  const size_t num_connections_;
  int64_t source_ = 0;
  size_t run_end_ = 0; //!< connections before it, from the last one asked for, have this source
};

//! Which connections onto a target belong to the group; to be asked in the order of their numbers (lcid).
class Filter
{
public:
  Filter( const Group& group, const size_t tid, const nest::synindex synapse_id )
    : group_( group )
    , everything_( group.sources.runs.empty() and group.excluded.empty() and group.receptors.empty()
        and group.labels.empty() and group.sign == 0 )
    , tid_( tid )
    , sources_( tid, synapse_id )
  {
  }

  //! Asks for the weight, with the sign of its side where it is zero, only if the sign matters.
  template < typename Synapse, typename Weight >
  bool
  selects( const Synapse& synapse, Weight weight, const int32_t target, const size_t lcid )
  {
    return everything_
      or ( has( group_.receptors, synapse.get_rport() ) and has( group_.labels, synapse.get_label() )
        and ( group_.sign == 0 or std::signbit( weight() ) == ( group_.sign < 0 ) )
        and selects_source( target, lcid ) );
  }

  //! The number of what a selected connection counts for: its target, or its source on this thread.
  int32_t
  number( const int32_t target, const size_t lcid )
  {
    if ( not group_.by_source )
    {
      return target;
    }
    if ( lcid >= numbered_end_ )
    {
      number_ = number_of( sources_.of( lcid ) );
      numbered_end_ = sources_.run_end();
    }
    return number_;
  }

private:
  //! Sources mostly come in ascending order.
  size_t
  number_of( const int64_t source ) const
  {
    const auto& ids = group_.threads[ tid_ ].node_ids;
    const size_t following = number_ + 1;
    const size_t number = following < ids.size() and ids[ following ] == source
      ? following
      : std::lower_bound( ids.begin(), ids.end(), source ) - ids.begin();
    if ( number == ids.size() or ids[ number ] != source )
    {
      throw Failure { STALE, "connections have changed since they were opened" };
    }
    return number;
  }

  static bool
  has( const std::vector< int64_t >& chosen, const int64_t value )
  {
    return chosen.empty() or std::find( chosen.begin(), chosen.end(), value ) != chosen.end();
  }

  bool
  selects_source( const int32_t target, const size_t lcid )
  {
    if ( not group_.asks_sources() )
    {
      return true;
    }
    if ( sources_.is_new( lcid ) )
    {
      answer_ = group_.sources.contains( sources_.of( lcid ) );
    }
    return answer_ and ( group_.excluded.empty() or not is_excluded( target ) );
  }

  bool
  is_excluded( const int32_t target ) const
  {
    const std::pair< int64_t, int64_t > pair( group_.threads[ tid_ ].target_ids[ target ], sources_.source() );
    return std::binary_search( group_.excluded.begin(), group_.excluded.end(), pair );
  }

  const Group& group_;
  const bool everything_;
  const size_t tid_;
  SourceRuns sources_;
  bool answer_ = false; //!< for the source last asked for
  size_t number_ = 0;       //!< of the source last asked for,
  size_t numbered_end_ = 0; //!< which connections before this one have
};

} // namespace distnorm

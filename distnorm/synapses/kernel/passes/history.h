// What the targets of a thread keep for their synapses to read: postsynaptic spikes, or for clopath_synapse the moments
// at which the membrane potential potentiates.
//
// NEST hands these out by get_history() and get_LTP_history(), which count the readers of each entry, and forgets an
// entry that all incoming connections have read. Here the entries are looked at where they lie, and readers are counted
// only for connections that were brought up to date.

#pragma once

#include <deque>
#include <limits>

#include "nest_access.h" // first: NEST's headers lean on it

#include "archiving_node.h"
#include "clopath_archiving_node.h"

namespace distnorm
{

template struct Reveal< "history_", &nest::ArchivingNode::history_ >;
template struct Reveal< "ltp_history_", &nest::ClopathArchivingNode::ltp_history_ >;

//! Postsynaptic spikes, with the trace that stdp_triplet_synapse pairs them with: as it was just before the spike.
struct Spikes
{
  static double
  tolerance()
  {
    return nest::kernel().connection_manager.get_stdp_eps();
  }

  //! Null where a node keeps none.
  static std::deque< nest::histentry >*
  find( nest::Node* node )
  {
    auto* archive = dynamic_cast< nest::ArchivingNode* >( node );
    return archive ? &( archive->*member< "history_" > ) : nullptr;
  }

  static double
  value( const nest::histentry& entry )
  {
    return entry.Kminus_triplet_ - 1.0;
  }
};

//! Moments with a change of weight.
struct Potentiations
{
  static double
  tolerance()
  {
    return 1.0e-6; // as in get_LTP_history()
  }

  static std::deque< nest::histentry_extended >*
  find( nest::Node* node )
  {
    auto* archive = dynamic_cast< nest::ClopathArchivingNode* >( node );
    return archive ? &( archive->*member< "ltp_history_" > ) : nullptr;
  }

  static double
  value( const nest::histentry_extended& entry )
  {
    return entry.dw_;
  }
};

//! Entries that a connection has yet to read, by number: those from first to last - 1.
struct Due
{
  size_t first;
  size_t last;
};

//! The entries of targets, one target after the other, each in order of time.
template < typename Kind >
class Histories
{
public:
  //! Those of the targets, given by their nodes.
  void
  collect( const std::vector< nest::Node* >& targets )
  {
    times_.clear();
    values_.clear();
    ends_.clear();
    for ( nest::Node* node : targets )
    {
      add( -std::numeric_limits< double >::infinity(), 0.0, guards );
      if ( const auto* history = Kind::find( node ) )
      {
        for ( const auto& entry : *history )
        {
          add( entry.t_, Kind::value( entry ), 1 );
        }
      }
      ends_.push_back( times_.size() );
    }
    readers_.assign( times_.size(), 0 );
  }

  //! The entries of a target with begin <= time < end, from begin + tolerance and end + tolerance on. Most often they are
  //! few, and their number cannot be predicted, so the last ones are counted without a branch.
  Due
  between( const size_t target, const double begin, const double end ) const
  {
    size_t last = ends_[ target ];
    while ( times_[ last - 1 ] >= end )
    {
      --last;
    }
    size_t count = 0;
    for ( size_t i = 1; i <= guards; ++i )
    {
      count += times_[ last - i ] >= begin;
    }
    size_t first = last - count;
    while ( count == guards and times_[ first - 1 ] >= begin )
    {
      --first;
    }
    return { first, last };
  }

  double
  time( const size_t entry ) const
  {
    return times_[ entry ];
  }

  //! What a model's rule takes beside the time.
  double
  value( const size_t entry ) const
  {
    return values_[ entry ];
  }

  void
  read( const Due& due )
  {
    for ( size_t entry = due.first; entry < due.last; ++entry )
    {
      ++readers_[ entry ];
    }
  }

  //! Tells the targets, in the same order, which entries were read how often since they were collected.
  void
  count_readers( const std::vector< nest::Node* >& targets )
  {
    for ( size_t target = 0; target < targets.size(); ++target )
    {
      if ( auto* history = Kind::find( targets[ target ] ) )
      {
        size_t entry = ends_[ target ] - history->size();
        for ( auto& of_node : *history )
        {
          of_node.access_counter_ += readers_[ entry++ ];
        }
      }
    }
  }

private:
  static constexpr size_t guards = 4; //!< entries before those of each target that are before any time

  void
  add( const double time, const double value, const size_t times )
  {
    times_.insert( times_.end(), times, time );
    values_.insert( values_.end(), times, value );
  }

  std::vector< double > times_;
  std::vector< double > values_;
  std::vector< size_t > readers_;
  std::vector< size_t > ends_; //!< where the entries of each target end
};

//! Of the targets of a group on a thread.
struct TargetHistories
{
  std::vector< nest::Node* > targets;
  Histories< Spikes > spikes;
  Histories< Potentiations > potentiations;

  void
  collect()
  {
    spikes.collect( targets );
    potentiations.collect( targets );
  }

  void
  count_readers()
  {
    spikes.count_readers( targets );
    potentiations.count_readers( targets );
  }

  template < typename Kind >
  Histories< Kind >&
  get()
  {
    if constexpr ( std::is_same_v< Kind, Spikes > )
    {
      return spikes;
    }
    else
    {
      return potentiations;
    }
  }
};

//! The time up to which all presynaptic spikes were delivered, in ms. Those of the last slice are still on their way, and
//! come before later changes of the weight.
inline double
delivered_until()
{
  const auto& simulation = nest::kernel().simulation_manager;
  return ( simulation.get_from_step() ? simulation.get_slice_origin() : simulation.get_previous_slice_origin() )
    .get_ms();
}

} // namespace distnorm

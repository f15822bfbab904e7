// One connection at a time through the status interface that every type of NEST has. Slow, as NEST writes all
// parameters into a dictionary.

#pragma once

#include <deque>
#include <limits>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <variant>

#include "nest_access.h"
#include "passes/range.h"

namespace distnorm
{

//! Those of Wmin and Wmax that a status has; the e-prop models have them among what their optimizer is told.
inline void
read_range( const Dictionary& status, Range& range )
{
  if ( status.known( nest::names::optimizer ) )
  {
    const auto* within = std::get_if< Dictionary >( &status.at( nest::names::optimizer ) );
    within ? read_range( *within, range ) : void();
  }
  status.update_value( nest::names::Wmin, range.least );
  status.update_value( nest::names::Wmax, range.most );
}

//! What the connections of a model share, or begin with.
inline Range
range_in_common( const nest::ConnectorModel& model )
{
  Dictionary status;
  model.get_status( status );
  Range range;
  read_range( status, range );
  return range;
}

//! The connections of one model on one thread.
class StatusAccess
{
public:
  StatusAccess( nest::ConnectorBase& connector, const size_t tid )
    : connector_( connector )
    , model_( nest::kernel().model_manager.get_connection_model( connector.get_syn_id(), tid ) )
    , tid_( tid )
  {
    status_[ nest::names::target_thread ] = static_cast< long >( tid ); // NEST tells it before the connection adds to it
  }

  bool
  is_disabled( const size_t lcid )
  {
    found_.clear();
    connector_.get_connection( 0, 0, tid_, lcid, nest::UNLABELED_CONNECTION, found_ ); // leaves disabled ones out
    return found_.empty();
  }

  //! Index on its thread of the target.
  size_t
  target_index( const size_t lcid ) const
  {
    return nest::kernel()
      .node_manager.get_node_or_proxy( connector_.get_target_node_id( tid_, lcid ), tid_ )
      ->get_thread_lid();
  }

  double
  weight( const size_t lcid )
  {
    read( lcid );
    return entry< double >( weight_, "weight" );
  }

  //! The connection's own, or what the model's connections share.
  Range
  range( const size_t lcid )
  {
    if ( not in_common_ )
    {
      in_common_ = range_in_common( model_ );
    }
    read( lcid );
    Range result = *in_common_;
    read_range( status_, result );
    return result;
  }

  int64_t
  receptor( const size_t lcid )
  {
    read( lcid );
    return entry< long >( receptor_, "receptor" );
  }

  double
  delay( const size_t lcid )
  {
    read( lcid );
    return status_.get< double >( nest::names::delay );
  }

  int64_t
  label( const size_t lcid )
  {
    read( lcid );
    return status_.known( nest::names::synapse_label ) ? status_.get< long >( nest::names::synapse_label )
                                                       : nest::UNLABELED_CONNECTION;
  }

  void
  set_weight( const size_t lcid, const double weight )
  {
    new_weight_ = weight;
    read_ = none;
    connector_.set_synapse_status( lcid, changed_, model_ );
  }

private:
  static constexpr size_t none = std::numeric_limits< size_t >::max();

  //! Fills the dictionary unless it is this connection's already. Kept, it is filled four times as fast as a new one.
  void
  read( const size_t lcid )
  {
    if ( read_ != lcid )
    {
      weight_ = std::monostate();
      connector_.get_synapse_status( tid_, lcid, status_ );
      read_ = lcid;
    }
  }

  template < typename T >
  static T
  entry( const any_type& value, const char* name )
  {
    if ( not std::holds_alternative< T >( value ) )
    {
      throw std::runtime_error( std::string( "a connection's status has no " ) + name );
    }
    return std::get< T >( value );
  }

  nest::ConnectorBase& connector_;
  nest::ConnectorModel& model_;
  const size_t tid_;
  std::deque< nest::ConnectionID > found_;
  Dictionary status_;  //!< of the connection read last
  Dictionary changed_; //!< to set a weight
  std::optional< Range > in_common_;
  any_type& weight_ = status_[ nest::names::weight ];
  any_type& receptor_ = status_[ nest::names::rport ];
  any_type& new_weight_ = changed_[ nest::names::weight ];
  size_t read_ = none;
};

//! A connection, the node ID of its target (0: not told), and the weight that it is to have.
struct Setting
{
  size_t lcid;
  int64_t target;
  double weight;
};

//! The first of several settings that is not taken, and why.
struct Refusal
{
  size_t which;
  std::string text;
};

static const std::string gone = "the connection is not there any more, or is another one now";

//! Sets weights; or only tries, and leaves them as they were.
inline void
set_by_status( nest::ConnectorBase& connector,
  const size_t tid,
  const std::span< const Setting > settings,
  const bool only_try )
{
  StatusAccess access( connector, tid );
  for ( size_t i = 0; i < settings.size(); ++i )
  {
    const auto [ lcid, target, wanted ] = settings[ i ];
    if ( lcid >= connector.size() or access.is_disabled( lcid )
      or ( target and static_cast< int64_t >( connector.get_target_node_id( tid, lcid ) ) != target ) )
    {
      throw Refusal { i, gone };
    }
    const double before = access.weight( lcid );
    const auto restore = [ & ]
    {
      try
      {
        access.set_weight( lcid, before );
      }
      catch ( const nest::KernelException& ) // a zero that plasticity made, and NEST does not take
      {
      }
    };
    try
    {
      access.set_weight( lcid, wanted );
    }
    catch ( const nest::KernelException& e )
    {
      const std::string text = e.what();
      restore(); // models write a weight before they refuse it
      throw Refusal { i, text };
    }
    only_try ? restore() : void();
  }
}

//! Throws unless a weight that is set stays, for this connection alone. Leaves the weight as it was. False: a weight of
//! zero, which no factor changes.
inline bool
try_to_set( nest::ConnectorBase& connector, const size_t tid, const size_t lcid )
{
  StatusAccess access( connector, tid );
  const double before = access.weight( lcid );
  if ( access.is_disabled( lcid ) or before == 0.0 )
  {
    return false;
  }
  const size_t other = lcid + 1 < connector.size() ? lcid + 1 : lcid - 1; // wraps around for a single one
  const double others = other < connector.size() ? access.weight( other ) : 0.0;
  const double wanted = before * 0.9990234375; // towards zero: within bounds that hold it now
  try
  {
    access.set_weight( lcid, wanted );
  }
  catch ( ... )
  {
    try
    {
      access.set_weight( lcid, before ); // models write a weight before they refuse it
    }
    catch ( ... )
    {
    }
    throw;
  }
  const double found = access.weight( lcid );
  const bool alone = other >= connector.size() or access.weight( other ) == others;
  access.set_weight( lcid, before );
  if ( found != wanted or access.weight( lcid ) != before )
  {
    throw std::runtime_error( "a weight that is set does not stay" );
  }
  if ( not alone )
  {
    throw std::runtime_error( "setting the weight of one connection changes another's" );
  }
  return true;
}

} // namespace distnorm

// One pass over the connections of a group, as norms/passes.py and norms/bounds.py define it.

#pragma once

#include "connections/columns.h"
#include "passes/status_access.h"

namespace distnorm
{

constexpr double margin = 0x1p-48; // of some roundings

inline bool
changes( const Pass& pass )
{
  return pass.kind == SCALE or pass.kind == MOVE;
}

inline bool
writes( const Pass& pass )
{
  return changes( pass ) and not pass.out;
}

inline bool
counts( const Pass& pass )
{
  return changes( pass ) and pass.out;
}

//! Whether the pass reads or makes changes that NEST has yet to make.
inline bool
looks_ahead( const Pass& pass )
{
  return pass.current or pass.kind == UPDATE;
}

//! Whether bounds are the same numbers for all weights of a group: their sum then is a matter of counting.
inline bool
bounds_alike( const Group& group, const Pass& pass )
{
  bool alike = not( pass.shifts and pass.norm == SUM ) and not pass.norm_unit;
  for ( size_t i = 0; i < group.synapse_ids.size(); ++i )
  {
    alike = alike and pass.low[ i ] == pass.low[ 0 ] and pass.high[ i ] == pass.high[ 0 ]; // false for NaN
  }
  return alike;
}

//! The power as a whole number where it is multiplied out, as in norms/sums.py; 0 where it is left to pow.
inline int
whole_power( const Pass& pass )
{
  const double power = pass.norm == LP or pass.norm == L2 ? pass.power : 1.0;
  return power <= largest_whole_power and power == std::floor( power ) ? static_cast< int >( power ) : 0;
}

//! Whether the pass is what most runs with bounds make: the same bounds for all weights, whole powers.
inline bool
is_quick( const Group& group, const Pass& pass )
{
  return not pass.flat and bounds_alike( group, pass ) and pass.norm <= LP and whole_power( pass );
}

//! A number to a power of at least 1.
inline double
multiplied_out( const double value, const int power )
{
  double result = value;
  for ( int i = 1; i < power; ++i )
  {
    result *= value;
  }
  return result;
}

//! Connections of a block that belong to a group and are not left alone, side by side.
struct Buffer
{
  size_t size = 0;
  double weight[ max_block_size ]; //!< a zero with the sign of its side, where the pass asks for that
  double low[ max_block_size ];    //!< of |w|; filled where the bound is the synapse's own
  double high[ max_block_size ];
  Range range[ max_block_size ]; //!< filled where the pass asks for that
  int32_t target[ max_block_size ];
  uint16_t place[ max_block_size ]; //!< in the block
};

// Connections of which those after them come from memory meanwhile; prefetch_distance is that of as many.
constexpr size_t worked_on_at_once = 64;

//! What those of a buffer have yet to read of their targets' histories.
struct Pending
{
  Due due[ worked_on_at_once ];
  double delay[ worked_on_at_once ]; //!< in ms
  uint16_t which[ worked_on_at_once ]; //!< in the buffer, of those that have something
  uint16_t left[ worked_on_at_once ];
  size_t size = 0;
};

//! Bounds of |w| of the connections at work.
struct Box
{
  double low = 0.0;
  double high = std::numeric_limits< double >::infinity();
  bool own_low = false;
  bool own_high = false;

  Box( const double l, const double h )
    : low( l )
    , high( h )
    , own_low( std::isnan( l ) )
    , own_high( std::isnan( h ) )
  {
  }
};

//! A pass over a group, at work on one connector.
struct Work
{
  Group& group;
  ThreadTargets& thread;
  const Pass& pass;
  Filter filter;
  Box box;
  bool counts_bounds;
  bool quick;
  int whole;
  bool asks_side;                 //!< of zero
  StatusAccess* status = nullptr; //!< of the connector, where its type does not know the bounds of its connections
  Range in_common;                //!< what connections share of their range, where the pass asks for that
  const nest::synindex synapse_id;
  const nest::ConnectorModel& model;
  bool with_histogram = false; //!< made of the same weights on the way
  double until; //!< when weights are up to date, in ms
  std::unique_ptr< RowWriter > rows; //!< where the pass collects

  Work( Group& g, const Pass& p, const size_t tid, const size_t number )
    : group( g )
    , thread( g.threads[ tid ] )
    , pass( p )
    , filter( g, tid, g.synapse_ids[ number ] )
    , box( p.low[ number ], p.high[ number ] )
    , counts_bounds( bounds_alike( g, p ) )
    , quick( is_quick( g, p ) )
    , whole( whole_power( p ) )
    , asks_side( g.sign != 0 or p.shifts or p.kind == MOVE )
    , synapse_id( g.synapse_ids[ number ] )
    , model( nest::kernel().model_manager.get_connection_model( synapse_id, tid ) )
    , until( delivered_until() )
    , rows( p.columns ? std::make_unique< RowWriter >( *p.columns, thread, tid, synapse_id ) : nullptr )
  {
    if ( asks_side or asks_range() )
    {
      in_common = range_in_common( model );
    }
  }

  bool
  makes_histogram() const
  {
    return pass.kind == HISTOGRAM or with_histogram;
  }

  //! Whether another pass, which makes a histogram, is of the same weights.
  bool
  takes_along( const Group& g, const Pass& p ) const
  {
    const bool only_reads = ( pass.kind == MEASURE or pass.kind == TALLY ) and not pass.at;
    return p.kind == HISTOGRAM and &g == &group and only_reads and p.current == pass.current;
  }

  void
  take_along()
  {
    with_histogram = true;
    in_common = range_in_common( model );
  }

  //! Whether the pass asks for the range of each connection.
  bool
  asks_range() const
  {
    return box.own_low or box.own_high or counts( pass ) or makes_histogram();
  }

  const double*
  at() const
  {
    return pass.at ? pass.at + thread.first : nullptr;
  }

  bool
  leaves_alone( const int32_t target ) const
  {
    const double* factors = at();
    return factors and factors[ target ] != factors[ target ] and not counts( pass );
  }

  //! A weight, or its size, in the unit of its target's weights.
  double
  in_weight_unit( const double value, const int32_t target ) const
  {
    return pass.weight_unit ? std::ldexp( value, -pass.weight_unit[ thread.first + target ] ) : value;
  }

  //! A bound in the unit of its target's norm.
  double
  in_norm_unit( const double value, const int32_t target ) const
  {
    return pass.norm_unit ? std::ldexp( value, -pass.norm_unit[ thread.first + target ] ) : value;
  }

  //! What was in the unit of its target's norm.
  double
  plain( const double value, const int32_t target ) const
  {
    return pass.norm_unit ? std::ldexp( value, pass.norm_unit[ thread.first + target ] ) : value;
  }

  //! What leaves weights as they are.
  double
  no_change() const
  {
    return pass.shifts ? 0.0 : 1.0;
  }

  double
  power_of( const double size ) const
  {
    return whole ? multiplied_out( size, whole ) : std::pow( size, pass.power );
  }
};

} // namespace distnorm

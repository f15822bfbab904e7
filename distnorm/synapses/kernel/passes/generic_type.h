// A type of connection that was unknown at compile time, such as an extension's.

#pragma once

#include "passes/connection_type.h"
#include "passes/status_access.h"

namespace distnorm
{

//! What a filter asks of a connection.
struct StatusOfOne
{
  StatusAccess& access;
  const size_t lcid;

  int64_t
  get_rport() const
  {
    return access.receptor( lcid );
  }

  int64_t
  get_label() const
  {
    return access.label( lcid );
  }
};

class GenericType : public ConnectionType
{
  //! The target of a connection that belongs to the group, its weight, and its range where the pass asks for it; else
  //! not_a_target.
  static int32_t
  read( Work& work, StatusAccess& access, const size_t lcid, double& weight, Range& range )
  {
    const int32_t target = work.thread.target_of_node[ access.target_index( lcid ) ];
    if ( target == not_a_target or access.is_disabled( lcid ) )
    {
      return not_a_target;
    }
    weight = access.weight( lcid );
    range = Range();
    if ( work.asks_range() or ( work.asks_side and weight == 0.0 ) )
    {
      range = access.range( lcid );
      weight = range.on_side( weight );
    }
    const bool selected =
      work.filter.selects( StatusOfOne { access, lcid }, [ weight ] { return weight; }, target, lcid );
    return selected ? target : not_a_target;
  }

  static void
  gather( Work& work, StatusAccess& access, const size_t first, const size_t last, Buffer& all )
  {
    all.size = 0;
    double weight = 0.0;
    Range range;
    for ( size_t lcid = first; lcid < last; ++lcid )
    {
      const int32_t target = read( work, access, lcid, weight, range );
      if ( target != not_a_target )
      {
        add( work, all, weight, target, lcid - first, range );
      }
    }
  }

public:
  void
  run( std::vector< Work >& works, nest::ConnectorBase& connector, const size_t tid ) const override
  {
    StatusAccess access( connector, tid );
    Buffer all;
    double before[ max_block_size ];
    for ( size_t first = 0; first < connector.size(); first += max_block_size )
    {
      for ( auto& work : works )
      {
        gather( work, access, first, std::min< size_t >( first + max_block_size, connector.size() ), all );
        std::copy( all.weight, all.weight + all.size, before );
        counts( work.pass ) ? count( work, all ) : operate( work, all );
        for ( size_t i = 0; i < all.size and writes( work.pass ); ++i )
        {
          if ( all.weight[ i ] != before[ i ] )
          {
            access.set_weight( first + all.place[ i ], all.weight[ i ] );
          }
        }
      }
    }
  }

  void
  count_labels( Work& work, nest::ConnectorBase& connector, const size_t tid, std::map< int64_t, int64_t >& counts )
    const override
  {
    StatusAccess access( connector, tid );
    double weight = 0.0;
    Range range;
    for ( size_t lcid = 0; lcid < connector.size(); ++lcid )
    {
      if ( read( work, access, lcid, weight, range ) != not_a_target )
      {
        ++counts[ access.label( lcid ) ];
      }
    }
  }

  bool
  has_own_limits() const override
  {
    return true; // or the model's connections share one, which the access sees too
  }

  bool
  is_model( const nest::ConnectorModel& ) const override
  {
    return true;
  }

  double
  weight( nest::ConnectorBase& connector, const size_t tid, const size_t lcid ) const override
  {
    return StatusAccess( connector, tid ).weight( lcid );
  }

  size_t
  bytes() const override
  {
    return 0;
  }
};

} // namespace distnorm

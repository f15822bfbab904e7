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
  //! Calls body( number, target, weight, range ) for each of these connections in the group; with the range where the
  //! pass asks for it.
  template < typename Body >
  static void
  for_each( Work& work, StatusAccess& access, const size_t first, const size_t last, Body body )
  {
    for ( size_t lcid = first; lcid < last; ++lcid )
    {
      const int32_t target = work.thread.target_of_node[ access.target_index( lcid ) ];
      if ( target == not_a_target or access.is_disabled( lcid ) )
      {
        continue;
      }
      double weight = access.weight( lcid );
      Range range;
      if ( work.asks_range() or ( work.asks_side and weight == 0.0 ) )
      {
        range = access.range( lcid );
        weight = range.on_side( weight );
      }
      if ( work.filter.selects(
             StatusOfOne { access, lcid }, [ weight ] { return weight; }, target, lcid ) )
      {
        body( lcid, work.filter.number( target, lcid ), weight, range );
      }
    }
  }

public:
  void
  run( std::vector< Work >& works, nest::ConnectorBase& connector, const size_t tid ) const override
  {
    if ( std::any_of( works.begin(), works.end(), []( const Work& work ) { return looks_ahead( work.pass ); } ) )
    {
      throw std::runtime_error( "what NEST has yet to do to weights is known of compiled models only" );
    }
    StatusAccess access( connector, tid );
    Buffer all;
    double before[ max_block_size ];
    for ( size_t first = 0; first < connector.size(); first += max_block_size )
    {
      for ( auto& work : works )
      {
        all.size = 0;
        for_each( work,
          access,
          first,
          std::min< size_t >( first + max_block_size, connector.size() ),
          [ & ]( const size_t lcid, const int32_t target, const double weight, const Range& range )
          { add( work, all, weight, target, lcid - first, range ); } );
        std::copy( all.weight, all.weight + all.size, before );
        for ( size_t i = 0; i < all.size and work.rows; ++i )
        {
          const size_t lcid = first + all.place[ i ];
          work.rows->write(
            all.target[ i ],
            lcid,
            all.weight[ i ],
            [ & ] { return access.delay( lcid ); },
            [ & ] { return access.receptor( lcid ); },
            [ & ] { return access.label( lcid ); } );
        }
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
  count_labels( Work& work, nest::ConnectorBase& connector, const size_t tid, Labels& counts ) const override
  {
    StatusAccess access( connector, tid );
    for_each( work,
      access,
      0,
      connector.size(),
      [ & ]( const size_t lcid, int32_t, double, const Range& ) { ++counts[ access.label( lcid ) ]; } );
  }

  bool
  is_model( const nest::ConnectorModel& ) const override
  {
    return true;
  }

  bool
  knows_limits() const override
  {
    return true; // the access finds them
  }

  double
  weight( nest::ConnectorBase& connector, const size_t tid, const size_t lcid ) const override
  {
    return StatusAccess( connector, tid ).weight( lcid );
  }

  void
  set_weights( nest::ConnectorBase& connector,
    const size_t tid,
    const std::span< const Setting > settings,
    const bool only_try ) const override
  {
    set_by_status( connector, tid, settings, only_try );
  }

  double
  current_weight( nest::ConnectorBase&, size_t, size_t ) const override
  {
    throw std::runtime_error( "the kernel was not compiled for these connections" );
  }
};

} // namespace distnorm

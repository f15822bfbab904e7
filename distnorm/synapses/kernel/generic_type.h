// A type of connection that was unknown at compile time, such as an extension's.

#pragma once

#include <bit>

#include "connection_type.h"
#include "status_access.h"

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
  //! The target of a connection that belongs to the group, else not_a_target.
  static int32_t
  selected_target( Work& work, StatusAccess& access, const size_t lcid )
  {
    const int32_t target = work.thread.target_of_node[ access.target_index( lcid ) ];
    const bool selected = target != not_a_target and not access.is_disabled( lcid )
      and work.filter.selects( StatusOfOne { access, lcid }, access.weight( lcid ), target, lcid );
    return selected ? target : not_a_target;
  }

  static void
  gather( Work& work, StatusAccess& access, const size_t first, const size_t last, Buffer& all )
  {
    all.size = 0;
    for ( size_t lcid = first; lcid < last; ++lcid )
    {
      const int32_t target = selected_target( work, access, lcid );
      if ( target == not_a_target )
      {
        continue;
      }
      const double weight = access.weight( lcid );
      all.weight[ all.size ] = weight;
      all.target[ all.size ] = target;
      all.place[ all.size ] = lcid - first;
      if ( work.box.own_high )
      {
        all.high[ all.size ] = std::abs( access.bound( lcid, nest::names::Wmax ) );
      }
      if ( work.box.own_low )
      {
        const double least = access.bound( lcid, nest::names::Wmin );
        all.low[ all.size ] = std::signbit( least ) == std::signbit( weight ) ? std::abs( least ) : 0.0;
      }
      all.size += not work.leaves_alone( target );
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
        operate( work, all );
        for ( size_t i = 0; i < all.size and writes( work.pass ); ++i )
        {
          if ( std::bit_cast< uint64_t >( all.weight[ i ] ) != std::bit_cast< uint64_t >( before[ i ] ) )
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
    for ( size_t lcid = 0; lcid < connector.size(); ++lcid )
    {
      if ( selected_target( work, access, lcid ) != not_a_target )
      {
        ++counts[ access.label( lcid ) ];
      }
    }
  }

  bool
  has_own_low() const override
  {
    return true; // or the model's connections share one, which the access sees too
  }

  bool
  has_own_high() const override
  {
    return true;
  }

  bool
  is_model( const nest::ConnectorModel& ) const override
  {
    return true;
  }

  double
  stream( nest::ConnectorBase&, bool ) const override
  {
    throw std::runtime_error( "connections of a type unknown to the kernel cannot be streamed" );
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

// A synapse model as an extension of NEST has it: its weight shrinks with each spike. And what cannot be normalized.

#pragma once

#include "connection.h"
#include "connector_model.h"
#include "event.h"

namespace nest
{
namespace leaky
{

template < typename targetidentifierT >
class leaky_synapse : public Connection< targetidentifierT >
{
public:
  typedef CommonSynapseProperties CommonPropertiesType;
  typedef Connection< targetidentifierT > ConnectionBase;
  static constexpr ConnectionModelProperties properties = ConnectionModelProperties::HAS_DELAY
    | ConnectionModelProperties::IS_PRIMARY | ConnectionModelProperties::SUPPORTS_HPC
    | ConnectionModelProperties::SUPPORTS_LBL;

  class ConnTestDummyNode : public ConnTestDummyNodeBase
  {
  public:
    using ConnTestDummyNodeBase::handles_test_event;
    size_t
    handles_test_event( SpikeEvent&, size_t ) override
    {
      return invalid_port;
    }
  };

  void
  check_connection( Node& source, Node& target, size_t receptor, const CommonPropertiesType& )
  {
    ConnTestDummyNode dummy;
    ConnectionBase::check_connection_( dummy, source, target, receptor );
  }

  bool
  send( Event& e, const size_t tid, const CommonSynapseProperties& )
  {
    state_.w *= state_.kept;
    e.set_weight( state_.w );
    e.set_delay_steps( this->get_delay_steps() );
    e.set_receiver( *this->get_target( tid ) );
    e.set_rport( this->get_rport() );
    e();
    return true;
  }

  void
  get_status( Dictionary& d ) const
  {
    ConnectionBase::get_status( d );
    d[ names::weight ] = state_.w;
    d[ "kept" ] = state_.kept;
    d[ names::size_of ] = static_cast< long >( sizeof( *this ) );
  }

  void
  set_status( const Dictionary& d, ConnectorModel& cm )
  {
    ConnectionBase::set_status( d, cm );
    d.update_value( names::weight, state_.w );
    d.update_value( "kept", state_.kept );
  }

  void
  set_weight( double w )
  {
    state_.w = w;
  }

protected:
  struct State
  {
    double w = 1.0;
    double kept = 0.99;
  };
  State state_;
};

//! A weight beyond Wmax is brought back to it at a spike. It shrinks unless "kept" is 1.
template < typename targetidentifierT >
class bounded_synapse : public leaky_synapse< targetidentifierT >
{
public:
  bool
  send( Event& e, const size_t tid, const CommonSynapseProperties& properties )
  {
    this->state_.w = std::min( this->state_.w, most_ );
    return leaky_synapse< targetidentifierT >::send( e, tid, properties );
  }

  void
  get_status( Dictionary& d ) const
  {
    leaky_synapse< targetidentifierT >::get_status( d );
    d[ names::Wmax ] = most_;
    d[ names::size_of ] = static_cast< long >( sizeof( *this ) );
  }

  void
  set_status( const Dictionary& d, ConnectorModel& cm )
  {
    leaky_synapse< targetidentifierT >::set_status( d, cm );
    d.update_value( names::Wmax, most_ );
  }

protected:
  double most_ = 1.0;
};

//! As NESTML's stdsp_synapse: each spike makes the weight 0 or Wmax, whatever was written.
template < typename targetidentifierT >
class switching_synapse : public bounded_synapse< targetidentifierT >
{
public:
  bool
  send( Event& e, const size_t tid, const CommonSynapseProperties& properties )
  {
    this->state_.w = number_of_spikes_++ % 3 ? this->most_ : 0.0;
    return bounded_synapse< targetidentifierT >::send( e, tid, properties );
  }

  void
  get_status( Dictionary& d ) const
  {
    bounded_synapse< targetidentifierT >::get_status( d );
    d[ names::size_of ] = static_cast< long >( sizeof( *this ) );
  }

private:
  long number_of_spikes_ = 0;
};

//! A weight that is set is not taken.
template < typename targetidentifierT >
class deaf_synapse : public leaky_synapse< targetidentifierT >
{
public:
  void
  set_status( const Dictionary& d, ConnectorModel& cm )
  {
    Dictionary before;
    this->get_status( before );
    leaky_synapse< targetidentifierT >::set_status( d, cm );
    this->set_weight( before.get< double >( names::weight ) );
  }
};

//! One weight for all connections, which each can set.
template < typename targetidentifierT >
class shared_synapse : public leaky_synapse< targetidentifierT >
{
  static inline double common_ = 1.0;

public:
  void
  get_status( Dictionary& d ) const
  {
    leaky_synapse< targetidentifierT >::get_status( d );
    d[ names::weight ] = common_;
  }

  void
  set_status( const Dictionary& d, ConnectorModel& cm )
  {
    leaky_synapse< targetidentifierT >::set_status( d, cm );
    d.update_value( names::weight, common_ );
  }
};

//! One weight for all connections, which none can set.
template < typename targetidentifierT >
class strict_synapse : public leaky_synapse< targetidentifierT >
{
public:
  void
  set_status( const Dictionary& d, ConnectorModel& cm )
  {
    leaky_synapse< targetidentifierT >::set_status( d, cm );
    if ( d.known( names::weight ) )
    {
      throw BadProperty( "the weight belongs to the model" );
    }
  }
};

// Not inline, as NESTML writes it: each library that includes the header has it.
void
register_models()
{
  register_connection_model< leaky_synapse >( "leaky_synapse" );
  register_connection_model< bounded_synapse >( "bounded_synapse" );
  register_connection_model< switching_synapse >( "switching_synapse" );
  register_connection_model< deaf_synapse >( "deaf_synapse" );
  register_connection_model< shared_synapse >( "shared_synapse" );
  register_connection_model< strict_synapse >( "strict_synapse" );
}

} // namespace leaky
} // namespace nest

// A plastic synapse model of NEST whose targets' norms hold in every time slice: the model itself, with its weight_ in
// units of its target's factor between its events. NEST calls these functions by the connection's own type, so a
// derived class without data serves; its rule, parameters and properties are the parent's.

#pragma once

#include <omp.h>

#include "normalized/account.h"
#include "passes/operations.h"

namespace distnorm
{

inline int32_t
current_slice()
{
  return static_cast< int32_t >( nest::kernel().simulation_manager.get_slice() );
}

template < template < typename > class Parent, typename Identifier >
class Normalized : public Parent< Identifier >
{
  using Base = Parent< Identifier >;
  using CommonProperties = typename Base::CommonPropertiesType;
  static constexpr bool by_index = std::is_same_v< Identifier, Index >;
  static constexpr size_t unknown = std::numeric_limits< size_t >::max();

public:
  bool
  send( nest::Event& e, const size_t tid, const CommonProperties& cp )
  {
    const Slot& slot = slot_of( tid, Base::get_syn_id() );
    return send_with( account_in( slot, tid ), slot, e, tid, cp );
  }

  //! Sends with the account of its target, which the caller has found.
  bool
  send_with( Account* account, const Slot& slot, nest::Event& e, const size_t tid, const CommonProperties& cp )
  {
    bool sent = false;
    learn( account, slot, tid, [ & ] { sent = Base::send( e, tid, cp ); } );
    return sent;
  }

  Account*
  account_in( const Slot& slot, const size_t tid ) const
  {
    return slot.find( target_index( parent(), tid ) );
  }

  void
  trigger_update_weight( const size_t tid,
    const std::vector< nest::spikecounter >& dopa_spikes,
    const double t_trig,
    const CommonProperties& cp )
  {
    const Slot& slot = slot_of( tid, Base::get_syn_id() );
    learn( account_in( slot, tid ), slot, tid, [ & ] { Base::trigger_update_weight( tid, dopa_spikes, t_trig, cp ); } );
  }

  void
  get_status( Dictionary& d ) const
  {
    Base::get_status( d );
    if ( is_connected() )
    {
      // NEST has entered the thread before it asks for the rest.
      const auto tid = static_cast< size_t >( d.get< long >( nest::names::target_thread ) );
      const Slot& slot = slot_of( tid, Base::get_syn_id() );
      d[ nest::names::weight ] = weight() * slot.read_factor( target_index( parent(), tid ) );
    }
  }

  void
  set_status( const Dictionary& d, nest::ConnectorModel& model )
  {
    const size_t tid = is_connected() ? thread_of( model ) : unknown;
    const Slot* slot = tid == unknown ? nullptr : &slot_of( tid, Base::get_syn_id() );
    Account* account = slot ? account_in( *slot, tid ) : nullptr;
    if ( not account )
    {
      Base::set_status( d, model );
      return;
    }
    const double factor = account->touch( slot->power );
    const double raw = weight();
    const double before = weight() = raw * factor;
    // Parents write the weight before they check it, and so it stays when they throw.
    struct Finally
    {
      Normalized& self;
      const double raw, before, factor;
      ~Finally()
      {
        self.store( raw, before, factor );
      }
    } finally { *this, raw, before, factor };
    Base::set_status( d, model );
  }

  void
  check_connection( nest::Node& source, nest::Node& target, const size_t receptor, const CommonProperties& cp )
  {
    Base::check_connection( source, target, receptor, cp );
    const Slot& slot = slot_of( target.get_thread(), Base::get_syn_id() );
    if ( Account* account = slot.find( target.get_thread_lid() ) )
    {
      weight() /= account->touch( slot.power );
    }
  }

  void
  disable()
  {
    const size_t tid = thread_of_disabling();
    const Slot& slot = slot_of( tid, Base::get_syn_id() );
    if ( Account* account = account_in( slot, tid ) )
    {
      account->touch( slot.power );
    }
    Base::disable();
  }

private:
  double&
  weight()
  {
    return weight_of< Base >( *this );
  }

  double
  weight() const
  {
    return const_cast< Normalized& >( *this ).weight();
  }

  const Base&
  parent() const
  {
    return *this;
  }

  //! Lets the parent work on the weight, and accounts for what it changes.
  template < typename Work >
  void
  learn( Account* account, const Slot& slot, const size_t tid, Work work )
  {
    if ( not account or account->state == Account::FREE )
    {
      work();
      return;
    }
    const int32_t now = current_slice();
    if ( account->slice != now )
    {
      account->follow( slot.power );
      if ( account->state == Account::STALE )
      {
        measure( *slot.store, tid, now );
      }
      account->slice = now;
    }
    const double raw = weight();
    const double before = weight() = raw * account->g;
    work();
    if ( store( raw, before, account->g ) )
    {
      account->add( term( weight(), slot.power ) - term( raw, slot.power ) );
    }
  }

  //! Turns the weight into a raw one again. Whether it changed; if not, it keeps its bits.
  bool
  store( const double raw, const double before, const double factor )
  {
    const bool changed = not( weight() == before );
    weight() = changed ? weight() / factor : raw;
    return changed;
  }

  bool
  is_connected() const
  {
    if constexpr ( by_index )
    {
      return target_index( parent(), 0 ) != nest::invalid_targetindex;
    }
    else
    {
      return Base::get_target( 0 ) != nullptr;
    }
  }

  //! Thread of a connection by its connector model, of which each thread has one; `unknown` while it is being made.
  size_t
  thread_of( const nest::ConnectorModel& model ) const
  {
    for ( size_t tid = 0; tid < slots.size(); ++tid )
    {
      if ( &nest::kernel().model_manager.get_connection_model( Base::get_syn_id(), tid ) == &model )
      {
        return tid;
      }
    }
    return unknown;
  }

  //! NEST disconnects each thread's connections on that thread, but those of a SynapseCollection on the main thread.
  size_t
  thread_of_disabling() const
  {
    if constexpr ( not by_index )
    {
      return Base::get_target( 0 )->get_thread();
    }
    else
    {
      return omp_in_parallel() ? nest::kernel().vp_manager.get_thread_id() : thread_that_stores( this );
    }
  }

  static size_t thread_that_stores( const Normalized* connection );
};

template < template < typename > class Parent, typename Identifier >
struct SynapseOf< Normalized< Parent, Identifier > > : SynapseOf< Parent< Identifier > >
{
};

} // namespace distnorm

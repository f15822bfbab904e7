// A plastic synapse model of NEST whose targets' norms hold in every time slice: the model itself, with its weight_ in
// units of its target's factor between its events. NEST calls these functions by the connection's own type, so a
// derived class without data serves; its rule, parameters and properties are the parent's.

#pragma once

#include <omp.h>

#include "account.h"
#include "connection_type.h"

namespace distnorm
{

struct SimulatingTag
{
  using type = bool nest::SimulationManager::*;
  friend constexpr type reveal( SimulatingTag );
};
template struct Reveal< SimulatingTag, &nest::SimulationManager::simulating_ >;

inline int32_t
current_slice()
{
  return static_cast< int32_t >( nest::kernel().simulation_manager.get_slice() );
}

inline bool
is_simulating()
{
  return nest::kernel().simulation_manager.*reveal( SimulatingTag() );
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
    return send_with( account_in( slot, tid ), slot.power, e, tid, cp );
  }

  //! Sends with the account of its target, which the caller has found.
  bool
  send_with( Account* account, const int power, nest::Event& e, const size_t tid, const CommonProperties& cp )
  {
    bool sent = false;
    learn( account, power, [ & ] { sent = Base::send( e, tid, cp ); } );
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
    learn( account_in( slot, tid ), slot.power, [ & ] { Base::trigger_update_weight( tid, dopa_spikes, t_trig, cp ); } );
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
      const Account* account = account_in( slot, tid );
      d[ nest::names::weight ] = weight() * ( account ? account->read_factor( slot.power ) : 1.0 );
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
    const double raw = weight();
    const double factor = account->read_factor( slot->power );
    const double before = weight() = raw * factor;
    // Parents write the weight before they check it, and so it stays when they throw.
    struct Finally
    {
      Normalized& self;
      const Slot& slot;
      Account& account;
      const double raw, factor, before;
      ~Finally()
      {
        self.store( account, account.changed, slot.power, raw, before, factor );
      }
    } finally { *this, *slot, *account, raw, factor, before };
    Base::set_status( d, model );
  }

  void
  check_connection( nest::Node& source, nest::Node& target, const size_t receptor, const CommonProperties& cp )
  {
    Base::check_connection( source, target, receptor, cp );
    const Slot& slot = slot_of( target.get_thread(), Base::get_syn_id() );
    if ( Account* account = slot.find( target.get_thread_lid() ) )
    {
      int64_t& into = account_of_now( *account, slot.power );
      store( *account, into, slot.power, 0.0, 0.0, account->read_factor( slot.power ) );
    }
  }

  void
  disable()
  {
    const size_t tid = thread_of_disabling();
    const Slot& slot = slot_of( tid, Base::get_syn_id() );
    if ( Account* account = account_in( slot, tid ) )
    {
      int64_t& into = account_of_now( *account, slot.power );
      account->add( into, -term( weight(), slot.power ) );
    }
    Base::disable();
  }

private:
  double&
  weight()
  {
    return Weight< Base >::of( *this );
  }

  double
  weight() const
  {
    return Weight< Base >::of( const_cast< Normalized& >( *this ) );
  }

  const Base&
  parent() const
  {
    return *this;
  }

  static double
  term( const double raw, const int power )
  {
    return power == 1 ? std::abs( raw ) : raw * raw;
  }

  //! Lets the parent work on the weight, and accounts for what it changes.
  template < typename Work >
  void
  learn( Account* account, const int power, Work work )
  {
    if ( not account or not account->is_held() )
    {
      work();
      return;
    }
    account->enter( current_slice(), power );
    const double raw = weight();
    const double before = weight() = raw * account->g;
    work();
    store( *account, account->pending, power, raw, before, account->g );
  }

  //! Turns the weight into a raw one again; one that did not change keeps its bits.
  void
  store( Account& account, int64_t& into, const int power, const double raw, const double before, const double factor )
  {
    const double now = weight();
    if ( now == before )
    {
      weight() = raw;
      return;
    }
    const double new_raw = now / factor;
    weight() = new_raw;
    account.add( into, term( new_raw, power ) - term( raw, power ) );
  }

  //! Structural plasticity inside a Simulate counts like learning; a script's changes do when it simulates on.
  static int64_t&
  account_of_now( Account& account, const int power )
  {
    if ( not is_simulating() )
    {
      return account.changed;
    }
    if ( account.is_held() )
    {
      account.enter( current_slice(), power );
    }
    return account.pending;
  }

  bool
  is_connected() const
  {
    if constexpr ( by_index )
    {
      return parent().*reveal( IdentifierTag< Index >() ).*reveal( TargetIndexTag() ) != nest::invalid_targetindex;
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

} // namespace distnorm

// One Run of NEST, left between two of its slices and entered again, as if it had never been left.
//
// NEST has no call for that, and two Runs are not one: each Run draws from the random numbers that ranks and threads
// share, opens and closes exchanges of its backends, resets the counters of spikes, and updates synaptic elements.
//
// But NEST leaves a Run at the end of a slice that took longer than `update_time_limit`, before it does what belongs to
// the end of a Run. A node that is no part of the network, the last one on the first thread, lowers that limit in the
// slice after which the Run is to be left. All members that say how far NEST is are then those of a Run that goes on.

#pragma once

#include <iostream>

#include "logging.h"
#include "logging_event.h"
#include "node.h"
#include "stopwatch_impl.h"

#include "calls.h"

namespace distnorm
{

//! Names a private member of one of NEST's classes: declares Tag, for reveal( Tag() ).
#define DN_PRIVATE( Tag, Class, member )                                                                               \
  struct Tag                                                                                                           \
  {                                                                                                                    \
    friend constexpr auto reveal( Tag );                                                                               \
  };                                                                                                                   \
  template struct RevealAny< Tag, &nest::Class::member >;

DN_PRIVATE( UpdateTag, SimulationManager, update_ )
DN_PRIVATE( RunningTag, SimulationManager, simulating_ )
DN_PRIVATE( ToDoTag, SimulationManager, to_do_ )
DN_PRIVATE( ToStepTag, SimulationManager, to_step_ )
DN_PRIVATE( LimitTag, SimulationManager, update_time_limit_ )
DN_PRIVATE( PrintTimeTag, SimulationManager, print_time_ )
DN_PRIVATE( WatchTag, SimulationManager, sw_simulate_ )
DN_PRIVATE( LocalNodesTag, NodeManager, local_nodes_ )
DN_PRIVATE( NodesTag, SparseNodeArray, nodes_ )
DN_PRIVATE( ListenersTag, LoggingManager, client_callbacks_ )
DN_PRIVATE( PrintLogTag, LoggingManager, default_logging_callback_ )

inline nest::SimulationManager&
simulation()
{
  return nest::kernel().simulation_manager;
}

//! The node that ends a piece of a Run. It has no ID in the network and takes part in nothing else.
class PieceEnd : public nest::Node
{
public:
  //! After so many steps from now on; where a slice ends before the Run does.
  void
  set( const long steps )
  {
    end_ = simulation().get_time().get_steps() + steps;
    reached_ = false;
  }

  bool
  is_reached() const
  {
    return reached_;
  }

  void
  update( const nest::Time& origin, const long from, const long to ) override
  {
    if ( origin.get_steps() + to >= end_ and simulation().*reveal( ToDoTag() ) > to - from )
    {
      reached_ = true;
      simulation().*reveal( LimitTag() ) = -1.0; // seconds: any slice takes longer
    }
  }

  void
  pre_run_hook() override
  {
  }

  void
  set_status( const Dictionary& ) override
  {
  }

  void
  get_status( Dictionary& ) const override
  {
  }

private:
  long end_ = 0;
  bool reached_ = false;
};

static PieceEnd piece_end;
static std::vector< nest::deliver_logging_event_ptr > listeners; // NEST's own, while a piece runs
static double update_time_limit; // the user's

//! Hands on what NEST logs, but for the limit that was lowered here.
inline void
hand_on( const nest::LoggingEvent& event )
{
  if ( piece_end.is_reached() and event.function == "SimulationManager::update" )
  {
    return;
  }
  const auto& manager = nest::kernel().logging_manager;
  if ( listeners.empty() )
  {
    ( manager.*reveal( PrintLogTag() ) )( event );
  }
  for ( const auto& listener : listeners )
  {
    listener( event );
  }
}

inline auto&
nodes_of_first_thread()
{
  return ( nest::kernel().node_manager.*reveal( LocalNodesTag() ) ).front().*reveal( NodesTag() );
}

inline void
begin_piece( const long steps )
{
  piece_end.set( steps );
  update_time_limit = simulation().*reveal( LimitTag() );
  std::swap( listeners, nest::kernel().logging_manager.*reveal( ListenersTag() ) );
  ( nest::kernel().logging_manager.*reveal( ListenersTag() ) ).assign( 1, hand_on );
  const size_t beyond_network = nest::kernel().node_manager.size() + 1;
  nodes_of_first_thread().push_back( nest::SparseNodeArray::NodeEntry( piece_end, beyond_network ) );
}

//! Puts everything back; true if the Run was left, and false if it has ended, or failed.
inline bool
end_piece()
{
  auto& nodes = nodes_of_first_thread();
  nodes.erase( nodes.end() - 1, nodes.end() );
  std::swap( listeners, nest::kernel().logging_manager.*reveal( ListenersTag() ) );
  listeners.clear();
  simulation().*reveal( LimitTag() ) = update_time_limit;
  if ( piece_end.is_reached() )
  {
    simulation().*reveal( RunningTag() ) = false;
    ( simulation().*reveal( WatchTag() ) ).stop();
  }
  return piece_end.is_reached();
}

//! What NEST does after the last slice of a Run, as in SimulationManager::run and call_update_.
inline void
end_run()
{
  simulation().*reveal( RunningTag() ) = false;
  if ( simulation().*reveal( PrintTimeTag() ) )
  {
    std::cout << std::endl;
  }
  nest::kernel().mpi_manager.synchronize();
  LOG( nest::VerbosityLevel::INFO, "SimulationManager::run", "Simulation finished." );
  nest::kernel().io_manager.post_run_hook();
  nest::kernel().random_manager.check_rng_synchrony();
  ( simulation().*reveal( WatchTag() ) ).stop();
}

//! Goes on with a Run that was left; to its end, or for a piece.
inline void
go_on()
{
  ( simulation().*reveal( WatchTag() ) ).start();
  simulation().*reveal( RunningTag() ) = true;
  ( simulation().*reveal( UpdateTag() ) )();
  end_run();
}

//! Ends a Run that was left, as if it had been asked for the steps that were done and no more.
inline void
give_up()
{
  const double now = simulation().get_time().get_ms();
  on_all_threads(
    [ now ]( const size_t tid )
    {
      for ( const auto& entry : nest::kernel().node_manager.get_local_nodes( tid ) )
      {
        entry.get_node()->update_synaptic_elements( now );
      }
    } );
  simulation().*reveal( ToDoTag() ) = 0;
  simulation().*reveal( ToStepTag() ) = simulation().get_from_step();
  end_run();
}

} // namespace distnorm

using namespace distnorm;

extern "C"
{

//! Has a Run of NEST that begins now, or goes on, be left after so many steps, at the end of a slice. Then, whatever came
//! of it, dn_piece_end().
void
dn_piece_begin( const int64_t steps )
{
  begin_piece( steps );
}

//! 1 if the Run was left, 0 if not: then it has ended, or failed.
int
dn_piece_end()
{
  return end_piece();
}

//! Goes on with a Run that was left. FAILED: dn_error_kind() and dn_error() say how.
int
dn_run_go_on()
{
  return guarded(
    []
    {
      go_on();
      return OK;
    } );
}

//! Ends a Run that was left.
int
dn_run_give_up()
{
  return guarded(
    []
    {
      give_up();
      return OK;
    } );
}

//! Smallest delay of all ranks in steps, and steps since the last slice ended; once the network is prepared.
void
dn_slice( int64_t* steps, int64_t* since )
{
  *steps = nest::kernel().connection_manager.get_min_delay();
  *since = simulation().get_from_step();
}

} // extern "C"

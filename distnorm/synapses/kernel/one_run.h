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

#include "failure.h"

#include "logging.h"
#include "logging_event.h"
#include "node.h"
#include "stopwatch_impl.h"

namespace distnorm
{

template struct Reveal< "update_", &nest::SimulationManager::update_ >;
template struct Reveal< "simulating_", &nest::SimulationManager::simulating_ >;
template struct Reveal< "to_do_", &nest::SimulationManager::to_do_ >;
template struct Reveal< "to_step_", &nest::SimulationManager::to_step_ >;
template struct Reveal< "update_time_limit_", &nest::SimulationManager::update_time_limit_ >;
template struct Reveal< "print_time_", &nest::SimulationManager::print_time_ >;
template struct Reveal< "sw_simulate_", &nest::SimulationManager::sw_simulate_ >;
template struct Reveal< "local_nodes_", &nest::NodeManager::local_nodes_ >;
template struct Reveal< "nodes_", &nest::SparseNodeArray::nodes_ >;
template struct Reveal< "client_callbacks_", &nest::LoggingManager::client_callbacks_ >;
template struct Reveal< "default_logging_callback_", &nest::LoggingManager::default_logging_callback_ >;

inline nest::SimulationManager&
simulation()
{
  return nest::kernel().simulation_manager;
}

//! The node that ends a piece of a Run. It has no ID in the network and takes part in nothing else.
struct PieceEnd : nest::Node
{
  long end = 0; //!< time step at which the piece ends, where a slice ends before the Run does
  bool is_reached = false;

  void
  update( const nest::Time& origin, const long from, const long to ) override
  {
    if ( origin.get_steps() + to >= end and to - from < simulation().*member< "to_do_" > )
    {
      is_reached = true;
      simulation().*member< "update_time_limit_" > = -1.0; // seconds: any slice takes longer
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
};

static PieceEnd piece_end;
static std::vector< nest::deliver_logging_event_ptr > listeners; // NEST's own, while a piece runs
static double update_time_limit;                                 // the user's

//! Hands on what NEST logs, but for the limit that was lowered here.
inline void
hand_on( const nest::LoggingEvent& event )
{
  if ( piece_end.is_reached and event.function == "SimulationManager::update" )
  {
    return;
  }
  if ( listeners.empty() )
  {
    constexpr auto print = member< "default_logging_callback_" >;
    ( nest::kernel().logging_manager.*print )( event );
  }
  for ( const auto& listener : listeners )
  {
    listener( event );
  }
}

inline auto&
client_callbacks()
{
  return nest::kernel().logging_manager.*member< "client_callbacks_" >;
}

inline auto&
stopwatch()
{
  return simulation().*member< "sw_simulate_" >;
}

inline auto&
nodes_of_first_thread()
{
  auto& by_thread = nest::kernel().node_manager.*member< "local_nodes_" >;
  return by_thread.front().*member< "nodes_" >;
}

//! Has a Run of NEST that begins now, or goes on, be left after so many steps, at the end of a slice. Then, whatever
//! came of it, end_piece().
inline void
begin_piece( const long steps )
{
  piece_end.end = simulation().get_time().get_steps() + steps;
  piece_end.is_reached = false;
  update_time_limit = simulation().*member< "update_time_limit_" >;
  std::swap( listeners, client_callbacks() );
  client_callbacks().assign( 1, hand_on );
  const size_t beyond_network = nest::kernel().node_manager.size() + 1;
  nodes_of_first_thread().push_back( nest::SparseNodeArray::NodeEntry( piece_end, beyond_network ) );
}

//! Puts everything back; true if the Run was left, and false if it has ended, or failed.
inline bool
end_piece()
{
  auto& nodes = nodes_of_first_thread();
  nodes.erase( nodes.end() - 1, nodes.end() );
  std::swap( listeners, client_callbacks() );
  listeners.clear();
  simulation().*member< "update_time_limit_" > = update_time_limit;
  if ( piece_end.is_reached )
  {
    simulation().*member< "simulating_" > = false;
    stopwatch().stop();
  }
  return piece_end.is_reached;
}

//! What NEST does after the last slice of a Run, as in SimulationManager::run and call_update_.
inline void
end_run()
{
  simulation().*member< "simulating_" > = false;
  if ( simulation().*member< "print_time_" > )
  {
    std::cout << std::endl;
  }
  nest::kernel().mpi_manager.synchronize();
  LOG( nest::VerbosityLevel::INFO, "SimulationManager::run", "Simulation finished." );
  nest::kernel().io_manager.post_run_hook();
  nest::kernel().random_manager.check_rng_synchrony();
  stopwatch().stop();
}

//! Goes on with a Run that was left; to its end, or for a piece.
inline void
go_on()
{
  stopwatch().start();
  simulation().*member< "simulating_" > = true;
  constexpr auto update = member< "update_" >;
  ( simulation().*update )();
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
  simulation().*member< "to_do_" > = 0;
  simulation().*member< "to_step_" > = simulation().get_from_step();
  end_run();
}

//! Smallest delay of all ranks in steps; once the network is prepared.
inline int64_t
steps_of_slice()
{
  return nest::kernel().connection_manager.get_min_delay();
}

//! Steps since the last slice ended.
inline int64_t
steps_since_slice()
{
  return simulation().get_from_step();
}

} // namespace distnorm

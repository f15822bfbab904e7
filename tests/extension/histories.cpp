// What the neurons of this rank keep for their synapses to read, as the tests compare it.

#include "passes/history.h"

#include "node.h"

namespace
{

template < typename Kind >
void
list( nest::Node& node, double* rows, int64_t& number, const int64_t room )
{
  if ( const auto* history = Kind::find( &node ) )
  {
    for ( const auto& entry : *history )
    {
      if ( number < room )
      {
        const double row[] = { static_cast< double >( node.get_node_id() ), entry.t_, Kind::value( entry ),
          static_cast< double >( entry.access_counter_ ) };
        std::copy_n( row, 4, rows + 4 * number );
      }
      ++number;
    }
  }
}

} // namespace

//! Fills rows of node ID, time, value and number of readers, as many as there is room for; returns how many there are.
extern "C" int64_t
list_histories( double* rows, const int64_t room )
{
  int64_t number = 0;
  for ( size_t tid = 0; tid < nest::kernel().vp_manager.get_num_threads(); ++tid )
  {
    for ( const auto& entry : nest::kernel().node_manager.get_local_nodes( tid ) )
    {
      list< distnorm::Spikes >( *entry.get_node(), rows, number, room );
      list< distnorm::Potentiations >( *entry.get_node(), rows, number, room );
    }
  }
  return number;
}

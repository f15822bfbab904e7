// What NEST has yet to do to a connection's weight. A model whose update is deferred calls its facilitate_ for entries
// of its target's history only when the next presynaptic spike arrives. Here that is worked out, or done, before: the
// rule is the model's own, and only which entries it is called for, and with which trace, is written here as in send().

#pragma once

#include <cmath>

#include "passes/pass.h"
#include "synapse.h"

namespace distnorm
{

template < typename Synapse >
constexpr bool is_deferred = SynapseOf< Synapse >::Its::is_deferred;

template < typename Synapse >
double&
last_update( Synapse& synapse )
{
  return synapse.*member< "t_lastspike_", Synapse >;
}

//! The entries of its target's history that a connection with this delay has yet to read, up to a time.
template < typename Synapse, typename Kind >
Due
due_of( Synapse& synapse,
  const double delay,
  const Histories< Kind >& histories,
  const size_t target,
  const double until )
{
  const double begin = last_update( synapse ) - delay + Kind::tolerance();
  return histories.between( target, begin, until - delay + Kind::tolerance() );
}

//! What an entry makes of a weight.
template < typename Synapse, typename CommonProperties, typename Kind >
double
facilitated( Synapse& synapse,
  const double delay,
  const CommonProperties& common,
  const double weight,
  const Histories< Kind >& histories,
  const size_t entry )
{
  using Its = typename SynapseOf< Synapse >::Its;
  const double since_spike = last_update( synapse ) - ( histories.time( entry ) + delay );
  const double trace = Its::trace( synapse ) * Its::decay( synapse, common, since_spike );
  return Its::facilitated( synapse, common, weight, trace, histories.value( entry ) );
}

//! Has traces and the time of the last update follow a change that was made.
template < typename Synapse, typename CommonProperties >
void
advance( Synapse& synapse, const CommonProperties& common, const double until )
{
  SynapseOf< Synapse >::Its::advance( synapse, common, last_update( synapse ) - until );
  last_update( synapse ) = until;
}

template < typename ConnectionT >
const auto&
common_of( const nest::ConnectorModel& model )
{
  return static_cast< const nest::GenericConnectorModel< ConnectionT >& >( model ).get_common_properties();
}

//! The synapse of a connection that was gathered.
template < typename ConnectionT >
typename SynapseOf< ConnectionT >::type&
synapse_of( const Block< ConnectionT >& block, const Buffer& all, const size_t i )
{
  return block.elements[ all.place[ i ] ];
}

//! Does to weights that were gathered what NEST has yet to do to them. One entry for all connections that have one,
//! then the next: so many can be worked on at once, and how many each has need not be predicted.
template < typename ConnectionT >
void
bring_forward( const Work& work, const Block< ConnectionT >& block, Buffer& all, Pending& pending )
{
  using Kind = typename SynapseOf< ConnectionT >::Its::History;
  const auto& histories = work.thread.histories.template get< Kind >();
  const auto& common = common_of< ConnectionT >( work.model );
  pending.size = 0;
  for ( size_t i = 0; i < all.size; ++i )
  {
    auto& synapse = synapse_of( block, all, i );
    pending.delay[ i ] = synapse.get_delay();
    pending.due[ i ] = due_of( synapse, pending.delay[ i ], histories, all.target[ i ], work.until );
    pending.which[ pending.size ] = i;
    pending.size += pending.due[ i ].first < pending.due[ i ].last;
  }
  std::copy( pending.which, pending.which + pending.size, pending.left );
  size_t left = pending.size;
  for ( size_t turn = 0; left > 0; ++turn )
  {
    size_t more = 0;
    for ( size_t k = 0; k < left; ++k )
    {
      const size_t i = pending.left[ k ];
      const size_t entry = pending.due[ i ].first + turn;
      all.weight[ i ] =
        facilitated( synapse_of( block, all, i ), pending.delay[ i ], common, all.weight[ i ], histories, entry );
      pending.left[ more ] = i;
      more += entry + 1 < pending.due[ i ].last;
    }
    left = SynapseOf< ConnectionT >::Its::pairs_first_only ? 0 : more;
  }
}

//! Makes the changes.
template < typename ConnectionT >
void
commit( const Work& work, const Block< ConnectionT >& block, const Buffer& all, const Pending& pending )
{
  using Kind = typename SynapseOf< ConnectionT >::Its::History;
  auto& histories = work.thread.histories.template get< Kind >();
  for ( size_t k = 0; k < pending.size; ++k )
  {
    const size_t i = pending.which[ k ];
    auto& synapse = synapse_of( block, all, i );
    weight_of( synapse ) = all.weight[ i ];
    histories.read( pending.due[ i ] );
    advance( synapse, common_of< ConnectionT >( work.model ), work.until );
  }
}

//! What NEST has yet to do to the weight of one connection, done to a weight.
template < typename ConnectionT >
double
brought_up_to_date( nest::ConnectorBase& connector, const size_t tid, const size_t lcid, const double weight )
{
  if constexpr ( is_deferred< ConnectionT > )
  {
    const auto& model = nest::kernel().model_manager.get_connection_model( connector.get_syn_id(), tid );
    using Kind = typename SynapseOf< ConnectionT >::Its::History;
    typename SynapseOf< ConnectionT >::type& synapse = elements_of< ConnectionT >( connector )[ lcid ];
    Histories< Kind > histories;
    histories.collect( { synapse.get_target( tid ) } );
    const double delay = synapse.get_delay();
    const Due due = due_of( synapse, delay, histories, 0, delivered_until() );
    const size_t last = SynapseOf< ConnectionT >::Its::pairs_first_only ? std::min( due.first + 1, due.last ) : due.last;
    double result = weight;
    for ( size_t entry = due.first; entry < last; ++entry )
    {
      result = facilitated( synapse, delay, common_of< ConnectionT >( model ), result, histories, entry );
    }
    return result;
  }
  return weight;
}

} // namespace distnorm

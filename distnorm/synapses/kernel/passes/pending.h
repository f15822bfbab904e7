// What NEST has yet to do to a connection's weight. A model whose update is deferred calls its facilitate_ for entries
// of its target's history only when the next presynaptic spike arrives. Here that is worked out, or done, before: the
// rule is the model's own, and only which entries it is called for, and with which trace, is written here as in send().

#pragma once

#include <cmath>

#include "passes/history.h"
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
due_of( Synapse& synapse, const double delay, const Histories< Kind >& histories, const size_t target, const double until )
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

} // namespace distnorm

// What passes and rows ask of a synapse of any model.

#pragma once

#include "nest_access.h"
#include "passes/range.h"

namespace distnorm
{

//! Where a model's synapses have what is asked of them; distnorm_models.h has one for each line of synapse_models.py.
template < template < typename > class Model >
struct Traits;

template < Name... names >
struct Names
{
  static constexpr size_t size = sizeof...( names );
};

//! The synapse in a connection, which may have a label besides.
template < typename ConnectionT >
struct SynapseOf;
template < template < typename > class Model, typename Identifier_ >
struct SynapseOf< Model< Identifier_ > >
{
  using type = Model< Identifier_ >;
  using Identifier = Identifier_;
  using Its = Traits< Model >;
};
template < typename Synapse >
struct SynapseOf< nest::ConnectionLabel< Synapse > > : SynapseOf< Synapse >
{
};

template < typename Synapse >
double&
weight_of( Synapse& synapse )
{
  return SynapseOf< Synapse >::Its::weight( synapse );
}

//! Replaces those of the limits that a synapse has for itself.
template < typename Synapse >
void
read_own_limits( const Synapse& synapse, Range& range )
{
  using Its = typename SynapseOf< Synapse >::Its;
  if constexpr ( Its::has_own_wmin )
  {
    range.least = synapse.*member< "Wmin_", Synapse >;
  }
  if constexpr ( Its::has_own_wmax )
  {
    range.most = synapse.*member< "Wmax_", Synapse >;
  }
}

//! Whether a synapse has the thread-local index of its target, not a pointer to it.
template < typename Synapse >
inline constexpr bool has_index = std::is_same_v< typename SynapseOf< Synapse >::Identifier, Index >;

//! Thread-local index of the target of a synapse.
template < typename Synapse >
size_t
target_index( const Synapse& synapse, const size_t tid )
{
  if constexpr ( has_index< Synapse > )
  {
    return synapse.*member< "target_", nest::Connection< Index > >.*member< "target_", Index >;
  }
  else
  {
    return synapse.get_target( tid )->get_thread_lid();
  }
}

template < typename ConnectionT >
BlockVector< ConnectionT >&
elements_of( nest::ConnectorBase& connector )
{
  using Connector = nest::Connector< ConnectionT >;
  return dynamic_cast< Connector& >( connector ).*member< "C_", Connector >;
}

//! Connections that lie side by side.
template < typename ConnectionT >
struct Block
{
  ConnectionT* elements;
  size_t size;
  size_t first; //!< number of the first in its connector

  //! Those from a place on, so many at most.
  Block
  part( const size_t from, const size_t most ) const
  {
    return { elements + from, std::min( most, size - from ), first + from };
  }
};

//! Calls body for each block of a connector.
template < typename ConnectionT, typename Body >
void
for_each_block( nest::ConnectorBase& connector, Body body )
{
  auto& all = elements_of< ConnectionT >( connector );
  const size_t size = all.size();
  for ( size_t first = 0; first < size; first += max_block_size )
  {
    body( Block< ConnectionT > { &all[ first ], std::min< size_t >( max_block_size, size - first ), first } );
  }
}

} // namespace distnorm

// Private members of NEST, by name. An explicit instantiation may name them ([temp.spec.general]/6); the compiler checks
// name and type, so an unknown layout fails to compile instead of writing somewhere wrong.

#pragma once

#include "config.h"
#undef HAVE_BOOST // adds functions only, no data: without it a machine with just a compiler suffices

#include <type_traits>
#include <vector>

#if defined( __FAST_MATH__ ) || ( defined( __FINITE_MATH_ONLY__ ) && __FINITE_MATH_ONLY__ )
#error "fast math is on, with which norms go wrong; take -ffast-math, -Ofast and the like out of CXX"
#endif

#ifdef HAVE_MPI
#include <mpi.h>
// NEST's managers hold MPI handles, an int in some MPIs and a pointer in others. compiling/library.py asks NEST's library which.
static_assert( std::is_same_v< MPI_Comm, int > == static_cast< bool >( DN_MPI_COMM_IS_INT ),
  "mpi.h is not that of the MPI that NEST was built with; load that MPI" );
#endif

#include "kernel_manager.h" // first: NEST's headers lean on it

#include "connection.h"
#include "connection_label.h"
#include "connector_base.h"
#include "connector_model.h"
#include "target_identifier.h"

namespace distnorm
{

template < typename Tag, typename Tag::type Member >
struct Reveal
{
  friend constexpr typename Tag::type
  reveal( Tag )
  {
    return Member;
  }
};

struct ConnectionsTag
{
  using type = std::vector< std::vector< nest::ConnectorBase* > > nest::ConnectionManager::*;
  friend constexpr type reveal( ConnectionsTag );
};
template struct Reveal< ConnectionsTag, &nest::ConnectionManager::connections_ >;

struct TargetIndexTag
{
  using type = nest::targetindex nest::TargetIdentifierIndex::*;
  friend constexpr type reveal( TargetIndexTag );
};
template struct Reveal< TargetIndexTag, &nest::TargetIdentifierIndex::target_ >;

template < typename Identifier >
struct IdentifierTag
{
  using type = Identifier nest::Connection< Identifier >::*;
  friend constexpr type reveal( IdentifierTag );
};
using Pointer = nest::TargetIdentifierPtrRport;
using Index = nest::TargetIdentifierIndex;
template struct Reveal< IdentifierTag< Index >, &nest::Connection< Index >::target_ >;

template < typename ConnectionT >
struct ElementsTag
{
  using type = BlockVector< ConnectionT > nest::Connector< ConnectionT >::*;
  friend constexpr type reveal( ElementsTag );
};

//! As Reveal, for a member whose type cannot be named.
template < typename Tag, auto Member >
struct RevealAny
{
  friend constexpr auto
  reveal( Tag )
  {
    return Member;
  }
};

template < typename Synapse >
struct WeightTag
{
  friend constexpr auto reveal( WeightTag );
};

// Bounds of the weight that each connection has for itself.
template < typename Synapse >
struct WmaxTag
{
  using type = double Synapse::*;
  friend constexpr type reveal( WmaxTag );
};
template < typename Synapse >
struct WminTag
{
  using type = double Synapse::*;
  friend constexpr type reveal( WminTag );
};
template < typename Synapse >
inline constexpr bool has_own_wmax = false;
template < typename Synapse >
inline constexpr bool has_own_wmin = false;

} // namespace distnorm

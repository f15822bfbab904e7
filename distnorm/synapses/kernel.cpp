// Two loops over NEST's connectors: add up |w|^p per target (measure) and multiply w by a factor per target (rescale).
//
// Loaded with ctypes into a process that has imported nest; every nest:: symbol resolves to that NEST. All functions
// are extern "C", return 0 or an error code, and never let a C++ exception out; dn_error() has the text.
//
// A "group" is the set of connections of one rule. Its targets on this rank are numbered 0 ... n-1, thread by thread
// and in order of node ID within a thread, so that no two threads write to the same cache line of a per-target array.

#include "config.h"
#undef HAVE_BOOST // adds functions only, no data: without it a machine with just a compiler suffices

#include <algorithm>
#include <cstdint>
#include <exception>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "kernel_manager.h" // first: NEST's headers lean on it

#include "connection.h"
#include "connection_label.h"
#include "connector_base.h"
#include "connector_model.h"
#include "target_identifier.h"

// ---------------------------------------------------------------------------------------------------------------------
// Private members of NEST, by name. An explicit instantiation may name them ([temp.spec.general]/6); the compiler
// checks name and type, so an unknown layout fails to compile instead of writing somewhere wrong.

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

template < typename Synapse >
struct WeightTag
{
  using type = double Synapse::*;
  friend constexpr type reveal( WeightTag );
};

namespace
{

std::string last_error;

// Outcome of a call; the Python side has the same numbers.
enum Code : int
{
  OK = 0,
  FAILED = 1, // an exception; dn_error() has the text
  STALE = 2   // nodes or threads have changed since the group was opened
};

// ---------------------------------------------------------------------------------------------------------------------
// Node IDs as sorted disjoint runs [first, last].

struct Run
{
  int64_t first;
  int64_t last;
};

class NodeIds
{
public:
  NodeIds( const int64_t* runs, const int64_t n )
  {
    for ( int64_t i = 0; i < n; ++i )
    {
      runs_.push_back( { runs[ 2 * i ], runs[ 2 * i + 1 ] } );
    }
  }

  //! No runs at all means: every node.
  bool
  everything() const
  {
    return runs_.empty();
  }

  bool
  contains( const int64_t id ) const
  {
    const auto run = std::upper_bound(
      runs_.begin(), runs_.end(), id, []( const int64_t value, const Run& r ) { return value <= r.last; } );
    return everything() or ( run != runs_.end() and run->first <= id );
  }

private:
  std::vector< Run > runs_;
};

// ---------------------------------------------------------------------------------------------------------------------
// What belongs to a rule on this rank.

//! Sum over the incoming connections of a target, as the unevaluated sum high + low.
struct alignas( 32 ) Sum
{
  double high = 0.0;
  double low = 0.0;
  int64_t count = 0;

  //! Knuth's TwoSum: with about 106 bits the rounded total does not depend on the order of the connections.
  void
  add( const double value )
  {
    const double total = high + value;
    const double part = total - high;
    low += ( high - ( total - part ) ) + ( value - part );
    high = total;
    ++count;
  }
};

constexpr int32_t not_a_target = -1;

// Bytes between the connection at work and the one asked for from memory. The hardware's own prefetching loses sight
// of the stream among the accesses per target; `distnorm bench kernel` came to 1.23 times streaming without, 1.03 with.
constexpr size_t prefetch_distance = 2048;

struct ThreadTargets
{
  size_t num_nodes = 0;               //!< nodes on the thread when the group was opened
  std::vector< int32_t > target_of_node; //!< by thread-local node index
  std::vector< int64_t > node_ids;    //!< by target
  std::vector< Sum > sums;            //!< by target
  size_t first = 0;                   //!< number of the thread's first target
};

struct Group
{
  std::vector< nest::synindex > synapse_ids;
  NodeIds sources;
  std::vector< ThreadTargets > threads;

  bool
  is_stale() const
  {
    if ( threads.size() != nest::kernel().vp_manager.get_num_threads() )
    {
      return true;
    }
    for ( size_t tid = 0; tid < threads.size(); ++tid )
    {
      if ( threads[ tid ].num_nodes != nest::kernel().node_manager.get_local_nodes( tid ).size() )
      {
        return true;
      }
    }
    return false;
  }
};

//! Remembers the last source looked up: connections are sorted by source.
class SourceFilter
{
public:
  SourceFilter( const NodeIds& sources, const size_t tid, const nest::synindex synapse_id )
    : sources_( sources )
    , tid_( tid )
    , synapse_id_( synapse_id )
  {
  }

  bool
  selects( const size_t lcid )
  {
    if ( sources_.everything() )
    {
      return true;
    }
    const size_t source = nest::kernel().connection_manager.get_source_node_id( tid_, synapse_id_, lcid );
    if ( source != last_source_ )
    {
      last_source_ = source;
      last_answer_ = sources_.contains( source );
    }
    return last_answer_;
  }

private:
  const NodeIds& sources_;
  const size_t tid_;
  const nest::synindex synapse_id_;
  size_t last_source_ = 0;
  bool last_answer_ = false;
};

// ---------------------------------------------------------------------------------------------------------------------
// One type of connection.

template < typename Synapse >
struct IdentifierOf;
template < template < typename > class Synapse, typename Identifier >
struct IdentifierOf< Synapse< Identifier > >
{
  using type = Identifier;
};

template < typename Synapse >
size_t
target_index( const Synapse& synapse, const size_t tid )
{
  if constexpr ( std::is_same_v< typename IdentifierOf< Synapse >::type, Index > )
  {
    return synapse.*reveal( IdentifierTag< Index >() ).*reveal( TargetIndexTag() );
  }
  else
  {
    return synapse.get_target( tid )->get_thread_lid();
  }
}

class ConnectionType
{
public:
  virtual ~ConnectionType() = default;
  virtual bool is_model( const nest::ConnectorModel& ) const = 0;
  virtual void measure( Group&, nest::ConnectorBase&, size_t tid, int power ) const = 0;
  virtual void rescale( Group&, nest::ConnectorBase&, size_t tid, const double* factors ) const = 0;
  virtual double stream( nest::ConnectorBase&, bool write ) const = 0;
  virtual double weight( nest::ConnectorBase&, size_t lcid ) const = 0;
};

template < typename ConnectionT, typename Synapse >
class TypedConnection : public ConnectionType
{
  using Connector = nest::Connector< ConnectionT >;

  static BlockVector< ConnectionT >&
  elements( nest::ConnectorBase& connector )
  {
    return dynamic_cast< Connector& >( connector ).*reveal( ElementsTag< ConnectionT >() );
  }

  //! Calls body( first element, number of elements, lcid of the first ) for each contiguous block.
  template < typename Body >
  static void
  for_each_block( nest::ConnectorBase& connector, Body body )
  {
    auto& all = elements( connector );
    const size_t size = all.size();
    for ( size_t first = 0; first < size; first += max_block_size )
    {
      body( &all[ first ], std::min< size_t >( max_block_size, size - first ), first );
    }
  }

  //! Calls body( weight, target on this thread ) for each connection of the group.
  template < typename Body >
  static void
  for_each( Group& group, nest::ConnectorBase& connector, const size_t tid, Body body )
  {
    SourceFilter sources( group.sources, tid, connector.get_syn_id() );
    const auto& target_of_node = group.threads[ tid ].target_of_node;
    for_each_block( connector,
      [ & ]( ConnectionT* block, const size_t size, const size_t first )
      {
        for ( size_t i = 0; i < size; ++i )
        {
          Synapse& synapse = block[ i ];
          __builtin_prefetch( reinterpret_cast< const char* >( &synapse ) + prefetch_distance, 1 );
          const int32_t target = target_of_node[ target_index( synapse, tid ) ];
          if ( target != not_a_target and not synapse.is_disabled() and sources.selects( first + i ) )
          {
            body( synapse.*reveal( WeightTag< Synapse >() ), target );
          }
        }
      } );
  }

public:
  bool
  is_model( const nest::ConnectorModel& model ) const override
  {
    return dynamic_cast< const nest::GenericConnectorModel< ConnectionT >* >( &model );
  }

  void
  measure( Group& group, nest::ConnectorBase& connector, const size_t tid, const int power ) const override
  {
    auto& sums = group.threads[ tid ].sums;
    if ( power == 1 )
    {
      for_each( group, connector, tid, [ & ]( const double w, const int32_t i ) { sums[ i ].add( std::abs( w ) ); } );
    }
    else
    {
      for_each( group, connector, tid, [ & ]( const double w, const int32_t i ) { sums[ i ].add( w * w ); } );
    }
  }

  void
  rescale( Group& group, nest::ConnectorBase& connector, const size_t tid, const double* factors ) const override
  {
    const double* mine = factors + group.threads[ tid ].first;
    for_each( group, connector, tid, [ mine ]( double& w, const int32_t i ) { w *= mine[ i ]; } );
  }

  using Word = uint64_t __attribute__( ( may_alias ) );

  //! Reads, or reads and writes, all bytes of the connections: what the loops above are compared with.
  double
  stream( nest::ConnectorBase& connector, const bool write ) const override
  {
    double total = 0.0;
    for_each_block( connector,
      [ & ]( ConnectionT* block, const size_t size, size_t )
      {
        auto* words = reinterpret_cast< Word* >( block );
        const size_t n = size * sizeof( ConnectionT ) / sizeof( uint64_t );
        uint64_t folded[ 4 ] = { 0, 0, 0, 0 };
        if ( write )
        {
          // The compiler cannot know that the mask is zero, so every word is read and written back unchanged.
          static volatile uint64_t zero = 0;
          const uint64_t mask = zero;
          for ( size_t i = 0; i < n; ++i )
          {
            words[ i ] ^= mask;
          }
        }
        else
        {
          for ( size_t i = 0; i + 4 <= n; i += 4 )
          {
            for ( size_t j = 0; j < 4; ++j )
            {
              folded[ j ] ^= words[ i + j ];
            }
          }
        }
        total += static_cast< double >( ( folded[ 0 ] ^ folded[ 1 ] ^ folded[ 2 ] ^ folded[ 3 ] ) & 1 );
      } );
    return total;
  }

  double
  weight( nest::ConnectorBase& connector, const size_t lcid ) const override
  {
    Synapse& synapse = elements( connector )[ lcid ];
    return synapse.*reveal( WeightTag< Synapse >() );
  }
};

std::vector< std::unique_ptr< ConnectionType > > connection_types;

template < typename ConnectionT, typename Synapse >
bool
add_type()
{
  connection_types.push_back( std::make_unique< TypedConnection< ConnectionT, Synapse > >() );
  return true;
}

} // namespace

// A model with its variants: plain, _hpc and _lbl.
#define DN_VARIANT( ConnectionT, Synapse )                                                                             \
  template struct Reveal< ElementsTag< ConnectionT >, &nest::Connector< ConnectionT >::C_ >;                           \
  static const bool DN_NAME( added_, __COUNTER__ ) = add_type< ConnectionT, Synapse >();
#define DN_NAME( a, b ) DN_NAME_( a, b )
#define DN_NAME_( a, b ) a##b
#define DN_MODEL( model )                                                                                              \
  template struct Reveal< WeightTag< nest::model< Pointer > >, &nest::model< Pointer >::weight_ >;                     \
  template struct Reveal< WeightTag< nest::model< Index > >, &nest::model< Index >::weight_ >;                         \
  DN_VARIANT( nest::model< Pointer >, nest::model< Pointer > )                                                         \
  DN_VARIANT( nest::model< Index >, nest::model< Index > )                                                             \
  DN_VARIANT( nest::ConnectionLabel< nest::model< Pointer > >, nest::model< Pointer > )

#include "distnorm_models.h" // build.py writes it: DN_MODEL( ... ) for each model whose header this NEST has

namespace
{

const ConnectionType*
find_type( const nest::synindex synapse_id )
{
  const auto& model = nest::kernel().model_manager.get_connection_model( synapse_id, 0 );
  for ( const auto& type : connection_types )
  {
    if ( type->is_model( model ) )
    {
      return type.get();
    }
  }
  return nullptr;
}

//! Runs body, turning an exception into a code.
template < typename Body >
int
guarded( Body body )
{
  try
  {
    return body();
  }
  catch ( const std::exception& e )
  {
    last_error = e.what();
  }
  catch ( ... )
  {
    last_error = "unknown C++ exception";
  }
  return FAILED;
}

//! Runs body( tid ) on each of NEST's threads, on the cores where NEST runs them.
template < typename Body >
int
on_all_threads( Body body )
{
  int worst = OK;
#pragma omp parallel num_threads( nest::kernel().vp_manager.get_num_threads() )
  {
    std::string error;
    int code = OK;
    try
    {
      body( static_cast< size_t >( nest::kernel().vp_manager.get_thread_id() ) );
    }
    catch ( const std::exception& e )
    {
      code = FAILED;
      error = e.what();
    }
#pragma omp critical( distnorm_error )
    if ( code != OK )
    {
      worst = code;
      last_error = error;
    }
  }
  return worst;
}

//! Calls body( type, connector ) for each connector of the group on this thread.
template < typename Body >
void
for_each_connector( Group& group, const size_t tid, Body body )
{
  const auto& connections = nest::kernel().connection_manager.*reveal( ConnectionsTag() );
  if ( tid >= connections.size() )
  {
    return;
  }
  for ( const auto synapse_id : group.synapse_ids )
  {
    nest::ConnectorBase* connector = synapse_id < connections[ tid ].size() ? connections[ tid ][ synapse_id ] : nullptr;
    if ( connector )
    {
      const ConnectionType* type = find_type( synapse_id );
      if ( not type )
      {
        throw std::runtime_error( "a synapse model is no longer the one it was" );
      }
      body( *type, *connector );
    }
  }
}

void
open_thread( Group& group, const size_t tid, const NodeIds& targets )
{
  auto& thread = group.threads[ tid ];
  const auto& nodes = nest::kernel().node_manager.get_local_nodes( tid );
  thread.num_nodes = nodes.size();
  thread.target_of_node.assign( nodes.size(), not_a_target );
  size_t index = 0;
  for ( auto entry = nodes.begin(); entry < nodes.end(); ++entry, ++index )
  {
    const auto id = static_cast< int64_t >( entry->get_node_id() );
    if ( targets.contains( id ) and entry->get_node()->get_element_type() == "neuron" )
    {
      thread.target_of_node[ index ] = thread.node_ids.size();
      thread.node_ids.push_back( id );
    }
  }
  thread.sums.resize( thread.node_ids.size() );
}

} // namespace

extern "C"
{

const char*
dn_error()
{
  return last_error.c_str();
}

//! 1 if the kernel knows the type of the synapse model, else 0.
int
dn_knows( const int64_t synapse_id )
{
  int known = 0;
  guarded(
    [ & ]
    {
      known = find_type( synapse_id ) != nullptr;
      return OK;
    } );
  return known;
}

//! A new group: synapse models by ID, targets and sources as runs of node IDs (none: all). Null on failure.
void*
dn_open( const int64_t num_models,
  const int64_t* synapse_ids,
  const int64_t num_target_runs,
  const int64_t* target_runs,
  const int64_t num_source_runs,
  const int64_t* source_runs )
{
  std::unique_ptr< Group > group;
  const int code = guarded(
    [ & ]
    {
      group.reset( new Group { { synapse_ids, synapse_ids + num_models }, NodeIds( source_runs, num_source_runs ), {} } );
      group->threads.resize( nest::kernel().vp_manager.get_num_threads() );
      const NodeIds targets( target_runs, num_target_runs );
      const int opened = on_all_threads( [ & ]( const size_t tid ) { open_thread( *group, tid, targets ); } );
      for ( size_t tid = 1; tid < group->threads.size(); ++tid )
      {
        group->threads[ tid ].first = group->threads[ tid - 1 ].first + group->threads[ tid - 1 ].node_ids.size();
      }
      return opened;
    } );
  return code == OK ? group.release() : nullptr;
}

void
dn_close( void* handle )
{
  delete static_cast< Group* >( handle );
}

int64_t
dn_num_targets( const void* handle )
{
  const auto& last = static_cast< const Group* >( handle )->threads.back();
  return last.first + last.node_ids.size();
}

void
dn_targets( const void* handle, int64_t* node_ids )
{
  for ( const auto& thread : static_cast< const Group* >( handle )->threads )
  {
    std::copy( thread.node_ids.begin(), thread.node_ids.end(), node_ids + thread.first );
  }
}

//! sums[i]: sum of |w|^power over the incoming connections of target i; counts[i]: their number.
int
dn_measure( void* handle, const int power, double* sums, int64_t* counts )
{
  auto& group = *static_cast< Group* >( handle );
  if ( group.is_stale() )
  {
    return STALE;
  }
  return on_all_threads(
    [ & ]( const size_t tid )
    {
      auto& thread = group.threads[ tid ];
      std::fill( thread.sums.begin(), thread.sums.end(), Sum() );
      for_each_connector( group,
        tid,
        [ & ]( const ConnectionType& type, nest::ConnectorBase& connector )
        { type.measure( group, connector, tid, power ); } );
      for ( size_t i = 0; i < thread.sums.size(); ++i )
      {
        sums[ thread.first + i ] = thread.sums[ i ].high + thread.sums[ i ].low;
        counts[ thread.first + i ] = thread.sums[ i ].count;
      }
    } );
}

//! Multiplies the weights of the incoming connections of target i by factors[i].
int
dn_rescale( void* handle, const double* factors )
{
  auto& group = *static_cast< Group* >( handle );
  if ( group.is_stale() )
  {
    return STALE;
  }
  return on_all_threads(
    [ & ]( const size_t tid )
    {
      for_each_connector( group,
        tid,
        [ & ]( const ConnectionType& type, nest::ConnectorBase& connector )
        { type.rescale( group, connector, tid, factors ); } );
    } );
}

//! Before the first Simulate: have NEST agree anew on the smallest delay of all ranks. GetConnections clears the flag on
//! which that depends, and each rank would go on with its own (NEST 3.10, ConnectionManager::update_delay_extrema_).
int
dn_agree_on_delays()
{
  return guarded(
    []
    {
      if ( not nest::kernel().simulation_manager.has_been_simulated() )
      {
        nest::kernel().connection_manager.set_connections_have_changed();
      }
      return OK;
    } );
}

//! Reads (write = 0) or reads and writes back (write = 1) the bytes of the group's connectors; for benchmarks.
int
dn_stream( void* handle, const int write )
{
  auto& group = *static_cast< Group* >( handle );
  return on_all_threads(
    [ & ]( const size_t tid )
    {
      static volatile double sink;
      double total = 0.0;
      for_each_connector( group,
        tid,
        [ & ]( const ConnectionType& type, nest::ConnectorBase& connector ) { total += type.stream( connector, write ); } );
      sink = total;
      (void) sink;
    } );
}

//! Weight and target node ID of one connection, to be compared with what PyNEST says of it.
int
dn_connection( const int64_t tid, const int64_t synapse_id, const int64_t lcid, double* weight, int64_t* target )
{
  return guarded(
    [ & ]
    {
      auto& connections = nest::kernel().connection_manager.*reveal( ConnectionsTag() );
      nest::ConnectorBase* connector = connections.at( tid ).at( synapse_id );
      if ( not connector or static_cast< size_t >( lcid ) >= connector->size() )
      {
        last_error = "no such connection";
        return FAILED;
      }
      *weight = find_type( synapse_id )->weight( *connector, lcid );
      *target = connector->get_target_node_id( tid, lcid );
      return OK;
    } );
}

} // extern "C"

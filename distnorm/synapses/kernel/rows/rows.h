// Connections as rows, read and written back a block at a time: what a checkpoint needs.
//
// Included by kernel.cpp after distnorm_models.h. Rows of one model on one of NEST's threads are numbered as NEST
// numbers them (lcid). Any thread may call these functions, several at a time for different threads of NEST; none
// allocates memory per connection.

#pragma once

#include <limits>
#include <utility>

#include "calls.h"
#include "rows/row_state.h"

namespace distnorm
{

//! The first 16 bytes tell connections apart; connection_rows.py has the same layout.
struct Row
{
  uint32_t source;
  uint32_t target;
  uint32_t delay_steps;
  uint16_t receptor;
  uint16_t model;
  double weight;
};
static_assert( sizeof( Row ) == 24 );

template < typename Synapse, size_t... position >
void
get_state( const Synapse& synapse, double* state, std::index_sequence< position... > )
{
  ( ( state[ position ] = synapse.*reveal( StateTag< Synapse, position >() ) ), ... );
}

template < typename Synapse, size_t... position >
void
set_state( Synapse& synapse, const double* state, std::index_sequence< position... > )
{
  ( ( synapse.*reveal( StateTag< Synapse, position >() ) = state[ position ] ), ... );
}

//! All bits of the result depend on all bits of the value (the finalizer of Steele, Lea & Flood's SplitMix, 2014).
inline uint64_t
mixed( uint64_t value )
{
  value += 0x9e3779b97f4a7c15;
  value = ( value ^ ( value >> 30 ) ) * 0xbf58476d1ce4e5b9;
  value = ( value ^ ( value >> 27 ) ) * 0x94d049bb133111eb;
  return value ^ ( value >> 31 );
}

struct RowError : std::runtime_error
{
  using std::runtime_error::runtime_error;
};

class RowType
{
public:
  virtual ~RowType() = default;
  virtual bool is_model( const nest::ConnectorModel& ) const = 0;
  virtual const char* state_names() const = 0;
  virtual bool is_fixed() const = 0;
  virtual void get( nest::ConnectorBase&, size_t tid, size_t first, size_t n, Row*, double* state ) const = 0;
  virtual void set( nest::ConnectorBase&, size_t first, size_t n, const Row*, const double* state ) const = 0;
};

template < typename ConnectionT, typename Synapse >
class TypedRow : public RowType
{
  using Members = StateOf< Synapse >;
  using Positions = std::make_index_sequence< Members::size >;

protected:
  static BlockVector< ConnectionT >&
  elements( nest::ConnectorBase& connector )
  {
    return dynamic_cast< nest::Connector< ConnectionT >& >( connector ).*reveal( ElementsTag< ConnectionT >() );
  }

public:
  bool
  is_model( const nest::ConnectorModel& model ) const override
  {
    return dynamic_cast< const nest::GenericConnectorModel< ConnectionT >* >( &model );
  }

  const char*
  state_names() const override
  {
    return Members::names;
  }

  bool
  is_fixed() const override
  {
    return Members::fixed;
  }

  void
  get( nest::ConnectorBase& connector,
    const size_t tid,
    const size_t first,
    const size_t n,
    Row* rows,
    double* state ) const override
  {
    auto& all = elements( connector );
    const auto synapse_id = connector.get_syn_id();
    for ( size_t i = 0; i < n; ++i )
    {
      Synapse& synapse = all[ first + i ];
      if ( synapse.is_disabled() )
      {
        throw RowError(
          "connections were disconnected, and NEST 3.10 keeps their places, which no checkpoint tells from others; build "
          "the network without them, or leave out --checkpoint" );
      }
      const size_t source = nest::kernel().connection_manager.get_source_node_id( tid, synapse_id, first + i );
      const size_t target = synapse.get_target( tid )->get_node_id();
      const size_t receptor = synapse.get_rport();
      if ( std::max( source, target ) > std::numeric_limits< uint32_t >::max()
        or receptor > std::numeric_limits< uint16_t >::max() )
      {
        throw RowError( "a node ID above 4294967295, or a receptor above 65535" );
      }
      rows[ i ] = { static_cast< uint32_t >( source ),
        static_cast< uint32_t >( target ),
        static_cast< uint32_t >( synapse.get_delay_steps() ),
        static_cast< uint16_t >( receptor ),
        0,
        Weight< Synapse >::of( synapse ) };
      get_state( synapse, state + i * Members::size, Positions() );
    }
  }

  void
  set( nest::ConnectorBase& connector,
    const size_t first,
    const size_t n,
    const Row* rows,
    const double* state ) const override
  {
    auto& all = elements( connector );
    for ( size_t i = 0; i < n; ++i )
    {
      Synapse& synapse = all[ first + i ];
      Weight< Synapse >::of( synapse ) = rows[ i ].weight;
      set_state( synapse, state + i * Members::size, Positions() );
    }
  }
};

inline std::vector< std::unique_ptr< RowType > > row_types;

template < typename TypedRowT >
bool
add_row_type()
{
  row_types.push_back( std::make_unique< TypedRowT >() );
  return true;
}

} // namespace distnorm

// Once more through the list of models, with another meaning of each entry.
#undef DN_MODEL
#undef DN_WMAX
#undef DN_WMIN
#undef DN_NORMALIZED
#define DN_NORMALIZED( model )
#define DN_WMAX( model )
#define DN_WMIN( model )
#define DN_ROWS( ConnectionT, Synapse )                                                                                \
  static const bool DN_NAME( added_rows_, __COUNTER__ ) =                                                              \
    distnorm::add_row_type< distnorm::TypedRow< ConnectionT, Synapse > >();
#define DN_MODEL( model, member, within )                                                                              \
  DN_ROWS( model< distnorm::Pointer >, model< distnorm::Pointer > )                                                    \
  DN_ROWS( model< distnorm::Index >, model< distnorm::Index > )                                                        \
  DN_ROWS( nest::ConnectionLabel< model< distnorm::Pointer > >, model< distnorm::Pointer > )
#include "distnorm_models.h"

namespace distnorm
{

inline const RowType*
find_row_type( const nest::synindex synapse_id )
{
  const auto& model = nest::kernel().model_manager.get_connection_model( synapse_id, 0 );
  for ( const auto& type : row_types )
  {
    if ( type->is_model( model ) )
    {
      return type.get();
    }
  }
  return nullptr;
}

inline thread_local std::string row_error; // Python calls from several threads

template < typename Body >
int
row_guarded( Body body )
{
  try
  {
    body();
    return OK;
  }
  catch ( const std::exception& e )
  {
    row_error = e.what();
  }
  catch ( ... )
  {
    row_error = "unknown C++ exception";
  }
  return FAILED;
}

} // namespace distnorm

using namespace distnorm;

extern "C"
{

//! What went wrong in the last of the calls below on the calling thread.
const char*
dn_row_error()
{
  return row_error.c_str();
}

//! Names of the members beside the weight that rows of this model come with, apart by blanks; null: model not known.
const char*
dn_row_state( const int64_t synapse_id )
{
  const char* names = nullptr;
  row_guarded(
    [ & ]
    {
      const RowType* type = find_row_type( synapse_id );
      names = type ? type->state_names() : nullptr;
    } );
  return names;
}

//! 1 if nothing in connections of this (known) model changes while NEST simulates.
int
dn_row_fixed( const int64_t synapse_id )
{
  bool fixed = false;
  row_guarded( [ & ] { fixed = find_row_type( synapse_id )->is_fixed(); } );
  return fixed;
}

//! Number of connections of a model on one of NEST's threads.
int64_t
dn_row_count( const int64_t tid, const int64_t synapse_id )
{
  const nest::ConnectorBase* connector = find_connector( tid, synapse_id );
  return connector ? static_cast< int64_t >( connector->size() ) : 0;
}

//! Reads rows first ... first + n - 1 with their state, row by row.
int
dn_get_rows( const int64_t tid,
  const int64_t synapse_id,
  const int64_t first,
  const int64_t n,
  void* rows,
  double* state )
{
  return row_guarded(
    [ & ]
    {
      auto& connector = *find_connector( tid, synapse_id );
      find_row_type( synapse_id )->get( connector, tid, first, n, static_cast< Row* >( rows ), state );
    } );
}

//! Writes weights and state of rows first ... first + n - 1; that they belong there is for the caller to know.
int
dn_set_rows( const int64_t tid,
  const int64_t synapse_id,
  const int64_t first,
  const int64_t n,
  const void* rows,
  const double* state )
{
  return row_guarded(
    [ & ]
    {
      auto& connector = *find_connector( tid, synapse_id );
      find_row_type( synapse_id )->set( connector, first, n, static_cast< const Row* >( rows ), state );
    } );
}

//! Sum over rows of a hash of what tells connections apart: the same whatever their order.
uint64_t
dn_row_fingerprint( const int64_t n, const void* rows )
{
  const auto* all = static_cast< const Row* >( rows );
  uint64_t sum = 0;
  for ( int64_t i = 0; i < n; ++i )
  {
    const uint64_t pair = ( static_cast< uint64_t >( all[ i ].source ) << 32 ) | all[ i ].target;
    const uint64_t kind = ( static_cast< uint64_t >( all[ i ].delay_steps ) << 16 ) | all[ i ].receptor;
    sum += mixed( mixed( pair ) ^ kind );
  }
  return sum;
}

} // extern "C"

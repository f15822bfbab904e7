// Weights set in place, after NEST itself was asked about those that it could refuse. What a model's set_status refuses
// depends on the signs of weight and Wmax, or on Wmin; so a weight that keeps its sign, of a model without Wmin, is fine.

#pragma once

#include <optional>

#include "connections/columns.h"
#include "types.h"

namespace distnorm
{

constexpr int64_t longest_run = 4096; // rows that are copied out of a table at once

//! Calls body( connector, first, last ) for rows on a thread that follow each other and are of one synapse model.
template < typename Body >
void
for_each_run( const Columns& rows, const int64_t number, const size_t tid, Body body )
{
  const auto location = [ & ]( const int64_t i )
  { return Location::of( column< uint64_t >( rows.rows + rows.size * i, rows.location, 0 ) ); };
  for ( int64_t first = 0, last = 0; first < number; first = last )
  {
    const Location at = location( first );
    const auto is_alike = [ & ]( const Location& other )
    { return other.thread == at.thread and other.synapse_id == at.synapse_id; };
    do
    {
      ++last;
    } while ( last < std::min( number, first + longest_run ) and is_alike( location( last ) ) );
    if ( at.thread == tid )
    {
      nest::ConnectorBase* connector = find_connector( tid, at.synapse_id );
      connector ? body( *connector, first, last ) : throw Refusal { static_cast< size_t >( first ), gone };
    }
  }
}

inline std::vector< Setting >
settings_of( const Columns& rows, const int64_t first, const int64_t last )
{
  std::vector< Setting > settings;
  for ( int64_t i = first; i < last; ++i )
  {
    const char* row = rows.rows + rows.size * i;
    settings.push_back( { .lcid = Location::of( column< uint64_t >( row, rows.location, 0 ) ).lcid,
      .target = column< int64_t >( row, rows.target, 0 ),
      .weight = column< double >( row, rows.weight, 0.0 ) } );
  }
  return settings;
}

inline std::optional< Refusal >
set_on_thread( const Columns& rows, const int64_t number, const size_t tid, const bool only_try )
{
  int64_t begun = 0;
  try
  {
    for_each_run( rows,
      number,
      tid,
      [ & ]( nest::ConnectorBase& connector, const int64_t first, const int64_t last )
      {
        begun = first;
        const auto settings = settings_of( rows, first, last );
        find_type( connector.get_syn_id() ).set_weights( connector, tid, settings, only_try );
      } );
  }
  catch ( const Refusal& refusal )
  {
    return Refusal { begun + refusal.which, refusal.text };
  }
  return std::nullopt;
}

inline void
set_weights( const Columns& rows, const int64_t number, const bool only_try, int64_t* wrong )
{
  std::optional< Refusal > earliest;
  on_all_threads(
    [ & ]( const size_t tid )
    {
      const auto found = set_on_thread( rows, number, tid, only_try );
#pragma omp critical( distnorm_refusal )
      if ( found and ( not earliest or found->which < earliest->which ) )
      {
        earliest = found;
      }
    } );
  if ( earliest )
  {
    wrong ? void( *wrong = static_cast< int64_t >( earliest->which ) ) : void();
    throw std::runtime_error( earliest->text );
  }
}

//! Asks NEST whether it takes the weights of rows with target, weight and location; changes none. wrong: number of the
//! first row that it refuses.
inline void
check_weights( const Columns* rows, const int64_t number, int64_t* wrong )
{
  set_weights( *rows, number, true, wrong );
}

inline void
write_weights( const Columns* rows, const int64_t number )
{
  set_weights( *rows, number, false, nullptr );
}

} // namespace distnorm

// The record of a rule's drift, and factors worked out along with it where that takes no more than one measurement; the
// same as norms/correction.py and norms/drift.py do in numpy.

#pragma once

#include <algorithm>
#include <cmath>

#include "group.h"
#include "passes/pass.h"

namespace distnorm
{

constexpr double largest_ordinary = 0x1p450; // of a norm; as in norms/units.py
constexpr double largest_term = 0x1p900;     // of its power

//! Where the bins of drift begin but for the first, as norms/drift.py multiplies them out.
inline const std::vector< double >&
drift_edges()
{
  static const std::vector< double > edges = []
  {
    std::vector< double > all( num_drift_bins - 1, lowest_drift );
    for ( size_t i = 1; i < all.size(); ++i )
    {
      all[ i ] = all[ i - 1 ] * drift_step;
    }
    return all;
  }();
  return edges;
}

inline void
add_drift( DriftRecord& record, const double drift, const int64_t node_id )
{
  if ( drift > record.max or record.worst_target == 0 or ( drift == record.max and node_id < record.worst_target ) )
  {
    record.max = drift;
    record.worst_target = node_id;
  }
  const double whole = std::floor( drift );
  record.sum_whole += static_cast< int64_t >( whole );
  record.sum_fraction += static_cast< int64_t >( ( drift - whole ) * drift_fraction );
  ++record.targets;
  const auto& edges = drift_edges();
  ++record.histogram[ std::upper_bound( edges.begin(), edges.end(), drift ) - edges.begin() ];
}

inline double
root_of( const double sum, const double power )
{
  return power == 1.0 ? sum : power == 2.0 ? std::sqrt( sum ) : std::pow( sum, 1.0 / power );
}

inline bool
is_ordinary( const double norm, const double power )
{
  const auto within = []( const double value, const double most ) { return value >= 1.0 / most and value <= most; };
  const double term = power > largest_whole_power or power != std::floor( power )
    ? std::pow( norm, power )
    : multiplied_out( norm, static_cast< int >( power ) );
  return within( norm, largest_ordinary ) and ( power == 1.0 or within( term, largest_term ) );
}

//! Works out what a pass that measured asks for: the record, and factors by target. False where a target needs more than
//! that: units, an answer to a norm of zero, or a target norm that is not known.
inline bool
work_out( const Group& group, const Pass& pass, Look& look )
{
  DriftRecord record {};
  const size_t size = group.num_targets();
  int64_t due = 0;
  for ( size_t i = 0; i < size; ++i )
  {
    const double total = pass.out[ tallied::total * size + i ];
    const double count = pass.out[ tallied::count * size + i ];
    look.factors[ i ] = 1.0;
    record.connections += static_cast< int64_t >( count );
    if ( count == 0.0 )
    {
      record.no_input += look.counts_no_input;
      continue;
    }
    if ( total == 0.0 and pass.norm == L1 and look.skips_zero )
    {
      ++record.zero_norm;
      continue;
    }
    const double norm = root_of( total, pass.power );
    const double target = look.target_norms ? look.target_norms[ i ] : look.mean_weight * root_of( count, pass.power );
    if ( not is_ordinary( norm, pass.power ) or not is_ordinary( target, pass.power ) ) // or no number
    {
      return false;
    }
    const double distance = norm / target - 1.0;
    const double drift = distance * look.side < 0.0 ? 0.0 : std::abs( distance );
    if ( drift > largest_drift )
    {
      return false;
    }
    add_drift( record, drift, look.node_ids[ i ] );
    if ( drift > look.tolerance )
    {
      look.factors[ i ] = target / norm;
      due += look.factors[ i ] != 1.0;
    }
  }
  *look.record = record;
  look.due = due;
  return true;
}

} // namespace distnorm

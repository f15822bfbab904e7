// What a pass does with connections that were gathered side by side; the same as norms/sums.py and norms/bounds.py do
// in numpy.

#pragma once

#include <initializer_list>

#include "passes/tally.h"

namespace distnorm
{

//! Of sizes |w| where the norm is L1, else of weights.
inline double
in_moments( const Pass& pass, const double weight )
{
  return pass.norm == L1 ? std::abs( weight ) : weight;
}

inline void
measure( const Work& work, const Buffer& all )
{
  auto& sums = work.thread.sums;
  auto& scales = work.thread.scales;
  switch ( work.pass.norm )
  {
  case SUM:
    for ( size_t i = 0; i < all.size; ++i )
    {
      const double weight = work.in_weight_unit( all.weight[ i ], all.target[ i ] );
      sums[ all.target[ i ] ].add_signed( weight );
      scales[ all.target[ i ] ].add( std::abs( weight ) );
    }
    break;
  case LINF:
    for ( size_t i = 0; i < all.size; ++i )
    {
      sums[ all.target[ i ] ].raise( std::abs( all.weight[ i ] ) );
    }
    break;
  default:
    for ( size_t i = 0; i < all.size; ++i )
    {
      const double weight = work.in_weight_unit( all.weight[ i ], all.target[ i ] );
      sums[ all.target[ i ] ].add( work.power_of( std::abs( weight ) ) );
    }
  }
}

template < bool shifts >
double
moved( const Element& e )
{
  return shifts ? e.value + e.x : e.x * e.value;
}

//! A size with the sign of a weight, which does not become -0.0: several models take that for positive.
inline double
with_sign( const double size, const double weight )
{
  return ( size == 0.0 ) & ( weight < 0.0 ) ? -least : std::copysign( size, weight );
}

//! A weight times a factor, likewise.
inline double
scaled( const double weight, const double factor )
{
  const double product = weight * factor;
  return ( product == 0.0 ) & ( weight < 0.0 ) ? -least : product; // no branch
}

inline void
scale( const Work& work, Buffer& all )
{
  for ( size_t i = 0; i < all.size; ++i )
  {
    const int32_t target = all.target[ i ];
    const double weight = all.weight[ i ];
    const double product = work.plain( work.in_weight_unit( weight, target ) * work.at()[ target ], target );
    all.weight[ i ] = product == 0.0 and weight < 0.0 ? -least : product;
  }
}

//! The same as move_elements< false, shifts >, for one weight where the pass is quick.
template < bool shifts >
double
moved_quickly( const Box& box, const double x, const double weight )
{
  const double low = box.low < box.high ? box.low : box.high;
  const double y = shifts ? std::abs( weight ) + x : x * std::abs( weight );
  const double size = y < low ? low : y > box.high ? box.high : y;
  return x == x ? with_sign( size, weight ) : weight;
}

template < bool is_signed, bool shifts >
void
move_elements( const Work& work, Buffer& all )
{
  for_each_element< is_signed >( work,
    all,
    [ & ]( const size_t i, const int32_t target, const Element& e )
    {
      const double y = work.plain( moved< shifts >( e ), target );
      const double size = y < e.low ? e.low : y > e.high ? e.high : y;
      all.weight[ i ] = e.x == e.x ? with_sign( size, all.weight[ i ] ) : all.weight[ i ];
    } );
}

//! Adds a connection to those that were gathered, unless the pass leaves it alone.
inline void
add( const Work& work, Buffer& all, const double weight, const int32_t target, const size_t place, const Range& range )
{
  all.weight[ all.size ] = weight;
  all.target[ all.size ] = target;
  all.place[ all.size ] = place;
  if ( work.asks_range() )
  {
    all.low[ all.size ] = range.smallest( weight );
    all.high[ all.size ] = range.largest( weight );
    all.range[ all.size ] = range;
  }
  all.size += not work.leaves_alone( target );
}

inline void
add_to_histogram( const Work& work, const Buffer& all )
{
  Histogram histogram = work.thread.histogram;
  for ( size_t i = 0; i < all.size; ++i )
  {
    histogram.add( all.weight[ i ], all.range[ i ] );
  }
  work.thread.histogram = histogram;
}

//! Does the pass on gathered connections.
inline void
operate( const Work& work, Buffer& all )
{
  switch ( work.pass.kind )
  {
  case MEASURE:
    measure( work, all );
    break;
  case TALLY:
    tally( work, all );
    break;
  case SCALE:
    scale( work, all );
    break;
  case MOMENTS:
    for ( size_t i = 0; i < all.size; ++i )
    {
      work.thread.moments[ all.target[ i ] ].add( in_moments( work.pass, all.weight[ i ] ) );
    }
    break;
  case HISTOGRAM:
    break;
  case UPDATE:
  case COLLECT:
    break; // made where the connections lie
  case MOVE:
    in_mode( work.pass, [ & ]< bool is_signed, bool shifts >() { move_elements< is_signed, shifts >( work, all ); } );
    break;
  }
  work.makes_histogram() ? add_to_histogram( work, all ) : void();
}

//! Counts what the pass would do, and leaves what it would make of the connections in the buffer.
inline void
count( const Work& work, Buffer& all )
{
  for ( size_t i = 0; i < all.size; ++i )
  {
    work.thread.beyond[ all.target[ i ] ].close_to_zero += all.range[ i ].is_close_to_zero( all.weight[ i ] );
  }
  operate( work, all );
  for ( size_t i = 0; i < all.size; ++i )
  {
    work.thread.beyond[ all.target[ i ] ].above += all.range[ i ].is_above( all.weight[ i ] );
    work.thread.beyond[ all.target[ i ] ].below += all.range[ i ].is_below( all.weight[ i ] );
  }
}

inline void
begin( Group& group, const Pass& pass, const size_t tid )
{
  auto& thread = group.threads[ tid ];
  const size_t n = thread.node_ids.size();
  if ( looks_ahead( pass ) )
  {
    thread.histories.collect();
  }
  if ( pass.kind == MEASURE )
  {
    thread.sums.assign( n, Sum() );
    thread.scales.assign( pass.norm == SUM ? n : 0, Sum() );
  }
  else if ( pass.kind == MOMENTS )
  {
    thread.moments.assign( n, Moments() );
  }
  else if ( counts( pass ) )
  {
    thread.beyond.assign( n, Beyond() );
  }
  else if ( pass.kind == HISTOGRAM )
  {
    thread.histogram = Histogram( pass );
  }
  else if ( pass.kind == TALLY )
  {
    thread.tallies.assign( n, Tally( pass.shifts ? std::numeric_limits< double >::infinity() : 0.0 ) );
    thread.quick.assign( is_quick( group, pass ) ? n : 0, QuickTally() );
    for ( size_t i = 0; i < thread.quick.size(); ++i )
    {
      const double x = pass.at ? pass.at[ thread.first + i ] : pass.shifts ? 0.0 : 1.0;
      pass.shifts ? find_limits< true >( thread.quick[ i ], thread.tallies[ i ], x )
                  : find_limits< false >( thread.quick[ i ], thread.tallies[ i ], x );
    }
  }
}

//! Writes the results of a tally of a target, by row, and what the roundings of its sums leave.
template < typename Row, typename PutSum >
void
write_tally( const Tally& tally, const Sum& bound, Row row, PutSum put )
{
  const double outside = tally.under + tally.over;
  put( tallied::total, tally.every() );
  row( tallied::count ) = tally.free.count + tally.low.count + tally.high.count + outside;
  put( tallied::scale, tally.scale );
  put( tallied::free, tally.free );
  row( tallied::free_count ) = tally.free.count;
  put( tallied::low, tally.low );
  row( tallied::low_count ) = tally.low.count;
  put( tallied::high, tally.high );
  row( tallied::high_count ) = tally.high.count;
  put( tallied::bound, bound );
  row( tallied::outside_count ) = outside;
  for ( size_t k = 0; k < num_events; ++k )
  {
    row( tallied::left_edge0 + k ) = tally.left.edge[ k ];
    row( tallied::left_slope0 + k ) = tally.left.slope[ k ];
    row( tallied::right_edge0 + k ) = tally.right.edge[ k ];
    row( tallied::right_slope0 + k ) = tally.right.slope[ k ];
  }
}

//! Sum of the bounds of weights that the change would bring beyond them.
inline Sum
sum_of_bounds( const Work& work, const Tally& tally )
{
  Sum bound = tally.bound;
  if ( work.counts_bounds )
  {
    const auto term = [ & ]( const double value ) { return work.pass.shifts ? value : work.power_of( value ); };
    tally.under ? bound.add_times( term( work.pass.low[ 0 ] ), tally.under ) : void();
    tally.over ? bound.add_times( term( work.pass.high[ 0 ] ), tally.over ) : void();
  }
  return bound;
}

inline void
finish( Group& group, const Pass& pass, const size_t tid )
{
  auto& thread = group.threads[ tid ];
  if ( pass.kind == UPDATE )
  {
    thread.histories.count_readers();
    return;
  }
  if ( pass.kind == HISTOGRAM )
  {
#pragma omp critical( distnorm_histograms )
    thread.histogram.add_to( pass.out );
    return;
  }
  if ( writes( pass ) or pass.kind == COLLECT )
  {
    return;
  }
  const Work work( group, pass, tid, 0 );
  const size_t num_targets = group.num_targets();
  for ( size_t i = 0; i < thread.node_ids.size(); ++i )
  {
    const auto row = [ & ]( const size_t number ) -> double&
    { return pass.out[ number * num_targets + thread.first + i ]; };
    const auto put = [ & ]( const size_t number, const Sum& sum )
    {
      row( number ) = sum.total();
      pass.rests ? void( pass.rests[ number * num_targets + thread.first + i ] = sum.rest() ) : void();
    };
    if ( pass.kind == MEASURE )
    {
      put( tallied::total, thread.sums[ i ] );
      row( tallied::count ) = thread.sums[ i ].count;
      put( tallied::scale, pass.norm == SUM ? thread.scales[ i ] : Sum() );
    }
    else if ( pass.kind == MOMENTS )
    {
      const Moments& of = thread.moments[ i ];
      row( moments::count ) = of.count;
      row( moments::sum ) = of.sum.total();
      row( moments::squares ) = of.squares.total();
      row( moments::least ) = of.least;
      row( moments::largest ) = of.largest;
    }
    else if ( counts( pass ) )
    {
      row( counted::above ) = thread.beyond[ i ].above;
      row( counted::below ) = thread.beyond[ i ].below;
      row( counted::close_to_zero ) = thread.beyond[ i ].close_to_zero;
    }
    else
    {
      Tally& tally = thread.tallies[ i ];
      thread.quick.empty() ? void() : thread.quick[ i ].hand_over( tally );
      write_tally( tally, sum_of_bounds( work, tally ), row, put );
    }
  }
}

} // namespace distnorm

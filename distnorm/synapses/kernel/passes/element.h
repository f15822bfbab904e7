// A connection among those that were gathered, as norms inside bounds see it.

#pragma once

#include "passes/pass.h"

namespace distnorm
{

//! A weight, or its size, with the least and the largest that it may become: in units of a norm where these are
//! tallied.
struct Element
{
  double value;
  double low;
  double high;
  double x; //!< factor or shift
};

//! Calls body.operator()< is_signed, shifts >() for what a pass inside bounds changes, and how.
template < typename Body >
void
in_mode( const Pass& pass, Body body )
{
  if ( not pass.shifts )
  {
    body.template operator()< false, false >();
  }
  else if ( pass.norm == SUM )
  {
    body.template operator()< true, true >();
  }
  else
  {
    body.template operator()< false, true >();
  }
}

//! Calls body( i, target, element ). Signed: values are weights, not sizes.
template < bool is_signed, typename Body >
void
for_each_element( const Work& work, const Buffer& all, Body body )
{
  const double* at = work.at();
  const double* flat = work.pass.flat ? work.pass.flat + work.thread.first : nullptr;
  const double none = work.no_change();
  const bool tallies = work.pass.kind == TALLY;
  const Box box = work.box;
  for ( size_t i = 0; i < all.size; ++i )
  {
    const int32_t target = all.target[ i ];
    const double x = at ? at[ target ] : none;
    const double w = all.weight[ i ];
    double high = box.own_high ? all.high[ i ] : box.high;
    double low = box.own_low ? all.low[ i ] : box.low;
    low = low < high ? low : high;
    double value = std::abs( w );
    if ( is_signed )
    {
      value = w;
      if ( std::signbit( w ) )
      {
        const double least = -high;
        high = -low;
        low = least;
      }
    }
    else if ( value == 0.0 and flat and flat[ target ] > 0 )
    {
      value = 1.0;
    }
    value = work.in_weight_unit( value, target );
    if ( tallies )
    {
      low = work.in_norm_unit( low, target );
      high = work.in_norm_unit( high, target );
    }
    body( i, target, Element { value, low, high, x } );
  }
}

} // namespace distnorm

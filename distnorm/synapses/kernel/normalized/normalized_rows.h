// Rows of connections that normalize themselves: their weights, not their raw weights. See rows.h.
//
// They are written back before a norm is held: then a raw weight is the weight.

#pragma once

#include "normalized/normalized_type.h"
#include "rows/rows.h"

namespace distnorm
{

template < typename ConnectionT, typename Synapse >
class NormalizedRow : public TypedRow< ConnectionT, Synapse >
{
  using Plain = TypedRow< ConnectionT, Synapse >;

public:
  void
  get( nest::ConnectorBase& connector,
    const size_t tid,
    const size_t first,
    const size_t n,
    Row* rows,
    double* state ) const override
  {
    Plain::get( connector, tid, first, n, rows, state );
    const Slot& slot = slot_of( tid, connector.get_syn_id() );
    auto& all = Plain::elements( connector );
    for ( size_t i = 0; i < n; ++i )
    {
      rows[ i ].weight *= factor_of< Synapse >( all[ first + i ], slot, tid );
    }
  }
};

} // namespace distnorm

#undef DN_MODEL
#undef DN_NORMALIZED
#define DN_MODEL( model, member, within )
#define DN_NORMALIZED_ROWS( ConnectionT, Synapse )                                                                     \
  static const bool DN_NAME( added_rows_, __COUNTER__ ) =                                                              \
    distnorm::add_row_type< distnorm::NormalizedRow< ConnectionT, Synapse > >();
#define DN_NORMALIZED( model )                                                                                         \
  DN_NORMALIZED_ROWS( distnorm::named::model##_pointer, nest::model< distnorm::Pointer > )                             \
  DN_NORMALIZED_ROWS( distnorm::named::model##_index, nest::model< distnorm::Index > )                                 \
  DN_NORMALIZED_ROWS( distnorm::named::model##_label, nest::model< distnorm::Pointer > )
#include "distnorm_models.h"

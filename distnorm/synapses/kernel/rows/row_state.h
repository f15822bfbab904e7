// Members beside the weight that change while NEST simulates, by synapse model; those named t_... are points in time.
//
// Not here: quantal_stp_synapse (an integer), stdp_dopamine_synapse (a place in the volume transmitter's history).

#pragma once

#include "passes/connection_type.h"

namespace distnorm
{

template < template < typename > class Model >
struct State
{
  static constexpr size_t size = 0;
  static constexpr const char* names = "";
};

// Models whose weight does not change while NEST simulates, and which have no state.
template < template < typename > class Model >
inline constexpr bool is_fixed = false;

template < typename Synapse, size_t position >
struct StateTag
{
  using type = double Synapse::*;
  friend constexpr type reveal( StateTag );
};

template < typename Synapse >
struct StateOf;
template < template < typename > class Model, typename Identifier >
struct StateOf< Model< Identifier > > : State< Model >
{
  static constexpr bool fixed = is_fixed< Model >;
};

} // namespace distnorm

#define DN_STATE_MEMBER_OF( Synapse, position, member )                                                                \
  template struct distnorm::Reveal< distnorm::StateTag< Synapse, position >, &Synapse::member >;
#define DN_STATE_MEMBER( model, position, member )                                                                     \
  DN_STATE_MEMBER_OF( nest::model< distnorm::Pointer >, position, member )                                             \
  DN_STATE_MEMBER_OF( nest::model< distnorm::Index >, position, member )
#define DN_STATE_OF( model, number, text )                                                                             \
  template <>                                                                                                          \
  struct distnorm::State< nest::model >                                                                                \
  {                                                                                                                    \
    static constexpr size_t size = number;                                                                             \
    static constexpr const char* names = text;                                                                         \
  };
#define DN_STATE_1( model, a )                                                                                         \
  DN_STATE_OF( model, 1, #a )                                                                                          \
  DN_STATE_MEMBER( model, 0, a )
#define DN_STATE_2( model, a, b )                                                                                      \
  DN_STATE_OF( model, 2, #a " " #b )                                                                                   \
  DN_STATE_MEMBER( model, 0, a )                                                                                       \
  DN_STATE_MEMBER( model, 1, b )
#define DN_STATE_3( model, a, b, c )                                                                                   \
  DN_STATE_OF( model, 3, #a " " #b " " #c )                                                                            \
  DN_STATE_MEMBER( model, 0, a )                                                                                       \
  DN_STATE_MEMBER( model, 1, b )                                                                                       \
  DN_STATE_MEMBER( model, 2, c )
#define DN_STATE_4( model, a, b, c, d )                                                                                \
  DN_STATE_OF( model, 4, #a " " #b " " #c " " #d )                                                                     \
  DN_STATE_MEMBER( model, 0, a )                                                                                       \
  DN_STATE_MEMBER( model, 1, b )                                                                                       \
  DN_STATE_MEMBER( model, 2, c )                                                                                       \
  DN_STATE_MEMBER( model, 3, d )

#define DN_FIXED( model )                                                                                              \
  template <>                                                                                                          \
  inline constexpr bool distnorm::is_fixed< nest::model > = true;

#if __has_include( "stdp_synapse.h" )
DN_STATE_2( stdp_synapse, Kplus_, t_lastspike_ )
#endif
#if __has_include( "stdp_synapse_hom.h" )
DN_STATE_2( stdp_synapse_hom, Kplus_, t_lastspike_ )
#endif
#if __has_include( "stdp_pl_synapse_hom.h" )
DN_STATE_2( stdp_pl_synapse_hom, Kplus_, t_lastspike_ )
#endif
#if __has_include( "stdp_triplet_synapse.h" )
DN_STATE_3( stdp_triplet_synapse, Kplus_, Kplus_triplet_, t_lastspike_ )
#endif
#if __has_include( "stdp_nn_symm_synapse.h" )
DN_STATE_1( stdp_nn_symm_synapse, t_lastspike_ )
#endif
#if __has_include( "stdp_nn_restr_synapse.h" )
DN_STATE_1( stdp_nn_restr_synapse, t_lastspike_ )
#endif
#if __has_include( "stdp_nn_pre_centered_synapse.h" )
DN_STATE_2( stdp_nn_pre_centered_synapse, Kplus_, t_lastspike_ )
#endif
#if __has_include( "vogels_sprekeler_synapse.h" )
DN_STATE_2( vogels_sprekeler_synapse, Kplus_, t_lastspike_ )
#endif
#if __has_include( "clopath_synapse.h" )
DN_STATE_2( clopath_synapse, x_bar_, t_lastspike_ )
#endif
#if __has_include( "jonke_synapse.h" )
DN_STATE_2( jonke_synapse, Kplus_, t_lastspike_ )
#endif
#if __has_include( "ht_synapse.h" )
DN_STATE_2( ht_synapse, p_, t_lastspike_ )
#endif
#if __has_include( "tsodyks_synapse.h" )
DN_STATE_4( tsodyks_synapse, x_, y_, u_, t_lastspike_ )
#endif
#if __has_include( "tsodyks2_synapse.h" )
DN_STATE_3( tsodyks2_synapse, x_, u_, t_lastspike_ )
#endif
#if __has_include( "static_synapse.h" )
DN_FIXED( static_synapse )
#endif
#if __has_include( "bernoulli_synapse.h" )
DN_FIXED( bernoulli_synapse )
#endif
#if __has_include( "cont_delay_synapse.h" )
DN_FIXED( cont_delay_synapse )
#endif

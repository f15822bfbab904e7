// Stands for an extension module: registers its models when asked, once per reset and change of threads.

#include "config.h"
#undef HAVE_BOOST

#include "kernel_manager.h"

#include "connector_model_impl.h"
#include "nest_impl.h"

#include "leaky_synapse.h"

extern "C" void
register_extension()
{
  nest::leaky::register_models();
}

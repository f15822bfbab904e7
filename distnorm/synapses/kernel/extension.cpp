// Connection types of an extension's synapses, for a kernel compiled from the same headers.
//
// Needs nothing of the extension but its header: no function of it is called, and what the header defines is left out
// by the linker.

#include "passes/connection_type.h"
#include "self_test.h"

#include "distnorm_models.h" // compiling/extensions.py writes it: the header, and DN_MODEL( ... ) for its class

//! Hands each type to add, the kernel's dn_add.
extern "C" __attribute__( ( visibility( "default" ) ) ) void
dn_hand_over( int ( *add )( const distnorm::ConnectionType* ) )
{
  for ( const auto& type : distnorm::connection_types )
  {
    add( type.get() );
  }
}

// Reads, or reads and writes back, all bytes of blocks of memory: what `distnorm bench kernel` compares a normalization
// with. The benchmark compiles it.

#include <cstddef>
#include <cstdint>

//! The mask is zero, which the compiler cannot know: every word is read and written back unchanged.
extern "C" uint64_t
stream_blocks( uint64_t** blocks, const size_t num_blocks, const size_t num_words, const int write, const uint64_t mask )
{
  uint64_t folded[ 4 ] = { 0, 0, 0, 0 };
  for ( size_t block = 0; block < num_blocks; ++block )
  {
    uint64_t* words = blocks[ block ];
    if ( write )
    {
      for ( size_t i = 0; i < num_words; ++i )
      {
        words[ i ] ^= mask;
      }
    }
    else
    {
      for ( size_t i = 0; i + 4 <= num_words; i += 4 )
      {
        for ( size_t j = 0; j < 4; ++j )
        {
          folded[ j ] ^= words[ i + j ];
        }
      }
    }
  }
  return folded[ 0 ] ^ folded[ 1 ] ^ folded[ 2 ] ^ folded[ 3 ];
}

/*
 * tile_pairs: tiles where products of bytes are added up by pairs in 16 bits: codes of up to 6 bits
 * are held unsigned by the least shift, so that 2 to 8 such sums fit; codes of 8 bits keep their
 * sign. Included once for each such level, after its vector header.
 */
#define TILE_PAIRS
#define TILE_SHIFT(natural) (natural)

#include "kern/x86/tile_unpack.h"

TILE_MICRO(q8, tile_q8, 32, 0, false, 8)
TILE_MICRO(q8_4, tile_q8, 32, 8, false, 4)
TILE_MICRO(q8_5, tile_q8, 32, 16, false, 5)
TILE_MICRO(q8_4_offset, tile_q8, 32, 0, true, 4)
TILE_MICRO(q8_5_offset, tile_q8, 32, 0, true, 5)
TILE_MICRO(k32, tile_q8k, 32, 0, false, 8)
TILE_MICRO(k32_4_minima, tile_q8k, 32, 0, true, 4)
TILE_MICRO(k32_5_minima, tile_q8k, 32, 0, true, 5)
TILE_MICRO(k16_2_minima, tile_q8k, 16, 0, true, 2)
TILE_MICRO(k16_3, tile_q8k, 16, 4, false, 3)
TILE_MICRO(k16_6, tile_q8k, 16, 32, false, 6)

TILE(PX_Q8_0, q8_0, q8)
TILE(PX_Q4_0, q4_0, q8_4)
TILE(PX_Q4_1, q4_1, q8_4_offset)
TILE(PX_Q5_0, q5_0, q8_5)
TILE(PX_Q5_1, q5_1, q8_5_offset)
TILE(PX_IQ4_NL, iq4_nl, q8)
TILE(PX_MXFP4, mxfp4, q8_5)
TILE(PX_Q2_K, q2_k, k16_2_minima)
TILE(PX_Q3_K, q3_k, k16_3)
TILE(PX_Q4_K, q4_k, k32_4_minima)
TILE(PX_Q5_K, q5_k, k32_5_minima)
TILE(PX_Q6_K, q6_k, k16_6)
TILE(PX_IQ4_XS, iq4_xs, k32)

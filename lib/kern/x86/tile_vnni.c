/*
 * tile_vnni: tiles of 16 rows with VNNI: a dot product of four bytes a lane is one instruction, as
 * is one of two 16-bit numbers.
 */
#include <immintrin.h>

#define LEVEL(name) px_vnni_##name

#include "kern/x86/ops_x86.h"
#include "kern/x86/tile_vec512.h"

#define TILE_COLS           12
#define TILE_SHIFT(natural) (128 + 0 * (natural))

TILE_INLINE ti ti_dot(ti sum, ti w, const void *x)
{
    return _mm512_dpbusd_epi32(sum, w, ti_all(x));
}

TILE_INLINE ti ti_pairs(ti sum, ti w, const void *pair)
{
    return _mm512_dpwssd_epi32(sum, w, ti_all(pair));
}

#include "kern/x86/tile_unpack.h"

TILE_MICRO(q8, tile_q8, 32, 128, false, 8)
TILE_MICRO(q8_offset, tile_q8, 32, 0, true, 8)
TILE_MICRO(k32, tile_q8k, 32, 128, false, 8)
TILE_MICRO(k32_minima, tile_q8k, 32, 0, true, 8)
TILE_MICRO(k16, tile_q8k, 16, 128, false, 8)
TILE_MICRO(k16_minima, tile_q8k, 16, 0, true, 8)

TILE(PX_Q8_0, q8_0, q8)
TILE(PX_Q4_0, q4_0, q8)
TILE(PX_Q4_1, q4_1, q8_offset)
TILE(PX_Q5_0, q5_0, q8)
TILE(PX_Q5_1, q5_1, q8_offset)
TILE(PX_IQ4_NL, iq4_nl, q8)
TILE(PX_MXFP4, mxfp4, q8)
TILE(PX_Q2_K, q2_k, k16_minima)
TILE(PX_Q3_K, q3_k, k16)
TILE(PX_Q4_K, q4_k, k32_minima)
TILE(PX_Q5_K, q5_k, k32_minima)
TILE(PX_Q6_K, q6_k, k16)
TILE(PX_IQ4_XS, iq4_xs, k32)

/*
 * tile_vnni: tiles of 16 rows with VNNI: a dot product of four bytes a lane is one instruction, as
 * is one of two 16-bit numbers.
 */
#include <immintrin.h>

#define LEVEL(name) px_vnni_##name

#include "kern/x86/ops_x86.h"
#include "kern/x86/tile_vec512.h"

TILE512 ti ti_dot(ti sum, ti w, const void *x)
{
    return _mm512_dpbusd_epi32(sum, w, ti_all(x));
}

TILE512 ti ti_pairs(ti sum, ti w, const void *pair)
{
    return _mm512_dpwssd_epi32(sum, w, ti_all(pair));
}

#include "kern/x86/tile_avx512.h"

TILE_MICRO(q8_shifted, tile_q8, 32, true, false)
TILE_MICRO(q8_offset, tile_q8, 32, false, true)
TILE_MICRO(k32_minima, tile_q8k, 32, false, true)
TILE_MICRO(k32_shifted, tile_q8k, 32, true, false)
TILE_MICRO(k16_minima, tile_q8k, 16, false, true)
TILE_MICRO(k16_shifted, tile_q8k, 16, true, false)

TILE(PX_Q8_0, q8_0, q8_shifted)
TILE(PX_Q4_0, q4_0, q8_shifted)
TILE(PX_Q4_1, q4_1, q8_offset)
TILE(PX_Q5_0, q5_0, q8_shifted)
TILE(PX_Q5_1, q5_1, q8_offset)
TILE(PX_IQ4_NL, iq4_nl, q8_shifted)
TILE(PX_MXFP4, mxfp4, q8_shifted)
TILE(PX_Q2_K, q2_k, k16_minima)
TILE(PX_Q3_K, q3_k, k16_shifted)
TILE(PX_Q4_K, q4_k, k32_minima)
TILE(PX_Q5_K, q5_k, k32_minima)
TILE(PX_Q6_K, q6_k, k16_shifted)
TILE(PX_IQ4_XS, iq4_xs, k32_shifted)

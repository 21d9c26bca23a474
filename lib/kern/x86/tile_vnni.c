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
TILE_MICRO(k32_minima, tile_q8k, 32, false, true)

TILE(PX_Q8_0, q8_0, q8_shifted)
TILE(PX_Q4_K, q4_k, k32_minima)

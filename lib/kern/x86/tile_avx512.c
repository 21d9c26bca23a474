/* tile_avx512: tiles of 16 rows for AVX-512 without VNNI. */
#define LEVEL(name) px_avx512_##name

#include "kern/x86/ops_x86.h"
#include "kern/x86/tile_vec512.h"

#define TILE_COLS 8 // three sums a column in 32 registers

/* Adds two products each to lanes of 16 bits; w unsigned. */
TILE_INLINE ti ti_dot16(ti sum, ti w, const void *x)
{
    return _mm512_add_epi16(sum, _mm512_maddubs_epi16(w, ti_all(x)));
}

/* Adds pairs of 16 bits. */
TILE_INLINE ti ti_widen(ti sum, ti a)
{
    return _mm512_add_epi32(sum, _mm512_madd_epi16(a, _mm512_set1_epi16(1)));
}

/* Adds four products; w signed: its sign moves to x, which is never -128. */
TILE_INLINE ti ti_dot_signed(ti sum, ti w, const void *x)
{
    const ti v = ti_all(x);
    const ti turned = _mm512_mask_sub_epi8(v, _mm512_movepi8_mask(w), ti_zero(), v);
    return ti_widen(sum, _mm512_maddubs_epi16(_mm512_abs_epi8(w), turned));
}

TILE_INLINE ti ti_pairs(ti sum, ti w, const void *pair)
{
    return _mm512_add_epi32(sum, _mm512_madd_epi16(w, ti_all(pair)));
}

#include "kern/x86/tile_pairs.h"

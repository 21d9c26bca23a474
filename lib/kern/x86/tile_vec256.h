/* tile_vec256: the vectors of kern/simd/tile.h for tiles of 8 rows, and products of bytes by pairs.
 */
#ifndef PX_KERN_X86_TILE_VEC256_H
#define PX_KERN_X86_TILE_VEC256_H

#include "kern/half.h"

#include <immintrin.h>
#include <stdbool.h>

#define TILE_ROWS   8
#define TILE_COLS   4 // 16 registers
#define TILE_INLINE static inline __attribute__((always_inline))
#define TILE_UNROLL _Pragma("GCC unroll 16")

typedef __m256i ti;
typedef __m256 tf;

TILE_INLINE ti ti_zero(void)
{
    return _mm256_setzero_si256();
}

TILE_INLINE ti ti_load(const void *p)
{
    return _mm256_load_si256(p);
}

/* 32 bits in all lanes */
TILE_INLINE ti ti_all(const void *p)
{
    return _mm256_set1_epi32((int)px_load32(p));
}

TILE_INLINE ti ti_add(ti a, ti b)
{
    return _mm256_add_epi32(a, b);
}

TILE_INLINE tf tf_zero(void)
{
    return _mm256_setzero_ps();
}

TILE_INLINE tf tf_of(ti a)
{
    return _mm256_cvtepi32_ps(a);
}

TILE_INLINE tf tf_load(const void *p)
{
    return _mm256_load_ps(p);
}

TILE_INLINE void tf_store(void *p, tf a)
{
    _mm256_store_ps(p, a);
}

TILE_INLINE tf tf_all(const void *p)
{
    return _mm256_set1_ps(px_load_f32(p));
}

TILE_INLINE tf tf_mul(tf a, tf b)
{
    return _mm256_mul_ps(a, b);
}

TILE_INLINE tf tf_fma(tf a, tf b, tf c)
{
    return _mm256_fmadd_ps(a, b, c);
}

/* The first n lanes to y, added to what stands there if `add`. */
TILE_INLINE void tf_put(float *y, tf a, int n, bool add)
{
    const __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    const __m256i first = _mm256_cmpgt_epi32(_mm256_set1_epi32(n), lane);
    if (add)
        a = _mm256_add_ps(_mm256_maskload_ps(y, first), a);
    _mm256_maskstore_ps(y, first, a);
}

/* ---- products of bytes, w with four values of a column */

/* Adds two products each to lanes of 16 bits; w unsigned. */
TILE_INLINE ti ti_dot16(ti sum, ti w, const void *x)
{
    return _mm256_add_epi16(sum, _mm256_maddubs_epi16(w, ti_all(x)));
}

/* Adds pairs of 16 bits. */
TILE_INLINE ti ti_widen(ti sum, ti a)
{
    return _mm256_add_epi32(sum, _mm256_madd_epi16(a, _mm256_set1_epi16(1)));
}

/* Adds four products; w signed: its sign moves to x, which is never -128. */
TILE_INLINE ti ti_dot_signed(ti sum, ti w, const void *x)
{
    const __m256i turned = _mm256_sign_epi8(ti_all(x), w);
    return ti_widen(sum, _mm256_maddubs_epi16(_mm256_abs_epi8(w), turned));
}

TILE_INLINE ti ti_pairs(ti sum, ti w, const void *pair)
{
    return _mm256_add_epi32(sum, _mm256_madd_epi16(w, ti_all(pair)));
}

/* ---- for unpacking */

TILE_INLINE ti ti_sub(ti a, ti b)
{
    return _mm256_sub_epi32(a, b);
}

TILE_INLINE ti ti_and(ti a, ti b)
{
    return _mm256_and_si256(a, b);
}

TILE_INLINE ti ti_or(ti a, ti b)
{
    return _mm256_or_si256(a, b);
}

TILE_INLINE ti ti_add8(ti a, ti b)
{
    return _mm256_add_epi8(a, b);
}

TILE_INLINE ti ti_sub8(ti a, ti b)
{
    return _mm256_sub_epi8(a, b);
}

/* bytes of a at the places in b, or 0 where these are negative; within lanes of 16 */
TILE_INLINE ti ti_look(ti a, ti b)
{
    return _mm256_shuffle_epi8(a, b);
}

TILE_INLINE ti ti_all8(char a)
{
    return _mm256_set1_epi8(a);
}

TILE_INLINE ti ti_all32(int a)
{
    return _mm256_set1_epi32(a);
}

TILE_INLINE ti ti_right16(ti a, int n)
{
    return _mm256_srli_epi16(a, (int)n);
}

TILE_INLINE ti ti_left16(ti a, int n)
{
    return _mm256_slli_epi16(a, (int)n);
}

TILE_INLINE ti ti_right32(ti a, int n)
{
    return _mm256_srli_epi32(a, (int)n);
}

TILE_INLINE ti ti_left32(ti a, int n)
{
    return _mm256_slli_epi32(a, (int)n);
}

TILE_INLINE ti ti_right32_signed(ti a, int n)
{
    return _mm256_srai_epi32(a, (int)n);
}

/* the same 16 bytes in both lanes */
TILE_INLINE ti ti_lanes(__m128i a)
{
    return _mm256_broadcastsi128_si256(a);
}

/* a | (b & mask) */
TILE_INLINE ti ti_with(ti a, ti b, ti mask)
{
    return _mm256_or_si256(a, _mm256_and_si256(b, mask));
}

/* `value` in the bytes of a that have the bit of `bits`, one in each, 0 in others */
TILE_INLINE ti ti_where_bits(ti a, ti bits, char value)
{
    const __m256i set = _mm256_cmpeq_epi8(_mm256_and_si256(a, bits), bits);
    return _mm256_and_si256(set, _mm256_set1_epi8(value));
}

TILE_INLINE void ti_store(void *p, ti a)
{
    _mm256_store_si256(p, a);
}

TILE_INLINE tf tf_sub(tf a, tf b)
{
    return _mm256_sub_ps(a, b);
}

/* f32 of the f16 in the lower half of each lane, and in the upper */
TILE_INLINE tf upper_f16(ti a)
{
    const __m256i both = _mm256_packus_epi32(_mm256_srli_epi32(a, 16), _mm256_setzero_si256());
    return _mm256_cvtph_ps(_mm256_castsi256_si128(_mm256_permute4x64_epi64(both, 0x08)));
}

TILE_INLINE tf lower_f16(ti a)
{
    return upper_f16(_mm256_slli_epi32(a, 16));
}

/* ---- 8 rows into lanes */

/* 16 bytes at `at` of each row: v[i] has bytes 4 i to 4 i + 3, a row a lane. */
TILE_INLINE void rows16(const uint8_t *const *rows, size_t at, ti *v)
{
    __m256i a[4];
    TILE_UNROLL for (int j = 0; j < 4; j++)
    {
        const __m128i low = _mm_loadu_si128((const void *)(rows[j] + at));
        const __m128i high = _mm_loadu_si128((const void *)(rows[4 + j] + at));
        a[j] = _mm256_set_m128i(high, low);
    }
    const __m256i lo01 = _mm256_unpacklo_epi32(a[0], a[1]);
    const __m256i hi01 = _mm256_unpackhi_epi32(a[0], a[1]);
    const __m256i lo23 = _mm256_unpacklo_epi32(a[2], a[3]);
    const __m256i hi23 = _mm256_unpackhi_epi32(a[2], a[3]);
    v[0] = _mm256_unpacklo_epi64(lo01, lo23);
    v[1] = _mm256_unpackhi_epi64(lo01, lo23);
    v[2] = _mm256_unpacklo_epi64(hi01, hi23);
    v[3] = _mm256_unpackhi_epi64(hi01, hi23);
}

/* A 32-bit number at `at` of each row. */
TILE_INLINE ti rows_u32(const uint8_t *const *rows, size_t at)
{
    __m128i half[2];
    TILE_UNROLL for (int i = 0; i < 2; i++)
    {
        const uint8_t *const *r = rows + 4 * i;
        __m128i v = _mm_cvtsi32_si128((int)px_load32(r[0] + at));
        v = _mm_insert_epi32(v, (int)px_load32(r[1] + at), 1);
        v = _mm_insert_epi32(v, (int)px_load32(r[2] + at), 2);
        half[i] = _mm_insert_epi32(v, (int)px_load32(r[3] + at), 3);
    }
    return _mm256_set_m128i(half[1], half[0]);
}

TILE_INLINE tf rows_f16(const uint8_t *const *rows, size_t at)
{
    __m128i v = _mm_cvtsi32_si128(px_load16(rows[0] + at));
    v = _mm_insert_epi16(v, px_load16(rows[1] + at), 1);
    v = _mm_insert_epi16(v, px_load16(rows[2] + at), 2);
    v = _mm_insert_epi16(v, px_load16(rows[3] + at), 3);
    v = _mm_insert_epi16(v, px_load16(rows[4] + at), 4);
    v = _mm_insert_epi16(v, px_load16(rows[5] + at), 5);
    v = _mm_insert_epi16(v, px_load16(rows[6] + at), 6);
    return _mm256_cvtph_ps(_mm_insert_epi16(v, px_load16(rows[7] + at), 7));
}

#endif

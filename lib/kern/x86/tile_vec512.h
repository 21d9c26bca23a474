/* tile_vec512: the vectors of kern/simd/tile.h for tiles of 16 rows. */
#ifndef PX_KERN_X86_TILE_VEC512_H
#define PX_KERN_X86_TILE_VEC512_H

#include "kern/half.h"

#include <immintrin.h>
#include <stdbool.h>

#define TILE_ROWS   16
#define TILE_INLINE static inline __attribute__((always_inline))
#define TILE_UNROLL _Pragma("GCC unroll 16")

typedef __m512i ti;
typedef __m512 tf;

TILE_INLINE ti ti_zero(void)
{
    return _mm512_setzero_si512();
}

TILE_INLINE ti ti_load(const void *p)
{
    return _mm512_load_si512(p);
}

/* 32 bits in all lanes */
TILE_INLINE ti ti_all(const void *p)
{
    return _mm512_set1_epi32((int)px_load32(p));
}

TILE_INLINE ti ti_add(ti a, ti b)
{
    return _mm512_add_epi32(a, b);
}

TILE_INLINE tf tf_zero(void)
{
    return _mm512_setzero_ps();
}

TILE_INLINE tf tf_of(ti a)
{
    return _mm512_cvtepi32_ps(a);
}

TILE_INLINE tf tf_load(const void *p)
{
    return _mm512_load_ps(p);
}

TILE_INLINE void tf_store(void *p, tf a)
{
    _mm512_store_ps(p, a);
}

TILE_INLINE tf tf_all(const void *p)
{
    return _mm512_set1_ps(px_load_f32(p));
}

TILE_INLINE tf tf_mul(tf a, tf b)
{
    return _mm512_mul_ps(a, b);
}

TILE_INLINE tf tf_fma(tf a, tf b, tf c)
{
    return _mm512_fmadd_ps(a, b, c);
}

/* The first n lanes to y, added to what stands there if `add`. */
TILE_INLINE void tf_put(float *y, tf a, int n, bool add)
{
    const __mmask16 first = (__mmask16)((1u << n) - 1);
    if (add)
        a = _mm512_add_ps(_mm512_maskz_loadu_ps(first, y), a);
    _mm512_mask_storeu_ps(y, first, a);
}

/* ---- for unpacking */

TILE_INLINE ti ti_sub(ti a, ti b)
{
    return _mm512_sub_epi32(a, b);
}

TILE_INLINE ti ti_and(ti a, ti b)
{
    return _mm512_and_si512(a, b);
}

TILE_INLINE ti ti_or(ti a, ti b)
{
    return _mm512_or_si512(a, b);
}

TILE_INLINE ti ti_add8(ti a, ti b)
{
    return _mm512_add_epi8(a, b);
}

TILE_INLINE ti ti_sub8(ti a, ti b)
{
    return _mm512_sub_epi8(a, b);
}

/* bytes of a at the places in b, or 0 where these are negative; within lanes of 16 */
TILE_INLINE ti ti_look(ti a, ti b)
{
    return _mm512_shuffle_epi8(a, b);
}

TILE_INLINE ti ti_all8(char a)
{
    return _mm512_set1_epi8(a);
}

TILE_INLINE ti ti_all32(int a)
{
    return _mm512_set1_epi32(a);
}

TILE_INLINE ti ti_right16(ti a, int n)
{
    return _mm512_srli_epi16(a, (unsigned)n);
}

TILE_INLINE ti ti_left16(ti a, int n)
{
    return _mm512_slli_epi16(a, (unsigned)n);
}

TILE_INLINE ti ti_right32(ti a, int n)
{
    return _mm512_srli_epi32(a, (unsigned)n);
}

TILE_INLINE ti ti_left32(ti a, int n)
{
    return _mm512_slli_epi32(a, (unsigned)n);
}

TILE_INLINE ti ti_right32_signed(ti a, int n)
{
    return _mm512_srai_epi32(a, (unsigned)n);
}

/* the same 16 bytes in all lanes */
TILE_INLINE ti ti_lanes(__m128i a)
{
    return _mm512_broadcast_i32x4(a);
}

/* a | (b & mask) */
TILE_INLINE ti ti_with(ti a, ti b, ti mask)
{
    return _mm512_ternarylogic_epi32(a, b, mask, 0xf8);
}

/* `value` in the bytes of a that have a bit of `bits`, 0 in others */
TILE_INLINE ti ti_where_bits(ti a, ti bits, char value)
{
    return _mm512_maskz_set1_epi8(_mm512_test_epi8_mask(a, bits), value);
}

TILE_INLINE void ti_store(void *p, ti a)
{
    _mm512_store_si512(p, a);
}

TILE_INLINE tf tf_sub(tf a, tf b)
{
    return _mm512_sub_ps(a, b);
}

/* f32 of the f16 in the lower half of each lane, and in the upper */
TILE_INLINE tf lower_f16(ti a)
{
    return _mm512_cvtph_ps(_mm512_cvtepi32_epi16(a));
}

TILE_INLINE tf upper_f16(ti a)
{
    return lower_f16(ti_right32(a, 16));
}

/* ---- 16 rows into lanes */

/* 16 bytes at `at` of each row: v[i] has bytes 4 i to 4 i + 3, a row a lane. */
TILE_INLINE void rows16(const uint8_t *const *rows, size_t at, ti *v)
{
    __m512i a[4];
    TILE_UNROLL for (int j = 0; j < 4; j++)
    {
        a[j] = _mm512_castsi128_si512(_mm_loadu_si128((const void *)(rows[j] + at)));
        a[j] = _mm512_mask_broadcast_i32x4(a[j], 0x00f0,
                                           _mm_loadu_si128((const void *)(rows[4 + j] + at)));
        a[j] = _mm512_mask_broadcast_i32x4(a[j], 0x0f00,
                                           _mm_loadu_si128((const void *)(rows[8 + j] + at)));
        a[j] = _mm512_mask_broadcast_i32x4(a[j], 0xf000,
                                           _mm_loadu_si128((const void *)(rows[12 + j] + at)));
    }
    const __m512i lo01 = _mm512_unpacklo_epi32(a[0], a[1]);
    const __m512i hi01 = _mm512_unpackhi_epi32(a[0], a[1]);
    const __m512i lo23 = _mm512_unpacklo_epi32(a[2], a[3]);
    const __m512i hi23 = _mm512_unpackhi_epi32(a[2], a[3]);
    v[0] = _mm512_unpacklo_epi64(lo01, lo23);
    v[1] = _mm512_unpackhi_epi64(lo01, lo23);
    v[2] = _mm512_unpacklo_epi64(hi01, hi23);
    v[3] = _mm512_unpackhi_epi64(hi01, hi23);
}

/* A 16-bit number at `at` of each row. */
TILE_INLINE __m256i rows_u16(const uint8_t *const *rows, size_t at)
{
    __m128i half[2];
    TILE_UNROLL for (int h = 0; h < 2; h++)
    {
        const uint8_t *const *r = rows + 8 * h;
        __m128i v = _mm_cvtsi32_si128(px_load16(r[0] + at));
        v = _mm_insert_epi16(v, px_load16(r[1] + at), 1);
        v = _mm_insert_epi16(v, px_load16(r[2] + at), 2);
        v = _mm_insert_epi16(v, px_load16(r[3] + at), 3);
        v = _mm_insert_epi16(v, px_load16(r[4] + at), 4);
        v = _mm_insert_epi16(v, px_load16(r[5] + at), 5);
        v = _mm_insert_epi16(v, px_load16(r[6] + at), 6);
        half[h] = _mm_insert_epi16(v, px_load16(r[7] + at), 7);
    }
    return _mm256_set_m128i(half[1], half[0]);
}

/* A 32-bit number at `at` of each row. */
TILE_INLINE __m512i rows_u32(const uint8_t *const *rows, size_t at)
{
    __m128i quarter[4];
    TILE_UNROLL for (int i = 0; i < 4; i++)
    {
        const uint8_t *const *r = rows + 4 * i;
        __m128i v = _mm_cvtsi32_si128((int)px_load32(r[0] + at));
        v = _mm_insert_epi32(v, (int)px_load32(r[1] + at), 1);
        v = _mm_insert_epi32(v, (int)px_load32(r[2] + at), 2);
        quarter[i] = _mm_insert_epi32(v, (int)px_load32(r[3] + at), 3);
    }
    return _mm512_inserti64x4(_mm512_castsi256_si512(_mm256_set_m128i(quarter[1], quarter[0])),
                              _mm256_set_m128i(quarter[3], quarter[2]), 1);
}

TILE_INLINE __m512 rows_f16(const uint8_t *const *rows, size_t at)
{
    return _mm512_cvtph_ps(rows_u16(rows, at));
}

#endif

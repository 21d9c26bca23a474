/*
 * tile_avx512: tiles of 16 rows: vectors and the unpacking of every format into panels (kern/simd/
 * tile.h draws them). Included once for each level of AVX-512, which defines LEVEL, ti_dot and
 * ti_pairs.
 *
 * Unpacking: 16 bytes of each of 16 rows are four vectors of 32-bit units after 12 masked
 * broadcasts and 8 shuffles within lanes; masks and shifts then serve 16 rows at once.
 */
#ifndef PX_KERN_X86_TILE_AVX512_H
#define PX_KERN_X86_TILE_AVX512_H

#include "kern/blocks.h"
#include "kern/half.h"
#include "kern/simd/tile.h"

/* ---- 16 rows into lanes */

/* 16 bytes at `at` of each row: v[i] has bytes 4 i to 4 i + 3, a row a lane. */
TILE_INLINE void rows16(const uint8_t *const *rows, size_t at, __m512i *v)
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
        __m128i v = _mm_cvtsi32_si128(px_load16(rows[8 * h] + at));
        v = _mm_insert_epi16(v, px_load16(rows[8 * h + 1] + at), 1);
        v = _mm_insert_epi16(v, px_load16(rows[8 * h + 2] + at), 2);
        v = _mm_insert_epi16(v, px_load16(rows[8 * h + 3] + at), 3);
        v = _mm_insert_epi16(v, px_load16(rows[8 * h + 4] + at), 4);
        v = _mm_insert_epi16(v, px_load16(rows[8 * h + 5] + at), 5);
        v = _mm_insert_epi16(v, px_load16(rows[8 * h + 6] + at), 6);
        half[h] = _mm_insert_epi16(v, px_load16(rows[8 * h + 7] + at), 7);
    }
    return _mm256_set_m128i(half[1], half[0]);
}

TILE_INLINE __m512 rows_f16(const uint8_t *const *rows, size_t at)
{
    return _mm512_cvtph_ps(rows_u16(rows, at));
}

TILE_INLINE void put(uint8_t *p, __m512i v)
{
    _mm512_store_si512((void *)p, v);
}

TILE_INLINE void put_f(uint8_t *p, __m512 v)
{
    _mm512_store_ps((void *)p, v);
}

TILE_INLINE __m512i low4(__m512i v)
{
    return _mm512_and_si512(v, _mm512_set1_epi8(15));
}

TILE_INLINE __m512i high4(__m512i v)
{
    return low4(_mm512_srli_epi16(v, 4));
}

/* f32 of byte `byte` of each lane */
TILE_INLINE __m512 byte_f(__m512i v, int byte)
{
    const __m512i one = _mm512_srli_epi32(v, (unsigned)(8 * byte));
    return _mm512_cvtepi32_ps(_mm512_and_si512(one, _mm512_set1_epi32(255)));
}

/* ---- blocks of 32 */

static void unpack_q8_0(const uint8_t *const *rows, int64_t n_blocks, uint8_t *panel)
{
    const __m512i shift = _mm512_set1_epi8((char)0x80);
    for (int64_t b = 0; b < n_blocks; b++) {
        const size_t at = (size_t)b * PX_Q8_0_BYTES;
        TILE_UNROLL for (int i = 0; i < 2; i++)
        {
            __m512i v[4];
            rows16(rows, at + 2 + 16 * (size_t)i, v);
            TILE_UNROLL for (int j = 0; j < 4; j++)
                put(panel + (4 * i + j) * TILE_VECTOR, _mm512_xor_si512(v[j], shift));
        }
        put_f(panel + 8 * TILE_VECTOR, rows_f16(rows, at));
        panel += 9 * TILE_VECTOR;
    }
}

/* ---- super-blocks */

/* d and dmin of a block, and the 12 bytes of 6-bit scales and minima behind them: writes the
 * minima as pairs and -dmin to panel; bytes 0 to 3 of sc[0] are the scales of sub-blocks 0 to 3,
 * those of sc[1] of 4 to 7. Returns d. */
TILE_INLINE __m512 scales_6(const uint8_t *const *rows, size_t at, uint8_t *panel, __m512i *sc)
{
    const __m512i six = _mm512_set1_epi8(63), two = _mm512_set1_epi8(0x30);
    __m512i v[4], mn[2];
    rows16(rows, at, v);
    sc[0] = _mm512_and_si512(v[1], six);
    mn[0] = _mm512_and_si512(v[2], six);
    sc[1] = _mm512_or_si512(low4(v[3]), _mm512_and_si512(_mm512_srli_epi16(v[1], 2), two));
    mn[1] = _mm512_or_si512(high4(v[3]), _mm512_and_si512(_mm512_srli_epi16(v[2], 2), two));
    const __m512i low = _mm512_set1_epi32((int)0x80018000),
                  high = _mm512_set1_epi32((int)0x80038002);
    const __m512i lane =
        _mm512_broadcast_i32x4(_mm_setr_epi32(0, 0x00040004, 0x00080008, 0x000c000c));
    TILE_UNROLL for (int i = 0; i < 2; i++)
    {
        put(panel + 2 * i * TILE_VECTOR, _mm512_shuffle_epi8(mn[i], _mm512_add_epi8(low, lane)));
        put(panel + (2 * i + 1) * TILE_VECTOR,
            _mm512_shuffle_epi8(mn[i], _mm512_add_epi8(high, lane)));
    }
    const __m512 dmin = _mm512_cvtph_ps(_mm512_cvtepi32_epi16(_mm512_srli_epi32(v[0], 16)));
    put_f(panel + 4 * TILE_VECTOR, _mm512_sub_ps(_mm512_setzero_ps(), dmin));
    return _mm512_cvtph_ps(_mm512_cvtepi32_epi16(v[0]));
}

enum { SUB32 = 9 * TILE_VECTOR, SUB16 = 5 * TILE_VECTOR, MINIMA32 = 5 * TILE_VECTOR };

static void unpack_q4_k(const uint8_t *const *rows, int64_t n_blocks, uint8_t *panel)
{
    for (int64_t b = 0; b < n_blocks; b++) {
        const size_t at = (size_t)b * PX_Q4_K_BYTES;
        __m512i sc[2];
        const __m512 d = scales_6(rows, at, panel, sc);
        panel += MINIMA32;
        for (int j = 0; j < 4; j++) {
            TILE_UNROLL for (int half = 0; half < 2; half++)
            {
                __m512i v[4];
                rows16(rows, at + 16 + 32 * (size_t)j + 16 * (size_t)half, v);
                uint8_t *to = panel + 4 * half * TILE_VECTOR;
                TILE_UNROLL for (int i = 0; i < 4; i++)
                {
                    put(to + i * TILE_VECTOR, low4(v[i]));
                    put(to + SUB32 + i * TILE_VECTOR, high4(v[i]));
                }
            }
            const __m512i two = j < 2 ? sc[0] : sc[1];
            const __m512i pair = j % 2 ? _mm512_srli_epi32(two, 16) : two;
            put_f(panel + 8 * TILE_VECTOR, _mm512_mul_ps(d, byte_f(pair, 0)));
            put_f(panel + SUB32 + 8 * TILE_VECTOR, _mm512_mul_ps(d, byte_f(pair, 1)));
            panel += 2 * SUB32;
        }
    }
}

#endif

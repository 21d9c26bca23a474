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

/* f32 of the f16 in the lower half of each lane, and in the upper */
TILE_INLINE __m512 lower_f16(__m512i v)
{
    return _mm512_cvtph_ps(_mm512_cvtepi32_epi16(v));
}

TILE_INLINE __m512 upper_f16(__m512i v)
{
    return lower_f16(_mm512_srli_epi32(v, 16));
}

/* The codes of a table of signed bytes, 128 above. */
TILE_INLINE __m512i shifted_table(const int8_t *table)
{
    const __m128i t = _mm_loadu_si128((const void *)table);
    return _mm512_broadcast_i32x4(_mm_xor_si128(t, _mm_set1_epi8((char)0x80)));
}

/* f32 of byte `byte` of each lane */
TILE_INLINE __m512 byte_f(__m512i v, int byte)
{
    const __m512i one = _mm512_srli_epi32(v, (unsigned)(8 * byte));
    return _mm512_cvtepi32_ps(_mm512_and_si512(one, _mm512_set1_epi32(255)));
}

/* f32 of byte `byte` of each lane, signed */
TILE_INLINE __m512 byte_signed_f(__m512i v, int byte)
{
    const __m512i top = _mm512_slli_epi32(v, (unsigned)(24 - 8 * byte));
    return _mm512_cvtepi32_ps(_mm512_srai_epi32(top, 24));
}

/* Bytes of records: a block of 32, sub-blocks of 32 and 16, minima of 32 and 16. */
enum {
    BLOCK_Q8 = 9 * TILE_VECTOR,
    SUB32 = 9 * TILE_VECTOR,
    SUB16 = 5 * TILE_VECTOR,
    MINIMA32 = 5 * TILE_VECTOR,
    MINIMA16 = 9 * TILE_VECTOR,
};

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

/* 16 bytes of nibbles: low halves are values 0 to 15, high halves 16 to 31. */
TILE_INLINE void nibbles(const uint8_t *const *rows, size_t at, __m512i *v)
{
    rows16(rows, at, v);
    TILE_UNROLL for (int i = 0; i < 4; i++)
    {
        v[4 + i] = high4(v[i]);
        v[i] = low4(v[i]);
    }
}

TILE_INLINE void put8(uint8_t *panel, const __m512i *v)
{
    TILE_UNROLL for (int i = 0; i < 8; i++) put(panel + i * TILE_VECTOR, v[i]);
}

static void unpack_q4_0(const uint8_t *const *rows, int64_t n_blocks, uint8_t *panel)
{
    for (int64_t b = 0; b < n_blocks; b++, panel += BLOCK_Q8) {
        const size_t at = (size_t)b * PX_Q4_0_BYTES;
        __m512i v[8];
        nibbles(rows, at + 2, v);
        TILE_UNROLL for (int i = 0; i < 8; i++) v[i] =
            _mm512_add_epi8(v[i], _mm512_set1_epi8(PX_ACT_SHIFT - 8));
        put8(panel, v);
        put_f(panel + 8 * TILE_VECTOR, rows_f16(rows, at));
    }
}

static void unpack_q4_1(const uint8_t *const *rows, int64_t n_blocks, uint8_t *panel)
{
    for (int64_t b = 0; b < n_blocks; b++, panel += BLOCK_Q8 + TILE_VECTOR) {
        const size_t at = (size_t)b * PX_Q4_1_BYTES;
        __m512i v[8];
        nibbles(rows, at + 4, v);
        put8(panel, v);
        const __m512i dm = rows_u32(rows, at);
        put_f(panel + 8 * TILE_VECTOR, lower_f16(dm));
        put_f(panel + 9 * TILE_VECTOR, upper_f16(dm));
    }
}

/* Adds 16 to the codes whose bit is set in qh; bit 4 i + j of a lane belongs to byte j of v[i]. */
TILE_INLINE void add_bit_4(__m512i qh, __m512i *v)
{
    const __m512i lane =
        _mm512_broadcast_i32x4(_mm_setr_epi32(0, 0x04040404, 0x08080808, 0x0c0c0c0c));
    TILE_UNROLL for (int i = 0; i < 8; i++)
    {
        const __m512i byte = _mm512_add_epi8(lane, _mm512_set1_epi8((char)(i / 2)));
        const __m512i bits = _mm512_set1_epi32(i % 2 ? (int)0x80402010 : 0x08040201);
        const __mmask64 set = _mm512_test_epi8_mask(_mm512_shuffle_epi8(qh, byte), bits);
        v[i] = _mm512_mask_add_epi8(v[i], set, v[i], _mm512_set1_epi8(16));
    }
}

static void unpack_q5_0(const uint8_t *const *rows, int64_t n_blocks, uint8_t *panel)
{
    for (int64_t b = 0; b < n_blocks; b++, panel += BLOCK_Q8) {
        const size_t at = (size_t)b * PX_Q5_0_BYTES;
        __m512i v[8];
        nibbles(rows, at + 6, v);
        TILE_UNROLL for (int i = 0; i < 8; i++) v[i] =
            _mm512_add_epi8(v[i], _mm512_set1_epi8(PX_ACT_SHIFT - 16));
        add_bit_4(rows_u32(rows, at + 2), v);
        put8(panel, v);
        put_f(panel + 8 * TILE_VECTOR, rows_f16(rows, at));
    }
}

static void unpack_q5_1(const uint8_t *const *rows, int64_t n_blocks, uint8_t *panel)
{
    for (int64_t b = 0; b < n_blocks; b++, panel += BLOCK_Q8 + TILE_VECTOR) {
        const size_t at = (size_t)b * PX_Q5_1_BYTES;
        __m512i v[8];
        nibbles(rows, at + 8, v);
        add_bit_4(rows_u32(rows, at + 4), v);
        put8(panel, v);
        const __m512i dm = rows_u32(rows, at);
        put_f(panel + 8 * TILE_VECTOR, lower_f16(dm));
        put_f(panel + 9 * TILE_VECTOR, upper_f16(dm));
    }
}

static void unpack_iq4_nl(const uint8_t *const *rows, int64_t n_blocks, uint8_t *panel)
{
    const __m512i table = shifted_table(px_iq4_codes);
    for (int64_t b = 0; b < n_blocks; b++, panel += BLOCK_Q8) {
        const size_t at = (size_t)b * PX_IQ4_NL_BYTES;
        __m512i v[8];
        nibbles(rows, at + 2, v);
        TILE_UNROLL for (int i = 0; i < 8; i++) v[i] = _mm512_shuffle_epi8(table, v[i]);
        put8(panel, v);
        put_f(panel + 8 * TILE_VECTOR, rows_f16(rows, at));
    }
}

/* 2^(e - 128) of the byte at `at` of each row: below 2^-126 an f32 is subnormal. */
TILE_INLINE __m512 rows_power(const uint8_t *const *rows, size_t at)
{
    uint8_t bytes[TILE_ROWS];
    for (int i = 0; i < TILE_ROWS; i++)
        bytes[i] = rows[i][at];
    const __m512i e = _mm512_cvtepu8_epi32(_mm_loadu_si128((const void *)bytes));
    const __m512i normal = _mm512_slli_epi32(_mm512_sub_epi32(e, _mm512_set1_epi32(1)), 23);
    const __mmask16 small = _mm512_cmplt_epi32_mask(e, _mm512_set1_epi32(2));
    return _mm512_castsi512_ps(
        _mm512_mask_sllv_epi32(normal, small, _mm512_set1_epi32(0x00200000), e));
}

static void unpack_mxfp4(const uint8_t *const *rows, int64_t n_blocks, uint8_t *panel)
{
    const __m512i table = shifted_table(px_mxfp4_codes);
    for (int64_t b = 0; b < n_blocks; b++, panel += BLOCK_Q8) {
        const size_t at = (size_t)b * PX_MXFP4_BYTES;
        __m512i v[8];
        nibbles(rows, at + 1, v);
        TILE_UNROLL for (int i = 0; i < 8; i++) v[i] = _mm512_shuffle_epi8(table, v[i]);
        put8(panel, v);
        put_f(panel + 8 * TILE_VECTOR, rows_power(rows, at));
    }
}

/* ---- super-blocks */

/* The minima in bytes 0 to 3 of each lane as pairs of 16 bits, to two vectors. */
TILE_INLINE void put_minima(uint8_t *panel, __m512i mn)
{
    const __m512i lane =
        _mm512_broadcast_i32x4(_mm_setr_epi32(0, 0x00040004, 0x00080008, 0x000c000c));
    const __m512i first = _mm512_set1_epi32((int)0x80018000); // bytes 0 and 1, zeros between
    const __m512i second = _mm512_set1_epi32((int)0x80038002);
    put(panel, _mm512_shuffle_epi8(mn, _mm512_add_epi8(first, lane)));
    put(panel + TILE_VECTOR, _mm512_shuffle_epi8(mn, _mm512_add_epi8(second, lane)));
}

TILE_INLINE void put_negative(uint8_t *panel, __m512 v)
{
    put_f(panel, _mm512_sub_ps(_mm512_setzero_ps(), v));
}

/* d and dmin of a block, and the 12 bytes of 6-bit scales and minima behind them: writes the
 * minima and -dmin to panel; bytes 0 to 3 of sc[0] are the scales of sub-blocks 0 to 3, those of
 * sc[1] of 4 to 7. Returns d. */
TILE_INLINE __m512 scales_6(const uint8_t *const *rows, size_t at, uint8_t *panel, __m512i *sc)
{
    const __m512i six = _mm512_set1_epi8(63), two = _mm512_set1_epi8(0x30);
    __m512i v[4], mn[2];
    rows16(rows, at, v);
    sc[0] = _mm512_and_si512(v[1], six);
    mn[0] = _mm512_and_si512(v[2], six);
    sc[1] = _mm512_or_si512(low4(v[3]), _mm512_and_si512(_mm512_srli_epi16(v[1], 2), two));
    mn[1] = _mm512_or_si512(high4(v[3]), _mm512_and_si512(_mm512_srli_epi16(v[2], 2), two));
    put_minima(panel, mn[0]);
    put_minima(panel + 2 * TILE_VECTOR, mn[1]);
    put_negative(panel + 4 * TILE_VECTOR, upper_f16(v[0]));
    return lower_f16(v[0]);
}

static void unpack_q4_k(const uint8_t *const *rows, int64_t n_blocks, uint8_t *panel)
{
    for (int64_t b = 0; b < n_blocks; b++) {
        const size_t at = (size_t)b * PX_Q4_K_BYTES;
        __m512i sc[2];
        const __m512 d = scales_6(rows, at, panel, sc);
        panel += MINIMA32;
        TILE_UNROLL for (int j = 0; j < 4; j++)
        {
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
            put_f(panel + 8 * TILE_VECTOR, _mm512_mul_ps(d, byte_f(sc[j / 2], j % 2 * 2)));
            put_f(panel + SUB32 + 8 * TILE_VECTOR,
                  _mm512_mul_ps(d, byte_f(sc[j / 2], j % 2 * 2 + 1)));
            panel += 2 * SUB32;
        }
    }
}

/* Bits of x moved left by n (right by -n) bytewise; what crosses a border is masked away later. */
TILE_INLINE __m512i moved(__m512i x, int n)
{
    return n >= 0 ? _mm512_slli_epi16(x, (unsigned)n) : _mm512_srli_epi16(x, (unsigned)-n);
}

/* a | (b & mask) */
TILE_INLINE __m512i with_bits(__m512i a, __m512i b, int mask)
{
    return _mm512_ternarylogic_epi32(a, b, _mm512_set1_epi8((char)mask), 0xf8);
}

static void unpack_q5_k(const uint8_t *const *rows, int64_t n_blocks, uint8_t *panel)
{
    for (int64_t b = 0; b < n_blocks; b++) {
        const size_t at = (size_t)b * PX_Q5_K_BYTES;
        __m512i sc[2];
        const __m512 d = scales_6(rows, at, panel, sc);
        panel += MINIMA32;
        TILE_UNROLL for (int half = 0; half < 2; half++)
        {
            __m512i qh[4];
            rows16(rows, at + 16 + 16 * (size_t)half, qh);
            TILE_UNROLL for (int j = 0; j < 4; j++)
            {
                __m512i v[4];
                rows16(rows, at + 48 + 32 * (size_t)j + 16 * (size_t)half, v);
                uint8_t *to = panel + 2 * j * SUB32 + 4 * half * TILE_VECTOR;
                TILE_UNROLL for (int i = 0; i < 4; i++)
                {
                    put(to + i * TILE_VECTOR, with_bits(low4(v[i]), moved(qh[i], 4 - 2 * j), 16));
                    put(to + SUB32 + i * TILE_VECTOR,
                        with_bits(high4(v[i]), moved(qh[i], 3 - 2 * j), 16));
                }
            }
        }
        TILE_UNROLL for (int s = 0; s < 8; s++)
            put_f(panel + s * SUB32 + 8 * TILE_VECTOR, _mm512_mul_ps(d, byte_f(sc[s / 4], s % 4)));
        panel += 8 * SUB32;
    }
}

/* Sub-blocks of 16 stand in this order: value 128 h + 32 j + 16 half + l is of sub-block
 * 8 h + 2 j + half. */
TILE_INLINE uint8_t *sub16(uint8_t *panel, int h, int j, int half)
{
    return panel + (8 * h + 2 * j + half) * SUB16;
}

static void unpack_q6_k(const uint8_t *const *rows, int64_t n_blocks, uint8_t *panel)
{
    const __m512i shift = _mm512_set1_epi8(PX_ACT_SHIFT - 32);
    for (int64_t b = 0; b < n_blocks; b++) {
        const size_t at = (size_t)b * PX_Q6_K_BYTES;
        for (int h = 0; h < 2; h++) {
            TILE_UNROLL for (int half = 0; half < 2; half++)
            {
                __m512i qh[4];
                rows16(rows, at + 128 + 32 * (size_t)h + 16 * (size_t)half, qh);
                TILE_UNROLL for (int j = 0; j < 2; j++)
                {
                    __m512i v[4];
                    rows16(rows, at + 64 * (size_t)h + 32 * (size_t)j + 16 * (size_t)half, v);
                    uint8_t *low = sub16(panel, h, j, half), *high = sub16(panel, h, j + 2, half);
                    TILE_UNROLL for (int i = 0; i < 4; i++)
                    {
                        const __m512i a = with_bits(low4(v[i]), moved(qh[i], 4 - 2 * j), 0x30);
                        const __m512i c = with_bits(high4(v[i]), moved(qh[i], -2 * j), 0x30);
                        put(low + i * TILE_VECTOR, _mm512_add_epi8(a, shift));
                        put(high + i * TILE_VECTOR, _mm512_add_epi8(c, shift));
                    }
                }
            }
        }
        const __m512 d = rows_f16(rows, at + 208);
        __m512i sc[4];
        rows16(rows, at + 192, sc);
        TILE_UNROLL for (int s = 0; s < 16; s++) put_f(
            panel + s * SUB16 + 4 * TILE_VECTOR, _mm512_mul_ps(d, byte_signed_f(sc[s / 4], s % 4)));
        panel += 16 * SUB16;
    }
}

static void unpack_q2_k(const uint8_t *const *rows, int64_t n_blocks, uint8_t *panel)
{
    const __m512i three = _mm512_set1_epi8(3);
    for (int64_t b = 0; b < n_blocks; b++) {
        const size_t at = (size_t)b * PX_Q2_K_BYTES;
        __m512i sc[4];
        rows16(rows, at, sc);
        const __m512i dm = rows_u32(rows, at + 80);
        const __m512 d = lower_f16(dm);
        TILE_UNROLL for (int i = 0; i < 4; i++)
        {
            put_minima(panel + 2 * i * TILE_VECTOR, high4(sc[i]));
            sc[i] = low4(sc[i]);
        }
        put_negative(panel + 8 * TILE_VECTOR, upper_f16(dm));
        panel += MINIMA16;
        for (int h = 0; h < 2; h++) {
            TILE_UNROLL for (int half = 0; half < 2; half++)
            {
                __m512i v[4];
                rows16(rows, at + 16 + 32 * (size_t)h + 16 * (size_t)half, v);
                TILE_UNROLL for (int j = 0; j < 4; j++) TILE_UNROLL for (int i = 0; i < 4; i++)
                    put(sub16(panel, h, j, half) + i * TILE_VECTOR,
                        _mm512_and_si512(moved(v[i], -2 * j), three));
            }
        }
        TILE_UNROLL for (int s = 0; s < 16; s++)
            put_f(panel + s * SUB16 + 4 * TILE_VECTOR, _mm512_mul_ps(d, byte_f(sc[s / 4], s % 4)));
        panel += 16 * SUB16;
    }
}

/* The scales of Q3_K less 32, four a vector, and d: they end 2 bytes short of 16. */
TILE_INLINE __m512 scales_q3_k(const uint8_t *const *rows, size_t at, __m512i *sc)
{
    const __m512i off = _mm512_set1_epi8(32);
    __m512i v[4], s[3];
    rows16(rows, at + 94, v);
    TILE_UNROLL for (int i = 0; i < 3; i++) s[i] =
        _mm512_or_si512(_mm512_srli_epi32(v[i], 16), _mm512_slli_epi32(v[i + 1], 16));
    sc[0] = with_bits(low4(s[0]), moved(s[2], 4), 0x30);
    sc[1] = with_bits(low4(s[1]), moved(s[2], 2), 0x30);
    sc[2] = with_bits(high4(s[0]), s[2], 0x30);
    sc[3] = with_bits(high4(s[1]), moved(s[2], -2), 0x30);
    TILE_UNROLL for (int i = 0; i < 4; i++) sc[i] = _mm512_sub_epi8(sc[i], off);
    return upper_f16(v[3]);
}

static void unpack_q3_k(const uint8_t *const *rows, int64_t n_blocks, uint8_t *panel)
{
    const __m512i three = _mm512_set1_epi8(3), shift = _mm512_set1_epi8(PX_ACT_SHIFT - 4);
    for (int64_t b = 0; b < n_blocks; b++) {
        const size_t at = (size_t)b * PX_Q3_K_BYTES;
        TILE_UNROLL for (int half = 0; half < 2; half++)
        {
            __m512i qh[4];
            rows16(rows, at + 16 * (size_t)half, qh);
            TILE_UNROLL for (int h = 0; h < 2; h++)
            {
                __m512i v[4];
                rows16(rows, at + 32 + 32 * (size_t)h + 16 * (size_t)half, v);
                TILE_UNROLL for (int j = 0; j < 4; j++) TILE_UNROLL for (int i = 0; i < 4; i++)
                {
                    const __m512i low = _mm512_and_si512(moved(v[i], -2 * j), three);
                    const __m512i q = with_bits(low, moved(qh[i], 2 - 4 * h - j), 4);
                    put(sub16(panel, h, j, half) + i * TILE_VECTOR, _mm512_add_epi8(q, shift));
                }
            }
        }
        __m512i sc[4];
        const __m512 d = scales_q3_k(rows, at, sc);
        TILE_UNROLL for (int s = 0; s < 16; s++) put_f(
            panel + s * SUB16 + 4 * TILE_VECTOR, _mm512_mul_ps(d, byte_signed_f(sc[s / 4], s % 4)));
        panel += 16 * SUB16;
    }
}

static void unpack_iq4_xs(const uint8_t *const *rows, int64_t n_blocks, uint8_t *panel)
{
    const __m512i table = shifted_table(px_iq4_codes);
    const __m512i off = _mm512_set1_epi32(32), four = _mm512_set1_epi32(15);
    for (int64_t b = 0; b < n_blocks; b++) {
        const size_t at = (size_t)b * PX_IQ4_XS_BYTES;
        __m512i head[4];
        rows16(rows, at, head); // d and scales_h, scales_l
        const __m512 d = lower_f16(head[0]);
        TILE_UNROLL for (int s = 0; s < 8; s++)
        {
            __m512i v[8];
            nibbles(rows, at + 8 + 16 * (size_t)s, v);
            TILE_UNROLL for (int i = 0; i < 8; i++) v[i] = _mm512_shuffle_epi8(table, v[i]);
            put8(panel, v);
            const __m512i low =
                _mm512_and_si512(_mm512_srli_epi32(head[1], (unsigned)(4 * s)), four);
            const __m512i high = _mm512_slli_epi32(
                _mm512_and_si512(_mm512_srli_epi32(head[0], (unsigned)(16 + 2 * s)),
                                 _mm512_set1_epi32(3)),
                4);
            const __m512i sc = _mm512_sub_epi32(_mm512_or_si512(low, high), off);
            put_f(panel + 8 * TILE_VECTOR, _mm512_mul_ps(d, _mm512_cvtepi32_ps(sc)));
            panel += SUB32;
        }
    }
}

#endif

/*
 * tile_unpack: the blocks of every format into panels (kern/simd/tile.h draws them), a row a lane,
 * over the functions of a vector header. Included once for each level, which defines
 * TILE_SHIFT(natural): by how much its panels hold signed codes above their values; natural is what
 * makes them unsigned, 0 for codes of 8 bits.
 *
 * 16 bytes of each row become four vectors of 32-bit units by loads into lanes and 8 shuffles
 * within them (rows16); masks and shifts then serve all rows at once.
 */
#ifndef PX_KERN_X86_TILE_UNPACK_H
#define PX_KERN_X86_TILE_UNPACK_H

#include "kern/blocks.h"
#include "kern/half.h"
#include "kern/simd/tile.h"

/* ---- parts of vectors */

TILE_INLINE ti low4(ti v)
{
    return ti_and(v, ti_all8(15));
}

TILE_INLINE ti high4(ti v)
{
    return low4(ti_right16(v, 4));
}

/* The codes of a table of signed bytes, moved up by what the level holds them with. */
TILE_INLINE ti shifted_table(const int8_t *table, int natural)
{
    const __m128i t = _mm_loadu_si128((const void *)table);
    return ti_lanes(_mm_add_epi8(t, _mm_set1_epi8((char)TILE_SHIFT(natural))));
}

/* f32 of byte `byte` of each lane */
TILE_INLINE tf byte_f(ti v, int byte)
{
    const ti one = ti_right32(v, (unsigned)(8 * byte));
    return tf_of(ti_and(one, ti_all32(255)));
}

/* f32 of byte `byte` of each lane, signed */
TILE_INLINE tf byte_signed_f(ti v, int byte)
{
    const ti top = ti_left32(v, (unsigned)(24 - 8 * byte));
    return tf_of(ti_right32_signed(top, 24));
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
    const ti shift = ti_all8((char)TILE_SHIFT(0));
    for (int64_t b = 0; b < n_blocks; b++) {
        const size_t at = (size_t)b * PX_Q8_0_BYTES;
        TILE_UNROLL for (int i = 0; i < 2; i++)
        {
            ti v[4];
            rows16(rows, at + 2 + 16 * (size_t)i, v);
            TILE_UNROLL for (int j = 0; j < 4; j++)
                ti_store(panel + (4 * i + j) * TILE_VECTOR, ti_add8(v[j], shift));
        }
        tf_store(panel + 8 * TILE_VECTOR, rows_f16(rows, at));
        panel += 9 * TILE_VECTOR;
    }
}

/* 16 bytes of nibbles: low halves are values 0 to 15, high halves 16 to 31. */
TILE_INLINE void nibbles(const uint8_t *const *rows, size_t at, ti *v)
{
    rows16(rows, at, v);
    TILE_UNROLL for (int i = 0; i < 4; i++)
    {
        v[4 + i] = high4(v[i]);
        v[i] = low4(v[i]);
    }
}

TILE_INLINE void put8(uint8_t *panel, const ti *v)
{
    TILE_UNROLL for (int i = 0; i < 8; i++) ti_store(panel + i * TILE_VECTOR, v[i]);
}

static void unpack_q4_0(const uint8_t *const *rows, int64_t n_blocks, uint8_t *panel)
{
    for (int64_t b = 0; b < n_blocks; b++, panel += BLOCK_Q8) {
        const size_t at = (size_t)b * PX_Q4_0_BYTES;
        ti v[8];
        nibbles(rows, at + 2, v);
        TILE_UNROLL for (int i = 0; i < 8; i++) v[i] =
            ti_add8(v[i], ti_all8((char)(TILE_SHIFT(8) - 8)));
        put8(panel, v);
        tf_store(panel + 8 * TILE_VECTOR, rows_f16(rows, at));
    }
}

static void unpack_q4_1(const uint8_t *const *rows, int64_t n_blocks, uint8_t *panel)
{
    for (int64_t b = 0; b < n_blocks; b++, panel += BLOCK_Q8 + TILE_VECTOR) {
        const size_t at = (size_t)b * PX_Q4_1_BYTES;
        ti v[8];
        nibbles(rows, at + 4, v);
        put8(panel, v);
        const ti dm = rows_u32(rows, at);
        tf_store(panel + 8 * TILE_VECTOR, lower_f16(dm));
        tf_store(panel + 9 * TILE_VECTOR, upper_f16(dm));
    }
}

/* Adds 16 to the codes whose bit is set in qh; bit 4 i + j of a lane belongs to byte j of v[i]. */
TILE_INLINE void add_bit_4(ti qh, ti *v)
{
    const ti lane = ti_lanes(_mm_setr_epi32(0, 0x04040404, 0x08080808, 0x0c0c0c0c));
    TILE_UNROLL for (int i = 0; i < 8; i++)
    {
        const ti byte = ti_add8(lane, ti_all8((char)(i / 2)));
        const ti bits = ti_all32(i % 2 ? (int)0x80402010 : 0x08040201);
        v[i] = ti_add8(v[i], ti_where_bits(ti_look(qh, byte), bits, 16));
    }
}

static void unpack_q5_0(const uint8_t *const *rows, int64_t n_blocks, uint8_t *panel)
{
    for (int64_t b = 0; b < n_blocks; b++, panel += BLOCK_Q8) {
        const size_t at = (size_t)b * PX_Q5_0_BYTES;
        ti v[8];
        nibbles(rows, at + 6, v);
        TILE_UNROLL for (int i = 0; i < 8; i++) v[i] =
            ti_add8(v[i], ti_all8((char)(TILE_SHIFT(16) - 16)));
        add_bit_4(rows_u32(rows, at + 2), v);
        put8(panel, v);
        tf_store(panel + 8 * TILE_VECTOR, rows_f16(rows, at));
    }
}

static void unpack_q5_1(const uint8_t *const *rows, int64_t n_blocks, uint8_t *panel)
{
    for (int64_t b = 0; b < n_blocks; b++, panel += BLOCK_Q8 + TILE_VECTOR) {
        const size_t at = (size_t)b * PX_Q5_1_BYTES;
        ti v[8];
        nibbles(rows, at + 8, v);
        add_bit_4(rows_u32(rows, at + 4), v);
        put8(panel, v);
        const ti dm = rows_u32(rows, at);
        tf_store(panel + 8 * TILE_VECTOR, lower_f16(dm));
        tf_store(panel + 9 * TILE_VECTOR, upper_f16(dm));
    }
}

static void unpack_iq4_nl(const uint8_t *const *rows, int64_t n_blocks, uint8_t *panel)
{
    const ti table = shifted_table(px_iq4_codes, 0);
    for (int64_t b = 0; b < n_blocks; b++, panel += BLOCK_Q8) {
        const size_t at = (size_t)b * PX_IQ4_NL_BYTES;
        ti v[8];
        nibbles(rows, at + 2, v);
        TILE_UNROLL for (int i = 0; i < 8; i++) v[i] = ti_look(table, v[i]);
        put8(panel, v);
        tf_store(panel + 8 * TILE_VECTOR, rows_f16(rows, at));
    }
}

/* 2^(e - 128) of the byte at `at` of each row: below 2^-126 an f32 is subnormal. */
TILE_INLINE tf rows_power(const uint8_t *const *rows, size_t at)
{
    _Alignas(64) float power[TILE_ROWS];
    for (int i = 0; i < TILE_ROWS; i++) {
        const uint8_t e = rows[i][at];
        power[i] = e < 2 ? px_bits_f32(0x00200000u << e) : px_bits_f32((uint32_t)(e - 1) << 23);
    }
    return tf_load(power);
}

static void unpack_mxfp4(const uint8_t *const *rows, int64_t n_blocks, uint8_t *panel)
{
    const ti table = shifted_table(px_mxfp4_codes, 16);
    for (int64_t b = 0; b < n_blocks; b++, panel += BLOCK_Q8) {
        const size_t at = (size_t)b * PX_MXFP4_BYTES;
        ti v[8];
        nibbles(rows, at + 1, v);
        TILE_UNROLL for (int i = 0; i < 8; i++) v[i] = ti_look(table, v[i]);
        put8(panel, v);
        tf_store(panel + 8 * TILE_VECTOR, rows_power(rows, at));
    }
}

/* ---- super-blocks */

/* The minima in bytes 0 to 3 of each lane as pairs of 16 bits, to two vectors. */
TILE_INLINE void put_minima(uint8_t *panel, ti mn)
{
    const ti lane = ti_lanes(_mm_setr_epi32(0, 0x00040004, 0x00080008, 0x000c000c));
    const ti first = ti_all32((int)0x80018000); // bytes 0 and 1, zeros between
    const ti second = ti_all32((int)0x80038002);
    ti_store(panel, ti_look(mn, ti_add8(first, lane)));
    ti_store(panel + TILE_VECTOR, ti_look(mn, ti_add8(second, lane)));
}

TILE_INLINE void put_negative(uint8_t *panel, tf v)
{
    tf_store(panel, tf_sub(tf_zero(), v));
}

/* d and dmin of a block, and the 12 bytes of 6-bit scales and minima behind them: writes the
 * minima and -dmin to panel; bytes 0 to 3 of sc[0] are the scales of sub-blocks 0 to 3, those of
 * sc[1] of 4 to 7. Returns d. */
TILE_INLINE tf scales_6(const uint8_t *const *rows, size_t at, uint8_t *panel, ti *sc)
{
    const ti six = ti_all8(63), two = ti_all8(0x30);
    ti v[4], mn[2];
    rows16(rows, at, v);
    sc[0] = ti_and(v[1], six);
    mn[0] = ti_and(v[2], six);
    sc[1] = ti_or(low4(v[3]), ti_and(ti_right16(v[1], 2), two));
    mn[1] = ti_or(high4(v[3]), ti_and(ti_right16(v[2], 2), two));
    put_minima(panel, mn[0]);
    put_minima(panel + 2 * TILE_VECTOR, mn[1]);
    put_negative(panel + 4 * TILE_VECTOR, upper_f16(v[0]));
    return lower_f16(v[0]);
}

static void unpack_q4_k(const uint8_t *const *rows, int64_t n_blocks, uint8_t *panel)
{
    for (int64_t b = 0; b < n_blocks; b++) {
        const size_t at = (size_t)b * PX_Q4_K_BYTES;
        ti sc[2];
        const tf d = scales_6(rows, at, panel, sc);
        panel += MINIMA32;
        TILE_UNROLL for (int j = 0; j < 4; j++)
        {
            TILE_UNROLL for (int half = 0; half < 2; half++)
            {
                ti v[4];
                rows16(rows, at + 16 + 32 * (size_t)j + 16 * (size_t)half, v);
                uint8_t *to = panel + 4 * half * TILE_VECTOR;
                TILE_UNROLL for (int i = 0; i < 4; i++)
                {
                    ti_store(to + i * TILE_VECTOR, low4(v[i]));
                    ti_store(to + SUB32 + i * TILE_VECTOR, high4(v[i]));
                }
            }
            tf_store(panel + 8 * TILE_VECTOR, tf_mul(d, byte_f(sc[j / 2], j % 2 * 2)));
            tf_store(panel + SUB32 + 8 * TILE_VECTOR, tf_mul(d, byte_f(sc[j / 2], j % 2 * 2 + 1)));
            panel += 2 * SUB32;
        }
    }
}

/* Bits of x moved left by n (right by -n) bytewise; what crosses a border is masked away later. */
TILE_INLINE ti tile_moved(ti x, int n)
{
    return n >= 0 ? ti_left16(x, (unsigned)n) : ti_right16(x, (unsigned)-n);
}

/* a | (b & mask) */
TILE_INLINE ti with_bits(ti a, ti b, int mask)
{
    return ti_with(a, b, ti_all8((char)mask));
}

static void unpack_q5_k(const uint8_t *const *rows, int64_t n_blocks, uint8_t *panel)
{
    for (int64_t b = 0; b < n_blocks; b++) {
        const size_t at = (size_t)b * PX_Q5_K_BYTES;
        ti sc[2];
        const tf d = scales_6(rows, at, panel, sc);
        panel += MINIMA32;
        TILE_UNROLL for (int half = 0; half < 2; half++)
        {
            ti qh[4];
            rows16(rows, at + 16 + 16 * (size_t)half, qh);
            TILE_UNROLL for (int j = 0; j < 4; j++)
            {
                ti v[4];
                rows16(rows, at + 48 + 32 * (size_t)j + 16 * (size_t)half, v);
                uint8_t *to = panel + 2 * j * SUB32 + 4 * half * TILE_VECTOR;
                TILE_UNROLL for (int i = 0; i < 4; i++)
                {
                    ti_store(to + i * TILE_VECTOR,
                             with_bits(low4(v[i]), tile_moved(qh[i], 4 - 2 * j), 16));
                    ti_store(to + SUB32 + i * TILE_VECTOR,
                             with_bits(high4(v[i]), tile_moved(qh[i], 3 - 2 * j), 16));
                }
            }
        }
        TILE_UNROLL for (int s = 0; s < 8; s++)
            tf_store(panel + s * SUB32 + 8 * TILE_VECTOR, tf_mul(d, byte_f(sc[s / 4], s % 4)));
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
    const ti shift = ti_all8((char)(TILE_SHIFT(32) - 32));
    for (int64_t b = 0; b < n_blocks; b++) {
        const size_t at = (size_t)b * PX_Q6_K_BYTES;
        for (int h = 0; h < 2; h++) {
            TILE_UNROLL for (int half = 0; half < 2; half++)
            {
                ti qh[4];
                rows16(rows, at + 128 + 32 * (size_t)h + 16 * (size_t)half, qh);
                TILE_UNROLL for (int j = 0; j < 2; j++)
                {
                    ti v[4];
                    rows16(rows, at + 64 * (size_t)h + 32 * (size_t)j + 16 * (size_t)half, v);
                    uint8_t *low = sub16(panel, h, j, half), *high = sub16(panel, h, j + 2, half);
                    TILE_UNROLL for (int i = 0; i < 4; i++)
                    {
                        const ti a = with_bits(low4(v[i]), tile_moved(qh[i], 4 - 2 * j), 0x30);
                        const ti c = with_bits(high4(v[i]), tile_moved(qh[i], -2 * j), 0x30);
                        ti_store(low + i * TILE_VECTOR, ti_add8(a, shift));
                        ti_store(high + i * TILE_VECTOR, ti_add8(c, shift));
                    }
                }
            }
        }
        const tf d = rows_f16(rows, at + 208);
        ti sc[4];
        rows16(rows, at + 192, sc);
        TILE_UNROLL for (int s = 0; s < 16; s++) tf_store(
            panel + s * SUB16 + 4 * TILE_VECTOR, tf_mul(d, byte_signed_f(sc[s / 4], s % 4)));
        panel += 16 * SUB16;
    }
}

static void unpack_q2_k(const uint8_t *const *rows, int64_t n_blocks, uint8_t *panel)
{
    const ti three = ti_all8(3);
    for (int64_t b = 0; b < n_blocks; b++) {
        const size_t at = (size_t)b * PX_Q2_K_BYTES;
        ti sc[4];
        rows16(rows, at, sc);
        const ti dm = rows_u32(rows, at + 80);
        const tf d = lower_f16(dm);
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
                ti v[4];
                rows16(rows, at + 16 + 32 * (size_t)h + 16 * (size_t)half, v);
                TILE_UNROLL for (int j = 0; j < 4; j++) TILE_UNROLL for (int i = 0; i < 4; i++)
                    ti_store(sub16(panel, h, j, half) + i * TILE_VECTOR,
                             ti_and(tile_moved(v[i], -2 * j), three));
            }
        }
        TILE_UNROLL for (int s = 0; s < 16; s++)
            tf_store(panel + s * SUB16 + 4 * TILE_VECTOR, tf_mul(d, byte_f(sc[s / 4], s % 4)));
        panel += 16 * SUB16;
    }
}

/* The scales of Q3_K less 32, four a vector, and d: they end 2 bytes short of 16. */
TILE_INLINE tf scales_q3_k(const uint8_t *const *rows, size_t at, ti *sc)
{
    const ti off = ti_all8(32);
    ti v[4], s[3];
    rows16(rows, at + 94, v);
    TILE_UNROLL for (int i = 0; i < 3; i++) s[i] =
        ti_or(ti_right32(v[i], 16), ti_left32(v[i + 1], 16));
    sc[0] = with_bits(low4(s[0]), tile_moved(s[2], 4), 0x30);
    sc[1] = with_bits(low4(s[1]), tile_moved(s[2], 2), 0x30);
    sc[2] = with_bits(high4(s[0]), s[2], 0x30);
    sc[3] = with_bits(high4(s[1]), tile_moved(s[2], -2), 0x30);
    TILE_UNROLL for (int i = 0; i < 4; i++) sc[i] = ti_sub8(sc[i], off);
    return upper_f16(v[3]);
}

static void unpack_q3_k(const uint8_t *const *rows, int64_t n_blocks, uint8_t *panel)
{
    const ti three = ti_all8(3), shift = ti_all8((char)(TILE_SHIFT(4) - 4));
    for (int64_t b = 0; b < n_blocks; b++) {
        const size_t at = (size_t)b * PX_Q3_K_BYTES;
        TILE_UNROLL for (int half = 0; half < 2; half++)
        {
            ti qh[4];
            rows16(rows, at + 16 * (size_t)half, qh);
            TILE_UNROLL for (int h = 0; h < 2; h++)
            {
                ti v[4];
                rows16(rows, at + 32 + 32 * (size_t)h + 16 * (size_t)half, v);
                TILE_UNROLL for (int j = 0; j < 4; j++) TILE_UNROLL for (int i = 0; i < 4; i++)
                {
                    const ti low = ti_and(tile_moved(v[i], -2 * j), three);
                    const ti q = with_bits(low, tile_moved(qh[i], 2 - 4 * h - j), 4);
                    ti_store(sub16(panel, h, j, half) + i * TILE_VECTOR, ti_add8(q, shift));
                }
            }
        }
        ti sc[4];
        const tf d = scales_q3_k(rows, at, sc);
        TILE_UNROLL for (int s = 0; s < 16; s++) tf_store(
            panel + s * SUB16 + 4 * TILE_VECTOR, tf_mul(d, byte_signed_f(sc[s / 4], s % 4)));
        panel += 16 * SUB16;
    }
}

static void unpack_iq4_xs(const uint8_t *const *rows, int64_t n_blocks, uint8_t *panel)
{
    const ti table = shifted_table(px_iq4_codes, 0);
    const ti off = ti_all32(32), four = ti_all32(15);
    for (int64_t b = 0; b < n_blocks; b++) {
        const size_t at = (size_t)b * PX_IQ4_XS_BYTES;
        ti head[4];
        rows16(rows, at, head); // d and scales_h, scales_l
        const tf d = lower_f16(head[0]);
        TILE_UNROLL for (int s = 0; s < 8; s++)
        {
            ti v[8];
            nibbles(rows, at + 8 + 16 * (size_t)s, v);
            TILE_UNROLL for (int i = 0; i < 8; i++) v[i] = ti_look(table, v[i]);
            put8(panel, v);
            const ti low = ti_and(ti_right32(head[1], (unsigned)(4 * s)), four);
            const ti high =
                ti_left32(ti_and(ti_right32(head[0], (unsigned)(16 + 2 * s)), ti_all32(3)), 4);
            const ti sc = ti_sub(ti_or(low, high), off);
            tf_store(panel + 8 * TILE_VECTOR, tf_mul(d, tf_of(sc)));
            panel += SUB32;
        }
    }
}

#endif

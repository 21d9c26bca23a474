/*
 * decode: packed weights to f32, for any instruction set; the same bits as kern/ref gives. Included
 * once in a file of each level, after its vec header. Layouts in kern/blocks.h.
 *
 * Codes are taken apart in loops over 16 or 32 bytes that compilers turn into vectors; the file
 * that includes this defines decode_look_up for codebooks of f32 (NF4) before, VF_N at once, and
 * decode_look_up16 for those of bytes.
 */
#include "kern/blocks.h"
#include "kern/half.h"
#include "kern/ref/formats.h"
#include "kern/ref/scales.h"
#include "kern/simd/ops.h"

#include <assert.h>

#ifndef INLINE
#define INLINE static inline __attribute__((always_inline))
#endif

/* Loops of 16 become vectors only if they are not unrolled first. */
#define DECODE_WHOLE _Pragma("GCC unroll 1")

/* out[i] = scale * q[i] - minimum, each rounded, for n codes. */
INLINE void decode_codes(const int8_t *restrict q, float scale, float minimum, float *restrict out,
                         const int n)
{
    for (int i = 0; i < n; i += VF_N) {
        const vf x = vf_mul(vf_all(scale), vf_load_i8(q + i));
        vf_store(out + i, vf_sub(x, vf_all(minimum)));
    }
}

#define DECODE_BLOCKS(name, id)                                                            \
    INLINE void decode_block_##name(const px_##name *restrict b, float *restrict out);     \
    void LEVEL(decode_##name)(const void *restrict blocks, float *restrict out, int64_t n) \
    {                                                                                      \
        const px_##name *b = blocks;                                                       \
        for (int64_t i = 0; i < n; i += id##_VALUES, b++)                                  \
            decode_block_##name(b, out + i);                                               \
    }                                                                                      \
    INLINE void decode_block_##name(const px_##name *restrict b, float *restrict out)

/* ---- blocks of 32 */

DECODE_BLOCKS(q8_0, PX_Q8_0)
{
    decode_codes(b->qs, px_load_f16(b->d), 0.0f, out, 32);
}

/* Nibbles with an offset: low halves are values 0 to 15. */
INLINE void decode_nibbles(const uint8_t *restrict qs, int bias, float d, float minimum,
                           float *restrict out)
{
    int8_t q[32];
    DECODE_WHOLE
    for (int i = 0; i < 16; i++) {
        q[i] = (int8_t)((qs[i] & 15) - bias);
        q[i + 16] = (int8_t)((qs[i] >> 4) - bias);
    }
    decode_codes(q, d, minimum, out, 32);
}

DECODE_BLOCKS(q4_0, PX_Q4_0)
{
    decode_nibbles(b->qs, 8, px_load_f16(b->d), 0.0f, out);
}

DECODE_BLOCKS(q4_1, PX_Q4_1)
{
    decode_nibbles(b->qs, 0, px_load_f16(b->d), -px_load_f16(b->m), out);
}

/* 16 in each of 8 bytes whose bit of `bits` is set, lowest first. */
INLINE uint64_t decode_spread(uint8_t bits)
{
    const uint64_t one = bits * 0x0101010101010101u & 0x8040201008040201u; // a bit a byte
    return ((one + 0x7f7f7f7f7f7f7f7fu) & 0x8080808080808080u) >> 3;
}

INLINE void decode_fives(const uint8_t *restrict qs, const uint8_t *restrict qh, int bias, float d,
                         float minimum, float *restrict out)
{
    int8_t q[32], high[32];
    for (int i = 0; i < 4; i++) {
        const uint64_t spread = decode_spread(qh[i]);
        memcpy(high + 8 * i, &spread, sizeof spread);
    }
    DECODE_WHOLE
    for (int i = 0; i < 16; i++) {
        q[i] = (int8_t)(((qs[i] & 15) | high[i]) - bias);
        q[i + 16] = (int8_t)((qs[i] >> 4 | high[i + 16]) - bias);
    }
    decode_codes(q, d, minimum, out, 32);
}

DECODE_BLOCKS(q5_0, PX_Q5_0)
{
    decode_fives(b->qs, b->qh, 16, px_load_f16(b->d), 0.0f, out);
}

DECODE_BLOCKS(q5_1, PX_Q5_1)
{
    decode_fives(b->qs, b->qh, 0, px_load_f16(b->d), -px_load_f16(b->m), out);
}

/* Nibbles that stand for the values of a table. */
INLINE void decode_table(const uint8_t *restrict qs, const int8_t *restrict table, float d,
                         float *restrict out)
{
    uint8_t index[32];
    int8_t q[32];
    DECODE_WHOLE
    for (int i = 0; i < 16; i++) {
        index[i] = qs[i] & 15;
        index[i + 16] = (uint8_t)(qs[i] >> 4);
    }
    decode_look_up16(table, index, q);
    decode_look_up16(table, index + 16, q + 16);
    decode_codes(q, d, 0.0f, out, 32);
}

DECODE_BLOCKS(iq4_nl, PX_IQ4_NL)
{
    decode_table(b->qs, px_iq4_codes, px_load_f16(b->d), out);
}

DECODE_BLOCKS(mxfp4, PX_MXFP4)
{
    decode_table(b->qs, px_mxfp4_codes, px_mxfp4_scale(b->e), out);
}

/* ---- super-blocks */

DECODE_BLOCKS(q2_k, PX_Q2_K)
{
    const float d = px_load_f16(b->d), dmin = px_load_f16(b->dmin);
    for (int s = 0; s < 16; s += 2) { // value 128 h + 32 j + l
        const int h = s / 8, j = s % 8 / 2;
        const uint8_t *qs = b->qs + 32 * h;
        int8_t q[32];
        for (int i = 0; i < 32; i++)
            q[i] = (int8_t)(qs[i] >> (2 * j) & 3);
        for (int t = 0; t < 2; t++)
            decode_codes(q + 16 * t, d * (float)(b->scales[s + t] & 15),
                         dmin * (float)(b->scales[s + t] >> 4), out + 16 * (s + t), 16);
    }
}

DECODE_BLOCKS(q3_k, PX_Q3_K)
{
    const float d = px_load_f16(b->d);
    int8_t sc[16];
    px_q3_k_scales(b->scales, sc);
    for (int s = 0; s < 16; s += 2) {
        const int h = s / 8, j = s % 8 / 2;
        const uint8_t *qs = b->qs + 32 * h, *high = b->hmask;
        int8_t q[32];
        for (int i = 0; i < 32; i++)
            q[i] = (int8_t)(((qs[i] >> (2 * j) & 3) | (high[i] >> (4 * h + j) & 1) << 2) - 4);
        for (int t = 0; t < 2; t++)
            decode_codes(q + 16 * t, d * (float)sc[s + t], 0.0f, out + 16 * (s + t), 16);
    }
}

DECODE_BLOCKS(q4_k, PX_Q4_K)
{
    const float d = px_load_f16(b->d), dmin = px_load_f16(b->dmin);
    uint8_t sc[8], mn[8];
    px_q4_k_scales(b->scales, sc, mn);
    for (int j = 0; j < 4; j++) {
        const uint8_t *qs = b->qs + 32 * j;
        int8_t low[32], high[32];
        for (int i = 0; i < 32; i++) {
            low[i] = qs[i] & 15;
            high[i] = (int8_t)(qs[i] >> 4);
        }
        decode_codes(low, d * (float)sc[2 * j], dmin * (float)mn[2 * j], out + 64 * j, 32);
        decode_codes(high, d * (float)sc[2 * j + 1], dmin * (float)mn[2 * j + 1], out + 64 * j + 32,
                     32);
    }
}

DECODE_BLOCKS(q5_k, PX_Q5_K)
{
    const float d = px_load_f16(b->d), dmin = px_load_f16(b->dmin);
    uint8_t sc[8], mn[8];
    px_q4_k_scales(b->scales, sc, mn);
    for (int s = 0; s < 8; s++) {
        const uint8_t *qs = b->qs + 32 * (s / 2);
        int8_t q[32];
        for (int i = 0; i < 32; i++)
            q[i] = (int8_t)((qs[i] >> (s % 2 * 4) & 15) | (b->qh[i] >> s & 1) << 4);
        decode_codes(q, d * (float)sc[s], dmin * (float)mn[s], out + 32 * s, 32);
    }
}

DECODE_BLOCKS(q6_k, PX_Q6_K)
{
    const float d = px_load_f16(b->d);
    for (int s = 0; s < 16; s += 2) {
        const int h = s / 8, j = s % 8 / 2;
        const uint8_t *low = b->ql + 64 * h + 32 * (j % 2), *high = b->qh + 32 * h;
        int8_t q[32];
        for (int i = 0; i < 32; i++)
            q[i] = (int8_t)(((low[i] >> (j / 2 * 4) & 15) | (high[i] >> (2 * j) & 3) << 4) - 32);
        for (int t = 0; t < 2; t++)
            decode_codes(q + 16 * t, d * (float)b->scales[s + t], 0.0f, out + 16 * (s + t), 16);
    }
}

DECODE_BLOCKS(iq4_xs, PX_IQ4_XS)
{
    const float d = px_load_f16(b->d);
    int8_t sc[8];
    px_iq4_xs_scales(b, sc);
    for (int s = 0; s < 8; s++)
        decode_table(b->qs + 16 * s, px_iq4_codes, d * (float)sc[s], out + 32 * s);
}

/* ---- NF4 */

DECODE_BLOCKS(nf4, PX_NF4)
{
    const float scale = px_load_f32(b->scale), offset = px_load_f32(b->offset);
    for (int s = 0; s < 4; s++) {
        const float absmax = px_nf4_scale_codes[b->codes[s]] * scale + offset;
        uint8_t q[64];
        for (int i = 0; i < 32; i++) {
            q[2 * i] = (uint8_t)(b->qs[32 * s + i] >> 4);
            q[2 * i + 1] = b->qs[32 * s + i] & 15;
        }
        for (int i = 0; i < 64; i += VF_N)
            vf_store(out + 64 * s + i, vf_mul(decode_look_up(px_nf4_codes, q + i), vf_all(absmax)));
    }
}

/*
 * mul_whole: products of whole-number codes with few columns of 8-bit activations, for any level of
 * AArch64. Included once in a file of each level, which defines LEVEL and
 * dot16(sum, a, b): four 32-bit sums plus products of 16 signed bytes, four to a sum or in pairs.
 *
 * A block is taken apart once for up to COLS columns. Blocks of 32: two dot16, one conversion, one
 * fused multiply and add with the product of both scales. Super-blocks: one dot16 and one 32-bit
 * multiply and add with the integer scale for each 16 codes, one float step a super-block; minima
 * meet the sums of activations in eight 16-bit multiplies and adds. With one column two rows go
 * side by side. A product depends on its row and column alone.
 */
#include "kern/act.h"
#include "kern/arm/ops_arm.h"
#include "kern/arm/unpack_neon.h"

enum { COLS = 4, ROWS = 2, AHEAD = 8 }; // AHEAD: rows between a block and the prefetched one

/* ---- blocks of 32 */

typedef codes32 (*unpack32_fn)(const void *block);

INLINE void block32(const px_mul *m, int64_t r, int64_t c, const int rows, const int cols,
                    const int64_t block_bytes, const bool offset, unpack32_fn unpack)
{
    const int64_t n_blocks = m->x->k / PX_Q8_BLOCK;
    px_q8_column x[COLS];
    float32x4_t sum[ROWS][COLS];
    float offsets[ROWS][COLS];
    for (int j = 0; j < cols; j++)
        x[j] = px_q8_column_of(m->x, c + j);
#pragma GCC unroll 2
    for (int i = 0; i < rows; i++)
#pragma GCC unroll 4
        for (int j = 0; j < cols; j++) {
            sum[i][j] = vdupq_n_f32(0.0f);
            offsets[i][j] = 0.0f;
        }
    for (int64_t b = 0; b < n_blocks; b++) {
#pragma GCC unroll 2
        for (int i = 0; i < rows; i++) {
            const uint8_t *at = m->w + (size_t)(r + i) * m->row_bytes + b * block_bytes;
            __builtin_prefetch(at + AHEAD * m->row_bytes);
            const codes32 w = unpack(at);
#pragma GCC unroll 4
            for (int j = 0; j < cols; j++) {
                const int8_t *q = x[j].q + b * PX_Q8_BLOCK;
                int32x4_t whole = dot16(vdupq_n_s32(0), w.q[0], vld1q_s8(q));
                whole = dot16(whole, w.q[1], vld1q_s8(q + 16));
                sum[i][j] = vfmaq_n_f32(sum[i][j], vcvtq_f32_s32(whole), w.d * x[j].d[b]);
                if (offset)
                    offsets[i][j] += w.m * x[j].ds[b];
            }
        }
    }
#pragma GCC unroll 2
    for (int i = 0; i < rows; i++)
#pragma GCC unroll 4
        for (int j = 0; j < cols; j++)
            m->y[(c + j) * m->y_stride + r + i] = vaddvq_f32(sum[i][j]) + offsets[i][j];
}

INLINE void multiply32(const px_mul *m, int64_t row0, int64_t row1, const int64_t block_bytes,
                       const bool offset, unpack32_fn unpack)
{
    const int64_t n = m->x->n;
    int64_t r = row0;
    for (; n == 1 && r + ROWS <= row1; r += ROWS)
        block32(m, r, 0, ROWS, 1, block_bytes, offset, unpack);
    for (; r < row1; r++) {
        int64_t c = 0;
        for (; c + COLS <= n; c += COLS)
            block32(m, r, c, 1, COLS, block_bytes, offset, unpack);
        for (; c < n; c++)
            block32(m, r, c, 1, 1, block_bytes, offset, unpack);
    }
}

/* ---- super-blocks */

typedef void (*unpack256_fn)(const void *block, codes256 *out);

INLINE void block256(const px_mul *m, int64_t r, int64_t c, const int cols,
                     const int64_t block_bytes, const bool minima, unpack256_fn unpack)
{
    const int64_t n_blocks = m->x->k / PX_Q8K_BLOCK;
    const uint8_t *row = m->w + (size_t)r * m->row_bytes;
    px_q8k_column x[COLS];
    float32x4_t sum[COLS];
#pragma GCC unroll 4
    for (int j = 0; j < cols; j++) {
        x[j] = px_q8k_column_of(m->x, c + j);
        sum[j] = vdupq_n_f32(0.0f);
    }
    for (int64_t b = 0; b < n_blocks; b++) {
        codes256 w;
        for (int64_t at = 0; at < block_bytes; at += 64)
            __builtin_prefetch(row + AHEAD * m->row_bytes + b * block_bytes + at);
        unpack(row + b * block_bytes, &w);
#pragma GCC unroll 4
        for (int j = 0; j < cols; j++) {
            const int8_t *q = x[j].q + b * PX_Q8K_BLOCK;
            const float d = x[j].d[b];
            int32x4_t whole = vdupq_n_s32(0);
#pragma GCC unroll 16
            for (int s = 0; s < 16; s++)
                whole = vmlaq_n_s32(whole, dot16(vdupq_n_s32(0), w.q[s], vld1q_s8(q + 16 * s)),
                                    w.sc[s]);
            sum[j] = vfmaq_n_f32(sum[j], vcvtq_f32_s32(whole), w.d * d);
            if (minima) {
                const int16_t *sums = x[j].sums + 16 * b;
                int32x4_t least = vdupq_n_s32(0);
#pragma GCC unroll 4
                for (int s = 0; s < 16; s += 4)
                    least = vmlal_s16(least, vld1_s16(w.mn + s), vld1_s16(sums + s));
                sum[j] = vfmsq_n_f32(sum[j], vcvtq_f32_s32(least), w.dmin * d);
            }
        }
    }
#pragma GCC unroll 4
    for (int j = 0; j < cols; j++)
        m->y[(c + j) * m->y_stride + r] = vaddvq_f32(sum[j]);
}

INLINE void multiply256(const px_mul *m, int64_t row0, int64_t row1, const int64_t block_bytes,
                        const bool minima, unpack256_fn unpack)
{
    const int64_t n = m->x->n;
    for (int64_t r = row0; r < row1; r++) {
        int64_t c = 0;
        for (; c + COLS <= n; c += COLS)
            block256(m, r, c, COLS, block_bytes, minima, unpack);
        for (; c < n; c++)
            block256(m, r, c, 1, block_bytes, minima, unpack);
    }
}

/* ---- every format */

#define MUL32(id, name, offset)                                         \
    void LEVEL(mul_##name)(const px_mul *m, int64_t row0, int64_t row1) \
    {                                                                   \
        multiply32(m, row0, row1, id##_BYTES, offset, unpack_##name);   \
    }
#define MUL256(id, name, minima)                                        \
    void LEVEL(mul_##name)(const px_mul *m, int64_t row0, int64_t row1) \
    {                                                                   \
        multiply256(m, row0, row1, id##_BYTES, minima, unpack_##name);  \
    }
PX_ARM_FORMATS(MUL32, MUL256)

/*
 * act: packed activations: the other operand of products. A batch is n columns of k values; each
 * column is packed alone and starts at a multiple of 64 bytes. px_act_column_bytes gives the bytes
 * of a column; every byte of it is written by px_pack_fn, zeros in the gaps, so that the same
 * activations give the same bytes on every level, and kernels may read whole vectors of 64 bytes.
 *
 *   F32  | x: k f32 |
 *   BF16 | x: k bf16 |
 *
 *   Q8   | q: k int8 | d: k/32 f32 | ds: k/32 f32 | start: k/32 int32 |        k a multiple of 32
 *   Q8K  | q: k int8 | d: k/256 f32 | sums: k/16 int16 | sums32: k/32 int16 |  k a multiple of 256
 *        | start: k/16 int32 |
 *
 * Each array starts at a multiple of 64 bytes. Arrays lie apart, so that a kernel that needs no
 * sums does not load them. A column whose bytes would be a multiple of 4096 has 64 more: columns at
 * such a stride fall into the same sets of the first-level cache. In a block of 32 (256) values
 *
 *   amax = largest |x|, d = amax / 127, q = x * (127 / amax) to nearest even, so |q| <= 127: never
 * -128, which lets 8-bit products of pairs fit 16 bits; ds = d * (sum of q), sums[s] = sum of q
 * over the s-th 16 values, sums32[s] over the s-th 32: for offsets and minima of weights;
 * start[s] = -128 * sum of q over the s-th 32 (Q8) or 16 (Q8K) values: where an integer sum of
 * products begins when weights w are held as the unsigned w + 128.
 *
 * amax below 2^-100 counts as 0 (its reciprocal would overflow): d = ds = 0, q = 0. A block with an
 * infinity or NaN has d = ds = NaN, q = 0, so that products become NaN.
 */
#ifndef PX_KERN_ACT_H
#define PX_KERN_ACT_H

#include "kern/ops.h"

enum {
    PX_ACT_ALIGN = 64,
    PX_ACT_SETS = 4096, // bytes after which addresses meet the same cache set again
    PX_Q8_BLOCK = 32,
    PX_Q8K_BLOCK = 256,
    PX_Q8K_SUM = 16,
    PX_Q8K_SUM32 = 32,
    PX_ACT_SHIFT = 128, // of weights held as unsigned bytes
};

#define PX_Q8_LEAST 0x1p-100f

/* Offset of what follows an array of n elements of `size` bytes. */
static inline size_t px_act_after(int64_t n, size_t size)
{
    return ((size_t)n * size + PX_ACT_ALIGN - 1) & ~(size_t)(PX_ACT_ALIGN - 1);
}

/* Bytes of a column whose arrays take n, a multiple of 64. */
static inline size_t px_act_padded(size_t n)
{
    return n > 0 && n % PX_ACT_SETS == 0 ? n + PX_ACT_ALIGN : n;
}

/* Where the arrays of a column lie; k as the px_act has it. */
static inline size_t px_q8_d_offset(int64_t k)
{
    return px_act_after(k, 1);
}

static inline size_t px_q8_ds_offset(int64_t k)
{
    return px_q8_d_offset(k) + px_act_after(k / PX_Q8_BLOCK, sizeof(float));
}

static inline size_t px_q8_start_offset(int64_t k)
{
    return px_q8_ds_offset(k) + px_act_after(k / PX_Q8_BLOCK, sizeof(float));
}

static inline size_t px_q8_bytes(int64_t k)
{
    return px_act_padded(px_q8_start_offset(k) + px_act_after(k / PX_Q8_BLOCK, sizeof(int32_t)));
}

static inline size_t px_q8k_d_offset(int64_t k)
{
    return px_act_after(k, 1);
}

static inline size_t px_q8k_sums_offset(int64_t k)
{
    return px_q8k_d_offset(k) + px_act_after(k / PX_Q8K_BLOCK, sizeof(float));
}

static inline size_t px_q8k_sums32_offset(int64_t k)
{
    return px_q8k_sums_offset(k) + px_act_after(k / PX_Q8K_SUM, sizeof(int16_t));
}

static inline size_t px_q8k_start_offset(int64_t k)
{
    return px_q8k_sums32_offset(k) + px_act_after(k / PX_Q8K_SUM32, sizeof(int16_t));
}

static inline size_t px_q8k_bytes(int64_t k)
{
    return px_act_padded(px_q8k_start_offset(k) + px_act_after(k / PX_Q8K_SUM, sizeof(int32_t)));
}

static inline const uint8_t *px_act_column(const px_act *x, int64_t c)
{
    return (const uint8_t *)x->data + (size_t)c * x->column_bytes;
}

/* Reads of one column (arrays of a column packed at an address that is a multiple of 64). */
typedef struct px_q8_column {
    const int8_t *q;
    const float *d, *ds;
    const int32_t *start;
} px_q8_column;

static inline px_q8_column px_q8_column_of(const px_act *x, int64_t c)
{
    const uint8_t *p = px_act_column(x, c);
    return (px_q8_column){(const int8_t *)p,
                          (const float *)(const void *)(p + px_q8_d_offset(x->k)),
                          (const float *)(const void *)(p + px_q8_ds_offset(x->k)),
                          (const int32_t *)(const void *)(p + px_q8_start_offset(x->k))};
}

typedef struct px_q8k_column {
    const int8_t *q;
    const float *d;
    const int16_t *sums, *sums32;
    const int32_t *start;
} px_q8k_column;

static inline px_q8k_column px_q8k_column_of(const px_act *x, int64_t c)
{
    const uint8_t *p = px_act_column(x, c);
    return (px_q8k_column){(const int8_t *)p,
                           (const float *)(const void *)(p + px_q8k_d_offset(x->k)),
                           (const int16_t *)(const void *)(p + px_q8k_sums_offset(x->k)),
                           (const int16_t *)(const void *)(p + px_q8k_sums32_offset(x->k)),
                           (const int32_t *)(const void *)(p + px_q8k_start_offset(x->k))};
}

#endif

/*
 * mul_float: products of f32, f16 and bf16 weights with f32 activations, for any instruction set.
 * Included once in a file of each, after its vec header.
 *
 * VF_ROWS rows meet up to VF_COLS columns at once; every sum stays in one register over all of k,
 * and a weight vector is converted once for all columns. Each sum is one vector added up in the
 * same order however rows and columns are grouped, so a product depends on its row and column
 * alone. Activation columns are padded with zeros to whole vectors (act.h); only weights have a
 * short end. With few columns the next rows are fetched into the second-level cache meanwhile: from
 * one row to the next the prefetchers of a processor start anew.
 */
#include "kern/act.h"
#include "kern/simd/math.h"
#include "kern/simd/ops.h"

#define INLINE static inline __attribute__((always_inline))

enum { FEW = 3 }; // columns with which memory is what takes the time

/* The vector of weights at element i of a row; the first n of it. */
typedef vf (*load_fn)(const uint8_t *row, int64_t i);
typedef vf (*load_part_fn)(const uint8_t *row, int64_t i, int64_t n);

INLINE vf load_f32(const uint8_t *row, int64_t i)
{
    vf x;
    memcpy(&x, row + 4 * i, sizeof x); // rows need no alignment
    return x;
}

INLINE vf load_f32_part(const uint8_t *row, int64_t i, int64_t n)
{
    float x[VF_N] = {0};
    memcpy(x, row + 4 * i, (size_t)n * sizeof x[0]);
    return vf_load(x);
}

INLINE vf load_f16(const uint8_t *row, int64_t i)
{
    return vf_load_f16(row + 2 * i);
}

INLINE vf load_f16_part(const uint8_t *row, int64_t i, int64_t n)
{
    return vf_load_f16_part(row + 2 * i, n);
}

INLINE vf load_bf16(const uint8_t *row, int64_t i)
{
    return vf_load_bf16(row + 2 * i);
}

INLINE vf load_bf16_part(const uint8_t *row, int64_t i, int64_t n)
{
    return vf_load_bf16_part(row + 2 * i, n);
}

/* rows x cols products from row r and column c on; both constants where this is inlined, as is the
 * size of a weight. */
INLINE void block(const px_mul *m, int64_t r, int64_t c, const int rows, const int cols,
                  const int size, load_fn load, load_part_fn load_part)
{
    const int64_t k = m->x->k;
    const uint8_t *w[VF_ROWS];
    const float *x[VF_COLS];
    vf sum[VF_ROWS][VF_COLS];
    for (int i = 0; i < rows; i++)
        w[i] = m->w + (size_t)(r + i) * m->row_bytes;
    for (int j = 0; j < cols; j++)
        x[j] = (const float *)(const void *)px_act_column(m->x, c + j);
#pragma GCC unroll 4
    for (int i = 0; i < rows; i++)
#pragma GCC unroll 6
        for (int j = 0; j < cols; j++)
            sum[i][j] = vf_zero();
    int64_t at = 0;
    for (; at + VF_N <= k; at += VF_N) {
        vf a[VF_COLS];
#pragma GCC unroll 6
        for (int j = 0; j < cols; j++)
            a[j] = vf_load(x[j] + at);
#pragma GCC unroll 4
        for (int i = 0; i < rows; i++) {
            const vf b = load(w[i], at);
            if (cols <= FEW) // the next rows, into the second-level cache
                __builtin_prefetch(w[i] + VF_ROWS * (int64_t)m->row_bytes + at * size, 0, 2);
#pragma GCC unroll 6
            for (int j = 0; j < cols; j++)
                sum[i][j] = vf_fma(b, a[j], sum[i][j]);
        }
    }
    for (int i = 0; at < k && i < rows; i++) {
        const vf b = load_part(w[i], at, k - at);
        for (int j = 0; j < cols; j++)
            sum[i][j] = vf_fma(b, vf_load(x[j] + at), sum[i][j]);
    }
#pragma GCC unroll 4
    for (int i = 0; i < rows; i++)
#pragma GCC unroll 6
        for (int j = 0; j < cols; j++)
            m->y[(c + j) * m->y_stride + r + i] = vf_sum(sum[i][j]);
}

INLINE void rows_of(const px_mul *m, int64_t r, const int rows, const int size, load_fn load,
                    load_part_fn part)
{
    const int64_t n = m->x->n;
    int64_t c = 0;
    for (; c + VF_COLS <= n; c += VF_COLS)
        block(m, r, c, rows, VF_COLS, size, load, part);
    switch (n - c) {
#define COLS(n_cols)                                    \
    case n_cols:                                        \
        block(m, r, c, rows, n_cols, size, load, part); \
        break
        COLS(1);
        COLS(2);
#if VF_COLS > 3
        COLS(3);
        COLS(4);
        COLS(5);
#endif
#undef COLS
    default:
        break;
    }
}

INLINE void all_rows(const px_mul *m, int64_t row0, int64_t row1, const int size, load_fn load,
                     load_part_fn part)
{
    int64_t r = row0;
    for (; r + VF_ROWS <= row1; r += VF_ROWS)
        rows_of(m, r, VF_ROWS, size, load, part);
    for (; r < row1; r++)
        rows_of(m, r, 1, size, load, part);
}

void LEVEL(mul_f32)(const px_mul *m, int64_t row0, int64_t row1)
{
    all_rows(m, row0, row1, 4, load_f32, load_f32_part);
}

void LEVEL(mul_f16)(const px_mul *m, int64_t row0, int64_t row1)
{
    all_rows(m, row0, row1, 2, load_f16, load_f16_part);
}

void LEVEL(mul_bf16)(const px_mul *m, int64_t row0, int64_t row1)
{
    all_rows(m, row0, row1, 2, load_bf16, load_bf16_part);
}

/*
 * mul_half_bf16: products of bf16 and f16 weights with few columns of bf16 activations, by the bf16
 * dot product.
 *
 * Eight rows meet up to three columns, four rows up to six; each sum stays in one register over all
 * of k, so a product depends on its row and column alone. With few columns memory is what limits:
 * 64 bytes of a row cost one load and one dot product (f16: two conversions and a rounding more),
 * and the same place AHEAD rows further is prefetched, since rows of 2048 end where the pages of
 * the hardware's prefetchers do. Into the second-level cache: the first has too few lines on their
 * way at once (38 against 49 GB/s).
 */
#include "kern/act.h"
#include "kern/x86/half_bf16.h"
#include "kern/x86/ops_x86.h"

enum {
    FEW = 3,      // columns for which FEW_ROWS rows are taken at once
    FEW_ROWS = 8, // 8 x 3 sums
    ROWS = 4,     // 4 x 6 sums
    COLS = 6,
    STEP = 32, // values of k
    AHEAD = 8, // rows between a weight and the one that is prefetched
};

INLINE float sum16(__m512 a)
{
    const __m256 h = _mm256_add_ps(_mm512_castps512_ps256(a), _mm512_extractf32x8_ps(a, 1));
    __m128 s = _mm_add_ps(_mm256_castps256_ps128(h), _mm256_extractf128_ps(h, 1));
    s = _mm_add_ps(s, _mm_movehl_ps(s, s));
    return _mm_cvtss_f32(_mm_add_ss(s, _mm_movehdup_ps(s)));
}

/* rows x cols products from row r and column c on; both constants where this is inlined. */
INLINE void block(const px_mul *m, int64_t r, int64_t c, const int rows, const int cols,
                  load32_fn load, load32_part_fn load_part)
{
    const int64_t k = m->x->k;
    const uint8_t *w[FEW_ROWS], *x[COLS];
    __m512 sum[FEW_ROWS][COLS];
    for (int i = 0; i < rows; i++)
        w[i] = m->w + (size_t)(r + i) * m->row_bytes;
    for (int j = 0; j < cols; j++)
        x[j] = px_act_column(m->x, c + j);
#pragma GCC unroll 8
    for (int i = 0; i < rows; i++)
#pragma GCC unroll 6
        for (int j = 0; j < cols; j++)
            sum[i][j] = _mm512_setzero_ps();
    int64_t at = 0;
    for (; at + STEP <= k; at += STEP) {
        __m512i a[COLS];
#pragma GCC unroll 6
        for (int j = 0; j < cols; j++)
            a[j] = _mm512_loadu_si512(x[j] + 2 * at);
#pragma GCC unroll 8
        for (int i = 0; i < rows; i++) {
            const __m512i b = load(w[i] + 2 * at);
            _mm_prefetch((const void *)(w[i] + AHEAD * m->row_bytes + 2 * at), _MM_HINT_T1);
#pragma GCC unroll 6
            for (int j = 0; j < cols; j++)
                sum[i][j] = dot_pairs(sum[i][j], b, a[j]);
        }
    }
    for (int i = 0; at < k && i < rows; i++) { // columns are padded with zeros
        const __m512i b = load_part(w[i] + 2 * at, k - at);
        for (int j = 0; j < cols; j++)
            sum[i][j] = dot_pairs(sum[i][j], b, _mm512_loadu_si512(x[j] + 2 * at));
    }
#pragma GCC unroll 8
    for (int i = 0; i < rows; i++)
#pragma GCC unroll 6
        for (int j = 0; j < cols; j++)
            m->y[(c + j) * m->y_stride + r + i] = sum16(sum[i][j]);
}

INLINE void rows_of(const px_mul *m, int64_t r, const int rows, load32_fn load, load32_part_fn part)
{
    const int64_t n = m->x->n;
    int64_t c = 0;
    for (; rows < FEW_ROWS && c + COLS <= n; c += COLS)
        block(m, r, c, rows, COLS, load, part);
    switch (n - c) {
#define REST(n_cols)                              \
    case n_cols:                                  \
        block(m, r, c, rows, n_cols, load, part); \
        break
        REST(1);
        REST(2);
        REST(3);
#undef REST
    default:
        break;
    }
    if (rows == FEW_ROWS)
        return;
    if (n - c == 4)
        block(m, r, c, rows, 4, load, part);
    else if (n - c == 5)
        block(m, r, c, rows, 5, load, part);
}

INLINE void all_rows(const px_mul *m, int64_t row0, int64_t row1, load32_fn load,
                     load32_part_fn part)
{
    int64_t r = row0;
    for (; m->x->n <= FEW && r + FEW_ROWS <= row1; r += FEW_ROWS)
        rows_of(m, r, FEW_ROWS, load, part);
    for (; r + ROWS <= row1; r += ROWS)
        rows_of(m, r, ROWS, load, part);
    for (; r < row1; r++)
        rows_of(m, r, 1, load, part);
}

void px_bf16_mul_bf16(const px_mul *m, int64_t row0, int64_t row1)
{
    all_rows(m, row0, row1, load32_bf16, load32_bf16_part);
}

void px_bf16_mul_f16(const px_mul *m, int64_t row0, int64_t row1)
{
    all_rows(m, row0, row1, load32_f16, load32_f16_part);
}

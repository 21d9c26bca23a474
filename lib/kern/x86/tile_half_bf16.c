/*
 * tile_half_bf16: products of bf16 and f16 weights with many columns of bf16 activations.
 *
 * Rows are unpacked once for all columns into panels of 32 rows: two values of k make a dword, 16
 * rows a vector, so that a vector of weights meets one dword of an activation column, broadcast,
 * and sums need no reduction. 32 rows x 12 columns are 24 sums in registers: 24 dot products of two
 * loads and 12 broadcasts. PANELS panels of KC values lie in scratch (second-level cache); the
 * group of 12 columns that they meet is copied beside them first (first-level cache), at a distance
 * that spreads it over the cache sets whatever the columns' own distance is.
 *
 *   panel: | pair of k 0: rows 0-15 | rows 16-31 | pair 1: ... |     64 bytes each
 *
 * Over more than KC values of k, sums of each KC are added in y. A product depends on its row and
 * column alone: short groups are filled up with zeros or with the last column and take the same
 * steps.
 */
#include "kern/act.h"
#include "kern/half.h"
#include "kern/x86/half_bf16.h"
#include "kern/x86/ops_x86.h"
#include "kern/x86/transpose_avx512.h"

#include <assert.h>
#include <string.h>

enum {
    ROWS = 32, // of a panel
    COLS = 12,
    KC = 1024,
    PANELS = 3,
    VECTOR = 64,                       // bytes: 16 rows x 2 values
    PAIR_BYTES = 2 * VECTOR,           // 32 rows x 2 values
    PANEL_BYTES = KC / 2 * PAIR_BYTES, // 64 KiB
    COLUMN_BYTES = 2 * KC + VECTOR,    // no multiple of 4096
    COLUMNS_AT = PANELS * PANEL_BYTES, // in scratch
    USED_SCRATCH = COLUMNS_AT + COLS * COLUMN_BYTES,
};
static_assert((int)USED_SCRATCH <= (int)PX_KERN_SCRATCH, "tiles need more scratch");

/* ---- panels */

/* 16 rows from row r on, n of them there, values [k0, k0 + n_k), to the half of a panel. */
INLINE void unpack16(const px_mul *m, int64_t r, int64_t n, int64_t k0, int64_t n_k, uint8_t *out,
                     load32_fn load, load32_part_fn load_part)
{
    const uint8_t *w = m->w + (size_t)r * m->row_bytes + 2 * k0;
    for (int64_t at = 0; at < n_k; at += 32) {
        __m512i v[16];
        if (n >= 16 && at + 32 <= n_k) {
#pragma GCC unroll 16
            for (int i = 0; i < 16; i++)
                v[i] = load(w + (size_t)i * m->row_bytes + 2 * at);
        } else {
            const int64_t left = n_k - at < 32 ? n_k - at : 32;
            for (int i = 0; i < 16; i++)
                v[i] = i < n ? load_part(w + (size_t)i * m->row_bytes + 2 * at, left)
                             : _mm512_setzero_si512();
        }
        transpose16(v);
#pragma GCC unroll 16
        for (int i = 0; i < 16; i++)
            _mm512_store_si512(out + (at / 2 + i) * PAIR_BYTES, v[i]);
    }
}

/* n columns from c on, of which the last stands for those that are missing up to `filled`. */
static void copy_columns(const px_act *x, int64_t c, int n, int filled, int64_t k0, int64_t n_k,
                         uint8_t *out)
{
    const size_t bytes = ((size_t)n_k * 2 + VECTOR - 1) / VECTOR * VECTOR;
    for (int j = 0; j < filled; j++, out += COLUMN_BYTES) {
        const uint8_t *from = px_act_column(x, c + (j < n ? j : n - 1)) + 2 * k0;
        for (size_t i = 0; i < bytes; i += VECTOR)
            _mm512_store_si512(out + i, _mm512_load_si512(from + i));
    }
}

/* ---- the product of a panel and a group of columns */

typedef struct place {
    float *y; // of the first row and column
    int64_t y_stride;
    __mmask16 there[2]; // rows of each vector
    int n_cols;
    bool add; // to what y holds
} place;

INLINE void put(const place *p, int half, int j, __m512 sum)
{
    float *y = p->y + j * p->y_stride + 16 * half;
    if (p->add)
        sum = _mm512_add_ps(_mm512_maskz_loadu_ps(p->there[half], y), sum);
    _mm512_mask_storeu_ps(y, p->there[half], sum);
}

INLINE void multiply(const uint8_t *panel, const uint8_t *x, int64_t n_pairs, const int halves,
                     const int cols, const place *p)
{
    __m512 sum[2][COLS];
#pragma GCC unroll 2
    for (int h = 0; h < halves; h++)
#pragma GCC unroll 12
        for (int j = 0; j < cols; j++)
            sum[h][j] = _mm512_setzero_ps();
    for (int64_t i = 0; i < n_pairs; i++, panel += PAIR_BYTES, x += 4) {
        __m512i w[2];
#pragma GCC unroll 2
        for (int h = 0; h < halves; h++)
            w[h] = _mm512_load_si512(panel + h * VECTOR);
#pragma GCC unroll 12
        for (int j = 0; j < cols; j++) {
            const __m512i pair = _mm512_set1_epi32((int)px_load32(x + j * COLUMN_BYTES));
#pragma GCC unroll 2
            for (int h = 0; h < halves; h++)
                sum[h][j] = dot_pairs(sum[h][j], w[h], pair);
        }
    }
#pragma GCC unroll 12
    for (int j = 0; j < cols; j++)
#pragma GCC unroll 2
        for (int h = 0; h < halves; h++)
            if (j < p->n_cols)
                put(p, h, j, sum[h][j]);
}

/* One function a shape, so that sums stay in registers. */
#define SHAPE(halves, cols)                                                        \
    static void multiply_##halves##_##cols(const uint8_t *panel, const uint8_t *x, \
                                           int64_t n_pairs, const place *p)        \
    {                                                                              \
        multiply(panel, x, n_pairs, halves, cols, p);                              \
    }
SHAPE(1, 4)
SHAPE(1, 8)
SHAPE(1, 12)
SHAPE(2, 4)
SHAPE(2, 8)
SHAPE(2, 12)

typedef void (*shape_fn)(const uint8_t *panel, const uint8_t *x, int64_t n_pairs, const place *p);

static const shape_fn SHAPES[2][3] = {
    {multiply_1_4, multiply_1_8, multiply_1_12},
    {multiply_2_4, multiply_2_8, multiply_2_12},
};

/* ---- all of it */

static __mmask16 first16(int64_t n)
{
    return (__mmask16)(n >= 16 ? 0xffffu : n > 0 ? (1u << n) - 1 : 0u);
}

/* Rows [r0, r1), at most PANELS panels that are unpacked, with all columns. */
static void all_columns(const px_mul *m, int64_t r0, int64_t r1, int64_t k0, int64_t n_k)
{
    uint8_t *panels = m->scratch, *x = panels + COLUMNS_AT;
    const int64_t n_pairs = (n_k + 1) / 2;
    for (int64_t c = 0; c < m->x->n; c += COLS) {
        const int n = m->x->n - c < COLS ? (int)(m->x->n - c) : COLS;
        const int fours = (n + 3) / 4;
        copy_columns(m->x, c, n, 4 * fours, k0, n_k, x);
        for (int64_t r = r0; r < r1; r += ROWS) {
            const place p = {m->y + c * m->y_stride + r,
                             m->y_stride,
                             {first16(r1 - r), first16(r1 - r - 16)},
                             n,
                             k0 > 0};
            const uint8_t *panel = panels + (r - r0) / ROWS * PANEL_BYTES;
            SHAPES[r1 - r > 16][fours - 1](panel, x, n_pairs, &p);
        }
    }
}

INLINE void tile(const px_mul *m, int64_t row0, int64_t row1, load32_fn load, load32_part_fn part)
{
    uint8_t *panels = m->scratch;
    const int64_t k = m->x->k;
    int64_t k0 = 0;
    do { // once where k is 0, for the zeros
        const int64_t n_k = k - k0 < KC ? k - k0 : KC;
        for (int64_t r0 = row0; r0 < row1; r0 += PANELS * ROWS) {
            const int64_t r1 = row1 - r0 < PANELS * ROWS ? row1 : r0 + PANELS * ROWS;
            for (int64_t r = r0; r < r1; r += 16)
                unpack16(m, r, r1 - r, k0, n_k,
                         panels + (r - r0) / ROWS * PANEL_BYTES + (r - r0) / 16 % 2 * VECTOR, load,
                         part);
            all_columns(m, r0, r1, k0, n_k);
        }
        k0 += KC;
    } while (k0 < k);
}

void LEVEL(tile_bf16)(const px_mul *m, int64_t row0, int64_t row1)
{
    tile(m, row0, row1, load32_bf16, load32_bf16_part);
}

void LEVEL(tile_f16)(const px_mul *m, int64_t row0, int64_t row1)
{
    tile(m, row0, row1, load32_f16, load32_f16_part);
}

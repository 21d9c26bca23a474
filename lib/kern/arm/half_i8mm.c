/*
 * half_i8mm: products of bf16 weights with bf16 activations at level i8mm, which has the bf16 dot
 * product (8 products, in pairs) and matrix product (2 x 4 times 4 x 2: 16 products).
 *
 * Few columns: four rows meet up to four columns, each sum in one register over all of k. Many:
 * panels of 8 rows x KC values in scratch, the columns that they meet beside them, eight at a time,
 * both woven alike: four values of one row (column), four of its neighbour, next pair.
 *
 *   panel: | k 0-3: rows 0 and 1 | rows 2 and 3 | 4 and 5 | 6 and 7 | k 4-7: ... |    16 bytes each
 *
 * Over more than KC values of k, sums of each KC are added in y. A product depends on its row and
 * column alone: what is missing up to eight is zeros. These instructions round to odd and count
 * numbers below 2^-126 as zero; activations are padded with zeros (act.h).
 */
#include "kern/act.h"
#include "kern/arm/ops_arm.h"

#include <arm_neon.h>
#include <assert.h>
#include <string.h>

#define INLINE static inline __attribute__((always_inline))

INLINE bfloat16x8_t load8(const uint8_t *p)
{
    return vreinterpretq_bf16_u8(vld1q_u8(p));
}

/* The first n < 8 values, zeros behind. */
INLINE bfloat16x8_t load8_part(const uint8_t *p, int64_t n)
{
    uint8_t bytes[16] = {0};
    memcpy(bytes, p, 2 * (size_t)n);
    return load8(bytes);
}

/* ---- few columns */

enum { FEW_ROWS = 4, FEW_COLS = 4, AHEAD = 8 }; // AHEAD: rows to the one that is prefetched

/* rows x cols products from row r and column c on; both constants where this is inlined. */
INLINE void block(const px_mul *m, int64_t r, int64_t c, const int rows, const int cols)
{
    const int64_t k = m->x->k;
    const uint8_t *w[FEW_ROWS], *x[FEW_COLS];
    float32x4_t sum[FEW_ROWS][FEW_COLS];
    for (int i = 0; i < rows; i++)
        w[i] = m->w + (size_t)(r + i) * m->row_bytes;
    for (int j = 0; j < cols; j++)
        x[j] = px_act_column(m->x, c + j);
#pragma GCC unroll 4
    for (int i = 0; i < rows; i++)
#pragma GCC unroll 4
        for (int j = 0; j < cols; j++)
            sum[i][j] = vdupq_n_f32(0.0f);
    int64_t at = 0;
    for (; at + 8 <= k; at += 8) {
#pragma GCC unroll 4
        for (int i = 0; i < rows; i++) {
            const bfloat16x8_t b = load8(w[i] + 2 * at);
            __builtin_prefetch(w[i] + AHEAD * m->row_bytes + 2 * at, 0, 2);
#pragma GCC unroll 4
            for (int j = 0; j < cols; j++)
                sum[i][j] = vbfdotq_f32(sum[i][j], b, load8(x[j] + 2 * at));
        }
    }
    for (int i = 0; at < k && i < rows; i++) {
        const bfloat16x8_t b = load8_part(w[i] + 2 * at, k - at);
        for (int j = 0; j < cols; j++)
            sum[i][j] = vbfdotq_f32(sum[i][j], b, load8(x[j] + 2 * at));
    }
#pragma GCC unroll 4
    for (int i = 0; i < rows; i++)
#pragma GCC unroll 4
        for (int j = 0; j < cols; j++)
            m->y[(c + j) * m->y_stride + r + i] = vaddvq_f32(sum[i][j]);
}

INLINE void rows_of(const px_mul *m, int64_t r, const int rows)
{
    const int64_t n = m->x->n;
    int64_t c = 0;
    for (; c + FEW_COLS <= n; c += FEW_COLS)
        block(m, r, c, rows, FEW_COLS);
    for (; c < n; c++)
        block(m, r, c, rows, 1);
}

void px_i8mm_mul_bf16(const px_mul *m, int64_t row0, int64_t row1)
{
    int64_t r = row0;
    for (; r + FEW_ROWS <= row1; r += FEW_ROWS)
        rows_of(m, r, FEW_ROWS);
    for (; r < row1; r++)
        rows_of(m, r, 1);
}

/* ---- many columns */

enum {
    SIDE = 8, // rows of a panel, columns of a group
    PAIRS = SIDE / 2,
    KC = 1024,
    PANELS = 8,
    STEP = 4,                                  // values of k
    STEP_BYTES = SIDE * STEP * 2,              // of all eight
    PANEL_BYTES = KC / STEP * STEP_BYTES,      // 16 KiB
    USED_SCRATCH = (PANELS + 1) * PANEL_BYTES, // panels, then columns
};
static_assert((int)USED_SCRATCH <= (int)PX_KERN_SCRATCH, "tiles need more scratch");

/* n_k values of the i-th of eight rows or columns to its places; zeros up to a whole step. */
static void weave(const uint8_t *from, int64_t n_k, int i, uint8_t *out)
{
    out += i * STEP * 2;
    int64_t at = 0;
    for (; at + STEP <= n_k; at += STEP)
        memcpy(out + at / STEP * STEP_BYTES, from + 2 * at, STEP * 2);
    if (at < n_k) {
        memset(out + at / STEP * STEP_BYTES, 0, STEP * 2);
        memcpy(out + at / STEP * STEP_BYTES, from + 2 * at, 2 * (size_t)(n_k - at));
    }
}

/* What a panel and a group of columns give; n_rows and n_cols of them are there. */
typedef struct place {
    float *y;
    int64_t y_stride, n_rows, n_cols;
    bool add; // to what y holds
} place;

static void multiply(const uint8_t *panel, const uint8_t *x, int64_t n_steps, const place *p)
{
    float32x4_t sum[PAIRS][PAIRS];
#pragma GCC unroll 4
    for (int g = 0; g < PAIRS; g++)
#pragma GCC unroll 4
        for (int j = 0; j < PAIRS; j++)
            sum[g][j] = vdupq_n_f32(0.0f);
    for (int64_t i = 0; i < n_steps; i++, panel += STEP_BYTES, x += STEP_BYTES) {
        bfloat16x8_t a[PAIRS];
#pragma GCC unroll 4
        for (int j = 0; j < PAIRS; j++)
            a[j] = load8(x + 16 * j);
#pragma GCC unroll 4
        for (int g = 0; g < PAIRS; g++) {
            const bfloat16x8_t w = load8(panel + 16 * g);
#pragma GCC unroll 4
            for (int j = 0; j < PAIRS; j++)
                sum[g][j] = vbfmmlaq_f32(sum[g][j], w, a[j]);
        }
    }
    for (int g = 0; g < PAIRS; g++)
        for (int j = 0; j < PAIRS; j++) {
            float lanes[4]; // row 2 g: both columns; row 2 g + 1
            vst1q_f32(lanes, sum[g][j]);
            for (int l = 0; l < 4; l++) {
                const int row = 2 * g + l / 2, col = 2 * j + l % 2;
                if (row >= p->n_rows || col >= p->n_cols)
                    continue;
                float *y = p->y + col * p->y_stride + row;
                *y = p->add ? *y + lanes[l] : lanes[l];
            }
        }
}

/* Rows [r0, r1), at most PANELS panels, with all columns. */
static void all_columns(const px_mul *m, int64_t r0, int64_t r1, int64_t k0, int64_t n_k)
{
    const uint8_t *panels = m->scratch;
    uint8_t *x = (uint8_t *)m->scratch + PANELS * PANEL_BYTES;
    for (int64_t c = 0; c < m->x->n; c += SIDE) {
        const int64_t n = m->x->n - c;
        if (n < SIDE)
            memset(x, 0, PANEL_BYTES);
        for (int j = 0; j < SIDE && j < n; j++)
            weave(px_act_column(m->x, c + j) + 2 * k0, n_k, j, x);
        for (int64_t r = r0; r < r1; r += SIDE) {
            const place p = {m->y + c * m->y_stride + r, m->y_stride, r1 - r, n, k0 > 0};
            multiply(panels + (r - r0) / SIDE * PANEL_BYTES, x, (n_k + STEP - 1) / STEP, &p);
        }
    }
}

void px_i8mm_tile_bf16(const px_mul *m, int64_t row0, int64_t row1)
{
    const int64_t k = m->x->k, rows = (int64_t)PANELS * SIDE;
    int64_t k0 = 0;
    do { // once where k is 0, for the zeros
        const int64_t n_k = k - k0 < KC ? k - k0 : KC;
        for (int64_t r0 = row0; r0 < row1; r0 += rows) {
            const int64_t r1 = row1 - r0 < rows ? row1 : r0 + rows;
            uint8_t *panel = m->scratch;
            for (int64_t r = r0; r < r1; r += SIDE, panel += PANEL_BYTES) {
                if (r1 - r < SIDE)
                    memset(panel, 0, PANEL_BYTES);
                for (int i = 0; i < SIDE && r + i < r1; i++)
                    weave(m->w + (size_t)(r + i) * m->row_bytes + 2 * k0, n_k, i, panel);
            }
            all_columns(m, r0, r1, k0, n_k);
        }
        k0 += KC;
    } while (k0 < k);
}

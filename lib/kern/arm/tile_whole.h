/*
 * tile_whole: products of whole-number codes with many columns of 8-bit activations, for any level
 * of AArch64. Included once in a file of each level, which defines LEVEL and how four sums of a
 * vector are made:
 *
 *   G_ROWS, G_COLS       lane l of four sums belongs to row l / G_COLS and column l % G_COLS
 *   put16                16 codes of one row into the place of its group of G_ROWS rows
 *   columns16            16 activations of G_COLS columns, and their loading
 *   product16            four sums plus 16 codes of each row times 16 activations of each column
 *
 * Rows are taken apart once for all columns into panels of 8 rows: codes in the order in which
 * product16 reads them, scales spread over the lanes of their sums, so that nothing is summed
 * across lanes. 8 rows x 4 columns stay in registers over KC values of k; PANELS panels lie in
 * scratch, so that a group of columns is read from the first-level cache by all of them.
 *
 * Blocks of 32: one conversion and two float steps for 32 codes (three with an offset).
 * Super-blocks: one 32-bit multiply and add for 16 codes, the float steps once in 256. Over more
 * than KC values of k, sums of each KC are added in y. A product depends on its row and column
 * alone: rows that are missing are zeros, columns that are missing repeat the last.
 */
#include "kern/act.h"
#include "kern/arm/ops_arm.h"
#include "kern/arm/unpack_neon.h"

#include <assert.h>
#include <string.h>

enum {
    PANEL_ROWS = 8,
    COLS = 4,
    ROW_GROUPS = PANEL_ROWS / G_ROWS,
    COL_GROUPS = COLS / G_COLS,
    KC = 1024,
    PANELS = 8,
    GROUP_BYTES = 16 * G_ROWS, // 16 codes of each row
};

typedef struct panel {
    int8_t q[KC / 16][ROW_GROUPS * GROUP_BYTES];
    int32_t sc[KC / 16][ROW_GROUPS][4], mn[KC / 16][ROW_GROUPS][4]; // of super-blocks
    float d[KC / 32][ROW_GROUPS][4], m[KC / 32][ROW_GROUPS][4];     // scale, offset or dmin
} panel;
static_assert(PANELS * sizeof(panel) <= (size_t)PX_KERN_SCRATCH, "tiles need more scratch");

typedef codes32 (*unpack32_fn)(const void *block);
typedef void (*unpack256_fn)(const void *block, codes256 *out);

/* Four floats (whole numbers) of a row into the lanes of its sums. */
INLINE void spread_row(float lanes[4], int row, float x)
{
    for (int j = 0; j < G_COLS; j++)
        lanes[row * G_COLS + j] = x;
}

INLINE void spread_row_whole(int32_t lanes[4], int row, int32_t x)
{
    for (int j = 0; j < G_COLS; j++)
        lanes[row * G_COLS + j] = x;
}

/* A number of each column of a group in the lanes of its sums. */
INLINE float32x4_t spread_columns(float a, float b)
{
    return G_COLS == 1 ? vdupq_n_f32(a) : (float32x4_t){a, b, a, b};
}

INLINE int32x4_t spread_columns_whole(int32_t a, int32_t b)
{
    return G_COLS == 1 ? vdupq_n_s32(a) : (int32x4_t){a, b, a, b};
}

/* ---- rows into panels */

INLINE void unpack_row32(panel *p, int row, const uint8_t *w, int64_t n_blocks,
                         const int64_t block_bytes, unpack32_fn unpack)
{
    const int g = row / G_ROWS, r = row % G_ROWS;
    for (int64_t b = 0; b < n_blocks; b++) {
        const codes32 c = unpack(w + b * block_bytes);
        put16(p->q[2 * b] + g * GROUP_BYTES, r, c.q[0]);
        put16(p->q[2 * b + 1] + g * GROUP_BYTES, r, c.q[1]);
        spread_row(p->d[b][g], r, c.d);
        spread_row(p->m[b][g], r, c.m);
    }
}

INLINE void unpack_row256(panel *p, int row, const uint8_t *w, int64_t n_blocks,
                          const int64_t block_bytes, const bool minima, unpack256_fn unpack)
{
    const int g = row / G_ROWS, r = row % G_ROWS;
    for (int64_t b = 0; b < n_blocks; b++) {
        codes256 c;
        unpack(w + b * block_bytes, &c);
        spread_row(p->d[b][g], r, c.d);
        if (minima)
            spread_row(p->m[b][g], r, c.dmin);
        for (int s = 0; s < 16; s++) {
            put16(p->q[16 * b + s] + g * GROUP_BYTES, r, c.q[s]);
            spread_row_whole(p->sc[16 * b + s][g], r, c.sc[s]);
            if (minima)
                spread_row_whole(p->mn[16 * b + s][g], r, c.mn[s]);
        }
    }
}

/* ---- the product of a panel and four columns */

typedef struct columns {
    const int8_t *q[COLS]; // from the first value of this step on
    const float *d[COLS], *ds[COLS];
    const int16_t *sums[COLS];
} columns;

typedef struct sums {
    float32x4_t at[ROW_GROUPS][COL_GROUPS];
} sums;

/* acc += 16 codes times 16 activations, of all rows and columns */
INLINE void add16(int32x4_t acc[ROW_GROUPS][COL_GROUPS], const int8_t *q, const columns *x,
                  int64_t at)
{
#pragma GCC unroll 4
    for (int j = 0; j < COL_GROUPS; j++) {
        const columns16 a = load_columns16(x->q + j * G_COLS, at);
#pragma GCC unroll 4
        for (int g = 0; g < ROW_GROUPS; g++)
            acc[g][j] = product16(acc[g][j], q + g * GROUP_BYTES, a);
    }
}

INLINE void zero(int32x4_t acc[ROW_GROUPS][COL_GROUPS])
{
#pragma GCC unroll 4
    for (int g = 0; g < ROW_GROUPS; g++)
#pragma GCC unroll 4
        for (int j = 0; j < COL_GROUPS; j++)
            acc[g][j] = vdupq_n_s32(0);
}

/* sum += whole * scale of the row * scale of the column; minus where `negative` */
INLINE void scale(sums *sum, const int32x4_t whole[ROW_GROUPS][COL_GROUPS],
                  const float rows[ROW_GROUPS][4], const float *const *x, int64_t at,
                  const bool negative)
{
#pragma GCC unroll 4
    for (int j = 0; j < COL_GROUPS; j++) {
        const float32x4_t d = spread_columns(x[j * G_COLS][at], x[j * G_COLS + G_COLS - 1][at]);
#pragma GCC unroll 4
        for (int g = 0; g < ROW_GROUPS; g++) {
            const float32x4_t both = vmulq_f32(vld1q_f32(rows[g]), d);
            const float32x4_t by = vcvtq_f32_s32(whole[g][j]);
            sum->at[g][j] =
                negative ? vfmsq_f32(sum->at[g][j], by, both) : vfmaq_f32(sum->at[g][j], by, both);
        }
    }
}

INLINE void multiply32(const panel *p, const columns *x, int64_t n_blocks, const bool offset,
                       sums *sum)
{
    for (int64_t b = 0; b < n_blocks; b++) {
        int32x4_t acc[ROW_GROUPS][COL_GROUPS];
        zero(acc);
        add16(acc, p->q[2 * b], x, 32 * b);
        add16(acc, p->q[2 * b + 1], x, 32 * b + 16);
        scale(sum, acc, p->d[b], x->d, b, false);
        for (int j = 0; offset && j < COL_GROUPS; j++) {
            const float32x4_t ds =
                spread_columns(x->ds[j * G_COLS][b], x->ds[j * G_COLS + G_COLS - 1][b]);
            for (int g = 0; g < ROW_GROUPS; g++)
                sum->at[g][j] = vfmaq_f32(sum->at[g][j], vld1q_f32(p->m[b][g]), ds);
        }
    }
}

INLINE void multiply256(const panel *p, const columns *x, int64_t n_blocks, const bool minima,
                        sums *sum)
{
    for (int64_t b = 0; b < n_blocks; b++) {
        int32x4_t whole[ROW_GROUPS][COL_GROUPS];
        zero(whole);
        for (int s = 0; s < 16; s++) {
            int32x4_t acc[ROW_GROUPS][COL_GROUPS];
            zero(acc);
            add16(acc, p->q[16 * b + s], x, 256 * b + 16 * s);
#pragma GCC unroll 4
            for (int g = 0; g < ROW_GROUPS; g++)
#pragma GCC unroll 4
                for (int j = 0; j < COL_GROUPS; j++)
                    whole[g][j] =
                        vmlaq_s32(whole[g][j], acc[g][j], vld1q_s32(p->sc[16 * b + s][g]));
        }
        scale(sum, whole, p->d[b], x->d, b, false);
        if (!minima)
            continue;
        zero(whole);
        for (int s = 0; s < 16; s++)
#pragma GCC unroll 4
            for (int j = 0; j < COL_GROUPS; j++) {
                const int64_t at = 16 * b + s;
                const int32x4_t a = spread_columns_whole(x->sums[j * G_COLS][at],
                                                         x->sums[j * G_COLS + G_COLS - 1][at]);
#pragma GCC unroll 4
                for (int g = 0; g < ROW_GROUPS; g++)
                    whole[g][j] = vmlaq_s32(whole[g][j], a, vld1q_s32(p->mn[at][g]));
            }
        scale(sum, whole, p->m[b], x->d, b, true);
    }
}

/* ---- all of it */

/* Where a panel's products with four columns go; n_rows and n_cols of them are there. */
typedef struct place {
    float *y;
    int64_t y_stride, n_rows, n_cols;
    bool add; // to what y holds
} place;

static void put_sums(const place *p, const sums *sum)
{
    for (int g = 0; g < ROW_GROUPS; g++) {
        for (int j = 0; j < COL_GROUPS; j++) {
            float lanes[4];
            vst1q_f32(lanes, sum->at[g][j]);
            for (int l = 0; l < 4; l++) {
                const int row = g * G_ROWS + l / G_COLS, col = j * G_COLS + l % G_COLS;
                if (row >= p->n_rows || col >= p->n_cols)
                    continue;
                float *y = p->y + col * p->y_stride + row;
                *y = p->add ? *y + lanes[l] : lanes[l];
            }
        }
    }
}

/* Columns c to c + 3 from value k0 on; the last one where there are fewer. */
static columns columns32(const px_act *x, int64_t c, int64_t k0)
{
    columns out = {0};
    for (int j = 0; j < COLS; j++) {
        const px_q8_column from = px_q8_column_of(x, c + j < x->n ? c + j : x->n - 1);
        out.q[j] = from.q + k0;
        out.d[j] = from.d + k0 / PX_Q8_BLOCK;
        out.ds[j] = from.ds + k0 / PX_Q8_BLOCK;
    }
    return out;
}

static columns columns256(const px_act *x, int64_t c, int64_t k0)
{
    columns out = {0};
    for (int j = 0; j < COLS; j++) {
        const px_q8k_column from = px_q8k_column_of(x, c + j < x->n ? c + j : x->n - 1);
        out.q[j] = from.q + k0;
        out.d[j] = from.d + k0 / PX_Q8K_BLOCK;
        out.sums[j] = from.sums + k0 / PX_Q8K_SUM;
    }
    return out;
}

/* What differs between formats; constants where `tile` is inlined. */
typedef struct format {
    int64_t values, bytes; // of a block
    bool second;           // offset or minima
    unpack32_fn unpack32;  // NULL for super-blocks
    unpack256_fn unpack256;
} format;

INLINE void unpack_panel(const px_mul *m, panel *p, int64_t r, int64_t n, int64_t k0, int64_t n_k,
                         const format f)
{
    const int64_t first = k0 / f.values * f.bytes, n_blocks = n_k / f.values;
    if (n < PANEL_ROWS)
        memset(p, 0, sizeof *p);
    for (int i = 0; i < PANEL_ROWS && i < n; i++) {
        const uint8_t *w = m->w + (size_t)(r + i) * m->row_bytes + first;
        if (f.unpack32)
            unpack_row32(p, i, w, n_blocks, f.bytes, f.unpack32);
        else
            unpack_row256(p, i, w, n_blocks, f.bytes, f.second, f.unpack256);
    }
}

INLINE void all_columns(const px_mul *m, int64_t r0, int64_t r1, int64_t k0, int64_t n_k,
                        const format f)
{
    const panel *panels = m->scratch;
    for (int64_t c = 0; c < m->x->n; c += COLS) {
        const columns x = f.unpack32 ? columns32(m->x, c, k0) : columns256(m->x, c, k0);
        for (int64_t r = r0; r < r1; r += PANEL_ROWS) {
            const panel *p = panels + (r - r0) / PANEL_ROWS;
            const place to = {m->y + c * m->y_stride + r, m->y_stride, r1 - r, m->x->n - c, k0 > 0};
            sums sum;
#pragma GCC unroll 4
            for (int g = 0; g < ROW_GROUPS; g++)
#pragma GCC unroll 4
                for (int j = 0; j < COL_GROUPS; j++)
                    sum.at[g][j] = vdupq_n_f32(0.0f);
            if (f.unpack32)
                multiply32(p, &x, n_k / f.values, f.second, &sum);
            else
                multiply256(p, &x, n_k / f.values, f.second, &sum);
            put_sums(&to, &sum);
        }
    }
}

INLINE void tile(const px_mul *m, int64_t row0, int64_t row1, const format f)
{
    panel *panels = m->scratch;
    const int64_t k = m->x->k, rows = (int64_t)PANELS * PANEL_ROWS;
    int64_t k0 = 0;
    do { // once where k is 0, for the zeros
        const int64_t n_k = k - k0 < KC ? k - k0 : KC;
        for (int64_t r0 = row0; r0 < row1; r0 += rows) {
            const int64_t r1 = row1 - r0 < rows ? row1 : r0 + rows;
            for (int64_t r = r0; r < r1; r += PANEL_ROWS)
                unpack_panel(m, panels + (r - r0) / PANEL_ROWS, r, r1 - r, k0, n_k, f);
            all_columns(m, r0, r1, k0, n_k, f);
        }
        k0 += KC;
    } while (k0 < k);
}

#define TILE32(id, name, offset)                                                             \
    void LEVEL(tile_##name)(const px_mul *m, int64_t row0, int64_t row1)                     \
    {                                                                                        \
        tile(m, row0, row1, (format){id##_VALUES, id##_BYTES, offset, unpack_##name, NULL}); \
    }
#define TILE256(id, name, minima)                                                            \
    void LEVEL(tile_##name)(const px_mul *m, int64_t row0, int64_t row1)                     \
    {                                                                                        \
        tile(m, row0, row1, (format){id##_VALUES, id##_BYTES, minima, NULL, unpack_##name}); \
    }
PX_ARM_FORMATS(TILE32, TILE256)

/*
 * panel: products of small matrices in registers, which tiles, gemm and attention of training are
 * made of. Included after a vec header, once a file.
 *
 * The reduction runs over units of 32 bits: one f32, or, where the file defines PANEL_PAIRS before
 * (x86/pairs_bf16.h), two bf16. A panel holds PANEL_LANES rows of one operand, a lane each; columns
 * are rows of the other. A vector of the panel meets one unit of a column, spread over a vector, so
 * that sums need no reduction: 2 vectors x PANEL_COLS columns stay in registers.
 *
 *   panel:   | unit 0: rows 0 to VF_N - 1 | rows VF_N to 2 VF_N - 1 | unit 1: ... |
 *   columns: apart: column j at j * COLUMN_FLOATS, its units one after the other
 *            woven: unit i at i * step, the columns one after the other
 *
 * What is made into a panel is turned, if it lies a row (lane) after the other, or laid, if it lies
 * a step of the reduction after the other. Units behind the end and lanes that are missing hold
 * zeros or rows that are written nowhere.
 */
#ifndef PX_KERN_SIMD_PANEL_H
#define PX_KERN_SIMD_PANEL_H

#include <stdbool.h>
#include <stddef.h>

#ifndef INLINE
#define INLINE static inline __attribute__((always_inline))
#endif

#ifndef PANEL_PAIRS
enum { UNIT = 1 }; // values

INLINE vf unit_dot(vf sum, vf a, vf b)
{
    return vf_fma(a, b, sum);
}

/* VF_N units of a row of f32 from p on, of which n values are there; zeros behind. */
INLINE vf unit_row(const float *p, int64_t n)
{
    return n >= VF_N ? vf_load(p) : vf_load_part(p, n);
}

/* One unit of VF_N lanes: values of `low`, and of `high` where a unit holds two. */
INLINE vf unit_lanes(vf low, vf high)
{
    (void)high;
    return low;
}
#endif

enum {
    PANEL_LANES = 2 * VF_N,
    PANEL_COLS = VF_TILE_COLS,
    PANEL_THIRD = PANEL_COLS / 3,
    PANEL_UNITS = 512,                // of a column, at most
    COLUMN_FLOATS = PANEL_UNITS + 16, // spreads columns over the cache sets
    COLUMNS_FLOATS = PANEL_COLS * COLUMN_FLOATS,
};

/* ---- the product of a panel and a group of columns */

typedef struct panel_place {
    float *y; // of the first row and column; rows lie one after the other
    int64_t y_stride;
    int64_t n_rows, n_cols; // that are there
    bool add;               // to what y holds
    bool scaled;            // by `by`, before that
    float by;
} panel_place;

INLINE void panel_put(const panel_place *p, int half, int j, vf sum)
{
    float *y = p->y + j * p->y_stride + half * VF_N;
    const int64_t n = p->n_rows - half * VF_N;
    if (p->scaled)
        sum = vf_mul(sum, vf_all(p->by));
    if (n >= VF_N)
        vf_store(y, p->add ? vf_add(vf_load(y), sum) : sum);
    else if (n > 0)
        vf_store_part(y, p->add ? vf_add(vf_load_part(y, n), sum) : sum, n);
}

/* What will be added to, on its way while the sums are made. */
INLINE void panel_fetch_place(const panel_place *p)
{
    for (int64_t j = 0; p->add && j < p->n_cols; j++)
        for (int i = 0; i < PANEL_LANES; i += 16)
            __builtin_prefetch(p->y + j * p->y_stride + i, 1, 3);
}

INLINE void panel_multiply(const float *panel, const float *x, int64_t n_units, int64_t step,
                           const int halves, const int cols, const bool woven, const panel_place *p)
{
    const int64_t apart = woven ? 1 : COLUMN_FLOATS;
    panel_fetch_place(p);
    vf sum[2][PANEL_COLS];
#pragma GCC unroll 2
    for (int h = 0; h < halves; h++)
#pragma GCC unroll 12
        for (int j = 0; j < cols; j++)
            sum[h][j] = vf_zero();
    for (int64_t i = 0; i < n_units; i++, panel += PANEL_LANES, x += woven ? step : 1) {
        vf w[2];
#pragma GCC unroll 2
        for (int h = 0; h < halves; h++)
            w[h] = vf_load(panel + h * VF_N);
#pragma GCC unroll 12
        for (int j = 0; j < cols; j++) {
            const vf a = vf_all(x[j * apart]);
#pragma GCC unroll 2
            for (int h = 0; h < halves; h++)
                sum[h][j] = unit_dot(sum[h][j], w[h], a);
        }
    }
#pragma GCC unroll 12
    for (int j = 0; j < cols; j++)
#pragma GCC unroll 2
        for (int h = 0; h < halves; h++)
            if (j < p->n_cols)
                panel_put(p, h, j, sum[h][j]);
}

typedef void (*panel_fn)(const float *panel, const float *x, int64_t n_units, int64_t step,
                         const panel_place *p);

/* One function a shape, so that sums stay in registers. */
#define PANEL_SHAPE(name, halves, thirds, woven)                                                  \
    __attribute__((unused)) static void name(const float *panel, const float *x, int64_t n_units, \
                                             int64_t step, const panel_place *p)                  \
    {                                                                                             \
        panel_multiply(panel, x, n_units, step, halves, (thirds)*PANEL_THIRD, woven, p);          \
    }
PANEL_SHAPE(panel_apart_1_1, 1, 1, false)
PANEL_SHAPE(panel_apart_1_2, 1, 2, false)
PANEL_SHAPE(panel_apart_1_3, 1, 3, false)
PANEL_SHAPE(panel_apart_2_1, 2, 1, false)
PANEL_SHAPE(panel_apart_2_2, 2, 2, false)
PANEL_SHAPE(panel_apart_2_3, 2, 3, false)
PANEL_SHAPE(panel_woven_1_1, 1, 1, true)
PANEL_SHAPE(panel_woven_1_2, 1, 2, true)
PANEL_SHAPE(panel_woven_1_3, 1, 3, true)
PANEL_SHAPE(panel_woven_2_1, 2, 1, true)
PANEL_SHAPE(panel_woven_2_2, 2, 2, true)
PANEL_SHAPE(panel_woven_2_3, 2, 3, true)

/* Thirds of the columns that are there. */
INLINE int panel_thirds(int64_t n)
{
    return n > 2 * PANEL_THIRD ? 3 : n > PANEL_THIRD ? 2 : 1;
}

/* Columns apart. */
__attribute__((unused)) static void panel_product(const float *panel, const float *x,
                                                  int64_t n_units, const panel_place *p)
{
    static const panel_fn SHAPES[2][3] = {
        {panel_apart_1_1, panel_apart_1_2, panel_apart_1_3},
        {panel_apart_2_1, panel_apart_2_2, panel_apart_2_3},
    };
    SHAPES[p->n_rows > VF_N][panel_thirds(p->n_cols) - 1](panel, x, n_units, 0, p);
}

/* Columns woven: readable up to the third that holds the last. */
__attribute__((unused)) static void panel_product_woven(const float *panel, const float *x,
                                                        int64_t n_units, int64_t step,
                                                        const panel_place *p)
{
    static const panel_fn SHAPES[2][3] = {
        {panel_woven_1_1, panel_woven_1_2, panel_woven_1_3},
        {panel_woven_2_1, panel_woven_2_2, panel_woven_2_3},
    };
    SHAPES[p->n_rows > VF_N][panel_thirds(p->n_cols) - 1](panel, x, n_units, step, p);
}

/* ---- panels */

/* VF_N units from value `at` of a row on, of which n are there; zeros behind. */
typedef vf (*panel_load_fn)(const uint8_t *row, int64_t at, int64_t n);

/* n values of n_rows rows, from value `at` on, row_bytes apart, to VF_N lanes of units that are
 * `step` apart. */
INLINE void panel_turn_rows(const uint8_t *rows, size_t row_bytes, int64_t n_rows, int64_t at,
                            int64_t n, float *out, int64_t step, panel_load_fn load)
{
    for (int64_t i = 0; i < n; i += VF_N * UNIT, out += VF_N * step) {
        vf v[VF_N];
        if (n_rows >= VF_N) {
#pragma GCC unroll 16
            for (int r = 0; r < VF_N; r++)
                v[r] = load(rows + (size_t)r * row_bytes, at + i, n - i);
        } else {
            for (int r = 0; r < VF_N; r++)
                v[r] = r < n_rows ? load(rows + (size_t)r * row_bytes, at + i, n - i) : vf_zero();
        }
        vf_transpose(v);
#pragma GCC unroll 16
        for (int u = 0; u < VF_N; u++)
            vf_store(out + u * step, v[u]);
    }
}

/* The same to half of a panel. */
INLINE void panel_turn_half(const uint8_t *rows, size_t row_bytes, int64_t n_rows, int64_t at,
                            int64_t n, float *out, panel_load_fn load)
{
    panel_turn_rows(rows, row_bytes, n_rows, at, n, out, PANEL_LANES, load);
}

INLINE vf panel_load_f32(const uint8_t *row, int64_t at, int64_t n)
{
    return unit_row((const float *)(const void *)row + at, n);
}

/* n values of n_rows rows of f32, turned to a whole panel. */
__attribute__((unused)) static void panel_turn(const float *x, int64_t stride, int64_t n_rows,
                                               int64_t n, float *out)
{
    for (int half = 0; half < 2 && half * VF_N < n_rows; half++)
        panel_turn_half((const uint8_t *)(x + half * VF_N * stride), (size_t)stride * sizeof *x,
                        n_rows - half * VF_N, 0, n, out + half * VF_N, panel_load_f32);
}

INLINE vf panel_part(const float *x, int64_t n)
{
    return n >= VF_N ? vf_load(x) : vf_load_part(x, n);
}

/* The units of UNIT rows (`second` is read where it holds two; NULL: zeros) of n values, laid to
 * panels that are panel_floats apart. */
INLINE void panel_lay_unit(const float *first, const float *second, int64_t n, float *out,
                           size_t panel_floats)
{
    for (int64_t i = 0; i < n; i += VF_N) {
        float *to = out + (size_t)(i / PANEL_LANES) * panel_floats + i % PANEL_LANES;
        const vf low = panel_part(first + i, n - i);
        const vf high = UNIT > 1 && second ? panel_part(second + i, n - i) : vf_zero();
        vf_store(to, unit_lanes(low, high));
    }
}

/* n_rows rows of n values, laid to panels, units `step` apart. */
__attribute__((unused)) static void panel_lay(const float *x, int64_t stride, int64_t n_rows,
                                              int64_t n, float *out, int64_t step,
                                              size_t panel_floats)
{
    for (int64_t r = 0; r < n_rows; r += UNIT, out += step)
        panel_lay_unit(x + r * stride, r + 1 < n_rows ? x + (r + 1) * stride : NULL, n, out,
                       panel_floats);
}

/* ---- all columns with some panels */

typedef struct panel_job {
    const float *panels; // of n_rows rows
    size_t panel_floats; // between panels
    int64_t n_rows, n_units;
    const uint8_t *x; // the first unit of the first column
    size_t column_bytes;
    int64_t n_cols;
    float *columns; // scratch of COLUMNS_FLOATS
    float *y;       // of the first row and column
    int64_t y_stride;
    bool add;
} panel_job;

/* n columns, of which the last stands for those that are missing up to `filled`. */
INLINE void panel_copy_columns(const uint8_t *x, size_t column_bytes, int64_t n, int64_t filled,
                               int64_t n_units, float *out)
{
    for (int64_t j = 0; j < filled; j++, out += COLUMN_FLOATS) {
        const float *from =
            (const float *)(const void *)(x + (size_t)(j < n ? j : n - 1) * column_bytes);
        int64_t i = 0;
        for (; i + VF_N <= n_units; i += VF_N)
            vf_store(out + i, vf_load(from + i));
        if (i < n_units)
            vf_store(out + i, vf_load_part(from + i, n_units - i));
    }
}

/* Columns [first, end) of the next group, on their way to the second-level cache while panels are
 * multiplied: each column is a short run of lines somewhere else, too short for the hardware to
 * notice in time. */
INLINE void panel_fetch(const panel_job *job, int64_t first, int64_t end)
{
    const int64_t n = end < job->n_cols ? end : job->n_cols;
    for (int64_t c = first; c < n; c++)
        for (int64_t i = 0; i < job->n_units; i += 16)
            __builtin_prefetch(job->x + (size_t)c * job->column_bytes + 4 * i, 0, 2);
}

/* Columns are copied once for all panels, to where the first-level cache has room for them. */
__attribute__((unused)) static void panel_columns(const panel_job *job)
{
    for (int64_t c = 0; c < job->n_cols; c += PANEL_COLS) {
        const int64_t n = job->n_cols - c < PANEL_COLS ? job->n_cols - c : PANEL_COLS;
        panel_copy_columns(job->x + (size_t)c * job->column_bytes, job->column_bytes, n,
                           panel_thirds(n) * PANEL_THIRD, job->n_units, job->columns);
        const float *panel = job->panels;
        const int64_t n_panels = (job->n_rows + PANEL_LANES - 1) / PANEL_LANES;
        for (int64_t r = 0; r < job->n_rows; r += PANEL_LANES, panel += job->panel_floats) {
            const panel_place p = {.y = job->y + c * job->y_stride + r,
                                   .y_stride = job->y_stride,
                                   .n_rows = job->n_rows - r,
                                   .n_cols = n,
                                   .add = job->add};
            const int64_t at = r / PANEL_LANES, next = c + PANEL_COLS;
            panel_fetch(job, next + at * PANEL_COLS / n_panels,
                        next + (at + 1) * PANEL_COLS / n_panels);
            panel_product(panel, job->columns, job->n_units, &p);
        }
    }
}

#endif

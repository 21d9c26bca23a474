/*
 * tile_float: products of f32, f16, bf16 and NF4 weights with many columns of f32 activations, for
 * any instruction set. Included once in a file of each, after its vec header.
 *
 * Rows are unpacked once for all columns into panels of 2 VF_N rows, turned so that a vector holds
 * one value of k of VF_N rows: it meets one activation, spread over a vector, and sums need no
 * reduction. 2 VF_N rows x VF_TILE_COLS columns stay in registers over KC values of k. Panels lie
 * in scratch (second-level cache); the group of columns that they meet is copied beside them first
 * (first-level cache), at a distance that spreads it over the cache sets.
 *
 *   panel: | k 0: rows 0 to VF_N - 1 | rows VF_N to 2 VF_N - 1 | k 1: ... |
 *
 * Over more than KC values of k, sums of each KC are added in y. A product depends on its row and
 * column alone: short groups are filled up with zeros or with the last column and take the same
 * steps.
 */
#include "kern/act.h"
#include "kern/ref/formats.h"
#include "kern/simd/math.h"
#include "kern/simd/ops.h"

#include <assert.h>

#define INLINE static inline __attribute__((always_inline))

enum {
    TILE_ROWS = 2 * VF_N,
    TILE_COLS = VF_TILE_COLS,
    KC = 512,
    PANEL_FLOATS = KC * TILE_ROWS,
    PANELS = 3 * 16 / VF_N,  // 192 KiB
    COLUMN_FLOATS = KC + 16, // its bytes no multiple of 4096
    NF4_VALUES = 256,
    COLUMNS_AT = PANELS * PANEL_FLOATS, // in scratch, in floats
    DECODED_AT = COLUMNS_AT + TILE_COLS * COLUMN_FLOATS,
    USED_FLOATS = DECODED_AT + VF_N * NF4_VALUES,
};
static_assert((int)USED_FLOATS * 4 <= (int)PX_KERN_SCRATCH, "tiles need more scratch");

/* ---- panels */

/* The vector of weights at element i of a row; the first n of it. */
typedef vf (*tile_load_fn)(const uint8_t *row, int64_t i);
typedef vf (*tile_load_part_fn)(const uint8_t *row, int64_t i, int64_t n);

INLINE vf tile_load_f32(const uint8_t *row, int64_t i)
{
    vf x;
    memcpy(&x, row + 4 * i, sizeof x); // rows need no alignment
    return x;
}

INLINE vf tile_load_f32_part(const uint8_t *row, int64_t i, int64_t n)
{
    float x[VF_N] = {0};
    memcpy(x, row + 4 * i, (size_t)n * sizeof x[0]);
    return vf_load(x);
}

INLINE vf tile_load_f16(const uint8_t *row, int64_t i)
{
    return vf_load_f16(row + 2 * i);
}

INLINE vf tile_load_f16_part(const uint8_t *row, int64_t i, int64_t n)
{
    return vf_load_f16_part(row + 2 * i, n);
}

INLINE vf tile_load_bf16(const uint8_t *row, int64_t i)
{
    return vf_load_bf16(row + 2 * i);
}

INLINE vf tile_load_bf16_part(const uint8_t *row, int64_t i, int64_t n)
{
    return vf_load_bf16_part(row + 2 * i, n);
}

/* Values [k0, k0 + n_k) of VF_N rows, n of them there, row_bytes apart, to half of a panel. */
INLINE void turn_rows(const uint8_t *w, size_t row_bytes, int64_t n, int64_t k0, int64_t n_k,
                      float *out, tile_load_fn load, tile_load_part_fn load_part)
{
    for (int64_t at = 0; at < n_k; at += VF_N) {
        vf v[VF_N];
        const int64_t left = n_k - at;
        if (n >= VF_N && left >= VF_N) {
#pragma GCC unroll 16
            for (int i = 0; i < VF_N; i++)
                v[i] = load(w + (size_t)i * row_bytes, k0 + at);
        } else {
            for (int i = 0; i < VF_N; i++)
                v[i] = i >= n ? vf_zero()
                              : load_part(w + (size_t)i * row_bytes, k0 + at,
                                          left < VF_N ? left : VF_N);
        }
        vf_transpose(v);
#pragma GCC unroll 16
        for (int i = 0; i < VF_N; i++)
            vf_store(out + (at + i) * TILE_ROWS, v[i]);
    }
}

/* The same of NF4 blocks, decoded a super-block a row first. */
static void turn_nf4(const px_mul *m, const uint8_t *w, int64_t n, int64_t k0, int64_t n_k,
                     float *out)
{
    float *decoded = (float *)m->scratch + DECODED_AT;
    const size_t bytes = (size_t)px_dtype_get(PX_NF4)->block_bytes;
    for (int64_t at = 0; at < n_k; at += NF4_VALUES) {
        const size_t block = (size_t)((k0 + at) / NF4_VALUES);
        for (int64_t i = 0; i < n && i < VF_N; i++)
            px_nf4_decode(w + (size_t)i * m->row_bytes + block * bytes, decoded + i * NF4_VALUES,
                          NF4_VALUES);
        turn_rows((const uint8_t *)decoded, NF4_VALUES * sizeof *decoded, n, 0, NF4_VALUES,
                  out + at * TILE_ROWS, tile_load_f32, tile_load_f32_part);
    }
}

INLINE void unpack(const px_mul *m, int64_t r, int64_t n, int64_t k0, int64_t n_k, float *out,
                   const px_dtype dtype)
{
    const uint8_t *w = m->w + (size_t)r * m->row_bytes;
    if (dtype == PX_NF4)
        turn_nf4(m, w, n, k0, n_k, out);
    else if (dtype == PX_F16)
        turn_rows(w, m->row_bytes, n, k0, n_k, out, tile_load_f16, tile_load_f16_part);
    else if (dtype == PX_BF16)
        turn_rows(w, m->row_bytes, n, k0, n_k, out, tile_load_bf16, tile_load_bf16_part);
    else
        turn_rows(w, m->row_bytes, n, k0, n_k, out, tile_load_f32, tile_load_f32_part);
}

/* n columns from c on, of which the last stands for those that are missing up to TILE_COLS. */
static void copy_columns(const px_act *x, int64_t c, int n, int64_t k0, int64_t n_k, float *out)
{
    for (int j = 0; j < TILE_COLS; j++) {
        const uint8_t *from = px_act_column(x, c + (j < n ? j : n - 1));
        memcpy(out + j * COLUMN_FLOATS, from + 4 * k0, (size_t)n_k * sizeof *out);
    }
}

/* ---- the product of a panel and a group of columns */

typedef struct place {
    float *y; // of the first row and column
    int64_t y_stride;
    int64_t n_rows, n_cols; // that are there
    bool add;               // to what y holds
} place;

INLINE void put(const place *p, int64_t half, int j, vf sum)
{
    float *y = p->y + j * p->y_stride + half * VF_N;
    const int64_t n = p->n_rows - half * VF_N;
    if (n >= VF_N)
        vf_store(y, p->add ? vf_add(vf_load(y), sum) : sum);
    else if (n > 0)
        vf_store_part(y, p->add ? vf_add(vf_load_part(y, n), sum) : sum, n);
}

INLINE void multiply(const float *panel, const float *x, int64_t n_k, const int cols,
                     const place *p)
{
    vf sum[2][TILE_COLS];
#pragma GCC unroll 12
    for (int j = 0; j < cols; j++)
        sum[0][j] = sum[1][j] = vf_zero();
    for (int64_t i = 0; i < n_k; i++, panel += TILE_ROWS, x++) {
        const vf w0 = vf_load(panel), w1 = vf_load(panel + VF_N);
#pragma GCC unroll 12
        for (int j = 0; j < cols; j++) {
            const vf a = vf_all(x[j * COLUMN_FLOATS]);
            sum[0][j] = vf_fma(w0, a, sum[0][j]);
            sum[1][j] = vf_fma(w1, a, sum[1][j]);
        }
    }
#pragma GCC unroll 12
    for (int j = 0; j < cols; j++) {
        if (j < p->n_cols) {
            put(p, 0, j, sum[0][j]);
            put(p, 1, j, sum[1][j]);
        }
    }
}

/* One function a shape, so that sums stay in registers. */
static void multiply_all(const float *panel, const float *x, int64_t n_k, const place *p)
{
    multiply(panel, x, n_k, TILE_COLS, p);
}

static void multiply_half(const float *panel, const float *x, int64_t n_k, const place *p)
{
    multiply(panel, x, n_k, TILE_COLS / 2, p);
}

/* ---- all of it */

/* Rows [r0, r1), at most PANELS panels that are unpacked, with all columns. */
static void all_columns(const px_mul *m, int64_t r0, int64_t r1, int64_t k0, int64_t n_k)
{
    const float *panels = m->scratch;
    float *x = (float *)m->scratch + COLUMNS_AT;
    for (int64_t c = 0; c < m->x->n; c += TILE_COLS) {
        const int n = m->x->n - c < TILE_COLS ? (int)(m->x->n - c) : TILE_COLS;
        copy_columns(m->x, c, n, k0, n_k, x);
        for (int64_t r = r0; r < r1; r += TILE_ROWS) {
            const place p = {m->y + c * m->y_stride + r, m->y_stride, r1 - r, n, k0 > 0};
            const float *panel = panels + (r - r0) / TILE_ROWS * PANEL_FLOATS;
            if (n > TILE_COLS / 2)
                multiply_all(panel, x, n_k, &p);
            else
                multiply_half(panel, x, n_k, &p);
        }
    }
}

INLINE void tile(const px_mul *m, int64_t row0, int64_t row1, const px_dtype dtype)
{
    float *panels = m->scratch;
    const int64_t k = m->x->k, rows = (int64_t)PANELS * TILE_ROWS;
    int64_t k0 = 0;
    do { // once where k is 0, for the zeros
        const int64_t n_k = k - k0 < KC ? k - k0 : KC;
        for (int64_t r0 = row0; r0 < row1; r0 += rows) {
            const int64_t r1 = row1 - r0 < rows ? row1 : r0 + rows;
            for (int64_t r = r0; r < r1 || (r - r0) % TILE_ROWS != 0; r += VF_N)
                unpack(m, r, r1 - r, k0, n_k,
                       panels + (r - r0) / TILE_ROWS * PANEL_FLOATS + (r - r0) % TILE_ROWS, dtype);
            all_columns(m, r0, r1, k0, n_k);
        }
        k0 += KC;
    } while (k0 < k);
}

#define TILE(id, name)                                                   \
    void LEVEL(tile_##name)(const px_mul *m, int64_t row0, int64_t row1) \
    {                                                                    \
        tile(m, row0, row1, id);                                         \
    }
TILE(PX_F32, f32)
TILE(PX_F16, f16)
TILE(PX_BF16, bf16)
TILE(PX_NF4, nf4)

/*
 * tile_float: products of f32, f16, bf16 and NF4 weights with many columns of f32 activations, for
 * any instruction set. Included once in a file of each, after its vec header.
 *
 * Rows are unpacked once for all columns into panels (panel.h), turned so that a vector holds one
 * value of k of VF_N rows. Panels of KC values of k lie in scratch (second-level cache); the group
 * of columns that they meet is copied beside them first (first-level cache).
 *
 * Over more than KC values of k, sums of each KC are added in y. A product depends on its row and
 * column alone: short groups are filled up with zeros or with the last column and take the same
 * steps.
 */
#include "kern/act.h"
#include "kern/ref/formats.h"
#include "kern/simd/math.h"
#include "kern/simd/ops.h"
#include "kern/simd/panel.h"

#include <assert.h>

enum {
    KC = PANEL_UNITS,
    PANEL_FLOATS = KC * PANEL_LANES,
    PANELS = 3 * 16 / VF_N, // 192 KiB
    NF4_VALUES = 256,
    COLUMNS_AT = PANELS * PANEL_FLOATS, // in scratch, in floats
    DECODED_AT = COLUMNS_AT + COLUMNS_FLOATS,
    USED_FLOATS = DECODED_AT + VF_N * NF4_VALUES,
};
static_assert((int)USED_FLOATS * 4 <= (int)PX_KERN_SCRATCH, "tiles need more scratch");

/* ---- panels: the first n values of a vector from element i of a row on */

INLINE vf tile_load_f32(const uint8_t *row, int64_t i, int64_t n)
{
    float part[VF_N] = {0};
    vf x;
    if (n >= VF_N) {
        memcpy(&x, row + 4 * i, sizeof x); // rows need no alignment
        return x;
    }
    memcpy(part, row + 4 * i, (size_t)n * sizeof part[0]);
    return vf_load(part);
}

INLINE vf tile_load_f16(const uint8_t *row, int64_t i, int64_t n)
{
    return n >= VF_N ? vf_load_f16(row + 2 * i) : vf_load_f16_part(row + 2 * i, n);
}

INLINE vf tile_load_bf16(const uint8_t *row, int64_t i, int64_t n)
{
    return n >= VF_N ? vf_load_bf16(row + 2 * i) : vf_load_bf16_part(row + 2 * i, n);
}

/* NF4 blocks of n rows, decoded a super-block a row first. */
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
        panel_turn_half((const uint8_t *)decoded, NF4_VALUES * sizeof *decoded, n, 0, NF4_VALUES,
                        out + at * PANEL_LANES, tile_load_f32);
    }
}

/* VF_N rows from r on, n of them there, to half of a panel. */
INLINE void unpack(const px_mul *m, int64_t r, int64_t n, int64_t k0, int64_t n_k, float *out,
                   const px_dtype dtype)
{
    const uint8_t *w = m->w + (size_t)r * m->row_bytes;
    if (dtype == PX_NF4)
        turn_nf4(m, w, n, k0, n_k, out);
    else if (dtype == PX_F16)
        panel_turn_half(w, m->row_bytes, n, k0, n_k, out, tile_load_f16);
    else if (dtype == PX_BF16)
        panel_turn_half(w, m->row_bytes, n, k0, n_k, out, tile_load_bf16);
    else
        panel_turn_half(w, m->row_bytes, n, k0, n_k, out, tile_load_f32);
}

/* ---- all of it */

INLINE void tile(const px_mul *m, int64_t row0, int64_t row1, const px_dtype dtype)
{
    float *panels = m->scratch;
    const int64_t k = m->x->k, rows = (int64_t)PANELS * PANEL_LANES;
    int64_t k0 = 0;
    do { // once where k is 0, for the zeros
        const int64_t n_k = k - k0 < KC ? k - k0 : KC;
        for (int64_t r0 = row0; r0 < row1; r0 += rows) {
            const int64_t r1 = row1 - r0 < rows ? row1 : r0 + rows;
            for (int64_t r = r0; r < r1; r += VF_N)
                unpack(m, r, r1 - r, k0, n_k,
                       panels + (r - r0) / PANEL_LANES * PANEL_FLOATS + (r - r0) % PANEL_LANES,
                       dtype);
            panel_columns(&(panel_job){
                panels, PANEL_FLOATS, r1 - r0, n_k, (const uint8_t *)m->x->data + 4 * k0,
                m->x->column_bytes, m->x->n, panels + COLUMNS_AT, m->y + r0, m->y_stride, k0 > 0});
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

/*
 * tile_half_bf16: products of bf16 and f16 weights with many columns of bf16 activations.
 *
 * Rows are unpacked once for all columns into panels (kern/simd/panel.h) of 32 rows: two values of
 * k make a dword, 16 rows a vector. 32 rows x 12 columns are 24 sums in registers: 24 dot products
 * of two loads and 12 broadcasts. PANELS panels of KC values lie in scratch (second-level cache);
 * the group of 12 columns that they meet is copied beside them first (first-level cache).
 *
 * Over more than KC values of k, sums of each KC are added in y. A product depends on its row and
 * column alone: short groups are filled up with zeros or with the last column and take the same
 * steps.
 */
#include "kern/x86/pairs_bf16.h"

#include "kern/act.h"
#include "kern/simd/panel.h"
#include "kern/x86/half_bf16.h"
#include "kern/x86/ops_x86.h"

#include <assert.h>

enum {
    KC = PANEL_UNITS * UNIT,
    PANELS = 3,
    PANEL_FLOATS = PANEL_UNITS * PANEL_LANES, // 64 KiB
    COLUMNS_AT = PANELS * PANEL_FLOATS,       // in scratch, in floats
    USED_SCRATCH = (COLUMNS_AT + COLUMNS_FLOATS) * 4,
};
static_assert((int)USED_SCRATCH <= (int)PX_KERN_SCRATCH, "tiles need more scratch");

INLINE vf load_bf16(const uint8_t *row, int64_t i, int64_t n)
{
    const uint8_t *p = row + 2 * i;
    return _mm512_castsi512_ps(n >= 32 ? load32_bf16(p) : load32_bf16_part(p, n));
}

INLINE vf load_f16(const uint8_t *row, int64_t i, int64_t n)
{
    const uint8_t *p = row + 2 * i;
    return _mm512_castsi512_ps(n >= 32 ? load32_f16(p) : load32_f16_part(p, n));
}

INLINE void tile(const px_mul *m, int64_t row0, int64_t row1, panel_load_fn load)
{
    enum { ROWS = PANELS * PANEL_LANES };
    float *panels = m->scratch;
    const int64_t k = m->x->k;
    int64_t k0 = 0;
    do { // once where k is 0, for the zeros
        const int64_t n_k = k - k0 < KC ? k - k0 : KC;
        for (int64_t r0 = row0; r0 < row1; r0 += ROWS) {
            const int64_t r1 = row1 - r0 < ROWS ? row1 : r0 + ROWS;
            for (int64_t r = r0; r < r1; r += VF_N)
                panel_turn_half(
                    m->w + (size_t)r * m->row_bytes, m->row_bytes, r1 - r, k0, n_k,
                    panels + (r - r0) / PANEL_LANES * PANEL_FLOATS + (r - r0) % PANEL_LANES, load);
            panel_columns(&(panel_job){
                panels, PANEL_FLOATS, r1 - r0, (n_k + 1) / 2, (const uint8_t *)m->x->data + 2 * k0,
                m->x->column_bytes, m->x->n, panels + COLUMNS_AT, m->y + r0, m->y_stride, k0 > 0});
        }
        k0 += KC;
    } while (k0 < k);
}

void px_bf16_tile_bf16(const px_mul *m, int64_t row0, int64_t row1)
{
    tile(m, row0, row1, load_bf16);
}

void px_bf16_tile_f16(const px_mul *m, int64_t row0, int64_t row1)
{
    tile(m, row0, row1, load_f16);
}

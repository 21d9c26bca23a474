/*
 * grad_gemm: products of f32 matrices for any instruction set. Included once in a file of each
 * level, after its vec header and GRAD.
 *
 * Rows of c are the columns of panel.h, columns of c its lanes. GEMM_ROWS rows of a and GEMM_LANES
 * columns of b are packed for GEMM_UNITS units of the reduction, both in scratch (second-level
 * cache): turned where the reduction runs along a row, laid where it runs over rows. Packing a
 * piece of b is shared by the rows of a piece, so pieces should be long; a is packed woven, which
 * for tn is a copy of runs of its rows.
 *
 * Over more than a run of the reduction sums are added in c. An element depends on its row, its
 * column and k alone.
 */
#include "kern/grad.h"
#include "kern/simd/panel.h"

#include <assert.h>

enum {
    GEMM_ROWS = PX_GEMM_ROWS,
    GEMM_LANES = 96,
    GEMM_UNITS = 256,
    GEMM_RUN = GEMM_UNITS * UNIT,
    GEMM_PANEL = GEMM_UNITS * PANEL_LANES,
    GEMM_A_FLOATS = GEMM_UNITS * GEMM_ROWS + PANEL_LANES, // whole vectors are written
    GEMM_FLOATS = GEMM_A_FLOATS + GEMM_UNITS * GEMM_LANES,
};
static_assert((int)GEMM_ROWS % (int)PANEL_COLS == 0, "groups of columns are whole");
static_assert((int)GEMM_ROWS % (int)VF_N == 0, "rows are turned in whole vectors");
static_assert((int)GEMM_LANES % (int)PANEL_LANES == 0, "panels are whole");
static_assert((int)GEMM_FLOATS * 4 <= (int)GRAD_SCRATCH, "products need more scratch");

typedef enum gemm_way { GEMM_NT, GEMM_NN, GEMM_TN } gemm_way;

/* n_i rows of c's a from i on, values [k, k + n_k) of the reduction, woven. */
static void gemm_pack_a(const px_gemm *g, gemm_way way, int64_t i, int64_t n_i, int64_t k,
                        int64_t n_k, float *out)
{
    if (way == GEMM_TN) {
        panel_lay(g->a + k * g->a_stride + i, g->a_stride, n_k, n_i, out, GEMM_ROWS, PANEL_LANES);
        return;
    }
    for (int64_t r = 0; r < n_i; r += VF_N)
        panel_turn_rows((const uint8_t *)(g->a + (i + r) * g->a_stride),
                        (size_t)g->a_stride * sizeof *out, n_i - r, k, n_k, out + r, GEMM_ROWS,
                        panel_load_f32);
}

/* n_j columns of b from j on, to panels. */
static void gemm_pack_b(const px_gemm *g, gemm_way way, int64_t j, int64_t n_j, int64_t k,
                        int64_t n_k, float *out)
{
    if (way != GEMM_NT) {
        panel_lay(g->b + k * g->b_stride + j, g->b_stride, n_k, n_j, out, PANEL_LANES, GEMM_PANEL);
        return;
    }
    for (int64_t r = 0; r < n_j; r += PANEL_LANES, out += GEMM_PANEL)
        panel_turn(g->b + (j + r) * g->b_stride + k, g->b_stride, n_j - r, n_k, out);
}

/* Packed rows [i, i + n_i) of a times packed columns [j, j + n_j) of b. */
static void gemm_block(const px_gemm *g, int64_t i, int64_t n_i, int64_t j, int64_t n_j,
                       int64_t n_units, bool add)
{
    const float *a = g->scratch, *b = a + GEMM_A_FLOATS;
    for (int64_t r = 0; r < n_i; r += PANEL_COLS)
        for (int64_t c = 0; c < n_j; c += PANEL_LANES) {
            const panel_place p = {.y = g->c + (i + r) * g->c_stride + j + c,
                                   .y_stride = g->c_stride,
                                   .n_rows = n_j - c,
                                   .n_cols = n_i - r < PANEL_COLS ? n_i - r : PANEL_COLS,
                                   .add = add,
                                   .scaled = g->alpha != 1.0f,
                                   .by = g->alpha};
            panel_product_woven(b + c / PANEL_LANES * GEMM_PANEL, a + r, n_units, GEMM_ROWS, &p);
        }
}

static void gemm(const px_gemm *g, gemm_way way, int64_t first, int64_t end)
{
    float *a = g->scratch, *b = a + GEMM_A_FLOATS;
    int64_t k = 0;
    do { // once where k is 0, for the zeros
        const int64_t n_k = g->k - k < GEMM_RUN ? g->k - k : GEMM_RUN;
        for (int64_t i = first; i < end; i += GEMM_ROWS) {
            const int64_t n_i = end - i < GEMM_ROWS ? end - i : GEMM_ROWS;
            gemm_pack_a(g, way, i, n_i, k, n_k, a);
            for (int64_t j = 0; j < g->n; j += GEMM_LANES) {
                const int64_t n_j = g->n - j < GEMM_LANES ? g->n - j : GEMM_LANES;
                gemm_pack_b(g, way, j, n_j, k, n_k, b);
                gemm_block(g, i, n_i, j, n_j, (n_k + UNIT - 1) / UNIT, g->add || k > 0);
            }
        }
        k += GEMM_RUN;
    } while (k < g->k);
}

void GRAD(gemm_nt)(const px_gemm *g, int64_t first, int64_t end)
{
    gemm(g, GEMM_NT, first, end);
}

void GRAD(gemm_nn)(const px_gemm *g, int64_t first, int64_t end)
{
    gemm(g, GEMM_NN, first, end);
}

void GRAD(gemm_tn)(const px_gemm *g, int64_t first, int64_t end)
{
    gemm(g, GEMM_TN, first, end);
}

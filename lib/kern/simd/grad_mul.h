/*
 * grad_mul: products of weights of any dtype with many columns, forward and back, for any
 * instruction set. Included once in a file of each level, after panel.h and the level's own GRAD
 * and grad_decode.
 *
 * Both decode a piece of the weights to f32 once for all columns, round it where units are bf16,
 * and make panels of it in scratch (second-level cache): forward turns rows, so that lanes are rows
 * and the reduction runs along k; back lays rows one after the other, so that lanes are values of k
 * and the reduction runs over rows. Whatever follows is the same product (panel.h). Decoding costs
 * the same for both and is shared by all columns: at 512 columns and a quarter of a cycle a weight
 * some 2 % of the dot products.
 *
 * Over more than one run of the reduction sums are added in y. An element depends on its row, its
 * column and the lengths of the reduction alone.
 */
#include "kern/act.h"
#include "kern/grad.h"
#include "kern/simd/panel.h"

#include <assert.h>

enum {
    STEP = 256, // values decoded at once: the largest block
    /* forward: FORWARD_ROWS rows, runs of PANEL_UNITS units */
    FORWARD_PANEL = PANEL_UNITS * PANEL_LANES,
    FORWARD_ROWS = 128,
    FORWARD_RUN = PANEL_UNITS * UNIT,
    FORWARD_FLOATS = FORWARD_ROWS * PANEL_UNITS,
    /* back: STEP values of k, runs of BACK_UNITS units of rows; panels that do not meet the same
     * cache sets, since each pair of rows goes to all of them */
    BACK_UNITS = 256,
    BACK_RUN = BACK_UNITS * UNIT,
    BACK_PANEL = BACK_UNITS * PANEL_LANES + 16,
    BACK_FLOATS = STEP / PANEL_LANES * BACK_PANEL,
    /* scratch, in floats */
    MUL_COLUMNS_AT = FORWARD_FLOATS > BACK_FLOATS ? FORWARD_FLOATS : BACK_FLOATS,
    DECODED_ROW = STEP + 16,
    DECODED_AT = MUL_COLUMNS_AT + COLUMNS_FLOATS,
    MUL_FLOATS = DECODED_AT + VF_N * DECODED_ROW,
};
static_assert((int)FORWARD_ROWS % (int)PANEL_LANES == 0, "pieces are whole panels");
static_assert((int)MUL_FLOATS * 4 <= (int)GRAD_SCRATCH, "products need more scratch");

/* Packed weights from p on, on their way to the second-level cache: rows are too short and too far
 * apart for the hardware to notice in time. */
INLINE void fetch_weights(const uint8_t *p, size_t bytes)
{
    for (size_t i = 0; i < bytes; i += 64)
        __builtin_prefetch(p + i, 0, 2);
}

static size_t bytes_of(const px_grad_mul *m, int64_t n)
{
    const px_dtype_info *info = px_dtype_get((uint32_t)m->dtype);
    return (size_t)(n / info->block_elements * info->block_bytes);
}

/* ---- forward */

/* Values [k0, k0 + n_k) of VF_N rows, n of them there, to half of a panel. */
static void unpack_forward(const px_grad_mul *m, px_decode_fn decode, int64_t r, int64_t n,
                           int64_t k0, int64_t n_k, float *out)
{
    float *rows = (float *)m->scratch + DECODED_AT;
    const int64_t here = n < VF_N ? n : VF_N;
    for (int64_t at = 0; at < n_k; at += STEP) {
        const int64_t left = n_k - at < STEP ? n_k - at : STEP;
        const size_t bytes = bytes_of(m, left);
        const uint8_t *w = m->w + (size_t)r * m->row_bytes + bytes_of(m, k0 + at);
        for (int64_t i = 0; i < here; i++, w += m->row_bytes) {
            if (i + VF_N < n)
                fetch_weights(w + VF_N * m->row_bytes, bytes);
            decode(w, rows + i * DECODED_ROW, left);
        }
        panel_turn_half((const uint8_t *)rows, DECODED_ROW * sizeof *rows, n, 0, left,
                        out + at / UNIT * PANEL_LANES, panel_load_f32);
    }
}

void GRAD(forward)(const px_grad_mul *m, int64_t first, int64_t end)
{
    const px_decode_fn decode = grad_decode(m->dtype);
    float *panels = m->scratch;
    int64_t k0 = 0;
    do { // once where there are no values, for the zeros
        const int64_t n_k = m->cols - k0 < FORWARD_RUN ? m->cols - k0 : FORWARD_RUN;
        for (int64_t r0 = first; r0 < end; r0 += FORWARD_ROWS) {
            const int64_t n = end - r0 < FORWARD_ROWS ? end - r0 : FORWARD_ROWS;
            for (int64_t r = 0; r < n; r += VF_N)
                unpack_forward(m, decode, r0 + r, n - r, k0, n_k,
                               panels + r / PANEL_LANES * FORWARD_PANEL + r % PANEL_LANES);
            panel_columns(&(panel_job){panels, FORWARD_PANEL, n, (n_k + UNIT - 1) / UNIT,
                                       px_act_column(m->x, 0) + (size_t)k0 * (4 / UNIT),
                                       m->x->column_bytes, m->x->n, panels + MUL_COLUMNS_AT,
                                       m->y + r0, m->y_stride, m->add || k0 > 0});
        }
        k0 += FORWARD_RUN;
    } while (k0 < m->cols);
}

/* ---- back */

/* Values [k, k + n) of rows [r0, r0 + n_r) to panels. */
static void unpack_back(const px_grad_mul *m, px_decode_fn decode, int64_t r0, int64_t n_r,
                        int64_t k, int64_t n, float *out)
{
    enum { AHEAD = 16 }; // rows
    float *rows = (float *)m->scratch + DECODED_AT;
    const size_t bytes = bytes_of(m, n);
    const uint8_t *w = m->w + (size_t)r0 * m->row_bytes + bytes_of(m, k);
    for (int64_t r = 0; r < n_r; r += UNIT, w += UNIT * m->row_bytes, out += PANEL_LANES) {
        for (int64_t i = AHEAD; i < AHEAD + UNIT && r + i < n_r; i++)
            fetch_weights(w + (size_t)i * m->row_bytes, bytes);
        const bool two = UNIT > 1 && r + 1 < n_r;
        decode(w, rows, n);
        if (two)
            decode(w + m->row_bytes, rows + DECODED_ROW, n);
        panel_lay_unit(rows, two ? rows + DECODED_ROW : NULL, n, out, BACK_PANEL);
    }
}

void GRAD(back)(const px_grad_mul *m, int64_t first, int64_t end)
{
    const px_decode_fn decode = grad_decode(m->dtype);
    float *panels = m->scratch;
    for (int64_t k = first; k < end; k += STEP) {
        const int64_t n = end - k < STEP ? end - k : STEP;
        int64_t r0 = 0;
        do { // once where there are no rows, for the zeros
            const int64_t n_r = m->rows - r0 < BACK_RUN ? m->rows - r0 : BACK_RUN;
            unpack_back(m, decode, r0, n_r, k, n, panels);
            panel_columns(&(panel_job){panels, BACK_PANEL, n, (n_r + UNIT - 1) / UNIT,
                                       px_act_column(m->x, 0) + (size_t)r0 * (4 / UNIT),
                                       m->x->column_bytes, m->x->n, panels + MUL_COLUMNS_AT,
                                       m->y + k, m->y_stride, m->add || r0 > 0});
            r0 += BACK_RUN;
        } while (r0 < m->rows);
    }
}

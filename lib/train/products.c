/*
 * products: the products of a group of modules with what they read, and the way back through them,
 * pairs included.
 *
 * Forward, per module:   h = drop(x) A^T             px_tape_pairs, where x is made
 *                        y = W x + s B h (+ bias)     one piece: some rows of W
 *                        DoRA: y = m / |W + s B A| * (W x + s B h) + bias
 * Back, from dy:         dh = s B^T dy               px_tape_pairs_back, where dy is made
 *                        dx = W^T dy + drop(dh A)     one piece: some columns of W
 *                        dB += s dy^T h, dA += dh^T drop(x), dW += dy^T x, db += sum of dy
 *
 * (Hu et al. 2021, arXiv 2106.09685; Liu et al. 2024, DoRA, arXiv 2402.09353, section 4.3: the norm
 * is a constant.) Where several modules read one input their dx add up within a piece.
 */
#include "train/tape_in.h"

#include "kern/act.h"
#include "train/random.h"

#include <string.h>

enum {
    ROW_PIECES = 24,              // most of a matrix, forward, unless they would be too short
    BACK_COLS = PX_GRAD_COLS,     // of a piece, back
    FEW_COLS = 16 * BACK_COLS,    // in which halves of that leave less to wait for at the end
    PAIR_SIDE = 4 * PX_GEMM_ROWS, // rows of B or columns of A of a piece of their gradients
    WEIGHT_ROWS = PX_GEMM_ROWS,   // of a piece of dW
    FEW_ROWS = 8 * WEIGHT_ROWS    // as FEW_COLS
};

bool px_tape_has_pairs(const px_tape *t, const px_group *g)
{
    return g->h > 0 && !t->pass.plain;
}

static bool has_pair(const px_tape *t, const px_module *m)
{
    return m->rank > 0 && !t->pass.plain;
}

static bool drops(const px_tape *t)
{
    return t->pass.drops && t->o.dropout > 0;
}

/* ---- packing */

size_t px_tape_column(const px_tape *t, int64_t values)
{
    return px_act_column_bytes(t->net->grad.form, values);
}

static void pack_at(const px_tape *t, const float *x, int64_t n, uint8_t *to, int64_t column)
{
    size_t bytes = px_tape_column(t, n);
    t->net->kern.pack[t->net->grad.form](x, n, n, 0, 1, to + (size_t)column * bytes, bytes);
}

void px_tape_pack(px_tape *t, const float *x, int64_t cols, int64_t r)
{
    pack_at(t, x, cols, t->packed, r);
}

void px_tape_pack_back(px_tape *t, const px_group *g, const float *dy, int64_t r)
{
    uint8_t *to = t->packed;
    for (int32_t i = 0; i < g->n; i++) {
        const px_module *m = &g->modules[i];
        pack_at(t, dy + m->out, m->w.rows, to, r);
        to += (size_t)t->batch->n * px_tape_column(t, m->w.rows);
    }
}

/* The packed gradient of a module. */
static px_act packed_of(const px_tape *t, const px_group *g, int32_t which)
{
    const uint8_t *at = t->packed;
    for (int32_t i = 0; i < which; i++)
        at += (size_t)t->batch->n * px_tape_column(t, g->modules[i].w.rows);
    int64_t rows = g->modules[which].w.rows;
    return (px_act){.form = t->net->grad.form,
                    .k = rows,
                    .n = t->batch->n,
                    .data = at,
                    .column_bytes = px_tape_column(t, rows)};
}

/* ---- dropout */

/* Values [k0, k1) of token r of what module m reads, each dropped or scaled up. */
static void drop(const px_tape *t, const px_module *m, int64_t r, int64_t k0, int64_t k1,
                 const float *x, float *y)
{
    uint64_t key = px_random_key(t->pass.key, (uint64_t)m->index);
    uint32_t limit = (uint32_t)(t->o.dropout * 65536.0f + 0.5f);
    float up = 1.0f / (1.0f - t->o.dropout);
    uint64_t bits = 0, at = UINT64_MAX;
    for (int64_t k = k0; k < k1; k++) {
        uint64_t e = (uint64_t)(r * m->w.cols + k);
        if (e / 4 != at) {
            at = e / 4;
            bits = px_random_at(key, at);
        }
        uint32_t draw = (uint32_t)(bits >> (e % 4 * 16)) & 0xffffu;
        y[k - k0] = draw < limit ? 0.0f : x[k - k0] * up;
    }
}

/* Tokens [r0, r1), columns [k0, k1) of x as m reads them, in this member's rows; *stride is theirs.
 */
static const float *read_input(const px_phase *p, const px_module *m, const px_plane *x,
                               const int64_t range[4], int member, int64_t *stride)
{
    const px_tape *t = p->t;
    int64_t r0 = range[0], r1 = range[1], k0 = range[2], k1 = range[3];
    if (!drops(t)) {
        *stride = x->stride;
        return px_row(x, r0) + k0;
    }
    float *rows = t->members[member].rows;
    *stride = t->member_width;
    for (int64_t r = r0; r < r1; r++)
        drop(t, m, r, k0, k1, px_row(x, r) + k0, rows + (r - r0) * t->member_width);
    return rows;
}

/* ---- pairs, by tokens */

void px_tape_pairs(const px_phase *p, const px_plane *x, int64_t r0, int64_t r1, int member)
{
    px_tape *t = p->t;
    const px_plane *h = &p->k->h[p->id];
    for (int32_t i = 0; i < p->group->n; i++) {
        const px_module *m = &p->group->modules[i];
        if (!has_pair(t, m))
            continue;
        px_gemm g = {.b = t->net->params.value + m->a_at,
                     .b_stride = m->w.cols,
                     .c = px_row(h, r0) + m->h_at,
                     .c_stride = h->stride,
                     .m = r1 - r0,
                     .n = m->rank,
                     .k = m->w.cols,
                     .alpha = 1.0f,
                     .scratch = t->members[member].scratch};
        g.a = read_input(p, m, x, (int64_t[]){r0, r1, 0, m->w.cols}, member, &g.a_stride);
        t->net->grad.gemm_nt(&g, 0, g.m);
    }
}

void px_tape_pairs_back(const px_phase *p, const px_plane *dy, int64_t r0, int64_t r1, int member)
{
    px_tape *t = p->t;
    for (int32_t i = 0; i < p->group->n; i++) {
        const px_module *m = &p->group->modules[i];
        if (!has_pair(t, m))
            continue;
        px_gemm g = {.a = px_row(dy, r0) + m->out,
                     .a_stride = dy->stride,
                     .b = t->net->params.value + m->b_at,
                     .b_stride = m->rank,
                     .c = px_row(&t->dh, r0) + m->h_at,
                     .c_stride = t->dh.stride,
                     .m = r1 - r0,
                     .n = m->rank,
                     .k = m->w.rows,
                     .alpha = m->scale,
                     .scratch = t->members[member].scratch};
        t->net->grad.gemm_nn(&g, 0, g.m);
    }
}

/* ---- forward, by rows of W */

static int64_t grain_of(int64_t rows)
{
    int64_t n = rows / (ROW_PIECES * PX_GRAD_ROWS);
    return (n > 0 ? n : 1) * PX_GRAD_ROWS;
}

/* Columns of a piece of the input's gradient. */
static int64_t back_grain(const px_group *g)
{
    int64_t block = 1;
    for (int32_t i = 0; i < g->n; i++) {
        int64_t its = px_dtype_get((uint32_t)g->modules[i].w.dtype)->block_elements;
        block = its > block ? its : block;
    }
    return g->in < FEW_COLS && block <= BACK_COLS / 2 ? BACK_COLS / 2 : BACK_COLS;
}

/* Rows of a piece of a whole weight's gradient. */
static int64_t weight_grain(int64_t rows)
{
    return rows < FEW_ROWS ? WEIGHT_ROWS / 2 : WEIGHT_ROWS;
}

static int64_t pieces_of(int64_t n, int64_t grain)
{
    return (n + grain - 1) / grain;
}

typedef struct range {
    int64_t first, end;
} range;

static range range_of(int64_t piece, int64_t n, int64_t grain)
{
    int64_t first = piece * grain;
    return (range){first, first + grain < n ? first + grain : n};
}

static void add_pair(const px_phase *p, const px_module *m, range r, float *y, int member)
{
    const px_tape *t = p->t;
    const px_plane *h = &p->k->h[p->id];
    px_gemm g = {.a = h->data + m->h_at,
                 .a_stride = h->stride,
                 .b = t->net->params.value + m->b_at + r.first * m->rank,
                 .b_stride = m->rank,
                 .c = y + r.first,
                 .c_stride = p->out->stride,
                 .m = t->batch->n,
                 .n = r.end - r.first,
                 .k = m->rank,
                 .alpha = m->scale,
                 .add = true,
                 .scratch = t->members[member].scratch};
    t->net->grad.gemm_nt(&g, 0, g.m);
}

static void finish_rows(const px_phase *p, const px_module *m, range r, float *y)
{
    const float *scale = has_pair(p->t, m) ? m->dora : NULL;
    if (!scale && !m->bias)
        return;
    for (int64_t c = 0; c < p->t->batch->n; c++) {
        float *row = y + c * p->out->stride;
        for (int64_t i = r.first; scale && i < r.end; i++)
            row[i] *= scale[i];
        for (int64_t i = r.first; m->bias && i < r.end; i++)
            row[i] += m->bias[i];
    }
}

static void forward_piece(void *ctx, int64_t piece, int member)
{
    const px_phase *p = ctx;
    const px_tape *t = p->t;
    const px_module *m = p->group->modules;
    for (int64_t n; piece >= (n = pieces_of(m->w.rows, grain_of(m->w.rows))); m++)
        piece -= n;
    range r = range_of(piece, m->w.rows, grain_of(m->w.rows));
    px_act x = {.form = t->net->grad.form,
                .k = m->w.cols,
                .n = t->batch->n,
                .data = t->packed,
                .column_bytes = px_tape_column(t, m->w.cols)};
    px_grad_mul mul = {.dtype = m->w.dtype,
                       .w = m->w.data,
                       .row_bytes = m->w.row_bytes,
                       .rows = m->w.rows,
                       .cols = m->w.cols,
                       .x = &x,
                       .y = p->out->data + m->out,
                       .y_stride = p->out->stride,
                       .scratch = t->members[member].scratch};
    t->net->grad.forward[px_kern_slot(m->w.dtype)](&mul, r.first, r.end);
    if (has_pair(t, m))
        add_pair(p, m, r, mul.y, member);
    finish_rows(p, m, r, mul.y);
}

void px_tape_product(px_phase *p)
{
    int64_t n = 0;
    for (int32_t i = 0; i < p->group->n; i++)
        n += pieces_of(p->group->modules[i].w.rows, grain_of(p->group->modules[i].w.rows));
    px_pool_for(p->t->net->pool, n, forward_piece, p);
}

/* ---- back: the input, by columns */

static void pair_input(const px_phase *p, const px_module *m, range k, int member)
{
    const px_tape *t = p->t;
    px_gemm g = {.a = t->dh.data + m->h_at,
                 .a_stride = t->dh.stride,
                 .b = t->net->params.value + m->a_at + k.first,
                 .b_stride = m->w.cols,
                 .c = p->in->data + k.first,
                 .c_stride = p->in->stride,
                 .m = t->batch->n,
                 .n = k.end - k.first,
                 .k = m->rank,
                 .alpha = 1.0f,
                 .add = true,
                 .scratch = t->members[member].scratch};
    if (!drops(t)) {
        t->net->grad.gemm_nn(&g, 0, g.m);
        return;
    }
    float *rows = t->members[member].rows;
    g.add = false;
    for (int64_t r0 = 0; r0 < t->batch->n; r0 += PX_ROWS) {
        int64_t r1 = r0 + PX_ROWS < t->batch->n ? r0 + PX_ROWS : t->batch->n;
        g.a = px_row(&t->dh, r0) + m->h_at;
        g.c = rows;
        g.c_stride = t->member_width;
        g.m = r1 - r0;
        t->net->grad.gemm_nn(&g, 0, g.m);
        for (int64_t r = r0; r < r1; r++) {
            float *row = rows + (r - r0) * t->member_width, *to = px_row(p->in, r) + k.first;
            drop(t, m, r, k.first, k.end, row, row);
            t->net->kern.axpy(1.0f, row, to, k.end - k.first);
        }
    }
}

static void input_piece(const px_phase *p, int64_t piece, int member)
{
    const px_tape *t = p->t;
    range k = range_of(piece, p->group->in, back_grain(p->group));
    for (int32_t i = 0; i < p->group->n; i++) {
        const px_module *m = &p->group->modules[i];
        px_act x = packed_of(t, p->group, i);
        px_grad_mul mul = {.dtype = m->w.dtype,
                           .w = m->w.data,
                           .row_bytes = m->w.row_bytes,
                           .rows = m->w.rows,
                           .cols = m->w.cols,
                           .x = &x,
                           .y = p->in->data,
                           .y_stride = p->in->stride,
                           .add = i > 0,
                           .scratch = t->members[member].scratch};
        t->net->grad.back[px_kern_slot(m->w.dtype)](&mul, k.first, k.end);
        if (has_pair(t, m))
            pair_input(p, m, k, member);
    }
}

/* ---- back: what is trained */

static int64_t trained_pieces(const px_tape *t, const px_module *m)
{
    if (t->net->full)
        return pieces_of(m->w.rows, weight_grain(m->w.rows));
    if (!has_pair(t, m))
        return 0;
    return pieces_of(m->w.rows, PAIR_SIDE) + pieces_of(m->w.cols, PAIR_SIDE);
}

/* dW and db of some rows. */
static void weight_piece(const px_phase *p, const px_module *m, int64_t piece, int member)
{
    const px_tape *t = p->t;
    range r = range_of(piece, m->w.rows, weight_grain(m->w.rows));
    px_gemm g = {.a = p->out->data + m->out,
                 .a_stride = p->out->stride,
                 .b = p->x.data,
                 .b_stride = p->x.stride,
                 .c = t->net->params.grad + m->w_at,
                 .c_stride = m->w.cols,
                 .m = m->w.rows,
                 .n = m->w.cols,
                 .k = t->batch->n,
                 .alpha = 1.0f,
                 .add = true,
                 .scratch = t->members[member].scratch};
    t->net->grad.weight_grad(&g, r.first, r.end);
    float *db = px_net_grad(t->net, m->bias);
    for (int64_t c = 0; db && c < t->batch->n; c++)
        t->net->kern.axpy(1.0f, px_row(p->out, c) + m->out + r.first, db + r.first,
                          r.end - r.first);
}

static void b_piece(const px_phase *p, const px_module *m, int64_t piece, int member)
{
    const px_tape *t = p->t;
    const px_plane *h = &p->k->h[p->id];
    range r = range_of(piece, m->w.rows, PAIR_SIDE);
    px_gemm g = {.a = p->out->data + m->out,
                 .a_stride = p->out->stride,
                 .b = h->data + m->h_at,
                 .b_stride = h->stride,
                 .c = t->net->params.grad + m->b_at,
                 .c_stride = m->rank,
                 .m = m->w.rows,
                 .n = m->rank,
                 .k = t->batch->n,
                 .alpha = m->scale,
                 .add = true,
                 .scratch = t->members[member].scratch};
    t->net->grad.gemm_tn(&g, r.first, r.end);
}

static void a_piece(const px_phase *p, const px_module *m, int64_t piece, int member)
{
    const px_tape *t = p->t;
    range k = range_of(piece, m->w.cols, PAIR_SIDE);
    int64_t step = drops(t) ? PX_ROWS : t->batch->n;
    for (int64_t r0 = 0; r0 < t->batch->n; r0 += step) {
        int64_t r1 = r0 + step < t->batch->n ? r0 + step : t->batch->n;
        px_gemm g = {.a = px_row(&t->dh, r0) + m->h_at,
                     .a_stride = t->dh.stride,
                     .c = t->net->params.grad + m->a_at + k.first,
                     .c_stride = m->w.cols,
                     .m = m->rank,
                     .n = k.end - k.first,
                     .k = r1 - r0,
                     .alpha = 1.0f,
                     .add = true,
                     .scratch = t->members[member].scratch};
        g.b = read_input(p, m, &p->x, (int64_t[]){r0, r1, k.first, k.end}, member, &g.b_stride);
        t->net->grad.gemm_tn(&g, 0, g.m);
    }
}

static void trained_piece(const px_phase *p, int64_t piece, int member)
{
    const px_module *m = p->group->modules;
    for (int64_t n; piece >= (n = trained_pieces(p->t, m)); m++)
        piece -= n;
    if (p->t->net->full) {
        weight_piece(p, m, piece, member);
        return;
    }
    int64_t n_b = pieces_of(m->w.rows, PAIR_SIDE);
    if (piece < n_b)
        b_piece(p, m, piece, member);
    else
        a_piece(p, m, piece - n_b, member);
}

static void back_piece(void *ctx, int64_t piece, int member)
{
    const px_phase *p = ctx;
    int64_t n = p->wants_dx ? pieces_of(p->group->in, back_grain(p->group)) : 0;
    if (piece < n)
        input_piece(p, piece, member);
    else
        trained_piece(p, piece - n, member);
}

void px_tape_product_back(px_phase *p)
{
    int64_t n = p->wants_dx ? pieces_of(p->group->in, back_grain(p->group)) : 0;
    for (int32_t i = 0; i < p->group->n; i++)
        n += trained_pieces(p->t, &p->group->modules[i]);
    px_pool_for(p->t->net->pool, n, back_piece, p);
}

/* ---- DoRA */

typedef struct magnitude_job {
    const px_phase *p;
    const px_plane *y, *dy;
} magnitude_job;

/* Module m of y = c * raw + bias: dm = sum of dy * raw / norm, where c = m / norm; dy *= c. */
static void magnitude_piece(void *ctx, int64_t i, int member)
{
    (void)member;
    const magnitude_job *job = ctx;
    const px_tape *t = job->p->t;
    const px_module *m = &job->p->group->modules[i];
    if (!m->dora)
        return;
    const float *value = t->net->params.value + m->m_at;
    float *grad = t->net->params.grad + m->m_at;
    for (int64_t c = 0; c < t->batch->n; c++) {
        const float *y = px_row(job->y, c) + m->out;
        float *dy = px_row(job->dy, c) + m->out;
        for (int64_t r = 0; r < m->w.rows; r++) {
            float made = y[r] - (m->bias ? m->bias[r] : 0.0f);
            if (value[r] != 0)
                grad[r] += dy[r] * made / value[r];
            dy[r] *= m->dora[r];
        }
    }
}

void px_tape_magnitudes(px_phase *p, const px_plane *y, const px_plane *dy)
{
    magnitude_job job = {p, y, dy};
    if (p->group->dora && !p->t->pass.plain)
        px_pool_for(p->t->net->pool, p->group->n, magnitude_piece, &job);
}

/*
 * head: the last norm, the logits and the loss, for learned positions only and some of them at a
 * time, forward and back. Logits of a chunk become their gradients in place.
 */
#include "train/tape_in.h"

#include "kern/act.h"

#include <math.h>
#include <string.h>

enum { ROW_PIECES = 64, BACK_COLS = PX_GRAD_COLS };

/* Learned positions [first, first + n) of the phase. */
static void hidden_row(void *ctx, int64_t i, int member)
{
    (void)member;
    const px_phase *p = ctx;
    px_tape *t = p->t;
    const px_hparams *hp = t->net->hp;
    const px_plane *x = &t->inputs[hp->n_layers];
    float *y = px_row(&t->hidden, i);
    size_t column = px_tape_column(t, hp->width);
    t->net->kern.rms_norm(px_row(x, t->learned[p->first + i]), t->net->w.out_norm, hp->norm_eps, y,
                          hp->width);
    t->net->kern.pack[t->net->grad.form](y, hp->width, hp->width, 0, 1,
                                         t->packed + (size_t)i * column, column);
}

static int64_t grain_of(int64_t rows)
{
    int64_t n = rows / (ROW_PIECES * PX_GRAD_ROWS);
    return (n > 0 ? n : 1) * PX_GRAD_ROWS;
}

static px_grad_mul head_mul(const px_tape *t, const px_act *x, const px_plane *y, int member)
{
    const px_matrix *m = &t->net->head.w;
    return (px_grad_mul){.dtype = m->dtype,
                         .w = m->data,
                         .row_bytes = m->row_bytes,
                         .rows = m->rows,
                         .cols = m->cols,
                         .x = x,
                         .y = y->data,
                         .y_stride = y->stride,
                         .scratch = t->members[member].scratch};
}

static void logits_piece(void *ctx, int64_t piece, int member)
{
    const px_phase *p = ctx;
    const px_tape *t = p->t;
    const px_matrix *m = &t->net->head.w;
    int64_t grain = grain_of(m->rows), first = piece * grain;
    px_act x = {.form = t->net->grad.form,
                .k = m->cols,
                .n = p->n,
                .data = t->packed,
                .column_bytes = px_tape_column(t, m->cols)};
    px_grad_mul mul = head_mul(t, &x, &t->logits, member);
    t->net->grad.forward[px_kern_slot(m->dtype)](&mul, first,
                                                 first + grain < m->rows ? first + grain : m->rows);
}

/* Packs a row of gradients. Where nothing else reads them (no weight gradient), over themselves: as
 * f32 they are what they should be; as bf16 each stretch, first copied aside, lands in front of
 * what is still to come. */
static void pack_row(const px_tape *t, float *row, int64_t i)
{
    enum { STRETCH = 1024 };
    const px_act_form form = t->net->grad.form;
    int64_t n = t->net->hp->n_vocab;
    uint8_t *to = t->head_packed + (size_t)i * t->head_column;
    if ((const void *)to != (const void *)row) {
        t->net->kern.pack[form](row, n, n, 0, 1, to, px_tape_column(t, n));
        return;
    }
    if (form == PX_ACT_F32) {
        memset(row + n, 0, (size_t)(t->logits.stride - n) * sizeof *row);
        return;
    }
    float aside[STRETCH];
    for (int64_t k = 0; k < n; k += STRETCH) {
        int64_t len = n - k < STRETCH ? n - k : STRETCH;
        memcpy(aside, row + k, (size_t)len * sizeof *aside);
        t->net->kern.pack[form](aside, len, len, 0, 1, to + 2 * k, px_tape_column(t, len));
    }
}

static void loss_row(void *ctx, int64_t i, int member)
{
    (void)member;
    const px_phase *p = ctx;
    px_tape *t = p->t;
    const px_hparams *hp = t->net->hp;
    float scale = p->wants_dx ? p->scales ? p->scales[p->first + i] : p->scale : 0.0f;
    float *row = px_row(&t->logits, i);
    int32_t target = t->batch->targets[t->learned[p->first + i]];
    t->row_loss[i] = t->net->grad.loss(row, hp->n_vocab, target, hp->logit_softcap, scale);
    if (!p->wants_dx)
        return;
    if (scale == 0) // the loss left the logits as they are
        memset(row, 0, (size_t)hp->n_vocab * sizeof *row);
    pack_row(t, row, i);
}

/* dhidden by columns, and behind them the head's own gradient by rows. */
static void back_piece(void *ctx, int64_t piece, int member)
{
    const px_phase *p = ctx;
    const px_tape *t = p->t;
    const px_matrix *m = &t->net->head.w;
    int64_t n = (m->cols + BACK_COLS - 1) / BACK_COLS;
    if (piece < n) {
        int64_t first = piece * BACK_COLS;
        px_act dy = {.form = t->net->grad.form,
                     .k = m->rows,
                     .n = p->n,
                     .data = t->head_packed,
                     .column_bytes = t->head_column};
        px_grad_mul mul = head_mul(t, &dy, &t->dhidden, member);
        t->net->grad.back[px_kern_slot(m->dtype)](
            &mul, first, first + BACK_COLS < m->cols ? first + BACK_COLS : m->cols);
        return;
    }
    int64_t grain = grain_of(m->rows), first = (piece - n) * grain;
    px_gemm g = {.a = t->logits.data,
                 .a_stride = t->logits.stride,
                 .b = t->hidden.data,
                 .b_stride = t->hidden.stride,
                 .c = t->net->params.grad + t->net->head.w_at,
                 .c_stride = m->cols,
                 .m = m->rows,
                 .n = m->cols,
                 .k = p->n,
                 .alpha = 1.0f,
                 .add = true,
                 .scratch = t->members[member].scratch};
    t->net->grad.weight_grad(&g, first, first + grain < m->rows ? first + grain : m->rows);
}

static void unnorm_chunk(void *ctx, int64_t chunk, int member)
{
    (void)member;
    const px_phase *p = ctx;
    px_tape *t = p->t;
    const px_hparams *hp = t->net->hp;
    const px_plane *x = &t->inputs[hp->n_layers];
    float *dw = px_tape_partial(t, t->net->w.out_norm, chunk, hp->width);
    for (int64_t i = chunk * PX_ROWS; i < (chunk + 1) * PX_ROWS && i < p->n; i++) {
        int64_t r = t->learned[p->first + i];
        t->net->grad.norm_back(px_row(x, r), t->net->w.out_norm, hp->norm_eps,
                               px_row(&t->dhidden, i), px_row(&t->dx, r), dw, hp->width);
    }
}

static void run_chunk(px_phase *p, double *losses)
{
    px_tape *t = p->t;
    px_pool *pool = t->net->pool;
    const px_matrix *m = &t->net->head.w;
    int64_t grain = grain_of(m->rows), rows = (m->rows + grain - 1) / grain;
    px_pool_for(pool, p->n, hidden_row, p);
    px_pool_for(pool, rows, logits_piece, p);
    px_pool_for(pool, p->n, loss_row, p);
    memcpy(losses + p->first, t->row_loss, (size_t)p->n * sizeof *losses);
    if (!p->wants_dx)
        return;
    int64_t cols = (m->cols + BACK_COLS - 1) / BACK_COLS;
    px_pool_for(pool, cols + (t->net->full ? rows : 0), back_piece, p);
    px_pool_for(pool, px_chunks(p->n), unnorm_chunk, p);
    px_tape_norm_grad(t, t->net->w.out_norm, t->net->hp->width, px_chunks(p->n));
}

static void run(px_tape *t, px_phase *p, double *losses)
{
    p->t = t;
    for (p->first = 0; p->first < t->n_learned; p->first += p->n) {
        int32_t left = t->n_learned - p->first;
        p->n = left < t->o.head_rows ? left : t->o.head_rows;
        run_chunk(p, losses);
    }
}

int32_t px_tape_learned(const px_tape *t)
{
    return t->n_learned;
}

void px_tape_losses(px_tape *t, double *losses)
{
    run(t, &(px_phase){0}, losses);
}

void px_tape_head(px_tape *t, const float *scales, float scale, double *losses)
{
    memset(t->dx.data, 0, (size_t)t->batch->n * (size_t)t->dx.stride * sizeof(float));
    run(t, &(px_phase){.wants_dx = true, .scales = scales, .scale = scale}, losses);
}

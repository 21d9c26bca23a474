/*
 * rows: what a step does row by row: embedding, the residual stream and its norms, packing what the
 * next products read. Many rows are handed out some at a time; a lone row is every member's own.
 */
#include "model/pass.h"

#include <string.h>

enum { RUNS = 64 }; // pieces of work that rows make

/* Rows [first, end) of n: the next run, or false when this member finds none, which is a barrier
 * but at a desk of one's own. Begins with zeros. */
typedef struct row_run {
    int32_t first, end;
} row_run;

static bool next_run(px_decoder *d, const px_desk *desk, int32_t n, row_run *run)
{
    if (desk->alone) {
        run->first = run->end;
        run->end = n;
        return run->first < n;
    }
    int32_t grain = (n + RUNS - 1) / RUNS;
    int64_t n_runs = n > 0 ? (n + grain - 1) / grain : 0;
    int64_t i = px_pool_next(d->pool, desk->member, n_runs);
    if (i < 0)
        return false;
    run->first = (int32_t)i * grain;
    run->end = run->first + grain < n ? run->first + grain : n;
    return true;
}

static int32_t row_of(const px_picked *rows, int32_t i)
{
    return rows->rows ? rows->rows[i] : i;
}

static float *row_at(const px_rows *rows, int32_t r)
{
    return rows->data + r * rows->stride;
}

/* Packs x, a row of `width`, as column c. */
static void pack_row(const px_decoder *d, const px_desk *desk, unsigned forms, const float *x,
                     int64_t width, int32_t c)
{
    for (int f = 0; f < PX_ACT_FORMS; f++) {
        if (!(forms & (1u << f)))
            continue;
        size_t column = px_act_column_bytes((px_act_form)f, width);
        d->kern->pack[f](x, width, width, 0, 1, desk->packed[f] + (size_t)c * column, column);
    }
}

/* ---- the residual stream */

static px_reader reader_of(const px_decoder *d, const float *norm, const px_matrix *const *m, int n)
{
    px_reader to = {.norm = norm, .plain = d->options.observe || d->n_runs > 0};
    for (int i = 0; i < n; i++) {
        unsigned forms = px_pass_forms(d, m[i]);
        to.forms |= forms;
        to.plain = to.plain || forms == 0;
    }
    return to;
}

px_reader px_pass_reads_attention(const px_decoder *d, int32_t layer)
{
    const px_layer *l = &d->w->layers[layer];
    return reader_of(d, l->attn_norm, (const px_matrix *const[]){&l->q, &l->k, &l->v}, 3);
}

px_reader px_pass_reads_ffn(const px_decoder *d, int32_t layer)
{
    const px_layer *l = &d->w->layers[layer];
    return reader_of(d, l->ffn_norm, (const px_matrix *const[]){&l->gate, &l->up}, 2);
}

/* Row r of the stream, normed, as row and packed column c of out. */
static void read_row(const px_decoder *d, const px_desk *desk, const px_reader *to,
                     const px_rows *out, int32_t r, int32_t c)
{
    const float *x = row_at(&desk->x, r);
    float *y = to->plain ? row_at(out, c) : desk->row.data;
    int64_t width = d->hp->width;
    if (to->norm)
        d->kern->rms_norm(x, to->norm, d->hp->norm_eps, y, width);
    else
        memcpy(y, x, (size_t)width * sizeof *y);
    pack_row(d, desk, to->forms, y, width, c);
}

/* x row r += `added`, which others may be reading. */
static void end_row(const px_decoder *d, const px_desk *desk, const px_block_end *end,
                    const float *added, int32_t r)
{
    int64_t width = d->hp->width;
    float *y = desk->row.data;
    if (end->bias || end->post) {
        memcpy(y, added, (size_t)width * sizeof *y);
        added = y;
    }
    if (end->bias)
        d->kern->axpy(1.0f, end->bias, y, width);
    if (end->post)
        d->kern->rms_norm(y, end->post, d->hp->norm_eps, y, width);
    d->kern->axpy(1.0f, added, row_at(&desk->x, r), width);
}

static void embed_row(const px_decoder *d, const px_desk *desk, const px_reader *to, int32_t r)
{
    const px_hparams *hp = d->hp;
    const px_matrix *m = &d->w->embed;
    float *x = row_at(&desk->x, r);
    d->kern->decode[px_kern_slot(m->dtype)](m->data + (size_t)d->rows[r].token * m->row_bytes, x,
                                            hp->width);
    if (d->rows[r].run >= 0)
        px_pass_lora_embed(d, r, x);
    if (hp->embed_scale != 1.0f)
        for (int32_t j = 0; j < hp->width; j++)
            x[j] *= hp->embed_scale;
    for (int base = 0; base < 2 && d->rope.freq[base]; base++) {
        int64_t at = (int64_t)r * d->rope.n;
        px_rope_row(&d->rope, base, d->rows[r].position, desk->cos[base] + at,
                    desk->sin[base] + at);
    }
    read_row(d, desk, to, &desk->normed, r, r);
}

void px_pass_embed(px_decoder *d, const px_desk *desk)
{
    px_reader to = px_pass_reads_attention(d, 0);
    for (row_run run = {0}; next_run(d, desk, d->n_rows, &run);)
        for (int32_t r = run.first; r < run.end; r++)
            embed_row(d, desk, &to, r);
}

void px_pass_end(px_decoder *d, const px_desk *desk, const px_block_end *end, const px_picked *rows,
                 const px_reader *to, const px_rows *out)
{
    for (row_run run = {0}; next_run(d, desk, rows->n, &run);)
        for (int32_t i = run.first; i < run.end; i++) {
            int32_t r = row_of(rows, i);
            end_row(d, desk, end, row_at(&d->added, end->whole ? r : i), r);
            read_row(d, desk, to, out, r, rows->places ? rows->places[i] : i);
        }
}

/* ---- what products leave */

void px_pass_pack(px_decoder *d, const px_desk *desk, unsigned forms, const px_rows *in, int32_t n)
{
    if (forms == 0)
        return;
    for (row_run run = {0}; next_run(d, desk, n, &run);)
        for (int32_t r = run.first; r < run.end; r++)
            pack_row(d, desk, forms, row_at(in, r), in->width, r);
}

/* Moves the rows picked to the front: by one member in their order, since each may lie where
 * another one goes. */
static void move_rows(px_decoder *d, const px_desk *desk, const px_picked *rows)
{
    for (int64_t once; (once = px_pool_next(d->pool, desk->member, 1)) >= 0;)
        for (int32_t i = 0; i < rows->n; i++)
            memmove(row_at(&d->mixed, i), row_at(&d->mixed, rows->rows[i]),
                    (size_t)d->mixed.width * sizeof(float));
}

const px_rows *px_pass_mixed(px_decoder *d, const px_desk *desk, unsigned forms,
                             const px_picked *rows)
{
    const px_rows *mixed = desk->alone && d->n_joints > 0 ? &desk->mixed : &d->mixed;
    if (forms != 0 || d->n_joints > 0)
        for (row_run run = {0}; next_run(d, desk, rows->n, &run);)
            for (int32_t i = run.first; i < run.end; i++) {
                int32_t r = row_of(rows, i);
                if (d->rows[r].joint >= 0)
                    px_pass_join(d, desk, r);
                pack_row(d, desk, forms, row_at(mixed, r), mixed->width, i);
            }
    if ((forms == 0 || d->n_runs > 0) && rows->rows && !desk->alone)
        move_rows(d, desk, rows);
    return mixed;
}

/*
 * decoder: see decoder.h and, for the phases of a step, pass.h. Here: memory, checking and laying
 * out a step, plain products, the head and the order of phases.
 */
#include "model/pass.h"

#include "base/carve.h"
#include "base/limits.h"
#include "base/mem.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

enum {
    MAX_BATCH = 65536,
    MAX_PIECES = 128, // of one product
    MIN_GRAIN = 64,   // rows of one piece of a product
    SPLIT_ROWS = 32,  // rows of a step whose attention may come in parts
    LINE = 64,        // bytes of a cache line
    LINE_FLOATS = 16
};

/* ---- memory */

static px_rows carve_rows(px_carver *c, int64_t n, int64_t width)
{
    int64_t stride = (width + LINE_FLOATS - 1) & ~(int64_t)(LINE_FLOATS - 1);
    float *data = px_carve(c, (size_t)n * (size_t)stride, sizeof(float));
    return (px_rows){.data = data, .stride = stride, .width = width};
}

static px_act_form form_of(const px_kern *kern, const px_matrix *m)
{
    return kern->form[px_kern_slot(m->dtype)];
}

/* Whether products with m read their input packed in that form. Rows of whole lines are f32 columns
 * as they are. */
static bool reads_packed(const px_kern *kern, const px_matrix *m, px_act_form form)
{
    return form_of(kern, m) == form && (form != PX_ACT_F32 || m->cols % LINE_FLOATS != 0);
}

/* The longest input that is packed in that form. */
static int64_t longest(const px_decoder *d, px_act_form form)
{
    int64_t k = 0;
    const px_matrix *head = &d->w->head;
    if (reads_packed(d->kern, head, form))
        k = head->cols;
    for (int32_t i = 0; i < d->hp->n_layers; i++) {
        const px_layer *l = &d->w->layers[i];
        const px_matrix *all[] = {&l->q, &l->k, &l->v, &l->o, &l->gate, &l->up, &l->down};
        for (size_t j = 0; j < sizeof all / sizeof all[0]; j++)
            if (reads_packed(d->kern, all[j], form) && all[j]->cols > k)
                k = all[j]->cols;
    }
    return k;
}

/* What a desk for n rows has of its own, or all desks of a step share. */
static void carve_desk(px_decoder *d, px_carver *c, px_desk *desk, int64_t n)
{
    const px_hparams *hp = d->hp;
    desk->x = carve_rows(c, n, hp->width);
    desk->normed = carve_rows(c, n, hp->width);
    desk->hidden = carve_rows(c, n, hp->width);
    for (int i = 0; i < 2; i++) {
        size_t angles =
            i == 0 || hp->rope_base[1] > 0 ? (size_t)n * (size_t)(hp->rope_dims / 2) : 0;
        desk->cos[i] = px_carve(c, angles, sizeof(float));
        desk->sin[i] = px_carve(c, angles, sizeof(float));
    }
    for (int f = 0; f < PX_ACT_FORMS; f++)
        desk->packed[f] = px_carve(c, (size_t)n, d->packed_bytes[f]);
}

/* The desks of all members: many rows are shared; a lone row is the shared one for member 0, where
 * callers find the hidden state, and a copy for the others. */
static void carve_desks(px_decoder *d, px_carver *c, int n_threads)
{
    const px_hparams *hp = d->hp;
    int64_t b = d->options.max_batch;
    px_desk shared = {.mixed = d->mixed};
    carve_desk(d, c, &shared, b);
    for (int i = 0; i < n_threads; i++) {
        px_desk desk = shared;
        desk.member = i;
        desk.row = carve_rows(c, 1, hp->width);
        desk.up = carve_rows(c, b, px_pass_grain(hp->ffn));
        desk.scratch = px_carve(c, 1, d->scratch_bytes);
        px_desk alone = desk;
        alone.alone = true;
        if (i > 0)
            carve_desk(d, c, &alone, 1);
        alone.mixed = carve_rows(c, 1, (int64_t)hp->n_heads * hp->value_dim);
        if (c->base) {
            d->shared[i] = desk;
            d->alone[i] = alone;
        }
    }
}

/* Lays the decoder's memory out from base, or counts its bytes. */
static size_t lay_out(px_decoder *d, uint8_t *base, int n_threads)
{
    const px_hparams *hp = d->hp;
    int64_t b = d->options.max_batch;
    int64_t r = d->options.max_logits;
    px_carver c = {.base = base};
    d->added = carve_rows(&c, b, hp->width);
    px_carver ffn = c;
    d->q = carve_rows(&c, b, (int64_t)hp->n_heads * hp->head_dim);
    d->k = carve_rows(&c, b, (int64_t)hp->n_kv_heads * hp->head_dim);
    d->v = carve_rows(&c, b, (int64_t)hp->n_kv_heads * hp->value_dim);
    d->mixed = carve_rows(&c, b, (int64_t)hp->n_heads * hp->value_dim);
    d->gate = carve_rows(&ffn, b, hp->ffn);
    if (ffn.at > c.at)
        c.at = ffn.at;
    float *logits = px_carve(&c, (size_t)r * (size_t)hp->n_vocab, sizeof(float));
    d->logits = (px_rows){.data = logits, .stride = hp->n_vocab, .width = hp->n_vocab};
    for (int f = 0; f < PX_ACT_FORMS; f++) {
        int64_t k = longest(d, (px_act_form)f);
        d->packed_bytes[f] = k ? px_act_column_bytes((px_act_form)f, k) : 0;
    }
    d->scratch_bytes = px_round_up(d->kern->scratch_bytes, LINE);
    d->shared = px_carve(&c, (size_t)n_threads, sizeof *d->shared);
    d->alone = px_carve(&c, (size_t)n_threads, sizeof *d->alone);
    carve_desks(d, &c, n_threads);
    d->rows = px_carve(&c, (size_t)b, sizeof *d->rows);
    d->n_slots = (int32_t)(b < SPLIT_ROWS ? b : SPLIT_ROWS) * PX_PASS_PARTS;
    d->part_out = carve_rows(&c, d->n_slots, (int64_t)hp->n_heads * hp->value_dim);
    d->parts = px_carve(&c, (size_t)d->n_slots * (size_t)hp->n_heads, sizeof *d->parts);
    d->tiles = px_carve(&c, (size_t)b + (size_t)d->n_slots, sizeof *d->tiles);
    d->joints = px_carve(&c, (size_t)b, sizeof *d->joints);
    d->wanted = px_carve(&c, (size_t)b, sizeof *d->wanted);
    d->places = px_carve(&c, (size_t)b, sizeof *d->places);
    d->runs = px_carve(&c, (size_t)b, sizeof *d->runs);
    d->order = px_carve(&c, (size_t)b, sizeof *d->order);
    d->firsts = px_carve(&c, (size_t)b, sizeof *d->firsts);
    return c.at;
}

size_t px_decoder_bytes(const px_hparams *hp, const px_weights *weights, const px_kern *kern,
                        int n_threads, const px_decoder_options *options)
{
    px_decoder d = {.hp = hp, .w = weights, .kern = kern, .options = *options};
    size_t bytes = lay_out(&d, NULL, n_threads);
    return px_add_size(bytes, sizeof d, &bytes) ? bytes : SIZE_MAX;
}

static pith_status check_matrix(const px_kern *kern, const px_matrix *m, pith_error *err)
{
    int slot = px_kern_slot(m->dtype);
    if (slot >= 0 && kern->mul[slot] && kern->decode[slot] && kern->pack[kern->form[slot]])
        return PITH_OK;
    return px_fail(err, PITH_E_UNSUPPORTED,
                   "tensor '%s' has type %s, for which there are no products at level %s", m->name,
                   px_dtype_name((uint32_t)m->dtype), px_cpu_name(kern->level));
}

static pith_status check_model(const px_hparams *hp, const px_weights *w, const px_kern *kern,
                               pith_error *err)
{
    pith_status status = check_matrix(kern, &w->embed, err);
    if (status == PITH_OK)
        status = check_matrix(kern, &w->head, err);
    for (int32_t i = 0; i < hp->n_layers; i++) {
        const px_layer *l = &w->layers[i];
        const px_matrix *all[] = {&l->q, &l->k, &l->v, &l->o, &l->gate, &l->up, &l->down};
        for (size_t j = 0; j < sizeof all / sizeof all[0] && status == PITH_OK; j++)
            status = check_matrix(kern, all[j], err);
    }
    return status;
}

static pith_status check_options(const px_decoder_options *o, pith_error *err)
{
    if (o->max_batch < 1 || o->max_batch > MAX_BATCH)
        return px_fail(err, PITH_E_ARGUMENT, "a batch of %d tokens, expected 1 to %d", o->max_batch,
                       MAX_BATCH);
    if (o->max_logits < 1 || o->max_logits > o->max_batch)
        return px_fail(err, PITH_E_ARGUMENT,
                       "%d rows of logits, expected 1 to the batch of %d tokens", o->max_logits,
                       o->max_batch);
    if (o->n_ctx < 1 || o->n_ctx > PX_MAX_CONTEXT)
        return px_fail(err, PITH_E_ARGUMENT, "a context of %" PRId64 " tokens, expected 1 to %d",
                       o->n_ctx, PX_MAX_CONTEXT);
    return PITH_OK;
}

pith_status px_decoder_new(const px_hparams *hp, const px_weights *weights, const px_kern *kern,
                           px_pool *pool, const px_decoder_options *options, px_decoder **out,
                           pith_error *err)
{
    *out = NULL;
    pith_status status = check_options(options, err);
    if (status == PITH_OK)
        status = check_model(hp, weights, kern, err);
    if (status != PITH_OK)
        return status;
    px_decoder *d = px_calloc(1, sizeof *d);
    if (!d)
        return px_fail_memory(err, "a decoder");
    d->hp = hp;
    d->w = weights;
    d->kern = kern;
    d->pool = pool;
    d->options = *options;
    px_arena_init(&d->arena, 4096, 0);
    size_t bytes = lay_out(d, NULL, px_pool_size(pool));
    d->memory = bytes < SIZE_MAX ? px_aligned(bytes, 1, LINE) : NULL;
    if (!d->memory) {
        px_decoder_free(d);
        return px_fail(err, PITH_E_MEMORY,
                       "out of memory while making a decoder for batches of %d tokens (%zu bytes); "
                       "use a smaller batch",
                       options->max_batch, bytes);
    }
    lay_out(d, d->memory, px_pool_size(pool));
    status = px_rope_make(hp, weights, options->n_ctx, &d->arena, &d->rope, err);
    if (status != PITH_OK) {
        px_decoder_free(d);
        return status;
    }
    *out = d;
    return PITH_OK;
}

void px_decoder_free(px_decoder *d)
{
    if (!d)
        return;
    px_arena_clear(&d->arena);
    px_free(d->lora.data);
    px_free(d->memory);
    px_free(d);
}

const float *px_decoder_hidden(const px_decoder *d)
{
    return d->shared[0].hidden.data;
}

/* ---- products */

unsigned px_pass_forms(const px_decoder *d, const px_matrix *m)
{
    px_act_form form = form_of(d->kern, m);
    return reads_packed(d->kern, m, form) ? 1u << form : 0;
}

void px_pass_mul(const px_decoder *d, const px_desk *desk, const px_matrix *m, const px_rows *in,
                 int32_t n, const px_rows *out, int64_t row0, int64_t row1)
{
    px_act_form form = form_of(d->kern, m);
    px_act act = {.form = form, .k = in->width, .n = n};
    if (reads_packed(d->kern, m, form)) {
        act.data = desk->packed[form];
        act.column_bytes = px_act_column_bytes(form, in->width);
    } else {
        act.data = in->data;
        act.column_bytes = (size_t)in->stride * sizeof(float);
    }
    px_mul mul = {.dtype = m->dtype,
                  .w = m->data,
                  .row_bytes = m->row_bytes,
                  .x = &act,
                  .y = out->data,
                  .y_stride = out->stride,
                  .scratch = desk->scratch};
    px_kern_product(d->kern, px_kern_slot(m->dtype), n)(&mul, row0, row1);
}

int64_t px_pass_grain(int64_t rows)
{
    int64_t grain = (rows / MAX_PIECES + 15) & ~(int64_t)15;
    return grain < MIN_GRAIN ? MIN_GRAIN : grain;
}

/* The first rows of `added` = m * in, for the rows picked, which are the first of `in`. */
static void product(px_decoder *d, const px_desk *desk, const px_matrix *m, const px_rows *in,
                    int32_t layer, px_slot slot, const px_picked *rows)
{
    int64_t grain = px_pass_grain(m->rows);
    int64_t n_pieces = (m->rows + grain - 1) / grain;
    for (int64_t i; (i = px_pool_next(d->pool, desk->member, n_pieces)) >= 0;) {
        int64_t row0 = i * grain;
        int64_t row1 = row0 + grain < m->rows ? row0 + grain : m->rows;
        px_pass_mul(d, desk, m, in, rows->n, &d->added, row0, row1);
        px_pass_lora_add(d, layer, slot, rows, d->added.data + row0, d->added.stride, row0, row1);
    }
}

/* ---- the head */

static void note_odd(px_decoder *d, int32_t row)
{
    int32_t seen = atomic_load(&d->odd_row);
    while ((seen < 0 || row < seen) && !atomic_compare_exchange_weak(&d->odd_row, &seen, row)) {
    }
}

/* Soft cap of n logits; false when one is NaN or infinite: x * 0 is 0 for all others. */
static bool finish_logits(float *x, int64_t n, float cap)
{
    float zero = 0;
    for (int64_t i = 0; i < n; i++)
        zero += x[i] * 0.0f;
    if (cap > 0)
        for (int64_t i = 0; i < n; i++)
            x[i] = cap * tanhf(x[i] / cap);
    return zero == 0;
}

static void head(px_decoder *d, const px_desk *desk, const px_block_end *end)
{
    const px_matrix *m = &d->w->head;
    px_picked wanted = {d->n_wanted, d->wanted, d->places};
    px_reader to = {.norm = d->w->out_norm, .plain = true};
    to.forms = d->n_logits > 0 ? px_pass_forms(d, m) : 0;
    px_pass_end(d, desk, end, &wanted, &to, &desk->hidden);
    if (d->n_logits == 0)
        return;
    px_pass_lora(d, desk, 0, &(px_slot){PX_SLOT_HEAD}, 1, &(px_lora_in){&desk->hidden, &wanted});
    int64_t grain = px_pass_grain(m->rows);
    int64_t n = (m->rows + grain - 1) / grain;
    for (int64_t i; (i = px_pool_next(d->pool, desk->member, n)) >= 0;) {
        int64_t row0 = i * grain;
        int64_t row1 = row0 + grain < m->rows ? row0 + grain : m->rows;
        px_pass_mul(d, desk, m, &desk->hidden, d->n_logits, &d->logits, row0, row1);
        px_pass_lora_add(d, 0, PX_SLOT_HEAD, &wanted, d->logits.data + row0, d->logits.stride, row0,
                         row1);
        for (int32_t c = 0; c < d->n_logits; c++)
            if (!finish_logits(d->logits.data + c * d->logits.stride + row0, row1 - row0,
                               d->hp->logit_softcap))
                note_odd(d, c);
    }
}

/* ---- the step */

static void show(const px_decoder *d, const px_desk *desk, int32_t layer, px_input which,
                 const px_rows *in)
{
    if (desk->member == 0 && d->options.observe)
        d->options.observe(d->options.observe_user, layer, which, in->data, in->stride, in->width,
                           d->n_rows);
}

/* A layer behind its norm, up to what its ffn adds to the rows that go on. */
static void run_layer(px_decoder *d, const px_desk *desk, int32_t layer, const px_picked *rows)
{
    static const px_slot QKV[] = {PX_SLOT_Q, PX_SLOT_K, PX_SLOT_V}, OUT = PX_SLOT_O;
    static const px_slot GATE_UP[] = {PX_SLOT_GATE, PX_SLOT_UP}, DOWN = PX_SLOT_DOWN;
    const px_picked all = {.n = d->n_rows};
    const px_layer *l = &d->w->layers[layer];
    bool last = rows->rows != NULL;
    show(d, desk, layer, PX_INPUT_ATTENTION, &desk->normed);
    px_pass_lora(d, desk, layer, QKV, 3, &(px_lora_in){&desk->normed, &all});
    px_pass_heads(d, desk, layer, last);
    if (rows->n == 0)
        return;
    px_pass_tiles(d, desk, layer, last);
    const px_rows *mixed = px_pass_mixed(d, desk, px_pass_forms(d, &l->o), rows);
    show(d, desk, layer, PX_INPUT_OUT, mixed);
    px_pass_lora(d, desk, layer, &OUT, 1, &(px_lora_in){mixed, rows});
    product(d, desk, &l->o, mixed, layer, OUT, rows);
    px_block_end end = {.bias = l->o_bias, .post = l->attn_post};
    px_reader ffn = px_pass_reads_ffn(d, layer);
    px_pass_end(d, desk, &end, rows, &ffn, &desk->normed);
    show(d, desk, layer, PX_INPUT_FFN, &desk->normed);
    px_pass_lora(d, desk, layer, GATE_UP, 2, &(px_lora_in){&desk->normed, rows});
    px_pass_gate_up(d, desk, layer, rows);
    show(d, desk, layer, PX_INPUT_DOWN, &d->gate);
    px_pass_pack(d, desk, px_pass_forms(d, &l->down), &d->gate, rows->n);
    if (desk->member == 0 && d->cancel && __atomic_load_n(d->cancel, __ATOMIC_RELAXED))
        atomic_store(&d->stopped, true); // seen by all behind the next barrier
    px_pass_lora(d, desk, layer, &DOWN, 1, &(px_lora_in){&d->gate, rows});
    product(d, desk, &l->down, &d->gate, layer, DOWN, rows);
}

/* What every member of the pool runs. */
static void run_step(void *ctx, int member)
{
    px_decoder *d = ctx;
    const px_desk *desk = d->n_rows == 1 ? &d->alone[member] : &d->shared[member];
    int32_t n_layers = d->hp->n_layers;
    px_picked all = {.n = d->n_rows}, wanted = {.n = d->n_wanted, .rows = d->wanted};
    bool whole = d->options.observe != NULL; // who observes sees all rows of all layers
    px_heap_forbid();
    px_pass_embed(d, desk);
    for (int32_t i = 0; i < n_layers; i++) {
        run_layer(d, desk, i, whole || i + 1 < n_layers ? &all : &wanted);
        if (atomic_load(&d->stopped))
            break;
        px_block_end end = {.post = d->w->layers[i].ffn_post, .whole = whole};
        if (i + 1 < n_layers) {
            px_reader attention = px_pass_reads_attention(d, i + 1);
            px_pass_end(d, desk, &end, &all, &attention, &desk->normed);
        } else if (d->n_wanted > 0) {
            head(d, desk, &end);
        }
    }
    px_heap_allow();
}

static bool same_layout(const px_hparams *hp, const px_kv_layout *l)
{
    return l->n_layers == hp->n_layers && l->n_kv_heads == hp->n_kv_heads &&
           l->head_dim == hp->head_dim && l->value_dim == hp->value_dim;
}

static pith_status check_chunk(const px_decoder *d, const px_chunk *chunks, int i, pith_error *err)
{
    const px_chunk *c = &chunks[i];
    if (c->n < 1 || c->n_logits < 0 || c->n_logits > c->n)
        return px_fail(err, PITH_E_ARGUMENT,
                       "chunk %d has %d tokens and asks for %d rows of logits, expected at least 1 "
                       "token and no more rows than tokens",
                       i, c->n, c->n_logits);
    if (c->n_pool < 0 || c->pool_first < 0 || c->n_pool > c->n - c->pool_first ||
        (c->n_pool > 0 && (!c->sum || c->n_logits > 0)))
        return px_fail(err, PITH_E_ARGUMENT,
                       "chunk %d pools %d of its %d tokens from %d on%s, expected tokens that it "
                       "has, a sum and no logits",
                       i, c->n_pool, c->n, c->pool_first, c->sum ? "" : " into no sum");
    if (!px_pass_fits(d, c))
        return px_fail(err, PITH_E_ARGUMENT,
                       "chunk %d has %d adapters, for which there is no room or which are another "
                       "model's",
                       i, c->n_loras);
    if (!same_layout(d->hp, px_kv_pool_layout(c->seq->pool)))
        return px_fail(err, PITH_E_ARGUMENT, "chunk %d has a sequence of another model's KV cache",
                       i);
    for (int j = 0; j < i; j++)
        if (chunks[j].seq == c->seq)
            return px_fail(err, PITH_E_ARGUMENT,
                           "chunks %d and %d are of one sequence, expected one chunk each", j, i);
    if (c->seq->n_tokens + c->n > d->options.n_ctx)
        return px_fail(err, PITH_E_CONTEXT,
                       "%d more tokens behind %" PRId64 " do not fit the context of %" PRId64, c->n,
                       c->seq->n_tokens, d->options.n_ctx);
    if (!px_kv_seq_has_room(c->seq, c->n))
        return px_fail(err, PITH_E_ARGUMENT,
                       "chunk %d has no room reserved for %d tokens behind %" PRId64, i, c->n,
                       c->seq->n_tokens);
    for (int32_t t = 0; t < c->n; t++)
        if (c->tokens[t] < 0 || c->tokens[t] >= d->hp->n_vocab)
            return px_fail(err, PITH_E_ARGUMENT,
                           "token %d of chunk %d is %d, expected 0 to %d: the model's vocabulary",
                           t, i, c->tokens[t], d->hp->n_vocab - 1);
    return PITH_OK;
}

static pith_status check_step(const px_decoder *d, const px_chunk *chunks, int n_chunks,
                              pith_error *err)
{
    int64_t n_rows = 0;
    int64_t n_wanted = 0;
    for (int i = 0; i < n_chunks; i++) {
        pith_status status = check_chunk(d, chunks, i, err);
        if (status != PITH_OK)
            return status;
        n_rows += chunks[i].n;
        n_wanted += chunks[i].n_logits;
    }
    if (n_rows > d->options.max_batch)
        return px_fail(err, PITH_E_ARGUMENT, "a step of %" PRId64 " tokens, expected at most %d",
                       n_rows, d->options.max_batch);
    if (n_wanted > d->options.max_logits)
        return px_fail(err, PITH_E_ARGUMENT,
                       "a step that asks for %" PRId64 " rows of logits, expected at most %d",
                       n_wanted, d->options.max_logits);
    return PITH_OK;
}

static void want(px_decoder *d, int32_t row, int32_t place)
{
    d->places[d->n_wanted] = place;
    d->wanted[d->n_wanted++] = row;
}

/* Where the wanted rows of each chunk begin among those of hidden: chunk after chunk, those with
 * logits first. */
static void place_chunks(px_decoder *d, const px_chunk *chunks, int n_chunks)
{
    int32_t logits = 0, pooled = 0;
    for (int i = 0; i < n_chunks; i++)
        d->n_logits += chunks[i].n_logits;
    for (int i = 0; i < n_chunks; i++) {
        d->firsts[i] = chunks[i].n_logits > 0 ? logits : d->n_logits + pooled;
        logits += chunks[i].n_logits;
        pooled += chunks[i].n_pool;
    }
}

/* Rows, tiles and wanted rows of the step. */
static void plan_step(px_decoder *d, const px_chunk *chunks, int n_chunks)
{
    d->chunks = chunks;
    d->n_rows = d->n_wanted = d->n_tiles = d->n_joints = d->n_taken = d->n_logits = d->n_runs = 0;
    place_chunks(d, chunks, n_chunks);
    px_pass_order(d, n_chunks);
    for (int j = 0; j < n_chunks; j++) {
        int i = d->order[j];
        const px_chunk *c = &chunks[i];
        int32_t first = d->n_rows, place = d->firsts[i];
        for (int32_t t = c->n - c->n_logits; t < c->n; t++)
            want(d, first + t, place++);
        for (int32_t t = c->pool_first; t < c->pool_first + c->n_pool; t++)
            want(d, first + t, place++);
        for (int32_t t = 0; t < c->n; t++)
            d->rows[d->n_rows++] = (px_row){.chunk = i,
                                            .token = c->tokens[t],
                                            .joint = -1,
                                            .run = -1,
                                            .position = c->seq->n_tokens + t};
        if (c->n_loras > 0)
            px_pass_note_run(d, c, first);
        px_pass_cut(d, i, first);
    }
}

/* Adds up the rows that chunks pool. */
static void pool_rows(const px_decoder *d, const px_chunk *chunks, int n_chunks)
{
    const px_rows *hidden = &d->shared[0].hidden;
    for (int i = 0; i < n_chunks; i++)
        for (int32_t t = 0; t < chunks[i].n_pool; t++)
            for (int64_t j = 0; j < hidden->width; j++)
                chunks[i].sum[j] += (double)hidden->data[(d->firsts[i] + t) * hidden->stride + j];
}

static pith_status odd_logits(const px_decoder *d, int32_t place, pith_error *err)
{
    int32_t i = 0;
    while (d->places[i] != place)
        i++;
    const px_row *row = &d->rows[d->wanted[i]];
    return px_fail(err, PITH_E_NUMERIC,
                   "the logits for token %d at position %" PRId64
                   " hold NaN or infinity; the model file is damaged or its numbers outgrow f32",
                   row->token, row->position);
}

pith_status px_decoder_step(px_decoder *d, const px_chunk *chunks, int n_chunks,
                            const volatile int *cancel, const float **logits, pith_error *err)
{
    *logits = d->logits.data;
    pith_status status = check_step(d, chunks, n_chunks, err);
    if (status != PITH_OK || n_chunks <= 0)
        return status;
    plan_step(d, chunks, n_chunks);
    d->cancel = cancel;
    atomic_store(&d->stopped, false);
    atomic_store(&d->odd_row, -1);
    px_pool_run(d->pool, run_step, d);
    if (atomic_load(&d->stopped))
        return px_fail(err, PITH_E_CANCELLED, "the step was cancelled");
    int32_t odd = atomic_load(&d->odd_row);
    if (odd >= 0)
        return odd_logits(d, odd, err);
    pool_rows(d, chunks, n_chunks);
    for (int i = 0; i < n_chunks; i++)
        chunks[i].seq->n_tokens += chunks[i].n;
    return PITH_OK;
}

/* tape: see tape.h. Here: memory, and the order of layers. */
#include "train/tape.h"

#include "base/carve.h"
#include "base/limits.h"
#include "base/mem.h"
#include "kern/act.h"
#include "train/tape_in.h"

#include <math.h>
#include <string.h>

enum {
    LINE = 64,
    LINE_FLOATS = 16,
    HEAD_ROWS = 128,
    MAX_TOKENS = 1 << 20,
    SETS = 1024 // floats after which addresses meet the same cache set again
};

/* ---- memory */

static px_plane carve_plane(px_carver *c, int64_t n, int64_t width)
{
    if (width == 0)
        return (px_plane){0};
    int64_t stride = (width + LINE_FLOATS - 1) & ~(int64_t)(LINE_FLOATS - 1);
    if (stride % SETS == 0)
        stride += LINE_FLOATS;
    return (px_plane){px_carve(c, (size_t)n * (size_t)stride, sizeof(float)), stride, width};
}

static int64_t most(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* Widths that all layers share. */
typedef struct shape {
    int64_t width, ffn, qkv, qk, mixed, h[PX_GROUPS], most_h;
    bool post, dora;
} shape;

static shape shape_of(const px_net *net)
{
    const px_hparams *hp = net->hp;
    shape s = {.width = hp->width, .ffn = hp->ffn, .post = hp->post_norm, .dora = net->dora};
    s.qk = (int64_t)(hp->n_heads + hp->n_kv_heads) * hp->head_dim;
    s.qkv = s.qk + (int64_t)hp->n_kv_heads * hp->value_dim;
    s.mixed = (int64_t)hp->n_heads * hp->value_dim;
    for (int32_t i = 0; i < hp->n_layers; i++)
        for (int g = 0; g < PX_GROUPS; g++) {
            s.h[g] = most(s.h[g], net->layers[i].groups[g].h);
            s.most_h = most(s.most_h, s.h[g]);
        }
    return s;
}

static void carve_kept(px_carver *c, const px_net *net, const shape *s, int64_t n, px_kept *k)
{
    px_kept out = {0};
    out.normed = carve_plane(c, n, s->width);
    out.qkv = carve_plane(c, n, s->qkv);
    out.raw = carve_plane(c, n, s->dora ? s->qkv : net->hp->qk_norm ? s->qk : 0);
    out.mixed = carve_plane(c, n, s->mixed);
    out.lse = carve_plane(c, n, net->hp->n_heads);
    out.out = carve_plane(c, n, s->width);
    out.mid = carve_plane(c, n, s->width);
    out.normed2 = carve_plane(c, n, s->width);
    out.gate_up = carve_plane(c, n, 2 * s->ffn);
    out.act = carve_plane(c, n, s->ffn);
    out.down = carve_plane(c, n, s->width);
    for (int g = 0; g < PX_GROUPS; g++)
        out.h[g] = carve_plane(c, n, s->h[g]);
    if (c->base)
        *k = out;
}

/* The most that a group packs: what it reads, or its gradients module by module. */
static size_t packed_of(const px_tape *t, int64_t n)
{
    size_t all = 0;
    for (int32_t i = 0; i < t->net->hp->n_layers; i++)
        for (int g = 0; g < PX_GROUPS; g++) {
            const px_group *group = &t->net->layers[i].groups[g];
            size_t read = px_tape_column(t, group->in), written = 0;
            for (int32_t j = 0; j < group->n; j++)
                written += px_tape_column(t, group->modules[j].w.rows);
            size_t bytes = (read > written ? read : written) * (size_t)n;
            all = bytes > all ? bytes : all;
        }
    size_t head = px_tape_column(t, t->net->hp->width) * (size_t)t->o.head_rows;
    return head > all ? head : all;
}

static void carve_back(px_tape *t, px_carver *c, const shape *s)
{
    const px_hparams *hp = t->net->hp;
    int64_t n = t->o.max_tokens;
    t->packed_bytes = packed_of(t, n);
    t->packed = px_carve(c, t->packed_bytes, 1);
    t->dx = carve_plane(c, n, s->width);
    t->dnorm = carve_plane(c, n, s->width);
    t->dblock = carve_plane(c, n, s->post || s->dora ? s->width : 0);
    t->dgroup = carve_plane(c, n, s->dora ? most(s->qkv, 2 * s->ffn) : s->qkv);
    t->dinner = carve_plane(c, n, most(s->ffn, s->mixed));
    t->dkv = carve_plane(c, n, (int64_t)hp->n_heads * (hp->head_dim + hp->value_dim));
    t->dh = carve_plane(c, n, s->most_h);
    if (t->net->full)
        t->partial = carve_plane(c, px_chunks(n), most(s->width, 2 * hp->head_dim));
}

static void carve_head(px_tape *t, px_carver *c)
{
    const px_hparams *hp = t->net->hp;
    int64_t rows = t->o.head_rows;
    t->hidden = carve_plane(c, rows, hp->width);
    t->dhidden = carve_plane(c, rows, hp->width);
    t->logits = carve_plane(c, rows, hp->n_vocab);
    t->head_column = px_tape_column(t, hp->n_vocab);
    t->head_packed = (uint8_t *)t->logits.data;
    if (t->net->full)
        t->head_packed = px_carve(c, (size_t)rows, t->head_column);
    else
        t->head_column = (size_t)t->logits.stride * sizeof(float);
    t->row_loss = px_carve(c, (size_t)rows, sizeof *t->row_loss);
    t->learned = px_carve(c, (size_t)t->o.max_tokens, sizeof *t->learned);
}

static void carve_members(px_tape *t, px_carver *c, const shape *s)
{
    const px_net *net = t->net;
    int n = px_pool_size(net->pool);
    size_t attention = px_grad_attn_scratch(net->hp->head_dim, net->hp->value_dim);
    size_t scratch = attention > net->grad.scratch_bytes ? attention : net->grad.scratch_bytes;
    int64_t widest = most(most(s->width, s->mixed), most(s->ffn, 2 * net->hp->head_dim));
    t->member_width = (widest + LINE_FLOATS - 1) & ~(int64_t)(LINE_FLOATS - 1);
    t->members = px_carve(c, (size_t)n, sizeof *t->members);
    for (int i = 0; i < n; i++) {
        px_member m;
        m.scratch = px_carve(c, scratch, 1);
        m.rows = px_carve(c, (size_t)t->member_width * PX_ROWS, sizeof(float));
        if (c->base)
            t->members[i] = m;
    }
}

static size_t lay_out(px_tape *t, uint8_t *base)
{
    const px_hparams *hp = t->net->hp;
    int64_t n = t->o.max_tokens;
    px_carver c = {.base = base};
    shape s = shape_of(t->net);
    t->inputs = px_carve(&c, (size_t)hp->n_layers + 1, sizeof *t->inputs);
    t->kept = px_carve(&c, (size_t)t->o.keep, sizeof *t->kept);
    for (int32_t i = 0; i <= hp->n_layers; i++) {
        px_plane p = carve_plane(&c, n, hp->width);
        if (base)
            t->inputs[i] = p;
    }
    for (int32_t i = 0; i < t->o.keep; i++)
        carve_kept(&c, t->net, &s, n, base ? &t->kept[i] : NULL);
    for (int i = 0; i < 2; i++) {
        size_t angles = t->net->rope.freq[i] ? (size_t)n * (size_t)t->net->rope.n : 0;
        t->cos[i] = px_carve(&c, angles, sizeof(float));
        t->sin[i] = px_carve(&c, angles, sizeof(float));
        t->nsin[i] = px_carve(&c, angles, sizeof(float));
    }
    carve_back(t, &c, &s);
    carve_head(t, &c);
    carve_members(t, &c, &s);
    return c.at;
}

static px_tape_options settled(const px_net *net, const px_tape_options *options)
{
    px_tape_options o = *options;
    if (o.head_rows <= 0)
        o.head_rows = HEAD_ROWS;
    if (o.head_rows > o.max_tokens)
        o.head_rows = o.max_tokens;
    if (o.keep < 1)
        o.keep = 1;
    if (o.keep > net->hp->n_layers)
        o.keep = net->hp->n_layers;
    return o;
}

size_t px_tape_bytes(const px_net *net, const px_tape_options *options)
{
    px_net copy = *net;
    px_tape t = {.net = &copy, .o = settled(net, options)};
    return lay_out(&t, NULL);
}

pith_status px_tape_new(px_net *net, const px_tape_options *options, px_tape **out, pith_error *err)
{
    *out = NULL;
    if (options->max_tokens < 1 || options->max_tokens > MAX_TOKENS)
        return px_fail(err, PITH_E_ARGUMENT, "a pass of %d tokens, expected 1 to %d",
                       options->max_tokens, MAX_TOKENS);
    if (!(options->dropout >= 0 && options->dropout < 1))
        return px_fail(err, PITH_E_ARGUMENT, "a dropout of %g, expected 0 or more and less than 1",
                       (double)options->dropout);
    if (options->dropout > 0 && net->dora)
        return px_fail(err, PITH_E_UNSUPPORTED, "dropout together with DoRA; set one of them off");
    px_tape *t = px_calloc(1, sizeof *t);
    if (!t)
        return px_fail_memory(err, "a training pass");
    t->net = net;
    t->o = settled(net, options);
    t->bytes = lay_out(t, NULL);
    t->memory = t->bytes < SIZE_MAX ? px_aligned(t->bytes, 1, LINE) : NULL;
    if (!t->memory) {
        size_t bytes = t->bytes;
        px_tape_free(t);
        return px_fail(err, PITH_E_MEMORY,
                       "out of memory while making a training pass of %d tokens (%zu bytes); use "
                       "shorter rows",
                       options->max_tokens, bytes);
    }
    lay_out(t, t->memory);
    *out = t;
    return PITH_OK;
}

void px_tape_free(px_tape *t)
{
    if (!t)
        return;
    px_free(t->memory);
    px_free(t);
}

/* ---- a pass */

static bool stopped(const px_tape *t)
{
    return t->pass.cancel && __atomic_load_n(t->pass.cancel, __ATOMIC_RELAXED);
}

static pith_status check_batch(const px_tape *t, const px_packed *b, pith_error *err)
{
    if (b->n < 1 || b->n > t->o.max_tokens)
        return px_fail(err, PITH_E_ARGUMENT, "a pass of %d tokens, expected 1 to %d", b->n,
                       t->o.max_tokens);
    int32_t at = 0;
    for (int32_t i = 0; i < b->n_segs; i++) {
        if (b->segs[i].first != at || b->segs[i].n < 1 || b->segs[i].n > b->n - at)
            return px_fail(err, PITH_E_ARGUMENT,
                           "segment %d of a batch is [%d, +%d), expected one from %d on", i,
                           b->segs[i].first, b->segs[i].n, at);
        at += b->segs[i].n;
    }
    if (at != b->n)
        return px_fail(err, PITH_E_ARGUMENT, "segments of %d tokens in a batch of %d", at, b->n);
    int32_t n_vocab = t->net->hp->n_vocab;
    for (int32_t i = 0; i < b->n; i++)
        if (b->ids[i] < 0 || b->ids[i] >= n_vocab || b->targets[i] < -1 || b->targets[i] >= n_vocab)
            return px_fail(err, PITH_E_ARGUMENT,
                           "token %d of a batch is %d, to be followed by %d, expected 0 to %d", i,
                           b->ids[i], b->targets[i], n_vocab - 1);
    return PITH_OK;
}

pith_status px_tape_forward(px_tape *t, const px_packed *batch, const px_tape_pass *pass,
                            pith_error *err)
{
    pith_status st = check_batch(t, batch, err);
    if (st != PITH_OK)
        return st;
    t->batch = batch;
    t->pass = *pass;
    t->n_learned = 0;
    for (int32_t i = 0; i < batch->n; i++)
        if (batch->targets[i] >= 0)
            t->learned[t->n_learned++] = i;
    px_heap_forbid();
    px_tape_embed(t);
    for (int32_t i = 0; i < t->net->hp->n_layers && !stopped(t); i++)
        px_tape_layer(t, i, false);
    px_heap_allow();
    return stopped(t) ? px_fail(err, PITH_E_CANCELLED, "training was cancelled") : PITH_OK;
}

pith_status px_tape_back(px_tape *t, pith_error *err)
{
    int32_t n = t->net->hp->n_layers, whole = n - t->o.keep;
    px_heap_forbid();
    for (int32_t i = n - 1; i >= 0 && !stopped(t); i--) {
        if (i < whole)
            px_tape_layer(t, i, true);
        px_tape_layer_back(t, i);
    }
    if (!stopped(t))
        px_tape_embed_back(t);
    px_heap_allow();
    return stopped(t) ? px_fail(err, PITH_E_CANCELLED, "training was cancelled") : PITH_OK;
}

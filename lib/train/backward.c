/*
 * backward: a layer from the gradient of what it gave to that of what it read, the phases of
 * forward.c from last to first. The gradient of the stream lies in t->dx: each block adds its own
 * to it, through its norm.
 *
 * Norms that are trained get their gradients as one partial sum a chunk of tokens, added up in
 * order afterwards, so that they hang on shapes alone.
 */
#include "train/tape_in.h"

#include <string.h>

typedef struct span {
    int64_t first, end;
} span;

static span span_of(const px_tape *t, int64_t chunk)
{
    int64_t first = chunk * PX_ROWS;
    return (span){first, first + PX_ROWS < t->batch->n ? first + PX_ROWS : t->batch->n};
}

static void set_group(px_phase *p, px_group_id id)
{
    p->id = id;
    p->group = &p->nl->groups[id];
}

static void by_tokens(px_phase *p, px_pool_work work)
{
    px_pool_for(p->t->net->pool, px_chunks(p->t->batch->n), work, p);
}

/* ---- norms */

float *px_tape_partial(px_tape *t, const float *norm, int64_t chunk, int64_t width)
{
    if (!px_net_grad(t->net, norm))
        return NULL;
    float *at = px_row(&t->partial, chunk);
    memset(at, 0, (size_t)width * sizeof *at);
    return at;
}

void px_tape_norm_grad(px_tape *t, const float *norm, int64_t width, int64_t n_chunks)
{
    float *to = px_net_grad(t->net, norm);
    for (int64_t c = 0; to && c < n_chunks; c++)
        t->net->kern.axpy(1.0f, px_row(&t->partial, c), to, width);
}

/* dx += the gradient of y = norm(x), or of y = x. */
static void norm_back(const px_tape *t, const float *x, const float *w, const float *dy, float *dx,
                      float *dw)
{
    int64_t width = t->net->hp->width;
    if (w)
        t->net->grad.norm_back(x, w, t->net->hp->norm_eps, dy, dx, dw, width);
    else
        t->net->kern.axpy(1.0f, dy, dx, width);
}

/* ---- what a block added */

/* Of a block that ends in `made` [T, C] and perhaps a norm: its gradient, packed, and s B^T of it.
 * Without norm and DoRA that is the stream's own. */
typedef struct block_end {
    px_phase *p;
    const px_plane *made;
    const float *post;
    const px_plane *dy; // dx or dblock
} block_end;

static void unnorm_chunk(void *ctx, int64_t chunk, int member)
{
    (void)member;
    const block_end *e = ctx;
    px_tape *t = e->p->t;
    int64_t width = t->net->hp->width;
    span s = span_of(t, chunk);
    float *dw = e->post ? px_tape_partial(t, e->post, chunk, width) : NULL;
    for (int64_t r = s.first; r < s.end; r++) {
        float *to = px_row(&t->dblock, r);
        if (!e->post) {
            memcpy(to, px_row(&t->dx, r), (size_t)width * sizeof *to);
            continue;
        }
        memset(to, 0, (size_t)width * sizeof *to);
        norm_back(t, px_row(e->made, r), e->post, px_row(&t->dx, r), to, dw);
    }
}

static void pack_chunk(void *ctx, int64_t chunk, int member)
{
    const block_end *e = ctx;
    px_tape *t = e->p->t;
    span s = span_of(t, chunk);
    for (int64_t r = s.first; r < s.end; r++)
        px_tape_pack_back(t, e->p->group, px_row(e->dy, r), r);
    px_tape_pairs_back(e->p, e->dy, s.first, s.end, member);
}

/* Leaves the gradient of the block's product in p->out. */
static void end_back(px_phase *p, const px_plane *made, const float *post)
{
    px_tape *t = p->t;
    block_end e = {p, made, post, &t->dx};
    int64_t n_chunks = px_chunks(t->batch->n);
    if (post || p->group->dora) {
        e.dy = &t->dblock;
        px_pool_for(t->net->pool, n_chunks, unnorm_chunk, &e);
        px_tape_norm_grad(t, post, t->net->hp->width, n_chunks);
        px_tape_magnitudes(p, made, e.dy);
    }
    px_pool_for(t->net->pool, n_chunks, pack_chunk, &e);
    p->out = e.dy;
}

/* ---- ffn */

/* Where the gradient of gate and up goes: over themselves, but DoRA still needs them. */
static const px_plane *gate_gradient(const px_phase *p)
{
    return p->group->dora ? &p->t->dgroup : &p->k->gate_up;
}

static void gate_chunk(void *ctx, int64_t chunk, int member)
{
    const px_phase *p = ctx;
    px_tape *t = p->t;
    const px_plane *out = gate_gradient(p);
    const px_hparams *hp = t->net->hp;
    px_gate_back_fn back =
        hp->activation == PX_ACTIVATION_GELU_TANH ? t->net->grad.gelu_back : t->net->grad.silu_back;
    span s = span_of(t, chunk);
    for (int64_t r = s.first; r < s.end; r++) {
        const float *gate = px_row(&p->k->gate_up, r);
        float *to = px_row(out, r);
        back(gate, gate + hp->ffn, px_row(&t->dinner, r), to, to + hp->ffn, hp->ffn);
        if (!p->group->dora)
            px_tape_pack_back(t, p->group, to, r);
    }
    if (!p->group->dora)
        px_tape_pairs_back(p, out, s.first, s.end, member);
}

/* The gradient of a group; with DoRA the rows that made it have not been packed yet. */
static void finish_group(px_phase *p, const px_plane *made, const px_plane *dy)
{
    px_tape *t = p->t;
    p->out = dy;
    if (!p->group->dora)
        return;
    px_tape_magnitudes(p, made, dy);
    block_end e = {.p = p, .dy = dy};
    px_pool_for(t->net->pool, px_chunks(t->batch->n), pack_chunk, &e);
}

/* dx += what came through the norm in front of a block, which read x. */
typedef struct block_start {
    px_phase *p;
    const px_plane *x;
    const float *norm;
} block_start;

static void start_chunk(void *ctx, int64_t chunk, int member)
{
    (void)member;
    const block_start *b = ctx;
    px_tape *t = b->p->t;
    span s = span_of(t, chunk);
    float *dw = px_tape_partial(t, b->norm, chunk, t->net->hp->width);
    for (int64_t r = s.first; r < s.end; r++)
        norm_back(t, px_row(b->x, r), b->norm, px_row(&t->dnorm, r), px_row(&t->dx, r), dw);
}

static void start_back(px_phase *p, const px_plane *x, const float *norm)
{
    block_start b = {p, x, norm};
    int64_t n_chunks = px_chunks(p->t->batch->n);
    px_pool_for(p->t->net->pool, n_chunks, start_chunk, &b);
    px_tape_norm_grad(p->t, norm, p->t->net->hp->width, n_chunks);
}

/* ---- attention */

static void attend_back(void *ctx, int64_t i, int member)
{
    const px_phase *p = ctx;
    px_tape *t = p->t;
    const px_hparams *hp = t->net->hp;
    const px_segment *s = &t->batch->segs[i / hp->n_heads];
    int32_t head = (int32_t)(i % hp->n_heads), kv = head / (hp->n_heads / hp->n_kv_heads);
    const float *row = px_row(&p->k->qkv, s->first);
    int64_t d = hp->head_dim, dv = hp->value_dim, n_q = hp->n_heads * d, n_k = hp->n_kv_heads * d;
    float *dkv = px_row(&t->dkv, s->first) + head * (d + dv);
    px_grad_attn a = {
        .n = s->n,
        .head_dim = hp->head_dim,
        .value_dim = hp->value_dim,
        .window = hp->layers[p->layer].window,
        .scale = hp->attn_scale,
        .softcap = hp->attn_softcap,
        .q = row + head * d,
        .k = row + n_q + kv * d,
        .v = row + n_q + n_k + kv * dv,
        .q_stride = p->k->qkv.stride,
        .k_stride = p->k->qkv.stride,
        .v_stride = p->k->qkv.stride,
        .out = px_row(&p->k->mixed, s->first) + head * dv,
        .out_stride = p->k->mixed.stride,
        .lse = px_row(&p->k->lse, s->first) + head,
        .lse_stride = p->k->lse.stride,
        .dout = px_row(&t->dinner, s->first) + head * dv,
        .dout_stride = t->dinner.stride,
        .dq = px_row(&t->dgroup, s->first) + head * d,
        .dq_stride = t->dgroup.stride,
        .dk = dkv,
        .dk_stride = t->dkv.stride,
        .dv = dkv + d,
        .dv_stride = t->dkv.stride,
        .scratch = t->members[member].scratch,
    };
    t->net->grad.attention_back(&a);
}

/* The keys' and values' gradients of all heads that share them, in the heads' order. */
static void gather_row(const px_phase *p, int64_t r)
{
    px_tape *t = p->t;
    const px_hparams *hp = t->net->hp;
    int64_t d = hp->head_dim, dv = hp->value_dim, n_q = hp->n_heads * d, n_k = hp->n_kv_heads * d;
    int32_t group = hp->n_heads / hp->n_kv_heads;
    float *row = px_row(&t->dgroup, r);
    const float *from = px_row(&t->dkv, r);
    memset(row + n_q, 0, (size_t)(n_k + hp->n_kv_heads * dv) * sizeof *row);
    for (int32_t h = 0; h < hp->n_heads; h++, from += d + dv) {
        t->net->kern.axpy(1.0f, from, row + n_q + h / group * d, d);
        t->net->kern.axpy(1.0f, from + d, row + n_q + n_k + h / group * dv, dv);
    }
}

/* Rope and norm of the heads of one row, undone. dq and dk: partial gradients of the norms. */
static void unturn_row(const px_phase *p, int64_t r, float *dq, float *dk, float *head_room)
{
    px_tape *t = p->t;
    const px_net *net = t->net;
    const px_hparams *hp = net->hp;
    const px_layer_kind *kind = &hp->layers[p->layer];
    int64_t at = r * net->rope.n;
    const float *cos = t->cos[kind->rope_base] + at, *nsin = t->nsin[kind->rope_base] + at;
    px_rope_fn turn = hp->rope_halves ? net->kern.rope_halves : net->kern.rope_pairs;
    float *row = px_row(&t->dgroup, r);
    for (int32_t h = 0; h < hp->n_heads + hp->n_kv_heads; h++) {
        bool is_q = h < hp->n_heads;
        float *head = row + (int64_t)h * hp->head_dim;
        const float *norm = is_q ? p->l->q_norm : p->l->k_norm;
        if (kind->rope)
            turn(head, cos, nsin, hp->rope_dims);
        if (!norm)
            continue;
        memcpy(head_room, head, (size_t)hp->head_dim * sizeof *head);
        memset(head, 0, (size_t)hp->head_dim * sizeof *head);
        net->grad.norm_back(px_row(&p->k->raw, r) + (int64_t)h * hp->head_dim, norm, hp->norm_eps,
                            head_room, head, is_q ? dq : dk, hp->head_dim);
    }
}

static void unturn_chunk(void *ctx, int64_t chunk, int member)
{
    const px_phase *p = ctx;
    px_tape *t = p->t;
    int64_t d = t->net->hp->head_dim;
    span s = span_of(t, chunk);
    float *dq = p->l->q_norm ? px_tape_partial(t, p->l->q_norm, chunk, 2 * d) : NULL;
    for (int64_t r = s.first; r < s.end; r++) {
        gather_row(p, r);
        unturn_row(p, r, dq, dq ? dq + d : NULL, t->members[member].rows);
        if (!p->group->dora)
            px_tape_pack_back(t, p->group, px_row(&t->dgroup, r), r);
    }
    if (!p->group->dora)
        px_tape_pairs_back(p, &t->dgroup, s.first, s.end, member);
}

/* The norms of heads: their partials lie side by side. */
static void head_norm_grads(const px_phase *p)
{
    px_tape *t = p->t;
    int64_t d = t->net->hp->head_dim;
    float *dq = px_net_grad(t->net, p->l->q_norm), *dk = px_net_grad(t->net, p->l->k_norm);
    if (!dq || !dk)
        return;
    for (int64_t c = 0; c < px_chunks(t->batch->n); c++) {
        t->net->kern.axpy(1.0f, px_row(&t->partial, c), dq, d);
        t->net->kern.axpy(1.0f, px_row(&t->partial, c) + d, dk, d);
    }
}

/* ---- the layer */

static void product_back(px_phase *p, const px_plane *read, const px_plane *dx, bool wants_dx)
{
    p->x = *read;
    p->in = dx;
    p->wants_dx = wants_dx;
    px_tape_product_back(p);
}

static void ffn_back(px_phase *p)
{
    px_tape *t = p->t;
    set_group(p, PX_GROUP_DOWN);
    end_back(p, &p->k->down, p->l->ffn_post);
    product_back(p, &p->k->act, &t->dinner, true);
    set_group(p, PX_GROUP_FFN);
    by_tokens(p, gate_chunk);
    finish_group(p, &p->k->gate_up, gate_gradient(p));
    product_back(p, &p->k->normed2, &t->dnorm, true);
    start_back(p, &p->k->mid, p->l->ffn_norm);
}

static void attention_back(px_phase *p)
{
    px_tape *t = p->t;
    set_group(p, PX_GROUP_OUT);
    end_back(p, &p->k->out, p->l->attn_post);
    product_back(p, &p->k->mixed, &t->dinner, true);
    px_pool_for(t->net->pool, (int64_t)t->batch->n_segs * t->net->hp->n_heads, attend_back, p);
    set_group(p, PX_GROUP_QKV);
    by_tokens(p, unturn_chunk);
    head_norm_grads(p);
    finish_group(p, &p->k->raw, &t->dgroup);
    /* Nothing is trained below the first layer but the embedding. */
    bool below = p->layer > 0 || t->net->full;
    product_back(p, &p->k->normed, &t->dnorm, below);
    if (below)
        start_back(p, &t->inputs[p->layer], p->l->attn_norm);
}

void px_tape_layer_back(px_tape *t, int32_t layer)
{
    px_phase p = px_tape_phase(t, layer);
    ffn_back(&p);
    attention_back(&p);
}

/* ---- the embedding */

enum { EMBED_COLS = 64 };

/* Some columns of all tokens' rows, in the tokens' order: a token may come more than once. */
static void embed_piece(void *ctx, int64_t piece, int member)
{
    (void)member;
    px_tape *t = ctx;
    int64_t width = t->net->hp->width, first = piece * EMBED_COLS;
    int64_t n = first + EMBED_COLS < width ? EMBED_COLS : width - first;
    float *grad = t->net->params.grad + t->net->embed.w_at;
    for (int64_t r = 0; r < t->batch->n; r++)
        t->net->kern.axpy(t->net->hp->embed_scale, px_row(&t->dx, r) + first,
                          grad + (int64_t)t->batch->ids[r] * width + first, n);
}

void px_tape_embed_back(px_tape *t)
{
    if (t->net->full)
        px_pool_for(t->net->pool, (t->net->hp->width + EMBED_COLS - 1) / EMBED_COLS, embed_piece,
                    t);
}

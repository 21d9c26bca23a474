/*
 * forward: a layer from its input to the input of the next, in phases:
 *
 *   norm, pack, A x          by tokens        qkv products            by rows of W
 *   head norms, rope         by tokens        attention               by segment and head
 *   pack, A x                by tokens        output product          by rows
 *   stream, norm, pack, A x  by tokens        gate and up             by rows
 *   activation, pack, A x    by tokens        down                    by rows
 *   stream                   by tokens
 */
#include "train/tape_in.h"

#include <string.h>

px_phase px_tape_phase(px_tape *t, int32_t layer)
{
    int32_t above = layer - (t->net->hp->n_layers - t->o.keep);
    return (px_phase){.t = t,
                      .layer = layer,
                      .nl = &t->net->layers[layer],
                      .l = &t->net->w.layers[layer],
                      .k = &t->kept[above > 0 ? above : 0]};
}

static void set_group(px_phase *p, px_group_id id)
{
    p->id = id;
    p->group = &p->nl->groups[id];
}

/* Rows of a chunk of tokens. */
typedef struct span {
    int64_t first, end;
} span;

static span span_of(const px_tape *t, int64_t chunk)
{
    int64_t first = chunk * PX_ROWS;
    return (span){first, first + PX_ROWS < t->batch->n ? first + PX_ROWS : t->batch->n};
}

/* ---- phases by tokens */

static void embed_chunk(void *ctx, int64_t chunk, int member)
{
    (void)member;
    px_tape *t = ctx;
    const px_matrix *m = &t->net->w.embed;
    const px_hparams *hp = t->net->hp;
    px_decode_fn decode = t->net->kern.decode[px_kern_slot(m->dtype)];
    span s = span_of(t, chunk);
    for (int64_t r = s.first; r < s.end; r++) {
        float *x = px_row(&t->inputs[0], r);
        decode(m->data + (size_t)t->batch->ids[r] * m->row_bytes, x, hp->width);
        if (hp->embed_scale != 1.0f)
            for (int32_t j = 0; j < hp->width; j++)
                x[j] *= hp->embed_scale;
    }
}

/* Cosines and sines of a segment's positions; nsin turns back. */
static void angle_segment(void *ctx, int64_t i, int member)
{
    (void)member;
    px_tape *t = ctx;
    const px_rope *rope = &t->net->rope;
    const px_segment *s = &t->batch->segs[i];
    for (int base = 0; base < 2 && rope->freq[base]; base++)
        for (int32_t j = 0; j < s->n; j++) {
            int64_t at = (int64_t)(s->first + j) * rope->n;
            px_rope_row(rope, base, j, t->cos[base] + at, t->sin[base] + at);
            for (int32_t k = 0; k < rope->n; k++)
                t->nsin[base][at + k] = -t->sin[base][at + k];
        }
}

void px_tape_embed(px_tape *t)
{
    px_pool_for(t->net->pool, px_chunks(t->batch->n), embed_chunk, t);
    px_pool_for(t->net->pool, t->batch->n_segs, angle_segment, t);
}

/* y = norm of x, or x. */
static void norm_row(const px_tape *t, const float *x, const float *w, float *y)
{
    int64_t width = t->net->hp->width;
    if (w)
        t->net->kern.rms_norm(x, w, t->net->hp->norm_eps, y, width);
    else
        memcpy(y, x, (size_t)width * sizeof *y);
}

static void read_chunk(void *ctx, int64_t chunk, int member)
{
    const px_phase *p = ctx;
    px_tape *t = p->t;
    span s = span_of(t, chunk);
    for (int64_t r = s.first; r < s.end; r++) {
        float *y = px_row(&p->k->normed, r);
        norm_row(t, px_row(&t->inputs[p->layer], r), p->l->attn_norm, y);
        px_tape_pack(t, y, p->group->in, r);
    }
    px_tape_pairs(p, &p->k->normed, s.first, s.end, member);
}

/* Norm and rope of the heads of one row. */
static void turn_row(const px_phase *p, int64_t r)
{
    px_tape *t = p->t;
    const px_net *net = t->net;
    const px_hparams *hp = net->hp;
    const px_layer_kind *kind = &hp->layers[p->layer];
    float *row = px_row(&p->k->qkv, r);
    int32_t heads = hp->n_heads + hp->n_kv_heads;
    if (p->k->raw.data)
        memcpy(px_row(&p->k->raw, r), row, (size_t)p->k->raw.width * sizeof *row);
    int64_t at = r * net->rope.n;
    const float *cos = t->cos[kind->rope_base] + at, *sin = t->sin[kind->rope_base] + at;
    px_rope_fn turn = hp->rope_halves ? net->kern.rope_halves : net->kern.rope_pairs;
    for (int32_t h = 0; h < heads; h++) {
        float *head = row + (int64_t)h * hp->head_dim;
        const float *norm = h < hp->n_heads ? p->l->q_norm : p->l->k_norm;
        if (norm)
            net->kern.rms_norm(head, norm, hp->norm_eps, head, hp->head_dim);
        if (kind->rope)
            turn(head, cos, sin, hp->rope_dims);
    }
}

static void turn_chunk(void *ctx, int64_t chunk, int member)
{
    (void)member;
    const px_phase *p = ctx;
    span s = span_of(p->t, chunk);
    for (int64_t r = s.first; r < s.end; r++)
        turn_row(p, r);
}

static void attend(void *ctx, int64_t i, int member)
{
    const px_phase *p = ctx;
    px_tape *t = p->t;
    const px_hparams *hp = t->net->hp;
    const px_segment *s = &t->batch->segs[i / hp->n_heads];
    int32_t head = (int32_t)(i % hp->n_heads), kv = head / (hp->n_heads / hp->n_kv_heads);
    const float *row = px_row(&p->k->qkv, s->first);
    int64_t n_q = (int64_t)hp->n_heads * hp->head_dim, n_k = (int64_t)hp->n_kv_heads * hp->head_dim;
    px_grad_attn a = {
        .n = s->n,
        .head_dim = hp->head_dim,
        .value_dim = hp->value_dim,
        .window = hp->layers[p->layer].window,
        .scale = hp->attn_scale,
        .softcap = hp->attn_softcap,
        .q = row + (int64_t)head * hp->head_dim,
        .k = row + n_q + (int64_t)kv * hp->head_dim,
        .v = row + n_q + n_k + (int64_t)kv * hp->value_dim,
        .q_stride = p->k->qkv.stride,
        .k_stride = p->k->qkv.stride,
        .v_stride = p->k->qkv.stride,
        .out = px_row(&p->k->mixed, s->first) + (int64_t)head * hp->value_dim,
        .out_stride = p->k->mixed.stride,
        .lse = px_row(&p->k->lse, s->first) + head,
        .lse_stride = p->k->lse.stride,
        .scratch = t->members[member].scratch,
    };
    t->net->grad.attention(&a);
}

static void mixed_chunk(void *ctx, int64_t chunk, int member)
{
    const px_phase *p = ctx;
    span s = span_of(p->t, chunk);
    for (int64_t r = s.first; r < s.end; r++)
        px_tape_pack(p->t, px_row(&p->k->mixed, r), p->group->in, r);
    px_tape_pairs(p, &p->k->mixed, s.first, s.end, member);
}

/* to = from + what a block added, through its norm where it has one. */
static void stream_row(const px_tape *t, const float *from, const float *added, const float *post,
                       float *to)
{
    int64_t width = t->net->hp->width;
    if (post)
        t->net->kern.rms_norm(added, post, t->net->hp->norm_eps, to, width);
    const float *y = post ? to : added;
    for (int64_t j = 0; j < width; j++)
        to[j] = from[j] + y[j];
}

static void middle_chunk(void *ctx, int64_t chunk, int member)
{
    const px_phase *p = ctx;
    px_tape *t = p->t;
    span s = span_of(t, chunk);
    for (int64_t r = s.first; r < s.end; r++) {
        float *mid = px_row(&p->k->mid, r), *y = px_row(&p->k->normed2, r);
        stream_row(t, px_row(&t->inputs[p->layer], r), px_row(&p->k->out, r), p->l->attn_post, mid);
        norm_row(t, mid, p->l->ffn_norm, y);
        px_tape_pack(t, y, p->group->in, r);
    }
    px_tape_pairs(p, &p->k->normed2, s.first, s.end, member);
}

static void act_chunk(void *ctx, int64_t chunk, int member)
{
    const px_phase *p = ctx;
    px_tape *t = p->t;
    const px_hparams *hp = t->net->hp;
    px_gate_fn act =
        hp->activation == PX_ACTIVATION_GELU_TANH ? t->net->kern.gelu_mul : t->net->kern.silu_mul;
    span s = span_of(t, chunk);
    for (int64_t r = s.first; r < s.end; r++) {
        const float *gate = px_row(&p->k->gate_up, r);
        float *y = px_row(&p->k->act, r);
        act(gate, gate + hp->ffn, y, hp->ffn);
        px_tape_pack(t, y, hp->ffn, r);
    }
    px_tape_pairs(p, &p->k->act, s.first, s.end, member);
}

static void end_chunk(void *ctx, int64_t chunk, int member)
{
    (void)member;
    const px_phase *p = ctx;
    px_tape *t = p->t;
    span s = span_of(t, chunk);
    for (int64_t r = s.first; r < s.end; r++)
        stream_row(t, px_row(&p->k->mid, r), px_row(&p->k->down, r), p->l->ffn_post,
                   px_row(&t->inputs[p->layer + 1], r));
}

/* ---- the layer */

static void by_tokens(px_phase *p, px_pool_work work)
{
    px_pool_for(p->t->net->pool, px_chunks(p->t->batch->n), work, p);
}

static void product(px_phase *p, const px_plane *out)
{
    p->out = out;
    px_tape_product(p);
}

void px_tape_layer(px_tape *t, int32_t layer, bool again)
{
    px_phase p = px_tape_phase(t, layer);
    set_group(&p, PX_GROUP_QKV);
    by_tokens(&p, read_chunk);
    product(&p, &p.k->qkv);
    by_tokens(&p, turn_chunk);
    px_pool_for(t->net->pool, (int64_t)t->batch->n_segs * t->net->hp->n_heads, attend, &p);
    set_group(&p, PX_GROUP_OUT);
    by_tokens(&p, mixed_chunk);
    product(&p, &p.k->out);
    set_group(&p, PX_GROUP_FFN);
    by_tokens(&p, middle_chunk);
    product(&p, &p.k->gate_up);
    set_group(&p, PX_GROUP_DOWN);
    by_tokens(&p, act_chunk);
    if (again && !p.l->ffn_post && !p.group->dora)
        return;
    product(&p, &p.k->down);
    if (!again)
        by_tokens(&p, end_chunk);
}

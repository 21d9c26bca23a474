/*
 * attention: from the normed stream to each head's mixture of values. Products, norms, rope and
 * storing of a few heads are one piece of work, so that a head's rows are still in the cache when
 * they are turned.
 */
#include "model/pass.h"

enum {
    HEAD_ROWS = 32 // least rows of q, k or v in one piece of work
};

/* One of q, k and v as pieces of `group` heads. */
typedef struct part {
    const px_matrix *m;
    const px_rows *out;
    const float *bias;
    const float *norm; // of each head, or NULL
    bool turned;
    int32_t heads, dim, group;
    int64_t n_pieces;
} part;

static part make_part(const px_matrix *m, const px_rows *out, const float *bias, int32_t heads,
                      int32_t dim)
{
    int32_t group = (HEAD_ROWS + dim - 1) / dim;
    return (part){.m = m,
                  .out = out,
                  .bias = bias,
                  .heads = heads,
                  .dim = dim,
                  .group = group,
                  .n_pieces = (heads + group - 1) / group};
}

/* Bias, norm and rope of one head of one row. */
static void finish_head(const px_decoder *d, const part *p, const px_layer_kind *kind, float *head,
                        int32_t h, int32_t r)
{
    const px_kern *kern = d->kern;
    if (p->bias)
        kern->axpy(1.0f, p->bias + (int64_t)h * p->dim, head, p->dim);
    if (p->norm)
        kern->rms_norm(head, p->norm, d->hp->norm_eps, head, p->dim);
    if (p->turned && kind->rope) {
        const float *cos = d->cos[kind->rope_base] + (int64_t)r * d->rope.n;
        const float *sin = d->sin[kind->rope_base] + (int64_t)r * d->rope.n;
        px_rope_fn turn = d->hp->rope_halves ? kern->rope_halves : kern->rope_pairs;
        turn(head, cos, sin, d->hp->rope_dims);
    }
}

static void store(const px_kern *kern, px_dtype dtype, const float *x, void *out, int32_t n)
{
    if (dtype == PX_F32)
        kern->store_f32(x, out, n);
    else if (dtype == PX_F16)
        kern->store_f16(x, out, n);
    else
        kern->store_q8_0(x, out, n);
}

typedef enum part_id { PART_Q, PART_K, PART_V, N_PARTS } part_id;

static void run_piece(px_decoder *d, const part *p, part_id id, int32_t layer, int64_t piece,
                      int member)
{
    const px_layer_kind *kind = &d->hp->layers[layer];
    int32_t first = (int32_t)piece * p->group;
    int32_t end = first + p->group < p->heads ? first + p->group : p->heads;
    px_pass_mul(d, member, p->m, &d->normed, d->n_rows, p->out, (int64_t)first * p->dim,
                (int64_t)end * p->dim);
    for (int32_t r = 0; r < d->n_rows; r++) {
        const px_kv_seq *seq = d->chunks[d->rows[r].chunk].seq;
        const px_kv_layout *layout = px_kv_pool_layout(seq->pool);
        int64_t t = d->rows[r].position;
        for (int32_t h = first; h < end; h++) {
            float *head = p->out->data + r * p->out->stride + (int64_t)h * p->dim;
            finish_head(d, p, kind, head, h, r);
            if (id == PART_K)
                store(d->kern, layout->k_dtype, head, px_kv_k_at(seq, layer, h, t), p->dim);
            else if (id == PART_V)
                store(d->kern, layout->v_dtype, head, px_kv_v_at(seq, layer, h, t), p->dim);
        }
    }
}

static void run_heads(px_decoder *d, const px_layer *l, int32_t layer, int member)
{
    const px_hparams *hp = d->hp;
    part parts[N_PARTS] = {
        [PART_Q] = make_part(&l->q, &d->q, l->q_bias, hp->n_heads, hp->head_dim),
        [PART_K] = make_part(&l->k, &d->k, l->k_bias, hp->n_kv_heads, hp->head_dim),
        [PART_V] = make_part(&l->v, &d->v, l->v_bias, hp->n_kv_heads, hp->value_dim),
    };
    parts[PART_Q].norm = l->q_norm;
    parts[PART_K].norm = l->k_norm;
    parts[PART_Q].turned = parts[PART_K].turned = true;
    int64_t n = parts[PART_Q].n_pieces + parts[PART_K].n_pieces + parts[PART_V].n_pieces;
    for (int64_t piece; (piece = px_pool_next(d->pool, member, n)) >= 0;) {
        int id = PART_Q;
        while (piece >= parts[id].n_pieces)
            piece -= parts[id++].n_pieces;
        run_piece(d, &parts[id], (part_id)id, layer, piece, member);
    }
}

/* One tile of one kv head. */
static void run_tile(px_decoder *d, int32_t layer, const px_tile *tile, int32_t kv_head, int member)
{
    const px_hparams *hp = d->hp;
    const px_kv_seq *seq = d->chunks[tile->chunk].seq;
    const px_kv_layout *layout = px_kv_pool_layout(seq->pool);
    int32_t group = hp->n_heads / hp->n_kv_heads;
    int32_t r = tile->first; // row of the step
    size_t layer_offset = (size_t)layer * layout->layer_bytes;
    size_t head_rows = (size_t)kv_head * PX_KV_PAGE_TOKENS;
    px_attn a = {
        .q = d->q.data + r * d->q.stride + (int64_t)kv_head * group * hp->head_dim,
        .q_stride = d->q.stride,
        .out = d->mixed.data + r * d->mixed.stride + (int64_t)kv_head * group * hp->value_dim,
        .out_stride = d->mixed.stride,
        .n_q = tile->n,
        .group = group,
        .head_dim = hp->head_dim,
        .value_dim = hp->value_dim,
        .pos0 = d->rows[r].position,
        .window = hp->layers[layer].window,
        .scale = hp->attn_scale,
        .softcap = hp->attn_softcap,
        .k_dtype = layout->k_dtype,
        .v_dtype = layout->v_dtype,
        .k_pages = seq->bases,
        .v_pages = seq->bases,
        .k_offset = layer_offset + head_rows * layout->k_row_bytes,
        .v_offset = layer_offset + layout->v_offset + head_rows * layout->v_row_bytes,
        .k_row_bytes = layout->k_row_bytes,
        .v_row_bytes = layout->v_row_bytes,
        .page_tokens = PX_KV_PAGE_TOKENS,
        .scratch = d->scratch + (size_t)member * d->scratch_bytes,
    };
    d->kern->attention(&a);
}

void px_pass_attention(px_decoder *d, const px_layer *l, int32_t layer, int member)
{
    run_heads(d, l, layer, member);
    int64_t n = (int64_t)d->n_tiles * d->hp->n_kv_heads;
    for (int64_t i; (i = px_pool_next(d->pool, member, n)) >= 0;)
        run_tile(d, layer, &d->tiles[i / d->hp->n_kv_heads], (int32_t)(i % d->hp->n_kv_heads),
                 member);
}

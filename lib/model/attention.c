/*
 * attention: from the normed stream to each head's mixture of values. Products, norms, rope and
 * storing of a few heads are one piece of work, so that a head's rows are still in the cache when
 * they are turned.
 */
#include "model/pass.h"

#include <math.h>
#include <string.h>

enum {
    HEAD_ROWS = 32,   // least rows of q, k or v in one piece of work
    TILE_TOKENS = 32, // query tokens of one tile of attention, or
    TILE_ROWS = 128,  // as many as have so many heads in a group
    SPLIT_TOKENS = 8, // a tile of no more than these comes in parts
    MANY_HEADS = 8,   // kv heads that are work for many by themselves: longer parts do
    PART_KEYS = 512   // least keys of a part: the first tile of each comes unfetched
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
static void finish_head(const px_decoder *d, const px_desk *desk, const part *p,
                        const px_layer_kind *kind, float *head, int32_t h, int32_t r)
{
    const px_kern *kern = d->kern;
    if (p->bias)
        kern->axpy(1.0f, p->bias + (int64_t)h * p->dim, head, p->dim);
    if (p->norm)
        kern->rms_norm(head, p->norm, d->hp->norm_eps, head, p->dim);
    if (p->turned && kind->rope) {
        const float *cos = desk->cos[kind->rope_base] + (int64_t)r * d->rope.n;
        const float *sin = desk->sin[kind->rope_base] + (int64_t)r * d->rope.n;
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
static const px_slot SLOTS[N_PARTS] = {PX_SLOT_Q, PX_SLOT_K, PX_SLOT_V};

static void run_piece(const px_decoder *d, const px_desk *desk, const part *p, part_id id,
                      int32_t layer, int64_t piece)
{
    const px_layer_kind *kind = &d->hp->layers[layer];
    int32_t first = (int32_t)piece * p->group;
    int32_t end = first + p->group < p->heads ? first + p->group : p->heads;
    px_pass_mul(d, desk, p->m, &desk->normed, d->n_rows, p->out, (int64_t)first * p->dim,
                (int64_t)end * p->dim);
    px_pass_lora_add(d, layer, SLOTS[id], &(px_picked){.n = d->n_rows},
                     p->out->data + (int64_t)first * p->dim, p->out->stride,
                     (int64_t)first * p->dim, (int64_t)end * p->dim);
    for (int32_t r = 0; r < d->n_rows; r++) {
        const px_kv_seq *seq = d->chunks[d->rows[r].chunk].seq;
        const px_kv_layout *layout = px_kv_pool_layout(seq->pool);
        int64_t t = d->rows[r].position;
        for (int32_t h = first; h < end; h++) {
            float *head = p->out->data + r * p->out->stride + (int64_t)h * p->dim;
            finish_head(d, desk, p, kind, head, h, r);
            if (id == PART_K)
                store(d->kern, layout->k_dtype, head, px_kv_k_at(seq, layer, h, t), p->dim);
            else if (id == PART_V)
                store(d->kern, layout->v_dtype, head, px_kv_v_at(seq, layer, h, t), p->dim);
        }
    }
}

void px_pass_heads(px_decoder *d, const px_desk *desk, int32_t layer, bool last)
{
    const px_hparams *hp = d->hp;
    const px_layer *l = &d->w->layers[layer];
    part parts[N_PARTS] = {
        [PART_Q] = make_part(&l->q, &d->q, l->q_bias, hp->n_heads, hp->head_dim),
        [PART_K] = make_part(&l->k, &d->k, l->k_bias, hp->n_kv_heads, hp->head_dim),
        [PART_V] = make_part(&l->v, &d->v, l->v_bias, hp->n_kv_heads, hp->value_dim),
    };
    parts[PART_Q].norm = l->q_norm;
    parts[PART_K].norm = l->k_norm;
    parts[PART_Q].turned = parts[PART_K].turned = true;
    if (last && d->n_wanted == 0)
        parts[PART_Q].n_pieces = 0; // nobody asks
    int64_t n = parts[PART_Q].n_pieces + parts[PART_K].n_pieces + parts[PART_V].n_pieces;
    for (int64_t piece; (piece = px_pool_next(d->pool, desk->member, n)) >= 0;) {
        int id = PART_Q;
        while (piece >= parts[id].n_pieces)
            piece -= parts[id++].n_pieces;
        run_piece(d, desk, &parts[id], (part_id)id, layer, piece);
    }
}

/* ---- tiles */

/* Whether any of rows [first, first + n), of the chunk whose rows end at n_rows, is wanted. */
static bool is_wanted(const px_decoder *d, int32_t chunk, int32_t first, int32_t n)
{
    const px_chunk *c = &d->chunks[chunk];
    int32_t logits = d->n_rows - c->n_logits, pool = d->n_rows - c->n + c->pool_first;
    return first + n > logits || (first < pool + c->n_pool && first + n > pool);
}

/* Rows [first, first + n) of a chunk as one tile, or as one for each part of their keys. How many
 * parts there are follows from shapes alone. */
static void cut_keys(px_decoder *d, int32_t chunk, int32_t first, int32_t n)
{
    px_tile tile = {.chunk = chunk, .first = first, .n = n, .n_parts = 1};
    tile.wanted = is_wanted(d, chunk, first, n);
    int64_t least = d->hp->n_kv_heads >= MANY_HEADS ? 2 * PART_KEYS : PART_KEYS;
    int64_t n_parts = (d->rows[first + n - 1].position + 1) / least;
    if (n_parts > PX_PASS_PARTS)
        n_parts = PX_PASS_PARTS;
    if (n > SPLIT_TOKENS || n_parts < 2 || n_parts * n > d->n_slots - d->n_taken) {
        d->tiles[d->n_tiles++] = tile;
        return;
    }
    tile.n_parts = (int32_t)n_parts;
    for (int32_t r = first; r < first + n; r++)
        d->rows[r].joint = d->n_joints;
    d->joints[d->n_joints++] =
        (px_joint){.first = first, .n = n, .n_parts = tile.n_parts, .slot = d->n_taken};
    for (; tile.part < tile.n_parts; tile.part++) {
        tile.slot = d->n_taken;
        d->n_taken += n;
        d->tiles[d->n_tiles++] = tile;
    }
}

void px_pass_cut(px_decoder *d, int32_t chunk, int32_t first)
{
    int32_t most = TILE_ROWS / (d->hp->n_heads / d->hp->n_kv_heads);
    most = most < TILE_TOKENS ? TILE_TOKENS : most;
    for (int32_t t = first; t < d->n_rows; t += most) {
        int32_t left = d->n_rows - t;
        cut_keys(d, chunk, t, left < most ? left : most);
    }
}

/* The parts of a row, each brought to the largest maximum, over their sums. A part without keys
 * (most -infinity, behind a window) weighs nothing. */
void px_pass_join(const px_decoder *d, const px_desk *desk, int32_t r)
{
    const px_hparams *hp = d->hp;
    const px_joint *joint = &d->joints[d->rows[r].joint];
    int32_t i = r - joint->first;
    int32_t group = hp->n_heads / hp->n_kv_heads;
    int64_t step = (int64_t)joint->n * hp->n_heads;
    for (int32_t h = 0; h < hp->n_heads; h++) {
        int64_t at = (int64_t)(h / group * group) * joint->n + (int64_t)i * group + h % group;
        const px_attn_part *got = d->parts + (int64_t)joint->slot * hp->n_heads + at;
        const float *from =
            d->part_out.data + (joint->slot + i) * d->part_out.stride + (int64_t)h * hp->value_dim;
        float *out = desk->mixed.data + r * desk->mixed.stride + (int64_t)h * hp->value_dim;
        float weights[PX_PASS_PARTS];
        float most = -INFINITY;
        float sum = 0;
        for (int32_t p = 0; p < joint->n_parts; p++)
            most = got[p * step].most > most ? got[p * step].most : most;
        for (int32_t p = 0; p < joint->n_parts; p++) {
            weights[p] = expf(got[p * step].most - most);
            sum += got[p * step].sum * weights[p];
        }
        memset(out, 0, (size_t)hp->value_dim * sizeof *out);
        for (int32_t p = 0; p < joint->n_parts; p++)
            d->kern->axpy(weights[p] / sum, from + p * joint->n * d->part_out.stride, out,
                          hp->value_dim);
    }
}

/* The keys of a tile's part: as many whole pages for each of what the tile's rows see. */
static void choose_keys(px_attn *a, const px_tile *tile)
{
    int64_t end = a->pos0 + a->n_q;
    int64_t first = a->window > 0 && a->pos0 >= a->window ? a->pos0 - a->window + 1 : 0;
    first -= first % PX_KV_PAGE_TOKENS;
    int64_t pages = (end - first + PX_KV_PAGE_TOKENS - 1) / PX_KV_PAGE_TOKENS;
    int64_t keys = (pages + tile->n_parts - 1) / tile->n_parts * PX_KV_PAGE_TOKENS;
    a->key_first = first + tile->part * keys < end ? first + tile->part * keys : end;
    a->key_end = a->key_first + keys < end ? a->key_first + keys : end;
}

/* One tile of one kv head. */
static void run_tile(const px_decoder *d, const px_desk *desk, int32_t layer, const px_tile *tile,
                     int32_t kv_head)
{
    const px_hparams *hp = d->hp;
    const px_kv_seq *seq = d->chunks[tile->chunk].seq;
    const px_kv_layout *layout = px_kv_pool_layout(seq->pool);
    int32_t group = hp->n_heads / hp->n_kv_heads;
    int32_t r = tile->first; // row of the step
    bool in_parts = tile->n_parts > 1;
    const px_rows *out = in_parts ? &d->part_out : &d->mixed;
    int64_t row = in_parts ? tile->slot : r;
    size_t layer_offset = (size_t)layer * layout->layer_bytes;
    size_t head_rows = (size_t)kv_head * PX_KV_PAGE_TOKENS;
    px_attn a = {
        .q = d->q.data + r * d->q.stride + (int64_t)kv_head * group * hp->head_dim,
        .q_stride = d->q.stride,
        .out = out->data + row * out->stride + (int64_t)kv_head * group * hp->value_dim,
        .out_stride = out->stride,
        .n_q = tile->n,
        .group = group,
        .head_dim = hp->head_dim,
        .value_dim = hp->value_dim,
        .pos0 = d->rows[r].position,
        .window = hp->layers[layer].window,
        .part = in_parts ? d->parts + (int64_t)tile->slot * hp->n_heads + kv_head * group * tile->n
                         : NULL,
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
        .scratch = desk->scratch,
    };
    if (in_parts)
        choose_keys(&a, tile);
    d->kern->attention(&a);
}

void px_pass_tiles(px_decoder *d, const px_desk *desk, int32_t layer, bool last)
{
    int64_t n = (int64_t)d->n_tiles * d->hp->n_kv_heads;
    for (int64_t i; (i = px_pool_next(d->pool, desk->member, n)) >= 0;) {
        int64_t left = n - 1 - i; // the last tiles see most: long work first
        const px_tile *tile = &d->tiles[left / d->hp->n_kv_heads];
        if (!last || tile->wanted)
            run_tile(d, desk, layer, tile, (int32_t)(left % d->hp->n_kv_heads));
    }
}

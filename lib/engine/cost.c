/*
 * cost: bytes and operations of a step, counted from shapes. Nothing is measured here. Threads:
 * reads the engine's immutable parts only.
 */
#include "engine/engine.h"
#include "engine/options.h"

/* Which limit products with a matrix are held against. f16 and bf16 weights count as bf16 whatever
 * kernel the level has for them: where it has none, that limit is the one of f32. */
static uint64_t *ops_of(pith_cost *cost, px_dtype dtype)
{
    if (dtype == PX_F16 || dtype == PX_BF16)
        return &cost->bf16_ops;
    return px_traits_get(dtype)->form == PX_ACT_F32 ? &cost->f32_ops : &cost->int8_ops;
}

static void add_matrix(pith_cost *cost, const px_matrix *m, int64_t n_tokens)
{
    cost->weight_bytes += (uint64_t)m->rows * m->row_bytes;
    *ops_of(cost, m->dtype) += 2 * (uint64_t)m->rows * (uint64_t)m->cols * (uint64_t)n_tokens;
}

static void add_layer(const pith_engine *e, pith_cost *cost, int32_t layer, int64_t at, int64_t n)
{
    const px_hparams *hp = &e->model->hp;
    const px_layer *l = &e->model->weights.layers[layer];
    const px_kv_layout *layout = px_kv_pool_layout(e->kv);
    const px_matrix *matrices[] = {&l->q, &l->k, &l->v, &l->o, &l->gate, &l->up, &l->down};
    for (size_t i = 0; i < sizeof matrices / sizeof matrices[0]; i++)
        if (matrices[i]->data)
            add_matrix(cost, matrices[i], n);
    int64_t window = hp->layers[layer].window;
    int64_t first = window > 0 && at + 1 > window ? at + 1 - window : 0;
    uint64_t row = (uint64_t)hp->n_kv_heads * (layout->k_row_bytes + layout->v_row_bytes);
    cost->kv_read_bytes += (uint64_t)(at + n - first) * row;
    cost->kv_write_bytes += (uint64_t)n * row;
    uint64_t seen = 0;
    for (int64_t t = at; t < at + n; t++)
        seen += (uint64_t)(window > 0 && t + 1 > window ? window : t + 1);
    cost->attention_ops +=
        2 * seen * (uint64_t)hp->n_heads * (uint64_t)(hp->head_dim + hp->value_dim);
}

pith_status pith_engine_get_cost(const pith_engine *engine, pith_cost *cost, pith_error *err)
{
    px_error_clear(err);
    if (!engine || !cost)
        return px_fail(err, PITH_E_ARGUMENT, "pith_engine_get_cost: an argument is NULL");
    pith_cost in = {0};
    pith_status st = px_options_read(cost, "pith_cost", &in, sizeof in, err);
    if (st != PITH_OK)
        return st;
    if (in.n_tokens < 1 || in.depth < 0 || in.depth > PX_MAX_CONTEXT || in.n_logits < 0 ||
        in.n_logits > in.n_tokens)
        return px_fail(err, PITH_E_ARGUMENT,
                       "the cost of %d tokens at depth %lld with %d rows of logits is asked for, "
                       "expected at least 1 token, depth 0 to %lld, and as many rows as tokens at "
                       "most",
                       in.n_tokens, (long long)in.depth, in.n_logits, (long long)PX_MAX_CONTEXT);
    const pith_model *model = engine->model;
    pith_cost out = {.n_tokens = in.n_tokens, .depth = in.depth, .n_logits = in.n_logits};
    for (int64_t done = 0; done < in.n_tokens; out.n_steps++) {
        int64_t n = in.n_tokens - done;
        if (n > engine->setup.n_batch)
            n = engine->setup.n_batch;
        for (int32_t i = 0; i < model->hp.n_layers; i++)
            add_layer(engine, &out, i, in.depth + done, n);
        done += n;
    }
    if (in.n_logits > 0)
        add_matrix(&out, &model->weights.head, in.n_logits);
    out.embed_bytes = (uint64_t)in.n_tokens * model->weights.embed.row_bytes;
    return px_options_write(cost, "pith_cost", &out, sizeof out, err);
}

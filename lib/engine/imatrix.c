/*
 * imatrix: the door's importance matrix: a text runs through the decoder in chunks, and what the
 * products of each layer read is squared and summed by column. Matrices that read the same input
 * share a sum. Each chunk is a sequence of its own, bos first where the model has one.
 *
 * The decoder is made here, with an observer, beside no engine: no sampling, no logits are needed.
 */
#include "quant/imatrix.h"

#include "base/mem.h"
#include "engine/engine.h"
#include "engine/options.h"

#include <inttypes.h>

enum { DEFAULT_CHUNK = 512, MOST_BATCH = 128 };

typedef struct collecting {
    const pith_model *model;
    pith_imatrix_options o;
    px_ids ids;
    int32_t bos;     // -1: none
    int32_t *tokens; // [chunk]
    px_kern kern;
    px_kv_layout layout;
    px_pool *pool;
    px_kv_pool *kv;
    px_kv_seq seq;
    px_decoder *decoder;
    double *sums[PX_INPUTS]; // [L, width]
    int64_t width[PX_INPUTS];
    uint64_t rows; // seen by each input of each layer
    int64_t n_chunks, done, total;
} collecting;

/* A px_observe_fn. */
static void observe(void *user, int32_t layer, px_input which, const float *rows, int64_t stride,
                    int64_t width, int32_t n)
{
    collecting *c = user;
    double *sums = c->sums[which] + layer * width;
    for (int32_t r = 0; r < n; r++)
        for (int64_t i = 0; i < width; i++)
            sums[i] += (double)rows[r * stride + i] * (double)rows[r * stride + i];
}

static pith_status tell(const collecting *c, pith_error *err)
{
    if (!c->o.progress || c->o.progress(c->o.user, (uint64_t)c->done, (uint64_t)c->total) == 0)
        return PITH_OK;
    return px_fail(err, PITH_E_CANCELLED, "cancelled after %" PRId64 " of %" PRId64 " tokens",
                   c->done, c->total);
}

/* ---- making what computes */

static pith_status make_sums(collecting *c, pith_error *err)
{
    const px_hparams *hp = &c->model->hp;
    c->width[PX_INPUT_ATTENTION] = c->width[PX_INPUT_FFN] = hp->width;
    c->width[PX_INPUT_OUT] = (int64_t)hp->n_heads * hp->value_dim;
    c->width[PX_INPUT_DOWN] = hp->ffn;
    for (int i = 0; i < PX_INPUTS; i++) {
        c->sums[i] = px_calloc((size_t)hp->n_layers * (size_t)c->width[i], sizeof(double));
        if (!c->sums[i])
            return px_fail_memory(err, "sums of activations");
    }
    return PITH_OK;
}

static pith_status make_decoder(collecting *c, pith_error *err)
{
    const px_hparams *hp = &c->model->hp;
    const int32_t batch = c->o.chunk < MOST_BATCH ? (int32_t)c->o.chunk : MOST_BATCH;
    px_decoder_options o = {.max_batch = batch,
                            .max_logits = 1,
                            .n_ctx = c->o.chunk,
                            .observe = observe,
                            .observe_user = c};
    px_cpu_level level;
    pith_status st = px_engine_level(NULL, &level, err);
    if (st == PITH_OK)
        st = px_kern_fill(&c->kern, level, err);
    if (st == PITH_OK)
        st = px_kv_layout_make(hp, PX_F16, PX_F16, &c->layout, err);
    if (st == PITH_OK)
        st = px_kv_pool_new(&c->layout, c->o.chunk / PX_KV_PAGE_TOKENS + 2, 0, &c->kv, err);
    if (st == PITH_OK)
        st = px_kv_seq_init(&c->seq, c->kv, c->o.chunk, err);
    if (st == PITH_OK)
        st = px_pool_new(c->o.n_threads, &c->pool, err);
    return st == PITH_OK
               ? px_decoder_new(hp, &c->model->weights, &c->kern, c->pool, &o, &c->decoder, err)
               : st;
}

static pith_status check(collecting *c, pith_error *err)
{
    const pith_model *m = c->model;
    if (c->o.chunk == 0)
        c->o.chunk = m->hp.n_ctx_train < DEFAULT_CHUNK ? m->hp.n_ctx_train : DEFAULT_CHUNK;
    if (!m->has_weights || !m->tokenizer.tok)
        return px_fail(err, PITH_E_UNSUPPORTED,
                       "'%s' was opened without weights or tokenizer, which an importance matrix "
                       "needs",
                       m->info.path);
    if (c->o.chunk < 2 || c->o.chunk > PX_MAX_CONTEXT)
        return px_fail(err, PITH_E_ARGUMENT, "a chunk of %" PRId64 " tokens, expected 2 to %d",
                       c->o.chunk, PX_MAX_CONTEXT);
    return PITH_OK;
}

static pith_status read_text(collecting *c, const char *text, size_t len, pith_error *err)
{
    const px_vocab_def *def = px_tokenizer_def(c->model->tokenizer.tok);
    c->bos = def->add_bos ? def->bos : -1;
    pith_status st = px_tokenize(c->model->tokenizer.tok, text, len, 0, &c->ids, err);
    if (st != PITH_OK)
        return st;
    const int64_t most = c->o.most_chunks > 0 ? c->o.most_chunks : INT64_MAX / PX_MAX_CONTEXT;
    const int64_t room = most * (c->o.chunk - (c->bos >= 0));
    c->total = c->ids.n < room ? c->ids.n : room;
    if (c->total < 2)
        return px_fail(err, PITH_E_ARGUMENT,
                       "the text has %" PRId64 " tokens, too few to see what a model uses",
                       c->ids.n);
    c->tokens = px_malloc((size_t)c->o.chunk, sizeof *c->tokens);
    return c->tokens ? PITH_OK : px_fail_memory(err, "a chunk of tokens");
}

/* ---- the run */

static pith_status run_chunk(collecting *c, int64_t n, pith_error *err)
{
    px_kv_seq_truncate(&c->seq, 0);
    pith_status st = px_kv_seq_reserve(&c->seq, n, err);
    for (int64_t at = 0; at < n && st == PITH_OK;) {
        const int64_t left = n - at;
        px_chunk chunk = {.seq = &c->seq,
                          .tokens = c->tokens + at,
                          .n = left < MOST_BATCH ? (int32_t)left : MOST_BATCH,
                          .n_logits = 1}; // the last layer is skipped where nobody asks
        const float *logits;
        st = px_decoder_step(c->decoder, &chunk, 1, NULL, &logits, err);
        at += chunk.n;
        c->rows += (uint64_t)chunk.n;
        if (st == PITH_OK)
            st = tell(c, err);
    }
    return st;
}

static pith_status run_text(collecting *c, pith_error *err)
{
    pith_status st = tell(c, err);
    while (c->done < c->total && st == PITH_OK) {
        const int64_t width = c->o.chunk - (c->bos >= 0);
        const int64_t some = c->total - c->done < width ? c->total - c->done : width;
        int64_t n = 0;
        if (c->bos >= 0)
            c->tokens[n++] = c->bos;
        memcpy(c->tokens + n, c->ids.ids + c->done, (size_t)some * sizeof *c->tokens);
        st = run_chunk(c, n + some, err);
        c->n_chunks++;
        c->done += some;
        if (st == PITH_OK)
            st = tell(c, err);
    }
    return st;
}

/* ---- the result */

/* Names the matrices of a layer with their sums; fused ones come under one name, once. */
static int64_t list_layer(const collecting *c, int32_t layer, float *const *sums,
                          px_imatrix_sums *out)
{
    const px_layer *l = &c->model->weights.layers[layer];
    const struct {
        const px_matrix *m;
        px_input input;
    } ALL[] = {{&l->q, PX_INPUT_ATTENTION}, {&l->k, PX_INPUT_ATTENTION},
               {&l->v, PX_INPUT_ATTENTION}, {&l->o, PX_INPUT_OUT},
               {&l->gate, PX_INPUT_FFN},    {&l->up, PX_INPUT_FFN},
               {&l->down, PX_INPUT_DOWN}};
    int64_t n = 0;
    for (size_t i = 0; i < sizeof ALL / sizeof ALL[0]; i++) {
        if (n > 0 && strcmp(out[n - 1].name, ALL[i].m->name) == 0)
            continue;
        const int64_t width = c->width[ALL[i].input];
        out[n++] = (px_imatrix_sums){.name = ALL[i].m->name,
                                     .sums = sums[ALL[i].input] + layer * width,
                                     .columns = width,
                                     .rows = c->rows};
    }
    return n;
}

static pith_status save(const collecting *c, const char *out, int64_t *n_matrices, pith_error *err)
{
    const int32_t layers = c->model->hp.n_layers;
    float *sums[PX_INPUTS] = {0};
    px_imatrix_sums *list = px_malloc((size_t)layers * 7, sizeof *list);
    const px_imatrix_about about = {.dataset = c->o.dataset ? c->o.dataset : "",
                                    .n_chunks = (uint32_t)c->n_chunks,
                                    .chunk_size = (uint32_t)c->o.chunk};
    pith_status st = list ? PITH_OK : px_fail_memory(err, "an importance matrix");
    for (int i = 0; i < PX_INPUTS && st == PITH_OK; i++) {
        const size_t n = (size_t)layers * (size_t)c->width[i];
        sums[i] = px_malloc(n, sizeof(float));
        for (size_t k = 0; sums[i] && k < n; k++)
            sums[i][k] = (float)c->sums[i][k];
        if (!sums[i])
            st = px_fail_memory(err, "an importance matrix");
    }
    *n_matrices = 0;
    for (int32_t i = 0; i < layers && st == PITH_OK; i++)
        *n_matrices += list_layer(c, i, sums, list + *n_matrices);
    if (st == PITH_OK)
        st = px_imatrix_save(out, list, *n_matrices, &about, err);
    for (int i = 0; i < PX_INPUTS; i++)
        px_free(sums[i]);
    px_free(list);
    return st;
}

static void clear(collecting *c)
{
    px_decoder_free(c->decoder);
    px_kv_seq_clear(&c->seq);
    px_kv_pool_free(c->kv);
    px_pool_free(c->pool);
    px_ids_clear(&c->ids);
    px_free(c->tokens);
    for (int i = 0; i < PX_INPUTS; i++)
        px_free(c->sums[i]);
}

pith_status pith_imatrix(const pith_model *model, const char *text, size_t len, const char *out,
                         const pith_imatrix_options *options, pith_imatrix_result *result,
                         pith_error *err)
{
    px_error_clear(err);
    if (!model || (!text && len > 0) || !out || !*out)
        return px_fail(err, PITH_E_ARGUMENT, "pith_imatrix: an argument is missing");
    collecting *c = px_calloc(1, sizeof *c);
    if (!c)
        return px_fail_memory(err, "an importance matrix");
    pith_imatrix_result r = {0};
    c->model = model;
    pith_status st = px_options_read(options, "pith_imatrix_options", &c->o, sizeof c->o, err);
    if (st == PITH_OK)
        st = check(c, err);
    if (st == PITH_OK)
        st = read_text(c, text, len, err);
    if (st == PITH_OK)
        st = make_sums(c, err);
    if (st == PITH_OK)
        st = make_decoder(c, err);
    if (st == PITH_OK)
        st = run_text(c, err);
    if (st == PITH_OK)
        st = save(c, out, &r.n_matrices, err);
    r.n_tokens = c->done;
    r.n_chunks = c->n_chunks;
    clear(c);
    px_free(c);
    if (st == PITH_OK && result)
        st = px_options_write(result, "pith_imatrix_result", &r, sizeof r, err);
    return st;
}

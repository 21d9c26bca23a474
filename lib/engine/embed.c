/*
 * embed: vectors of texts. Each text is a request of its own (request.embed) in the engine's batch
 * loop; here: how a model pools, tokenizing, cutting, and what is done with a pooled vector.
 */
#include "base/mem.h"
#include "engine/answer.h"
#include "engine/crowd.h"
#include "engine/options.h"

#include <math.h>

/* GGUF's numbers for ARCH.pooling_type. */
enum { TYPE_NONE, TYPE_MEAN, TYPE_CLS, TYPE_LAST, TYPE_RANK };

pith_pooling pith_model_pooling(const pith_model *model)
{
    int64_t type = TYPE_NONE;
    if (!model || px_source_get_int(model->source, "%s.pooling_type", false, TYPE_NONE, TYPE_RANK,
                                    &type, NULL) != PITH_OK)
        return PITH_POOL_MEAN;
    switch (type) {
    case TYPE_CLS:
        return PITH_POOL_CLS;
    case TYPE_LAST:
        return PITH_POOL_LAST;
    case TYPE_RANK:
        return PITH_POOL_NONE;
    default:
        return PITH_POOL_MEAN;
    }
}

pith_status pith_embed_finish(const float *in, int32_t n, int32_t dims, bool raw, float *out,
                              pith_error *err)
{
    px_error_clear(err);
    if (!in || !out)
        return px_fail(err, PITH_E_ARGUMENT, "pith_embed_finish: an argument is NULL");
    if (dims < 0 || dims > n)
        return px_fail(err, PITH_E_ARGUMENT,
                       "%d dimensions are asked for, expected 1 to %d, the model's width", dims, n);
    dims = dims > 0 ? dims : n;
    double sum = 0;
    for (int32_t i = 0; i < dims; i++)
        sum += (double)in[i] * (double)in[i];
    double scale = raw || !(sum > 0) ? 1 : 1 / sqrt(sum);
    for (int32_t i = 0; i < dims; i++)
        out[i] = (float)(in[i] * scale);
    return PITH_OK;
}

/* ---- texts */

typedef struct embedding {
    pith_engine *engine;
    const pith_str *texts;
    int32_t n_texts;
    pith_embed_options options;
    pith_embed_result result;
    px_ids ids;    // of all texts
    int64_t *ends; // [n_texts] where each text's end
    float *out;
    int64_t done; // tokens
} embedding;

/* Text i's tokens, behind the others'; one that is too long is cut, but for the token that ends
 * texts. */
static pith_status tokenize(embedding *e, int32_t i, pith_error *err)
{
    const pith_tokenizer *tok = pith_model_tokenizer(e->engine->model);
    int64_t n_ctx = e->engine->setup.n_ctx, first = e->ids.n;
    pith_str text = e->texts[i];
    pith_status st =
        px_tokenize(tok->tok, text.data ? text.data : "", text.len, PX_TOK_BOS_EOS, &e->ids, err);
    if (st != PITH_OK)
        return st;
    int64_t n = e->ids.n - first;
    if (n == 0)
        return px_fail(err, PITH_E_ARGUMENT, "it has no tokens; an embedding needs at least one");
    if (n > n_ctx && !e->options.truncate)
        return px_fail(err, PITH_E_CONTEXT,
                       "its %lld tokens do not fit into the context of %lld, %lld are too many; "
                       "shorten it, make the context longer, or have it truncated",
                       (long long)n, (long long)n_ctx, (long long)(n - n_ctx));
    if (n > n_ctx) {
        pith_tokenizer_info info = PITH_INIT(pith_tokenizer_info);
        st = pith_tokenizer_get_info(tok, &info, err);
        if (st == PITH_OK && info.adds_eos)
            e->ids.ids[first + n_ctx - 1] = e->ids.ids[e->ids.n - 1];
        e->ids.n = first + n_ctx;
        e->result.n_truncated++;
    }
    e->ends[i] = e->ids.n;
    return st;
}

static pith_status step(void *user, pith_error *err)
{
    const embedding *e = user;
    if (!e->options.progress ||
        e->options.progress(e->options.user, (uint64_t)e->done, (uint64_t)e->result.n_tokens) == 0)
        return PITH_OK;
    return px_fail(err, PITH_E_CANCELLED, "cancelled after %lld of %lld tokens", (long long)e->done,
                   (long long)e->result.n_tokens);
}

static pith_status start(void *user, int64_t i, pith_session **session, pith_answer **answer,
                         pith_error *err)
{
    const embedding *e = user;
    int64_t first = i > 0 ? e->ends[i - 1] : 0;
    pith_request request = PITH_INIT(pith_request);
    request.tokens = e->ids.ids + first;
    request.n_tokens = e->ends[i] - first;
    request.embed = e->result.used;
    pith_session_options o = PITH_INIT(pith_session_options);
    o.adapters = e->options.adapters;
    o.n_adapters = e->options.n_adapters;
    pith_status st = pith_session_new(e->engine, &o, session, err);
    if (st == PITH_OK)
        (*session)->secluded = true; // nobody reads on where a text ends
    return st == PITH_OK ? pith_session_submit(*session, &request, answer, err) : st;
}

static pith_status end(void *user, int64_t i, const pith_answer *answer, pith_error *err)
{
    embedding *e = user;
    pith_result r = PITH_INIT(pith_result);
    pith_status st = pith_answer_get_result(answer, &r, err);
    if (st == PITH_OK && !r.embedding)
        st = px_fail(err, PITH_E_CANCELLED, "cancelled");
    if (st == PITH_OK)
        st = pith_embed_finish(r.embedding, r.n_embedding, e->options.dims, e->options.raw,
                               e->out + i * e->result.dims, err);
    e->done += r.n_prompt;
    return st;
}

static pith_status prepare(embedding *e, const pith_embed_options *options, pith_error *err)
{
    const pith_model *model = e->engine->model;
    pith_status st =
        px_options_read(options, "pith_embed_options", &e->options, sizeof e->options, err);
    if (st != PITH_OK)
        return st;
    if ((int)e->options.pooling < PITH_POOL_NONE || e->options.pooling > PITH_POOL_CLS)
        return px_fail(err, PITH_E_ARGUMENT, "pooling is %d, expected a PITH_POOL_* value",
                       (int)e->options.pooling);
    e->result.used = e->options.pooling ? e->options.pooling : pith_model_pooling(model);
    if (e->result.used == PITH_POOL_NONE)
        return px_fail(err, PITH_E_UNSUPPORTED,
                       "'%s' gives scores of pairs of texts, not vectors; use another model, or "
                       "name how to pool",
                       model->info.path);
    int32_t width = model->hp.width;
    if (e->options.dims < 0 || e->options.dims > width)
        return px_fail(err, PITH_E_ARGUMENT,
                       "%d dimensions are asked for, expected 1 to %d, the model's width",
                       e->options.dims, width);
    e->result.dims = e->options.dims > 0 ? e->options.dims : width;
    if (!pith_model_tokenizer(model))
        return px_fail(err, PITH_E_UNSUPPORTED,
                       "embeddings of texts need a tokenizer, which '%s' was opened without or "
                       "lacks",
                       model->info.path);
    return PITH_OK;
}

static pith_status tokenize_all(embedding *e, const px_crowd *crowd, pith_error *err)
{
    e->ends = px_malloc((size_t)e->n_texts, sizeof *e->ends);
    size_t since = 0;
    pith_status st = e->ends ? PITH_OK : px_fail_memory(err, "the tokens of texts");
    for (int32_t i = 0; st == PITH_OK && i < e->n_texts; i++) {
        st = tokenize(e, i, err);
        if (st != PITH_OK && e->n_texts > 1)
            px_prefix(err, "text %d of %d", i + 1, e->n_texts);
        e->result.n_tokens = e->ids.n;
        if (st == PITH_OK)
            st = px_crowd_breathe(crowd, &since, e->texts[i].len, err);
    }
    return st;
}

pith_status pith_embed_text(pith_engine *engine, const pith_str *texts, int32_t n_texts,
                            const pith_embed_options *options, float *out,
                            pith_embed_result *result, pith_error *err)
{
    px_error_clear(err);
    if (!engine || n_texts < 0 || (n_texts > 0 && (!texts || !out)))
        return px_fail(err, PITH_E_ARGUMENT, "pith_embed_text: an argument is NULL or negative");
    embedding e = {.engine = engine, .texts = texts, .n_texts = n_texts, .out = out};
    pith_status st = prepare(&e, options, err);
    const px_crowd crowd = {engine, n_texts, start, end, step, &e};
    if (st == PITH_OK)
        st = tokenize_all(&e, &crowd, err);
    if (st == PITH_OK)
        st = px_crowd_run(&crowd, err);
    px_ids_clear(&e.ids);
    px_free(e.ends);
    if (st == PITH_OK && result)
        st = px_options_write(result, "pith_embed_result", &e.result, sizeof e.result, err);
    return st;
}

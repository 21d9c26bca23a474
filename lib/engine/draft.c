/*
 * draft: giving an engine a draft model: the check that both models mean the same by each token,
 * and an engine of its own inside the other, which computes with the same threads.
 */
#include "engine/engine.h"

/* A token's text for a message: at most 40 bytes. */
static int shown(px_str text)
{
    return text.len < 40 ? (int)text.len : 40;
}

/* Vocabularies that are padded to different sizes are the same to the end of the shorter. */
static pith_status same_vocabulary(const pith_model *model, const pith_model *draft,
                                   pith_error *err)
{
    const pith_tokenizer *a = pith_model_tokenizer(model), *b = pith_model_tokenizer(draft);
    if (!a || !b)
        return px_fail(err, PITH_E_UNSUPPORTED,
                       "'%s' has no tokenizer or was opened without it, so that it cannot be told "
                       "whether a draft model has the same vocabulary",
                       (a ? draft : model)->info.path);
    enum { MOST_PADDING = 1024 };
    int32_t n = px_tokenizer_size(a->tok), m = px_tokenizer_size(b->tok);
    if (n - m > MOST_PADDING || m - n > MOST_PADDING)
        return px_fail(err, PITH_E_MISMATCH,
                       "the draft model '%s' has a vocabulary of %d tokens, the model of %d; a "
                       "draft model needs the same one",
                       draft->info.path, m, n);
    const px_vocab_token *x = px_tokenizer_def(a->tok)->tokens;
    const px_vocab_token *y = px_tokenizer_def(b->tok)->tokens;
    for (int32_t i = 0; i < n && i < m; i++) {
        px_str t = x[i].text, u = y[i].text;
        if (t.len != u.len || (t.len > 0 && memcmp(t.data, u.data, t.len) != 0))
            return px_fail(err, PITH_E_MISMATCH,
                           "token %d is '%.*s' in the draft model '%s' and '%.*s' in the model; a "
                           "draft model needs the same vocabulary",
                           i, shown(u), u.data ? u.data : "", draft->info.path, shown(t),
                           t.data ? t.data : "");
    }
    return PITH_OK;
}

pith_status pith_engine_set_draft(pith_engine *engine, const pith_model *draft, pith_error *err)
{
    px_error_clear(err);
    if (!engine)
        return px_fail(err, PITH_E_ARGUMENT, "pith_engine_set_draft: the engine is NULL");
    if (engine->n_sessions > 0)
        return px_fail(err, PITH_E_BUSY,
                       "the engine has %d sessions; choose a draft model before there are any",
                       engine->n_sessions);
    pith_engine *inner = NULL;
    if (draft) {
        pith_engine_options o = {.size = sizeof o,
                                 .n_ctx = engine->setup.n_ctx,
                                 .n_batch = engine->setup.n_batch,
                                 .max_logits = 1,
                                 .max_sessions = engine->setup.max_sessions,
                                 .kv_bytes = engine->setup.kv_bytes,
                                 .cpu = px_cpu_name(engine->kern.level)};
        pith_status st = same_vocabulary(engine->model, draft, err);
        if (st == PITH_OK)
            st = px_engine_make(draft, &o, engine->pool, &inner, err);
        if (st != PITH_OK)
            return st;
    }
    pith_engine_free(engine->draft);
    engine->draft = inner;
    engine->costs.draft = 0;
    return PITH_OK;
}

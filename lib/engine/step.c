/*
 * step: see step.h. An item becomes a chunk: what its session lists but has not computed, and the
 * item's tokens behind it. Everything is checked before anything is listed, so that a step that
 * fails leaves every session as it was.
 */
#include "engine/step.h"

#include "base/mem.h"

pith_status px_step_run(pith_engine *e, const px_chunk *chunks, int n_chunks,
                        const volatile int *cancel, const float **logits, int *failed,
                        pith_error *err)
{
    *failed = -1;
    pith_status st = PITH_OK;
    int n = 0;
    for (; st == PITH_OK && n < n_chunks; n++) {
        st = px_kv_seq_reserve(chunks[n].seq, chunks[n].n, err);
        if (st != PITH_OK)
            *failed = n;
    }
    if (st == PITH_OK)
        st = px_decoder_step(e->decoder, chunks, n_chunks, cancel, logits, err);
    for (int i = 0; st != PITH_OK && i < n; i++)
        px_kv_seq_truncate(chunks[i].seq, chunks[i].seq->n_tokens); // gives the room back
    if (st != PITH_OK)
        return st;
    e->n_steps++;
    for (int i = 0; i < n_chunks; i++)
        e->n_computed += (uint64_t)chunks[i].n;
    return PITH_OK;
}

/* ---- the door's step */

/* Whether item i can be computed at all. */
static pith_status check_item(const pith_engine *e, const pith_step_item *items, int32_t i,
                              pith_error *err)
{
    const pith_step_item *item = &items[i];
    const pith_session *s = item->session;
    if (!s || s->engine != e)
        return px_fail(err, PITH_E_ARGUMENT, "item %d of the step has %s", i,
                       s ? "a session of another engine" : "no session");
    for (int32_t j = 0; j < i; j++)
        if (items[j].session == s)
            return px_fail(err, PITH_E_ARGUMENT,
                           "items %d and %d of the step have the same session, expected one each",
                           j, i);
    if (item->n < 1 || !item->tokens)
        return px_fail(err, PITH_E_ARGUMENT,
                       "item %d of the step has %d tokens%s, expected at least 1", i, item->n,
                       item->tokens ? "" : " and no list of them");
    if (item->n_logits < 0 || item->n_logits > item->n)
        return px_fail(err, PITH_E_ARGUMENT,
                       "item %d of the step asks for %d rows of logits of %d tokens", i,
                       item->n_logits, item->n);
    if (s->answer)
        return px_fail(err, PITH_E_BUSY, "the session of item %d has an answer in flight", i);
    int32_t n_vocab = e->model->hp.n_vocab;
    for (int32_t t = 0; t < item->n; t++)
        if (item->tokens[t] < 0 || item->tokens[t] >= n_vocab)
            return px_fail(err, PITH_E_ARGUMENT, "token %d of item %d has id %d, expected 0 to %d",
                           t, i, item->tokens[t], n_vocab - 1);
    if (px_session_cancelled(s))
        return px_fail(err, PITH_E_CANCELLED, "item %d of the step was cancelled", i);
    int64_t n_ctx = e->setup.n_ctx;
    if (s->n_tokens + item->n > n_ctx)
        return px_fail(err, PITH_E_CONTEXT,
                       "item %d: %d more tokens behind %lld do not fit into the context of %lld", i,
                       item->n, (long long)s->n_tokens, (long long)n_ctx);
    return PITH_OK;
}

/* All items, each told its own fault; the first one's sentence is kept. */
static pith_status check_items(const pith_engine *e, pith_step_item *items, int32_t n_items,
                               pith_error *err)
{
    pith_status first = PITH_OK;
    int64_t n = 0, n_logits = 0;
    for (int32_t i = 0; i < n_items; i++) {
        items[i].logits = NULL;
        items[i].status = check_item(e, items, i, first == PITH_OK ? err : NULL);
        if (items[i].status != PITH_OK) {
            if (first == PITH_OK)
                first = items[i].status;
            continue;
        }
        const pith_session *s = items[i].session;
        n += items[i].n + s->n_tokens - s->seq.n_tokens;
        n_logits += items[i].n_logits;
    }
    if (first != PITH_OK)
        return first;
    if (n > e->setup.n_batch)
        return px_fail(err, PITH_E_ARGUMENT,
                       "a step of %lld tokens is asked for, expected at most %d, the engine's "
                       "n_batch",
                       (long long)n, e->setup.n_batch);
    if (n_logits > e->setup.max_logits)
        return px_fail(err, PITH_E_ARGUMENT,
                       "%lld rows of logits are asked for, expected at most %d, the engine's "
                       "max_logits",
                       (long long)n_logits, e->setup.max_logits);
    return PITH_OK;
}

/* Lists the items' tokens and computes them. */
static pith_status run_items(pith_engine *e, pith_step_item *items, int32_t n_items,
                             pith_error *err)
{
    px_chunk *chunks = e->chunks;
    for (int32_t i = 0; i < n_items; i++) {
        pith_session *s = items[i].session;
        memcpy(s->tokens + s->n_tokens, items[i].tokens, (size_t)items[i].n * sizeof *s->tokens);
        int64_t pending = s->n_tokens - s->seq.n_tokens;
        chunks[i] = (px_chunk){.seq = &s->seq,
                               .tokens = s->tokens + s->seq.n_tokens,
                               .n = (int32_t)pending + items[i].n,
                               .n_logits = items[i].n_logits,
                               .loras = s->loras,
                               .n_loras = s->n_loras};
    }
    const volatile int *cancel = n_items == 1 ? &items[0].session->cancel : NULL;
    const float *rows = NULL;
    int failed;
    px_heap_forbid();
    pith_status st = px_step_run(e, chunks, n_items, cancel, &rows, &failed, err);
    px_heap_allow();
    if (st == PITH_E_CANCELLED)
        failed = 0;
    if (st != PITH_OK) {
        if (failed >= 0)
            items[failed].status = st;
        return st;
    }
    for (int32_t i = 0; i < n_items; i++) {
        items[i].session->n_tokens += items[i].n;
        px_session_note(items[i].session);
        if (items[i].n_logits > 0)
            items[i].logits = rows;
        rows += (int64_t)items[i].n_logits * e->model->hp.n_vocab;
    }
    return PITH_OK;
}

pith_status pith_engine_step(pith_engine *engine, pith_step_item *items, int32_t n_items,
                             pith_error *err)
{
    px_error_clear(err);
    if (!engine || n_items < 0 || (!items && n_items > 0))
        return px_fail(err, PITH_E_ARGUMENT, "pith_engine_step: an argument is NULL or negative");
    if (n_items > engine->setup.max_sessions)
        return px_fail(err, PITH_E_ARGUMENT,
                       "a step of %d items, expected at most %d, the engine's max_sessions",
                       n_items, engine->setup.max_sessions);
    pith_status st = px_engine_begin(engine, err);
    if (st != PITH_OK)
        return st;
    st = check_items(engine, items, n_items, err);
    if (st == PITH_OK && n_items > 0)
        st = run_items(engine, items, n_items, err);
    for (int32_t i = 0; i < n_items; i++)
        if (items[i].status == PITH_E_CANCELLED)
            px_session_forget_cancel(items[i].session);
    px_engine_end(engine);
    return st;
}

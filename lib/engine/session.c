/* session: see session.h. */
#include "engine/session.h"

#include "base/mem.h"
#include "engine/answer.h"
#include "engine/options.h"
#include "engine/step.h"

#include <time.h>

double px_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* Tokens about to be lost that the cache of prefixes is told of: keeping fewer than a quarter of a
 * page may cost as much, a copy of the page, as computing them. */
enum { LEAST_LEFT = 16 };

/* ---- life */

pith_status pith_session_new(pith_engine *engine, const pith_session_options *options,
                             pith_session **out, pith_error *err)
{
    px_error_clear(err);
    if (!engine || !out)
        return px_fail(err, PITH_E_ARGUMENT, "pith_session_new: an argument is NULL");
    *out = NULL;
    pith_session_options o = {0};
    pith_status st = px_options_read(options, "pith_session_options", &o, sizeof o, err);
    if (st != PITH_OK)
        return st;
    int64_t n_ctx = engine->setup.n_ctx;
    if ((int)o.overflow < PITH_OVERFLOW_ERROR || o.overflow > PITH_OVERFLOW_TRUNCATE)
        return px_fail(err, PITH_E_ARGUMENT,
                       "session option overflow is %d, expected a PITH_OVERFLOW_* value",
                       (int)o.overflow);
    if (o.n_keep < 0 || (o.n_keep > 0 && o.n_keep > n_ctx - 2))
        return px_fail(err, PITH_E_ARGUMENT,
                       "session option n_keep is %d, expected 0 to %lld, two less than the context",
                       o.n_keep, (long long)(n_ctx > 2 ? n_ctx - 2 : 0));
    if (engine->n_sessions >= engine->setup.max_sessions)
        return px_fail(err, PITH_E_LIMIT,
                       "the engine has %d sessions, as many as max_sessions allows; free one or "
                       "raise it",
                       engine->n_sessions);
    pith_session *s = px_calloc(1, sizeof *s);
    if (!s)
        return px_fail_memory(err, "a session");
    s->tokens = px_malloc((size_t)n_ctx + 1, sizeof *s->tokens);
    st = s->tokens ? px_kv_seq_init(&s->seq, engine->kv, n_ctx, err)
                   : px_fail_memory(err, "a session's tokens");
    if (st != PITH_OK) {
        px_free(s->tokens);
        px_free(s);
        return st;
    }
    s->engine = engine;
    s->overflow = o.overflow;
    s->n_keep = o.n_keep;
    engine->n_sessions++;
    st = px_session_adapt(s, o.adapters, o.n_adapters, err);
    if (st != PITH_OK) {
        pith_session_free(s);
        return st;
    }
    *out = s;
    return PITH_OK;
}

void pith_session_free(pith_session *session)
{
    if (!session)
        return;
    if (session->answer)
        px_answer_abandon(session->answer);
    pith_session_free(session->draft);
    px_free(session->embedding);
    px_free(session->loras);
    session->engine->n_sessions--;
    px_session_leave(session);
    px_kv_seq_clear(&session->seq);
    if (session->engine->cache)
        px_cache_trim(session->engine->cache);
    px_free(session->tokens);
    px_free(session);
}

const int32_t *pith_session_get_tokens(const pith_session *session, int64_t *n)
{
    if (n)
        *n = session ? session->n_tokens : 0;
    return session ? session->tokens : NULL;
}

pith_status pith_session_fork(const pith_session *session, int64_t n, pith_session **out,
                              pith_error *err)
{
    px_error_clear(err);
    if (!session || !out)
        return px_fail(err, PITH_E_ARGUMENT, "pith_session_fork: an argument is NULL");
    *out = NULL;
    if (n < 0 || n > session->n_tokens)
        return px_fail(err, PITH_E_ARGUMENT,
                       "a fork of %lld tokens is asked for, the session holds %lld", (long long)n,
                       (long long)session->n_tokens);
    pith_session_options o = {
        .size = sizeof o, .overflow = session->overflow, .n_keep = session->n_keep};
    pith_session *copy;
    pith_status st = pith_session_new(session->engine, &o, &copy, err);
    if (st != PITH_OK)
        return st;
    int64_t computed = n < session->seq.n_tokens ? n : session->seq.n_tokens;
    st = px_session_adapt_as(copy, session, err);
    if (st == PITH_OK)
        st = px_kv_seq_fork(&copy->seq, &session->seq, computed, err);
    if (st != PITH_OK) {
        pith_session_free(copy);
        return st;
    }
    memcpy(copy->tokens, session->tokens, (size_t)n * sizeof *copy->tokens);
    copy->n_tokens = n;
    copy->secluded = session->secluded;
    *out = copy;
    return PITH_OK;
}

/* ---- cancelling */

void pith_session_cancel(pith_session *session)
{
    if (session)
        __atomic_store_n(&session->cancel, 1, __ATOMIC_RELAXED);
}

bool px_session_cancelled(const pith_session *s)
{
    return __atomic_load_n(&s->cancel, __ATOMIC_RELAXED) != 0;
}

void px_session_forget_cancel(pith_session *s)
{
    __atomic_store_n(&s->cancel, 0, __ATOMIC_RELAXED);
}

pith_status px_engine_begin(pith_engine *e, pith_error *err)
{
    if (e->busy)
        return px_fail(err, PITH_E_BUSY,
                       "the engine is inside a call; a callback must not call "
                       "into it, but for pith_session_cancel");
    e->busy = true;
    return PITH_OK;
}

void px_engine_end(pith_engine *e)
{
    e->busy = false;
}

pith_status px_session_begin(pith_session *s, pith_error *err)
{
    pith_status st = px_engine_begin(s->engine, err);
    if (st == PITH_OK && s->answer) {
        px_engine_end(s->engine);
        st = px_fail(err, PITH_E_BUSY,
                     "the session has an answer in flight; run the engine until it is done, or "
                     "free the answer");
    }
    return st;
}

void px_session_end(pith_session *s)
{
    px_engine_end(s->engine);
    px_session_forget_cancel(s);
}

/* ---- the cache of prefixes */

static px_cache *shared_by(const pith_session *s)
{
    return s->secluded ? NULL : s->engine->cache;
}

/* Forgets all but n computed tokens. */
static void truncate_to(pith_session *s, int64_t n)
{
    px_kv_seq_truncate(&s->seq, n);
    if (s->n_noted > n / PX_KV_PAGE_TOKENS)
        s->n_noted = n / PX_KV_PAGE_TOKENS;
}

void px_session_note(pith_session *s)
{
    px_cache *p = shared_by(s);
    int64_t whole = s->seq.n_tokens / PX_KV_PAGE_TOKENS;
    if (!p || whole <= s->n_noted)
        return;
    px_cache_note(p, s->adapter_key, s->tokens, &s->seq);
    s->n_noted = whole;
}

void px_session_leave(pith_session *s)
{
    px_cache *p = shared_by(s);
    if (p)
        px_cache_leave(p, s->adapter_key, s->tokens, &s->seq);
}

int64_t px_session_look_up(pith_session *s, int64_t most)
{
    px_cache *p = shared_by(s);
    int64_t before = s->seq.n_tokens;
    if (p && before < most)
        px_cache_extend(p, s->adapter_key, s->tokens, most, &s->seq);
    return s->seq.n_tokens - before;
}

void px_session_pause(pith_session *s)
{
    px_session_leave(s);
    truncate_to(s, 0);
}

/* ---- placing */

/* Tokens to leave out behind n_keep so that n fit. */
static pith_status overflow(const pith_session *s, int64_t n, int64_t room, int64_t *drop,
                            pith_error *err)
{
    int64_t n_ctx = s->engine->setup.n_ctx;
    int64_t rest = n_ctx - s->n_keep;
    *drop = 0;
    if (n <= n_ctx)
        return PITH_OK;
    if (s->overflow == PITH_OVERFLOW_SHIFT) {
        int64_t half = rest > 1 ? rest / 2 : 1;
        *drop = (n - n_ctx + half - 1) / half * half;
        return PITH_OK;
    }
    if (s->overflow == PITH_OVERFLOW_TRUNCATE) {
        *drop = n - (n_ctx - (room < rest / 2 ? room : rest / 2));
        return PITH_OK;
    }
    return px_fail(err, PITH_E_CONTEXT,
                   "%lld tokens do not fit into the context of %lld, %lld are too many; shorten "
                   "the text, make the context longer, or choose to shift or truncate",
                   (long long)n, (long long)n_ctx, (long long)(n - n_ctx));
}

pith_status px_session_place(pith_session *s, const int32_t *tokens, int64_t n,
                             const px_placing *how, px_placed *placed, pith_error *err)
{
    int32_t n_vocab = s->engine->model->hp.n_vocab;
    for (int64_t i = 0; i < n; i++)
        if (tokens[i] < 0 || tokens[i] >= n_vocab)
            return px_fail(err, PITH_E_ARGUMENT, "token %lld has id %d, expected 0 to %d",
                           (long long)i, tokens[i], n_vocab - 1);
    int64_t drop;
    pith_status st = overflow(s, n, how->room, &drop, err);
    if (st != PITH_OK)
        return st;
    int64_t keep = drop > 0 ? s->n_keep : n; // tokens before the gap
    int64_t left = n - drop;
    int64_t most = how->most_reused < 0 ? left + how->most_reused : how->most_reused;
    if (most > s->seq.n_tokens)
        most = s->seq.n_tokens;
    int64_t same = 0;
    while (same < most && same < left &&
           tokens[same < keep ? same : same + drop] == s->tokens[same])
        same++;
    if (same + LEAST_LEFT <= s->seq.n_tokens)
        px_session_leave(s);
    truncate_to(s, same);
    /* tokens may be the session's own list. */
    if (keep > 0)
        memmove(s->tokens, tokens, (size_t)keep * sizeof *tokens);
    if (left > keep)
        memmove(s->tokens + keep, tokens + keep + drop, (size_t)(left - keep) * sizeof *tokens);
    s->n_tokens = left;
    if (!how->alone)
        same += px_session_look_up(s, how->most_reused < 0      ? left + how->most_reused
                                      : how->most_reused < left ? how->most_reused
                                                                : left);
    if (s->engine->cache)
        px_cache_trim(s->engine->cache);
    *placed = (px_placed){.n_reused = same, .n_dropped = drop};
    return PITH_OK;
}

void px_session_append(pith_session *s, int32_t token)
{
    s->tokens[s->n_tokens++] = token;
}

int64_t px_session_shift(pith_session *s)
{
    int64_t rest = s->engine->setup.n_ctx - s->n_keep;
    int64_t drop = rest > 1 ? rest / 2 : 1;
    int32_t *gap = s->tokens + s->n_keep;
    px_session_leave(s);
    memmove(gap, gap + drop, (size_t)(s->n_tokens - s->n_keep - drop) * sizeof *gap);
    s->n_tokens -= drop;
    truncate_to(s, s->n_keep);
    return drop;
}

void px_session_drop_pending(pith_session *s)
{
    s->n_tokens = s->seq.n_tokens;
}

/* ---- computing */

/* Whether computing up to `end` is to be broken off here. */
static pith_status interrupted(const pith_session *s, int64_t end, pith_error *err)
{
    if (!px_session_cancelled(s))
        return PITH_OK;
    return px_fail(err, PITH_E_CANCELLED, "cancelled after %lld of %lld tokens",
                   (long long)s->seq.n_tokens, (long long)end);
}

pith_status px_session_compute(pith_session *s, int64_t end, int32_t n_logits, const float **logits,
                               pith_error *err)
{
    pith_engine *e = s->engine;
    int64_t most = e->setup.n_batch;
    const float *rows = NULL;
    pith_status st = interrupted(s, end, err);
    while (st == PITH_OK && s->seq.n_tokens < end) {
        int64_t left = end - s->seq.n_tokens;
        int64_t n = left < most ? left : most;
        if (n < left && left - n < n_logits)
            n = left - n_logits; // the rows of logits must come from one step
        px_chunk chunk = {.seq = &s->seq,
                          .tokens = s->tokens + s->seq.n_tokens,
                          .n = (int32_t)n,
                          .n_logits = n == left ? n_logits : 0,
                          .loras = s->loras,
                          .n_loras = s->n_loras};
        int failed;
        st = px_step_run(e, &chunk, 1, &s->cancel, &rows, &failed, err);
        px_session_note(s);
        if (st == PITH_OK && s->seq.n_tokens < end)
            st = interrupted(s, end, err);
    }
    if (st == PITH_OK && logits)
        *logits = rows;
    return st;
}

pith_status pith_session_set(pith_session *session, const int32_t *tokens, int64_t n,
                             int32_t n_logits, const float **logits, pith_error *err)
{
    px_error_clear(err);
    if (logits)
        *logits = NULL;
    if (!session || n < 0 || (!tokens && n > 0) || n_logits < 0 || (n_logits > 0 && !logits))
        return px_fail(err, PITH_E_ARGUMENT, "pith_session_set: an argument is NULL or negative");
    int32_t most = session->engine->setup.max_logits;
    if (n_logits > most || n_logits > n)
        return px_fail(err, PITH_E_ARGUMENT,
                       "%d rows of logits are asked for of %lld tokens, expected at most %d (the "
                       "engine's max_logits) and one a token",
                       n_logits, (long long)n, most);
    pith_status st = px_session_begin(session, err);
    if (st != PITH_OK)
        return st;
    px_placing how = {.most_reused = n_logits > 0 ? -(int64_t)n_logits : n, .room = 0};
    px_placed placed;
    st = px_session_place(session, tokens, n, &how, &placed, err);
    if (st == PITH_OK) {
        px_heap_forbid();
        st = px_session_compute(session, session->n_tokens, n_logits, logits, err);
        px_heap_allow();
        if (st != PITH_OK)
            px_session_drop_pending(session);
    }
    px_session_end(session);
    return st;
}

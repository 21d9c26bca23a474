/*
 * score: how likely a text is to a model.
 *
 * A long text is cut into windows that overlap:
 *
 *   text      | a b c d e f g h i j k |        window 7 with bos, stride 3
 *   window 0  | > A B C D E F |                capitals: scored
 *   window 1        | > d e f G H I |
 *   window 2              | > g h i J K |
 *
 * Every token is scored once, with at least window - stride tokens before it (bos counted) once the
 * text is that long. Sums are in double, in the order of the text.
 */
#include "base/mem.h"
#include "engine/num.h"
#include "engine/options.h"
#include "engine/session.h"

#include <math.h>

enum { DEFAULT_WINDOW = 2048 };

/* What is done with each scored token, and who is told. */
typedef struct scoring {
    float *out;   // [n - first], or NULL
    bool *greedy; // [n - first], or NULL
    double nll;   // sum
    pith_progress_fn progress;
    void *user;
    int64_t done, total; // tokens scored, of all windows
} scoring;

static pith_status tell(const scoring *s, pith_error *err)
{
    if (!s->progress || s->progress(s->user, (uint64_t)s->done, (uint64_t)s->total) == 0)
        return PITH_OK;
    return px_fail(err, PITH_E_CANCELLED, "cancelled after %lld of %lld tokens", (long long)s->done,
                   (long long)s->total);
}

static void score_row(scoring *s, const float *logits, int32_t n_vocab, int32_t token, int64_t at)
{
    float max = px_max(logits, n_vocab);
    double logprob = (double)logits[token] - px_log_sum_exp(logits, n_vocab, max);
    s->nll -= logprob;
    if (s->out)
        s->out[at] = (float)logprob;
    if (s->greedy) {
        int32_t best = 0;
        while (logits[best] != max)
            best++;
        s->greedy[at] = best == token;
    }
}

/* Log-likelihoods of tokens[first ..]; the session, inside a call, then lists all n. */
static pith_status score_span(pith_session *s, const int32_t *tokens, int64_t n, int64_t first,
                              scoring *sc, pith_error *err)
{
    const pith_engine *e = s->engine;
    int32_t n_vocab = e->model->hp.n_vocab;
    if (n > e->setup.n_ctx)
        return px_fail(err, PITH_E_CONTEXT,
                       "%lld tokens do not fit into the context of %lld; score a shorter text or "
                       "make the context longer",
                       (long long)n, (long long)e->setup.n_ctx);
    /* A session's own prefix only: the same text has the same score, to the last bit, whatever else
     * the engine has read. */
    px_placing how = {.most_reused = first - 1, .alone = true};
    px_placed placed;
    pith_status st = px_session_place(s, tokens, n, &how, &placed, err);
    if (st != PITH_OK)
        return st;
    st = px_session_compute(s, first - 1, 0, NULL, err);
    for (int64_t at = first - 1; st == PITH_OK && at < n - 1;) {
        int64_t left = n - 1 - at;
        int32_t rows = left < e->setup.max_logits ? (int32_t)left : e->setup.max_logits;
        const float *logits;
        st = tell(sc, err);
        if (st != PITH_OK)
            break;
        px_heap_forbid();
        st = px_session_compute(s, at + rows, rows, &logits, err);
        for (int32_t r = 0; st == PITH_OK && r < rows; r++)
            score_row(sc, logits + (int64_t)r * n_vocab, n_vocab, s->tokens[at + r + 1],
                      at + r + 1 - first);
        px_heap_allow();
        at += rows;
        sc->done += rows;
    }
    if (st != PITH_OK)
        px_session_drop_pending(s);
    return st;
}

pith_status pith_score_tokens(pith_session *session, const int32_t *tokens, int64_t n,
                              int64_t first, float *out, bool *greedy, pith_error *err)
{
    px_error_clear(err);
    if (!session || !tokens || !out)
        return px_fail(err, PITH_E_ARGUMENT, "pith_score_tokens: an argument is NULL");
    if (first < 1 || first > n)
        return px_fail(err, PITH_E_ARGUMENT,
                       "the first token to score is %lld of %lld, expected 1 to %lld: a token is "
                       "scored after those before it",
                       (long long)first, (long long)n, (long long)n);
    pith_status st = px_session_begin(session, err);
    if (st != PITH_OK)
        return st;
    scoring sc = {.out = out, .greedy = greedy};
    st = score_span(session, tokens, n, first, &sc, err);
    px_session_end(session);
    return st;
}

/* ---- a text in windows */

typedef struct text_score {
    pith_session *session;
    px_ids ids;      // of the text alone, with ends
    int32_t bos;     // -1: none
    int32_t *tokens; // [window]
    pith_score score;
    scoring scoring;
} text_score;

static pith_status check_windows(const pith_engine *e, pith_score *score, pith_error *err)
{
    int64_t n_ctx = e->setup.n_ctx;
    if (score->window == 0)
        score->window = n_ctx < DEFAULT_WINDOW ? n_ctx : DEFAULT_WINDOW;
    if (score->window < 2 || score->window > n_ctx)
        return px_fail(err, PITH_E_ARGUMENT,
                       "the window is %lld tokens, expected 2 to %lld, the engine's context",
                       (long long)score->window, (long long)n_ctx);
    if (score->stride == 0)
        score->stride = score->window / 2;
    if (score->stride < 1 || score->stride >= score->window)
        return px_fail(err, PITH_E_ARGUMENT,
                       "the stride is %lld tokens, expected 1 to %lld, less than the window",
                       (long long)score->stride, (long long)(score->window - 1));
    return PITH_OK;
}

static pith_status read_text(text_score *t, const char *text, size_t len, pith_error *err)
{
    const pith_tokenizer *tok = pith_model_tokenizer(t->session->engine->model);
    if (!tok)
        return px_fail(err, PITH_E_UNSUPPORTED,
                       "a text is scored by its tokens, and the model has no tokenizer or was "
                       "opened without it");
    const px_vocab_def *def = px_tokenizer_def(tok->tok);
    t->bos = def->add_bos ? def->bos : -1;
    t->ids.want_ends = true;
    pith_status st = px_tokenize(tok->tok, text, len, 0, &t->ids, err);
    if (st != PITH_OK)
        return st;
    int64_t have = t->ids.n + (t->bos >= 0);
    if (have < 2)
        return px_fail(err, PITH_E_ARGUMENT,
                       "the text has %lld tokens%s; scoring needs one after another",
                       (long long)t->ids.n, t->bos >= 0 ? " beside bos" : "");
    t->tokens = px_malloc((size_t)t->score.window, sizeof *t->tokens);
    return t->tokens ? PITH_OK : px_fail_memory(err, "a window of tokens");
}

/* Scores the tokens [scored, end) of the text in a window that begins at token `begin`. */
static pith_status score_window(text_score *t, int64_t begin, int64_t scored, int64_t end,
                                pith_error *err)
{
    int64_t n = 0;
    if (t->bos >= 0)
        t->tokens[n++] = t->bos;
    int64_t first = n + scored - begin;
    memcpy(t->tokens + n, t->ids.ids + begin, (size_t)(end - begin) * sizeof *t->tokens);
    return score_span(t->session, t->tokens, n + end - begin, first, &t->scoring, err);
}

static pith_status score_windows(text_score *t, pith_error *err)
{
    pith_score *score = &t->score;
    int64_t n = t->ids.n;
    int64_t width = score->window - (t->bos >= 0); // tokens of the text in a window
    int64_t scored = t->bos >= 0 ? 0 : 1;          // first token that has not been scored
    int64_t skipped = scored;
    t->scoring.total = n - skipped;
    for (int64_t begin = 0; scored < n; begin += score->stride) {
        int64_t end = begin + width < n ? begin + width : n;
        pith_status st = score_window(t, begin, scored, end, err);
        if (st != PITH_OK)
            return st;
        scored = end;
        score->n_windows++;
    }
    pith_status st = tell(&t->scoring, err);
    if (st != PITH_OK)
        return st;
    static const double LN2 = 0x1.62e42fefa39efp-1;
    size_t bytes = t->ids.ends[n - 1] - (skipped > 0 ? t->ids.ends[0] : 0);
    score->n_tokens = n - skipped;
    score->nll = t->scoring.nll;
    score->perplexity = exp(t->scoring.nll / (double)score->n_tokens);
    score->bits_per_byte = bytes > 0 ? t->scoring.nll / LN2 / (double)bytes : 0;
    return PITH_OK;
}

pith_status pith_score_text(pith_engine *engine, const char *text, size_t len, pith_score *score,
                            pith_progress_fn progress, void *user, pith_error *err)
{
    px_error_clear(err);
    if (!engine || !score || (!text && len > 0))
        return px_fail(err, PITH_E_ARGUMENT, "pith_score_text: an argument is NULL");
    text_score t = {.scoring = {.progress = progress, .user = user}};
    pith_status st = px_options_read(score, "pith_score", &t.score, sizeof t.score, err);
    if (st == PITH_OK)
        st = check_windows(engine, &t.score, err);
    t.score.n_windows = 0;
    if (st == PITH_OK)
        st = pith_session_new(engine, NULL, &t.session, err);
    if (st != PITH_OK)
        return st;
    t.session->secluded = true;
    st = px_session_begin(t.session, err);
    if (st == PITH_OK) {
        st = read_text(&t, text, len, err);
        if (st == PITH_OK)
            st = score_windows(&t, err);
        px_session_end(t.session);
    }
    pith_session_free(t.session);
    px_ids_clear(&t.ids);
    px_free(t.tokens);
    return st == PITH_OK ? px_options_write(score, "pith_score", &t.score, sizeof t.score, err)
                         : st;
}

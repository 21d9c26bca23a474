/*
 * compare: what a smaller model loses against the one that it was made from, on a text: perplexity
 * of both, divergence of their predictions, agreement of the likeliest tokens.
 *
 * The text is cut into windows that do not overlap; each begins with bos where the model has one.
 * Both engines compute the same few positions, whose rows of logits then stand side by side. Sums
 * are in double, in the order of the text.
 */
#include "base/mem.h"
#include "engine/num.h"
#include "engine/options.h"
#include "engine/session.h"

#include <math.h>
#include <stdlib.h>

enum { DEFAULT_WINDOW = 512 };

typedef struct comparing {
    pith_session *sessions[2]; // reference, other
    px_ids ids;                // of the text
    int32_t bos;               // -1: none
    int32_t *tokens;           // [window]
    double *kl;                // [n predictions]
    int64_t done, total;
    double nll[2];
    int64_t same;
    pith_comparison c;
    pith_progress_fn progress;
    void *user;
} comparing;

static int32_t place_of(const float *x, float value)
{
    int32_t i = 0;
    while (x[i] != value)
        i++;
    return i;
}

/* One prediction: rows of logits of both, and the token that came. */
static void compare_rows(comparing *c, const float *p, const float *q, int32_t n, int32_t token)
{
    const float most_p = px_max(p, n), most_q = px_max(q, n);
    const double zp = px_log_sum_exp(p, n, most_p), zq = px_log_sum_exp(q, n, most_q);
    double kl = 0;
    for (int32_t i = 0; i < n; i++) {
        const double log_p = (double)p[i] - zp;
        kl += px_exp(log_p) * (log_p - ((double)q[i] - zq));
    }
    c->kl[c->done++] = kl > 0 ? kl : 0; // rounding may leave it a little below
    c->nll[0] -= (double)p[token] - zp;
    c->nll[1] -= (double)q[token] - zq;
    c->same += place_of(p, most_p) == place_of(q, most_q);
}

static pith_status tell(const comparing *c, pith_error *err)
{
    if (!c->progress || c->progress(c->user, (uint64_t)c->done, (uint64_t)c->total) == 0)
        return PITH_OK;
    return px_fail(err, PITH_E_CANCELLED, "cancelled after %lld of %lld tokens", (long long)c->done,
                   (long long)c->total);
}

/* Predictions of tokens[first..n). */
static pith_status compare_window(comparing *c, int64_t n, int64_t first, pith_error *err)
{
    const int32_t n_vocab = c->sessions[0]->engine->model->hp.n_vocab;
    int32_t most = c->sessions[0]->engine->setup.max_logits;
    if (c->sessions[1]->engine->setup.max_logits < most)
        most = c->sessions[1]->engine->setup.max_logits;
    for (int64_t at = first; at < n;) {
        const int32_t rows = n - at < most ? (int32_t)(n - at) : most;
        const float *logits[2];
        pith_status st = tell(c, err);
        for (int k = 0; k < 2 && st == PITH_OK; k++)
            st = pith_session_set(c->sessions[k], c->tokens, at + rows - 1, rows, &logits[k], err);
        if (st != PITH_OK)
            return st;
        for (int32_t r = 0; r < rows; r++)
            compare_rows(c, logits[0] + (int64_t)r * n_vocab, logits[1] + (int64_t)r * n_vocab,
                         n_vocab, c->tokens[at + r]);
        at += rows;
    }
    return PITH_OK;
}

static pith_status compare_windows(comparing *c, pith_error *err)
{
    const int64_t width = c->c.window - (c->bos >= 0); // tokens of the text in a window
    pith_status st = PITH_OK;
    for (int64_t begin = 0; begin < c->ids.n && st == PITH_OK; begin += width) {
        const int64_t some = c->ids.n - begin < width ? c->ids.n - begin : width;
        int64_t n = 0;
        if (c->bos >= 0)
            c->tokens[n++] = c->bos;
        memcpy(c->tokens + n, c->ids.ids + begin, (size_t)some * sizeof *c->tokens);
        st = compare_window(c, n + some, 1, err);
    }
    return st == PITH_OK ? tell(c, err) : st;
}

/* ---- before and after */

static pith_status check_models(const pith_engine *a, const pith_engine *b, pith_error *err)
{
    const px_hparams *x = &a->model->hp, *y = &b->model->hp;
    if (x->n_vocab != y->n_vocab)
        return px_fail(err, PITH_E_MISMATCH,
                       "the models have %d and %d tokens, expected the same vocabulary: only a "
                       "model and what was made from it can be compared",
                       x->n_vocab, y->n_vocab);
    if (!pith_model_tokenizer(a->model))
        return px_fail(err, PITH_E_UNSUPPORTED,
                       "a text is compared by its tokens, and the reference has no tokenizer or "
                       "was opened without it");
    return PITH_OK;
}

static pith_status check_window(const pith_engine *a, const pith_engine *b, pith_comparison *c,
                                pith_error *err)
{
    const int64_t most = a->setup.n_ctx < b->setup.n_ctx ? a->setup.n_ctx : b->setup.n_ctx;
    if (c->window == 0)
        c->window = most < DEFAULT_WINDOW ? most : DEFAULT_WINDOW;
    if (c->window >= 2 && c->window <= most)
        return PITH_OK;
    return px_fail(err, PITH_E_ARGUMENT,
                   "the window is %lld tokens, expected 2 to %lld, the smaller context",
                   (long long)c->window, (long long)most);
}

static pith_status read_text(comparing *c, const char *text, size_t len, pith_error *err)
{
    const pith_tokenizer *tok = pith_model_tokenizer(c->sessions[0]->engine->model);
    const px_vocab_def *def = px_tokenizer_def(tok->tok);
    c->bos = def->add_bos ? def->bos : -1;
    pith_status st = px_tokenize(tok->tok, text, len, 0, &c->ids, err);
    if (st != PITH_OK)
        return st;
    const int64_t width = c->c.window - (c->bos >= 0);
    const int64_t windows = (c->ids.n + width - 1) / width;
    c->total = c->bos >= 0 ? c->ids.n : c->ids.n - windows;
    if (c->total < 1)
        return px_fail(err, PITH_E_ARGUMENT,
                       "the text has %lld tokens; comparing needs one after another",
                       (long long)c->ids.n);
    c->tokens = px_malloc((size_t)c->c.window, sizeof *c->tokens);
    c->kl = px_malloc((size_t)c->total, sizeof *c->kl);
    return c->tokens && c->kl ? PITH_OK : px_fail_memory(err, "a comparison");
}

static int by_size(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

/* The value that this share of the sorted ones does not exceed. */
static double quantile(const double *sorted, int64_t n, double share)
{
    const int64_t at = (int64_t)ceil(share * (double)n) - 1;
    return sorted[at < 0 ? 0 : at];
}

static void sum_up(comparing *c)
{
    const double n = (double)c->done;
    double sum = 0;
    for (int64_t i = 0; i < c->done; i++)
        sum += c->kl[i];
    qsort(c->kl, (size_t)c->done, sizeof *c->kl, by_size);
    c->c.n_tokens = c->done;
    c->c.perplexity_reference = exp(c->nll[0] / n);
    c->c.perplexity_other = exp(c->nll[1] / n);
    c->c.kl_mean = sum / n;
    c->c.kl_median = quantile(c->kl, c->done, 0.5);
    c->c.kl_p99 = quantile(c->kl, c->done, 0.99);
    c->c.kl_max = c->kl[c->done - 1];
    c->c.same_top = (double)c->same / n;
}

pith_status pith_compare_text(pith_engine *reference, pith_engine *other, const char *text,
                              size_t len, pith_comparison *comparison, pith_progress_fn progress,
                              void *user, pith_error *err)
{
    px_error_clear(err);
    if (!reference || !other || !comparison || (!text && len > 0))
        return px_fail(err, PITH_E_ARGUMENT, "pith_compare_text: an argument is NULL");
    if (reference == other)
        return px_fail(err, PITH_E_ARGUMENT,
                       "pith_compare_text: both engines are one, expected two");
    comparing c = {.progress = progress, .user = user};
    pith_status st = px_options_read(comparison, "pith_comparison", &c.c, sizeof c.c, err);
    if (st == PITH_OK)
        st = check_models(reference, other, err);
    if (st == PITH_OK)
        st = check_window(reference, other, &c.c, err);
    pith_session_options adapted = PITH_INIT(pith_session_options);
    adapted.adapters = c.c.adapters;
    adapted.n_adapters = c.c.n_adapters;
    if (st == PITH_OK)
        st = pith_session_new(reference, &adapted, &c.sessions[0], err);
    if (st == PITH_OK)
        st = pith_session_new(other, NULL, &c.sessions[1], err);
    for (int i = 0; st == PITH_OK && i < 2; i++)
        c.sessions[i]->secluded = true;
    if (st == PITH_OK)
        st = read_text(&c, text, len, err);
    if (st == PITH_OK)
        st = compare_windows(&c, err);
    if (st == PITH_OK) {
        sum_up(&c);
        st = px_options_write(comparison, "pith_comparison", &c.c, sizeof c.c, err);
    }
    pith_session_free(c.sessions[0]);
    pith_session_free(c.sessions[1]);
    px_ids_clear(&c.ids);
    px_free(c.tokens);
    px_free(c.kl);
    return st;
}

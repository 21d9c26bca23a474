/* spec: see spec.h. */
#include "engine/spec.h"

#include "engine/answer.h"

#include <string.h>

enum {
    DEFAULT_MOST = 7,
    TRY = 2,         // guesses of a try where it does not seem to pay
    FIRST_WAIT = 16, // steps before a try
    LONGEST_WAIT = 256,
    LEAST_SEEN = 2,  // steps of a number of columns, before the average of their times counts
    PLAIN_EVERY = 64 // so often a step without guesses, to know what it costs by now
};

static const float STEP_WEIGHT = 0.125f; // of a new measurement in a running average
static const double PER_COLUMN = 0.03;   // what one more column is thought to cost until measured
static const double LEAST_GAIN = 1.02;   // less is noise

/* ---- costs */

void px_costs_note(px_costs *c, int64_t columns, double seconds)
{
    if (columns < 1 || columns > PX_COST_COLUMNS || seconds <= 0)
        return;
    double *at = &c->step[columns];
    if (c->seen[columns] < LEAST_SEEN) { // the first ones may be slow: caches, page faults
        *at = c->seen[columns]++ > 0 && *at < seconds ? *at : seconds;
        return;
    }
    if (seconds > 2 * *at)
        seconds = 2 * *at; // somebody else had the processor
    *at += (double)STEP_WEIGHT * (seconds - *at);
}

double px_costs_of(const px_costs *c, int64_t columns)
{
    if (columns > PX_COST_COLUMNS)
        return 0;
    int64_t low = columns, high = columns;
    while (low > 0 && c->step[low] <= 0)
        low--;
    if (low == 0)
        return 0;
    while (high <= PX_COST_COLUMNS && c->step[high] <= 0)
        high++;
    double at = c->step[low];
    if (high > PX_COST_COLUMNS)
        return at * (1 + PER_COLUMN * (double)(columns - low));
    if (high > low)
        at += (c->step[high] - at) * (double)(columns - low) / (double)(high - low);
    return at;
}

int32_t px_spec_best(const px_costs *c, int64_t columns, int32_t writers, double share,
                     double draft, int32_t most, double *rate)
{
    double plain = px_costs_of(c, columns);
    int32_t best = 0;
    *rate = plain > 0 ? (double)writers / plain : 0;
    double tokens = writers, chance = 1, least = *rate * LEAST_GAIN;
    for (int32_t k = 1; k <= most; k++) {
        double seconds = px_costs_of(c, columns + k) + k * draft;
        chance *= share;
        tokens += chance;
        if (seconds > 0 && tokens / seconds > *rate && tokens / seconds > least) {
            *rate = tokens / seconds;
            best = k;
        }
    }
    return best;
}

/* ---- guesses from the context */

int64_t px_spec_match(const int32_t *tokens, int64_t n, int32_t *length)
{
    int64_t found = -1;
    *length = PX_MATCH_LEAST - 1;
    for (int64_t end = n - 2; end >= *length && *length < PX_MATCH_MOST; end--) {
        int32_t m = 0;
        while (m < PX_MATCH_MOST && m <= end && tokens[end - m] == tokens[n - 1 - m])
            m++;
        if (m > *length) {
            *length = m;
            found = end + 1;
        }
    }
    return found;
}

/* What followed at index `from`; past the end of the text it is what has been guessed. */
static void copy_on(int32_t *tokens, int64_t n, int64_t from, int32_t count)
{
    for (int32_t i = 0; i < count; i++)
        tokens[n + i] = tokens[from + i];
}

/* ---- guesses by the draft model */

static void load_draft(const px_sampler *s, px_candidates *c, const float *logits)
{
    px_candidates_load(c, logits);
    for (int32_t i = 0; i < s->n_bias; i++)
        if (s->bias[i].token < c->n_vocab)
            c->logits[s->bias[i].token] += s->bias[i].bias;
}

/* Brings the draft's session to the answer's tokens. False: nothing can be guessed now. */
static bool catch_up(pith_session *d, const pith_session *s, const float **logits)
{
    px_placing how = {.most_reused = -1};
    px_placed placed;
    if (px_session_place(d, s->tokens, s->n_tokens, &how, &placed, NULL) != PITH_OK)
        return false;
    int64_t end = d->n_tokens, most = d->seq.n_tokens + d->engine->setup.n_batch;
    bool all = end <= most; // a long context is read over several steps
    pith_status st = px_session_compute(d, all ? end : most, all, logits, NULL);
    return st == PITH_OK && all;
}

static int32_t guess_by_draft(pith_answer *a, int32_t most)
{
    pith_session *s = a->session, *d = s->draft;
    int32_t n_vocab = s->engine->model->hp.n_vocab;
    const float *logits = NULL;
    px_sampler sampler = a->sampler; // its random numbers are those that the answer will draw
    sampler.dry.multiplier = 0;
    double start = px_now();
    int64_t behind = s->n_tokens - d->seq.n_tokens;
    int32_t n = 0;
    while (n < most) {
        int32_t token = -1;
        bool ready = n == 0 ? catch_up(d, s, &logits)
                            : px_session_compute(d, d->n_tokens, 1, &logits, NULL) == PITH_OK;
        if (!ready)
            break;
        px_candidates *c = &d->engine->candidates;
        load_draft(&sampler, c, logits);
        if (px_sampler_choose(&sampler, c, s->tokens, s->n_tokens + n, &token, NULL) != PITH_OK ||
            token >= n_vocab)
            break;
        s->tokens[s->n_tokens + n++] = token;
        if (n < most)
            px_session_append(d, token);
    }
    a->guesser.draft_seconds = px_now() - start;
    if (n > 0 && behind <= PX_MOST_DRAFT) {
        double *at = &s->engine->costs.draft, each = a->guesser.draft_seconds / n;
        *at += *at > 0 ? (double)STEP_WEIGHT * (each - *at) : each;
    }
    return n;
}

/* ---- choosing */

void px_guesser_init(px_guesser *g, pith_speculation mode, int32_t most)
{
    *g = (px_guesser){.mode = mode, .most = most > 0 ? most : DEFAULT_MOST, .wait = FIRST_WAIT};
    for (int32_t m = 0; m <= PX_MATCH_MOST; m++) {
        g->share[PX_SOURCE_NGRAM][m] = 0.3f + 0.07f * (float)m;
        g->share[PX_SOURCE_DRAFT][m] = 0.7f;
    }
}

/* AUTO: how many guesses from which source, as far as is known; now and then a step without any,
 * and a try where it does not pay. */
static int32_t weigh(const pith_answer *a, px_guesser *g, int32_t most, int64_t columns,
                     int32_t writers, bool match, bool draft)
{
    const px_costs *c = &a->session->engine->costs;
    double rate = 0, other = 0;
    int32_t k = 0, by_draft = 0;
    if (match)
        k = px_spec_best(c, columns, writers, (double)g->share[PX_SOURCE_NGRAM][g->length], 0, most,
                         &rate);
    if (draft)
        by_draft = px_spec_best(c, columns, writers, (double)g->share[PX_SOURCE_DRAFT][0], c->draft,
                                most, &other);
    g->source = k > 0 || by_draft == 0 ? PX_SOURCE_NGRAM : PX_SOURCE_DRAFT;
    if (by_draft > 0 && other > rate) {
        g->source = PX_SOURCE_DRAFT;
        k = by_draft;
    }
    if (k == 0) {
        if (++g->idle < g->wait)
            return 0;
        g->idle = 0;
        g->wait = g->wait < LONGEST_WAIT ? 2 * g->wait : LONGEST_WAIT;
        g->source = match ? PX_SOURCE_NGRAM : PX_SOURCE_DRAFT;
        return most < TRY ? most : TRY;
    }
    g->wait = FIRST_WAIT;
    if (++g->since_plain < PLAIN_EVERY)
        return k;
    g->since_plain = 0;
    return 0;
}

int32_t px_guess(pith_answer *a, int32_t most, int64_t columns, int32_t writers)
{
    px_guesser *g = &a->guesser;
    pith_session *s = a->session;
    g->draft_seconds = 0;
    if (most > g->most)
        most = g->most;
    if (g->mode == PITH_SPECULATE_OFF || most < 1)
        return 0;
    /* The first steps of all are plain, so that gains can be told. */
    const px_costs *c = &s->engine->costs;
    if (columns == writers && columns <= PX_COST_COLUMNS && c->seen[columns] < LEAST_SEEN)
        return 0;
    bool draft = s->draft && g->mode != PITH_SPECULATE_NGRAM;
    int64_t from = -1;
    if (g->mode != PITH_SPECULATE_DRAFT)
        from = px_spec_match(s->tokens, s->n_tokens, &g->length);
    g->source = g->mode == PITH_SPECULATE_DRAFT ? PX_SOURCE_DRAFT : PX_SOURCE_NGRAM;
    if (from < 0 && !draft)
        return 0;
    if (g->mode == PITH_SPECULATE_AUTO)
        most = weigh(a, g, most, columns, writers, from >= 0, draft);
    if (most < 1)
        return 0;
    if (g->source == PX_SOURCE_DRAFT) {
        g->length = 0;
        return guess_by_draft(a, most);
    }
    copy_on(s->tokens, s->n_tokens, from, most);
    return most;
}

void px_guess_judge(px_guesser *g, int32_t n, int32_t n_true)
{
    float *share = &g->share[g->source][g->length];
    for (int32_t i = 0; i < n && i <= n_true; i++)
        *share += STEP_WEIGHT * ((i < n_true ? 1.0f : 0.0f) - *share);
}

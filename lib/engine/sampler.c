/* sampler: see sampler.h. */
#include "engine/sampler.h"

#include "base/mem.h"
#include "engine/num.h"

#include <math.h>

/* Repeat penalty (Keskar et al., "CTRL", 2019, made symmetric: a negative logit is multiplied),
 * then frequency and presence as in OpenAI's interface, over the last n tokens of the text. */
static void apply_penalties(const pith_sampling *o, px_candidates *c, const int32_t *tokens,
                            int64_t n_tokens)
{
    bool off = o->repeat_penalty == 1 && o->frequency_penalty == 0 && o->presence_penalty == 0;
    if (off || o->penalty_last_n == 0)
        return;
    int64_t first = 0;
    if (o->penalty_last_n > 0 && o->penalty_last_n < n_tokens)
        first = n_tokens - o->penalty_last_n;
    for (int64_t t = first; t < n_tokens; t++)
        c->marks[tokens[t]]++;
    for (int32_t i = 0; i < c->n; i++) {
        int32_t count = c->marks[c->ids[i]];
        if (count == 0)
            continue;
        float x = c->logits[i];
        x = x > 0 ? x / o->repeat_penalty : x * o->repeat_penalty;
        c->logits[i] = x - (float)count * o->frequency_penalty - o->presence_penalty;
    }
    c->total = 0;
    for (int64_t t = first; t < n_tokens; t++)
        c->marks[tokens[t]] = 0;
}

static pith_status check_bias(const px_sampler_def *def, pith_error *err)
{
    if (def->n_bias < 0 || (def->n_bias > 0 && !def->bias))
        return px_fail(err, PITH_E_ARGUMENT, "n_bias is %d with %s list of biases", def->n_bias,
                       def->bias ? "a" : "no");
    for (int32_t i = 0; i < def->n_bias; i++) {
        const pith_logit_bias *b = &def->bias[i];
        if (b->token < 0 || b->token >= def->n_vocab)
            return px_fail(err, PITH_E_ARGUMENT, "logit bias %d names token %d, expected 0 to %d",
                           i, b->token, def->n_vocab - 1);
        if (!(b->bias <= 1e30f))
            return px_fail(err, PITH_E_ARGUMENT,
                           "logit bias %d of token %d is %g, expected a number up to 1e30 or "
                           "-infinity",
                           i, b->token, (double)b->bias);
    }
    return PITH_OK;
}

pith_status px_sampler_init(px_sampler *s, const px_sampler_def *def, pith_error *err)
{
    *s = (px_sampler){.options = *def->sampling};
    pith_status st = px_order_parse(s->options.order, s->order, &s->n_order, err);
    if (st == PITH_OK)
        st = check_bias(def, err);
    if (st != PITH_OK)
        return st;
    s->seed = s->options.seed == PITH_SEED_RANDOM ? px_rng_system_seed() : s->options.seed;
    px_rng_seed(&s->rng, s->seed);
    s->mu = 2.0 * (double)s->options.mirostat_tau;
    if (def->n_bias > 0) {
        s->bias = px_malloc((size_t)def->n_bias, sizeof *s->bias);
        if (!s->bias)
            return px_fail_memory(err, "the logit bias");
        memcpy(s->bias, def->bias, (size_t)def->n_bias * sizeof *s->bias);
        s->n_bias = def->n_bias;
    }
    st = px_dry_init(&s->dry, &s->options, def->tok, def->n_ctx, err);
    if (st != PITH_OK)
        px_sampler_clear(s);
    return st;
}

void px_sampler_clear(px_sampler *s)
{
    px_free(s->bias);
    px_dry_clear(&s->dry);
    *s = (px_sampler){0};
}

void px_sampler_load(const px_sampler *s, px_candidates *c, const float *logits)
{
    px_candidates_load(c, logits);
    for (int32_t i = 0; i < s->n_bias; i++)
        c->logits[s->bias[i].token] += s->bias[i].bias;
}

static pith_status run_stage(px_sampler *s, px_stage stage, px_candidates *c, const int32_t *tokens,
                             int64_t n_tokens, pith_error *err)
{
    const pith_sampling *o = &s->options;
    switch (stage) {
    case PX_STAGE_PENALTIES:
        apply_penalties(o, c, tokens, n_tokens);
        return PITH_OK;
    case PX_STAGE_DRY:
        px_dry_apply(&s->dry, c, tokens, n_tokens);
        return PITH_OK;
    case PX_STAGE_TOP_K:
        px_filter_top_k(c, o->top_k, o->min_keep);
        return PITH_OK;
    case PX_STAGE_TYPICAL:
        return px_filter_typical(c, o->typical, o->min_keep, err);
    case PX_STAGE_TOP_P:
        return px_filter_top_p(c, o->top_p, o->min_keep, err);
    case PX_STAGE_MIN_P:
        return px_filter_min_p(c, o->min_p, o->min_keep, err);
    case PX_STAGE_XTC:
        return px_filter_xtc(c, o->xtc_probability, o->xtc_threshold, o->min_keep, &s->rng, err);
    case PX_STAGE_TEMPERATURE:
        px_filter_temperature(c, o->temperature);
        return PITH_OK;
    case PX_STAGE_N:
        break;
    }
    return px_fail(err, PITH_E_INTERNAL, "sampler stage %d has no code", (int)stage);
}

/* Whether a stage has a part in choosing: greedy choice needs no filters, mirostat replaces them.
 */
static bool takes_part(const pith_sampling *o, px_stage stage)
{
    if (stage == PX_STAGE_PENALTIES || stage == PX_STAGE_DRY)
        return true;
    if (o->temperature == 0)
        return false;
    return o->mirostat == 0 || stage == PX_STAGE_TEMPERATURE;
}

/* Mirostat 2 (Basu et al., "Mirostat", ICLR 2021, algorithm 2): keeps the surprise of what is
 * drawn near tau bits by moving a bound on it. */
static pith_status draw_mirostat(px_sampler *s, px_candidates *c, int32_t *index, pith_error *err)
{
    pith_status st = px_filter_surprise(c, s->mu, err);
    if (st == PITH_OK)
        st = px_candidates_draw(c, &s->rng, index, err);
    if (st != PITH_OK)
        return st;
    static const double LN2 = 0x1.62e42fefa39efp-1;
    double surprise = (px_log((double)c->total) - px_log((double)c->weights[*index])) / LN2;
    s->mu -= (double)s->options.mirostat_eta * (surprise - (double)s->options.mirostat_tau);
    return PITH_OK;
}

pith_status px_sampler_choose(px_sampler *s, px_candidates *c, const int32_t *tokens,
                              int64_t n_tokens, int32_t *token, pith_error *err)
{
    const pith_sampling *o = &s->options;
    if (isnan(px_max(c->logits, c->n)))
        return px_fail(err, PITH_E_NUMERIC,
                       "a logit is NaN when token %lld is to be chosen: the model file or the "
                       "logits callback is broken",
                       (long long)n_tokens);
    pith_status st = PITH_OK;
    for (int32_t i = 0; st == PITH_OK && i < s->n_order; i++)
        if (takes_part(o, s->order[i]))
            st = run_stage(s, s->order[i], c, tokens, n_tokens, err);
    if (st != PITH_OK)
        return st;
    int32_t index = -1;
    if (o->temperature == 0) {
        index = px_candidates_best(c);
        if (index < 0)
            st = px_candidates_weigh(c, err); // says that all are forbidden
    } else if (o->mirostat == 2) {
        st = draw_mirostat(s, c, &index, err);
    } else {
        st = px_candidates_draw(c, &s->rng, &index, err);
    }
    if (st == PITH_OK)
        *token = c->ids[index];
    return st;
}

void px_sampler_accept(px_sampler *s, int32_t token)
{
    px_dry_accept(&s->dry, token);
}

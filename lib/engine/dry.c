/* dry: see dry.h. Threads: as the session that uses it. */
#include "engine/dry.h"

#include "base/mem.h"

#include <float.h>

/* Breakers as text-generation-webui and its followers have them. */
static const pith_str usual_breakers[] = {{"\n", 1}, {":", 1}, {"\"", 1}, {"*", 1}};

static pith_status init_breakers(px_dry *d, const pith_sampling *s, pith_error *err)
{
    if (!s->dry_breakers)
        return px_matcher_init(&d->breakers, usual_breakers, d->tok ? 4 : 0, "DRY breaker", err);
    int32_t n = s->n_dry_breakers;
    if (n < 0 || n > PX_MAX_STOPS)
        return px_fail(err, PITH_E_ARGUMENT, "n_dry_breakers is %d, expected 0 to %d", n,
                       PX_MAX_STOPS);
    if (n > 0 && !d->tok)
        return px_fail(err, PITH_E_UNSUPPORTED,
                       "DRY breakers need a tokenizer and this model has none; give no breakers");
    pith_str breakers[PX_MAX_STOPS];
    for (int32_t i = 0; i < n; i++) {
        if (!s->dry_breakers[i])
            return px_fail(err, PITH_E_ARGUMENT, "dry_breakers[%d] is NULL", i);
        breakers[i] = (pith_str){s->dry_breakers[i], strlen(s->dry_breakers[i])};
    }
    return px_matcher_init(&d->breakers, breakers, n, "DRY breaker", err);
}

pith_status px_dry_init(px_dry *d, const pith_sampling *s, const px_tokenizer *tok, int64_t n_ctx,
                        pith_error *err)
{
    *d = (px_dry){0};
    if (s->dry_multiplier == 0 || s->dry_last_n == 0)
        return PITH_OK;
    d->multiplier = s->dry_multiplier;
    d->base = s->dry_base;
    d->allowed_length = s->dry_allowed_length;
    d->tok = tok;
    d->window = n_ctx + 1;
    if (s->dry_last_n > 0 && s->dry_last_n < d->window)
        d->window = s->dry_last_n;
    pith_status st = init_breakers(d, s, err);
    if (st == PITH_OK) {
        d->z = px_malloc((size_t)d->window, sizeof *d->z);
        if (!d->z)
            st = px_fail_memory(err, "the DRY sampler's window");
    }
    if (st != PITH_OK)
        px_dry_clear(d);
    return st;
}

void px_dry_clear(px_dry *d)
{
    px_matcher_clear(&d->breakers);
    px_free(d->z);
    *d = (px_dry){0};
}

void px_dry_accept(px_dry *d, int32_t token)
{
    if (d->multiplier == 0)
        return;
    d->since_break++;
    if (d->breakers.n == 0)
        return;
    px_str bytes = px_token_bytes(d->tok, token, true);
    for (size_t i = 0; i < bytes.len; i++)
        if (px_matcher_step(&d->breakers, (uint8_t)bytes.data[i]) >= 0)
            d->since_break = 0;
}

/* z[j]: tokens that end the text and also end the text without its last j, for j = 1 .. m - 1. */
static void match_lengths(const int32_t *tokens, int64_t n, int64_t m, uint32_t *z)
{
    const int32_t *last = tokens + n - 1;
    int64_t left = 0, right = 0; // [left, right): the match that reaches furthest so far
    for (int64_t j = 1; j < m; j++) {
        int64_t k = 0;
        if (j < right) {
            k = z[j - left];
            if (k > right - j)
                k = right - j;
        }
        while (j + k < m && last[-k] == last[-j - k])
            k++;
        z[j] = (uint32_t)k;
        if (j + k > right) {
            left = j;
            right = j + k;
        }
    }
}

/* multiplier * base^exponent in double, by squaring, at most FLT_MAX. */
static float penalty(const px_dry *d, int32_t exponent)
{
    double power = 1, square = d->base;
    for (uint32_t e = (uint32_t)exponent; e > 0; e >>= 1) {
        if (e & 1)
            power *= square;
        square *= square;
    }
    power *= (double)d->multiplier;
    return power < (double)FLT_MAX ? (float)power : FLT_MAX;
}

void px_dry_apply(const px_dry *d, px_candidates *c, const int32_t *tokens, int64_t n_tokens)
{
    if (d->multiplier == 0)
        return;
    int64_t m = n_tokens < d->window ? n_tokens : d->window;
    int64_t longest = d->since_break < m ? d->since_break : m;
    int64_t least = d->allowed_length > 1 ? d->allowed_length : 1;
    if (longest < least || m < 2)
        return;
    match_lengths(tokens, n_tokens, m, d->z);
    bool found = false;
    for (int64_t j = 1; j < m; j++) {
        int64_t length = d->z[j] < longest ? d->z[j] : longest;
        if (length < least)
            continue;
        int32_t next = tokens[n_tokens - j];
        if (c->marks[next] < length)
            c->marks[next] = (int32_t)length;
        found = true;
    }
    if (!found)
        return;
    for (int32_t i = 0; i < c->n; i++) {
        int32_t length = c->marks[c->ids[i]];
        if (length == 0)
            continue;
        px_str bytes = d->tok ? px_token_bytes(d->tok, c->ids[i], true) : (px_str){0};
        if (!px_matcher_inside(&d->breakers, bytes.data, bytes.len))
            c->logits[i] -= penalty(d, length - d->allowed_length);
    }
    c->total = 0;
    for (int64_t j = 1; j < m; j++)
        c->marks[tokens[n_tokens - j]] = 0;
}

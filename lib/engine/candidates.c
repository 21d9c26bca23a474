/* candidates: see candidates.h. */
#include "engine/candidates.h"

#include "base/mem.h"
#include "engine/num.h"
#include "engine/select.h"

#include <math.h>
#include <string.h>

static const double LN2 = 0x1.62e42fefa39efp-1;

size_t px_candidates_bytes(int32_t n_vocab)
{
    return (size_t)n_vocab *
           (2 * sizeof(int32_t) + sizeof(float) + sizeof(uint64_t) + sizeof(uint32_t));
}

pith_status px_candidates_init(px_candidates *c, int32_t n_vocab, pith_error *err)
{
    size_t n = (size_t)n_vocab;
    *c = (px_candidates){.n_vocab = n_vocab};
    c->ids = px_malloc(n, sizeof *c->ids);
    c->logits = px_malloc(n, sizeof *c->logits);
    c->weights = px_malloc(n, sizeof *c->weights);
    c->keys = px_malloc(n, sizeof *c->keys);
    c->marks = px_calloc(n, sizeof *c->marks);
    if (c->ids && c->logits && c->weights && c->keys && c->marks)
        return PITH_OK;
    px_candidates_clear(c);
    return px_fail_memory(err, "the buffers of the sampler");
}

void px_candidates_clear(px_candidates *c)
{
    px_free(c->ids);
    px_free(c->logits);
    px_free(c->weights);
    px_free(c->keys);
    px_free(c->marks);
    *c = (px_candidates){0};
}

void px_candidates_load(px_candidates *c, const float *logits)
{
    c->n = c->n_vocab;
    c->total = 0;
    memcpy(c->logits, logits, (size_t)c->n * sizeof *logits);
    for (int32_t i = 0; i < c->n; i++)
        c->ids[i] = i;
}

void px_candidates_keep(px_candidates *c, const uint64_t *bits, int32_t n_bits)
{
    int32_t n = 0;
    for (int32_t base = 0; base < n_bits; base += 64) {
        uint64_t word = bits[base / 64];
        if (n_bits - base < 64)
            word &= (UINT64_C(1) << (n_bits - base)) - 1;
        for (; word != 0; word &= word - 1) {
            int32_t id = base + (int32_t)__builtin_ctzll(word);
            c->ids[n] = id;
            c->logits[n++] = c->logits[id];
        }
    }
    c->n = n;
    c->total = 0;
}

int32_t px_candidates_best(const px_candidates *c)
{
    int32_t best = -1;
    float most = -INFINITY;
    for (int32_t i = 0; i < c->n; i++)
        if (c->logits[i] > most) {
            most = c->logits[i];
            best = i;
        }
    return best;
}

pith_status px_candidates_weigh(px_candidates *c, pith_error *err)
{
    if (c->total > 0)
        return PITH_OK;
    int32_t best = px_candidates_best(c);
    if (best < 0)
        return px_fail(err, PITH_E_ARGUMENT,
                       "all %d tokens are forbidden, nothing can be chosen; loosen the logit bias "
                       "or what the logits callback allows",
                       c->n_vocab);
    float max = c->logits[best];
    uint64_t total = 0;
    for (int32_t i = 0; i < c->n; i++)
        total += c->weights[i] = px_weight(c->logits[i], max);
    c->total = total;
    return PITH_OK;
}

/* Makes candidate `from` the one at `to`. */
static void move(px_candidates *c, int32_t from, int32_t to)
{
    c->ids[to] = c->ids[from];
    c->logits[to] = c->logits[from];
    c->weights[to] = c->weights[from];
}

static void key_by_logit(px_candidates *c)
{
    for (int32_t i = 0; i < c->n; i++)
        c->keys[i] = px_key_of(c->logits[i]);
}

/* Keeps the candidates that come first by c->keys: the shortest beginning with `target` of weight
 * (0: ignored), or the first min_keep if that is more. Weights stay valid. */
static void keep_first(px_candidates *c, uint64_t target, int32_t min_keep)
{
    px_cut by_count = {.key = UINT32_MAX, .left = 0};
    px_cut by_weight = {.key = UINT32_MAX, .left = 0};
    if (min_keep > 0)
        by_count = px_select(c->keys, NULL, c->n, (uint64_t)min_keep);
    if (target > 0)
        by_weight = px_select(c->keys, c->weights, c->n, target);
    int32_t n = 0;
    uint64_t total = 0;
    for (int32_t i = 0; i < c->n; i++) {
        uint64_t weight = c->total > 0 ? c->weights[i] : 0;
        bool in = px_cut_takes(&by_count, c->keys[i], 1);
        in |= px_cut_takes(&by_weight, c->keys[i], weight);
        if (!in)
            continue;
        move(c, i, n++);
        total += weight;
    }
    c->n = n;
    c->total = total;
}

void px_filter_top_k(px_candidates *c, int32_t k, int32_t min_keep)
{
    if (k < 1)
        return;
    if (k < min_keep)
        k = min_keep;
    if (k >= c->n)
        return;
    key_by_logit(c);
    keep_first(c, 0, k);
}

/* The least weight that is a share p of the total, at least 1. */
static uint64_t share(uint64_t total, float p)
{
    double target = ceil((double)p * (double)total);
    return target < 1 ? 1 : (uint64_t)target;
}

pith_status px_filter_top_p(px_candidates *c, float p, int32_t min_keep, pith_error *err)
{
    if (p >= 1 || c->n <= 1)
        return PITH_OK;
    pith_status st = px_candidates_weigh(c, err);
    if (st != PITH_OK)
        return st;
    key_by_logit(c);
    keep_first(c, share(c->total, p), min_keep > 1 ? min_keep : 0);
    return PITH_OK;
}

pith_status px_filter_min_p(px_candidates *c, float p, int32_t min_keep, pith_error *err)
{
    if (p <= 0 || c->n <= 1)
        return PITH_OK;
    pith_status st = px_candidates_weigh(c, err);
    if (st != PITH_OK)
        return st;
    uint64_t least = share(PX_WEIGHT_ONE, p);
    int32_t kept = 0;
    for (int32_t i = 0; i < c->n; i++)
        kept += c->weights[i] >= least;
    key_by_logit(c);
    keep_first(c, 0, kept > min_keep ? kept : min_keep);
    return PITH_OK;
}

/* entropy = sum of p * surprise, by ascending id; surprise = ln(1 / p). */
static double entropy_of(const px_candidates *c, double log_total)
{
    double entropy = 0;
    for (int32_t i = 0; i < c->n; i++)
        if (c->weights[i] > 0) {
            double p = (double)c->weights[i] / (double)c->total;
            entropy += p * (log_total - px_log((double)c->weights[i]));
        }
    return entropy;
}

pith_status px_filter_typical(px_candidates *c, float p, int32_t min_keep, pith_error *err)
{
    if (p >= 1 || c->n <= 1)
        return PITH_OK;
    pith_status st = px_candidates_weigh(c, err);
    if (st != PITH_OK)
        return st;
    double log_total = px_log((double)c->total);
    double entropy = entropy_of(c, log_total);
    for (int32_t i = 0; i < c->n; i++) {
        float off = INFINITY;
        if (c->weights[i] > 0)
            off = (float)fabs(log_total - px_log((double)c->weights[i]) - entropy);
        c->keys[i] = px_key_of(-off);
    }
    keep_first(c, share(c->total, p), min_keep > 1 ? min_keep : 0);
    return PITH_OK;
}

pith_status px_filter_xtc(px_candidates *c, float chance, float threshold, int32_t min_keep,
                          px_rng *rng, pith_error *err)
{
    if (chance <= 0)
        return PITH_OK;
    if (px_rng_unit(rng) >= (double)chance)
        return PITH_OK;
    pith_status st = px_candidates_weigh(c, err);
    if (st != PITH_OK)
        return st;
    uint64_t least = share(c->total, threshold);
    int32_t n_top = 0, last = -1;
    for (int32_t i = 0; i < c->n; i++)
        if (c->weights[i] >= least) {
            n_top++;
            if (last < 0 || c->logits[i] <= c->logits[last])
                last = i;
        }
    if (n_top < 2 || c->n - (n_top - 1) < min_keep)
        return PITH_OK;
    int32_t n = 0;
    for (int32_t i = 0; i < c->n; i++)
        if (i == last || c->weights[i] < least)
            move(c, i, n++);
    c->n = n;
    c->total = 0; // the likeliest may have gone: weigh anew
    return PITH_OK;
}

void px_filter_temperature(px_candidates *c, float t)
{
    if (t == 1)
        return;
    for (int32_t i = 0; i < c->n; i++)
        c->logits[i] /= t;
    c->total = 0;
}

pith_status px_filter_surprise(px_candidates *c, double mu, pith_error *err)
{
    pith_status st = px_candidates_weigh(c, err);
    if (st != PITH_OK)
        return st;
    double least = (double)c->total * px_exp(-mu * LN2);
    int32_t best = px_candidates_best(c), n = 0;
    uint64_t total = 0;
    for (int32_t i = 0; i < c->n; i++)
        if (i == best || (c->weights[i] > 0 && (double)c->weights[i] >= least)) {
            total += c->weights[i];
            move(c, i, n++);
        }
    c->n = n;
    c->total = total;
    return PITH_OK;
}

pith_status px_candidates_draw(px_candidates *c, px_rng *rng, int32_t *index, pith_error *err)
{
    pith_status st = px_candidates_weigh(c, err);
    if (st != PITH_OK)
        return st;
    uint64_t at = px_rng_below(rng, c->total);
    int32_t i = 0;
    while (at >= c->weights[i])
        at -= c->weights[i++];
    *index = i;
    return PITH_OK;
}

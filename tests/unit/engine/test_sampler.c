/*
 * sampler: what is drawn, against distributions computed by sorting and plain sums of doubles.
 *
 * Draws are held to the exact distribution by chi-square: seeds are fixed, so a test either always
 * passes or never; the bound is at p = 1e-6.
 */
#include "support/support.h"

#include "engine/num.h"
#include "engine/sampler.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { V = 60, DRAWS = 40000 };

/* ---- the definition, plainly */

typedef struct entry {
    int32_t id;
    double logit, p, key;
} entry;

typedef struct plain {
    entry e[V];
    int n;
} plain;

static int likelier(const void *a, const void *b)
{
    const entry *x = a, *y = b;
    if (x->logit != y->logit)
        return x->logit > y->logit ? -1 : 1;
    return x->id - y->id;
}

static int by_key(const void *a, const void *b)
{
    const entry *x = a, *y = b;
    if (x->key != y->key)
        return x->key < y->key ? -1 : 1;
    return x->id - y->id;
}

static void soften(plain *d)
{
    qsort(d->e, (size_t)d->n, sizeof d->e[0], likelier);
    double sum = 0;
    for (int i = 0; i < d->n; i++)
        sum += d->e[i].p = exp(d->e[i].logit - d->e[0].logit);
    for (int i = 0; i < d->n; i++)
        d->e[i].p /= sum;
}

static int least(int n, const pith_sampling *o)
{
    return n < o->min_keep ? o->min_keep : n;
}

static void keep(plain *d, int n)
{
    if (n < d->n)
        d->n = n > 0 ? n : 1;
}

/* The fewest of the first that hold a share p. */
static int first_with(const plain *d, double p)
{
    double sum = 0;
    for (int i = 0; i < d->n; i++) {
        sum += d->e[i].p;
        if (sum >= p)
            return i + 1;
    }
    return d->n;
}

static void plain_penalties(plain *d, const pith_sampling *o, const int32_t *tokens, int n)
{
    int first = o->penalty_last_n >= 0 && o->penalty_last_n < n ? n - o->penalty_last_n : 0;
    for (int i = 0; i < d->n; i++) {
        int count = 0;
        for (int t = first; t < n; t++)
            count += tokens[t] == d->e[i].id;
        if (count == 0)
            continue;
        d->e[i].logit = d->e[i].logit > 0 ? d->e[i].logit / (double)o->repeat_penalty
                                          : d->e[i].logit * (double)o->repeat_penalty;
        d->e[i].logit -= count * (double)o->frequency_penalty + (double)o->presence_penalty;
    }
}

static void plain_typical(plain *d, const pith_sampling *o)
{
    double entropy = 0;
    for (int i = 0; i < d->n; i++)
        entropy -= d->e[i].p * log(d->e[i].p);
    for (int i = 0; i < d->n; i++)
        d->e[i].key = fabs(-log(d->e[i].p) - entropy);
    qsort(d->e, (size_t)d->n, sizeof d->e[0], by_key);
    keep(d, least(first_with(d, (double)o->typical), o));
}

/* XTC when it strikes. */
static void plain_xtc(plain *d, const pith_sampling *o)
{
    int n_top = 0;
    while (n_top < d->n && d->e[n_top].p >= (double)o->xtc_threshold)
        n_top++;
    if (n_top < 2 || d->n - (n_top - 1) < o->min_keep)
        return;
    memmove(d->e, d->e + n_top - 1, (size_t)(d->n - n_top + 1) * sizeof d->e[0]);
    d->n -= n_top - 1;
}

static void plain_stage(plain *d, const pith_sampling *o, px_stage stage, const int32_t *tokens,
                        int n, bool xtc)
{
    soften(d);
    switch (stage) {
    case PX_STAGE_PENALTIES:
        plain_penalties(d, o, tokens, n);
        break;
    case PX_STAGE_TOP_K:
        if (o->top_k > 0)
            keep(d, least(o->top_k, o));
        break;
    case PX_STAGE_TYPICAL:
        if (o->typical < 1)
            plain_typical(d, o);
        break;
    case PX_STAGE_TOP_P:
        if (o->top_p < 1)
            keep(d, least(first_with(d, (double)o->top_p), o));
        break;
    case PX_STAGE_MIN_P: {
        int kept = 0;
        while (kept < d->n && d->e[kept].p >= (double)o->min_p * d->e[0].p)
            kept++;
        keep(d, least(kept, o));
        break;
    }
    case PX_STAGE_XTC:
        if (xtc)
            plain_xtc(d, o);
        break;
    case PX_STAGE_TEMPERATURE:
        for (int i = 0; i < d->n; i++)
            d->e[i].logit /= (double)o->temperature;
        break;
    default:
        break;
    }
}

/* The exact distribution of the next token; XTC mixes two. */
static void exact(const pith_sampling *o, const float *logits, const int32_t *tokens, int n,
                  double p[V])
{
    px_stage order[PX_STAGE_N];
    int32_t n_order;
    assert_int_equal(px_order_parse(o->order, order, &n_order, NULL), PITH_OK);
    memset(p, 0, V * sizeof *p);
    for (int xtc = 0; xtc < 2; xtc++) {
        double share = xtc ? (double)o->xtc_probability : 1 - (double)o->xtc_probability;
        plain d = {.n = V};
        for (int i = 0; i < V; i++)
            d.e[i] = (entry){.id = i, .logit = (double)logits[i]};
        for (int i = 0; i < n_order; i++)
            plain_stage(&d, o, order[i], tokens, n, xtc);
        soften(&d);
        if (o->mirostat == 2) {
            int kept = 0;
            while (kept < d.n && -log2(d.e[kept].p) <= 2 * (double)o->mirostat_tau)
                kept++;
            keep(&d, kept);
            soften(&d);
        }
        for (int i = 0; i < d.n; i++)
            p[d.e[i].id] += share * d.e[i].p;
    }
}

/* ---- draws */

static px_candidates candidates;

static px_sampler start(const pith_sampling *o, const pith_logit_bias *bias, int32_t n_bias)
{
    static pith_sampling checked;
    pith_error err = {0};
    px_sampler s;
    if (px_sampling_take(o, &checked, &err) != PITH_OK)
        fail_msg("%s", err.text);
    px_sampler_def def = {
        .sampling = &checked, .bias = bias, .n_bias = n_bias, .n_vocab = V, .n_ctx = 1000};
    if (px_sampler_init(&s, &def, &err) != PITH_OK)
        fail_msg("%s", err.text);
    return s;
}

static int32_t draw(px_sampler *s, const float *logits, const int32_t *tokens, int64_t n)
{
    pith_error err = {0};
    int32_t token = -1;
    px_sampler_load(s, &candidates, logits);
    if (px_sampler_choose(s, &candidates, tokens, n, &token, &err) != PITH_OK)
        fail_msg("%s", err.text);
    assert_in_range(token, 0, V - 1);
    return token;
}

static void make_logits(uint64_t seed, double spread, float logits[V])
{
    test_random r = {.state = seed};
    for (int i = 0; i < V; i++)
        logits[i] = (float)(test_random_normal(&r) * spread);
}

/* Bound of chi-square with f degrees of freedom at p = 1e-6 (Wilson and Hilferty). */
static double chi_bound(int f)
{
    double t = 1 - 2.0 / (9 * f) + 4.7534 * sqrt(2.0 / (9 * f));
    return f * t * t * t;
}

static const int32_t context[] = {3, 5, 5, 7, 3, 3, 11, 20, 21, 22, 5, 1};
enum { N_CONTEXT = sizeof context / sizeof context[0] };

/* Draws, and holds the counts to the exact distribution. */
static void check(const pith_sampling *o, uint64_t logits_seed, double spread)
{
    float logits[V];
    double p[V];
    int counts[V] = {0};
    make_logits(logits_seed, spread, logits);
    exact(o, logits, context, N_CONTEXT, p);
    px_sampler s = start(o, NULL, 0);
    for (int i = 0; i < DRAWS; i++) {
        if (o->mirostat)
            s.mu = 2 * (double)o->mirostat_tau;
        counts[draw(&s, logits, context, N_CONTEXT)]++;
    }
    px_sampler_clear(&s);
    double chi = 0, rare_expected = 0, rare = 0;
    int f = -1;
    for (int i = 0; i < V; i++) {
        if (p[i] == 0 && counts[i] > 0)
            fail_msg("token %d was drawn %d times and must not be", i, counts[i]);
        double expected = p[i] * DRAWS;
        if (expected < 10) {
            rare_expected += expected;
            rare += counts[i];
            continue;
        }
        chi += (counts[i] - expected) * (counts[i] - expected) / expected;
        f++;
    }
    if (rare_expected >= 10) {
        chi += (rare - rare_expected) * (rare - rare_expected) / rare_expected;
        f++;
    }
    if (f > 0 && !(chi < chi_bound(f)))
        fail_msg("chi-square is %g with %d degrees of freedom, expected under %g", chi, f,
                 chi_bound(f));
}

/* All filters off. */
static pith_sampling bare(void)
{
    pith_sampling o = px_sampling_defaults();
    o.temperature = 1;
    o.top_k = 0;
    o.top_p = 1;
    o.min_p = 0;
    o.seed = 1234;
    return o;
}

static void softmax_alone(void **state)
{
    (void)state;
    pith_sampling o = bare();
    for (uint64_t seed = 1; seed <= 3; seed++)
        check(&o, seed, (double)seed);
}

static void each_filter_alone(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 3; seed++) {
        pith_sampling o = bare();
        o.temperature = 0.3f + 0.5f * (float)seed;
        check(&o, seed, 1.5);
        o = bare();
        o.top_k = (int32_t)(5 * seed);
        check(&o, seed, 1.5);
        o = bare();
        o.top_p = 0.3f * (float)seed;
        check(&o, seed, 1.5);
        o = bare();
        o.min_p = 0.05f * (float)seed;
        check(&o, seed, 1.5);
        o = bare();
        o.typical = 0.25f * (float)seed;
        check(&o, seed, 1.5);
        o = bare();
        o.xtc_probability = 0.3f * (float)seed;
        o.xtc_threshold = 0.03f;
        check(&o, seed, 1.5);
        o = bare();
        o.repeat_penalty = 1.3f;
        o.frequency_penalty = 0.4f;
        o.presence_penalty = -0.3f;
        o.penalty_last_n = seed == 1 ? -1 : seed == 2 ? 5 : 0;
        check(&o, seed, 1.5);
        o = bare();
        o.mirostat = 2;
        o.mirostat_tau = 1 + (float)seed * 0.5f;
        check(&o, seed, 1.5);
    }
}

static void filters_together(void **state)
{
    (void)state;
    static const char *const orders[] = {
        NULL,
        "temperature;top_p;top_k",
        "min_p;xtc;penalties;typical",
        "top-k; temp ;typ_p,nucleus",
        "",
    };
    for (size_t i = 0; i < sizeof orders / sizeof orders[0]; i++)
        for (uint64_t seed = 1; seed <= 4; seed++) {
            pith_sampling o = bare();
            o.order = orders[i];
            o.temperature = 0.8f;
            o.top_k = 20;
            o.top_p = 0.9f;
            o.min_p = 0.04f;
            o.typical = 0.8f;
            o.xtc_probability = 0.5f;
            o.repeat_penalty = 1.2f;
            o.presence_penalty = 0.1f;
            o.min_keep = seed == 4 ? 12 : 1;
            check(&o, 100 + seed, 1.2);
        }
}

static void the_defaults(void **state)
{
    (void)state;
    pith_sampling o = px_sampling_defaults();
    o.seed = 9;
    for (uint64_t seed = 1; seed <= 3; seed++)
        check(&o, seed, 2);
}

/* ---- exact choices */

static void greedy_takes_the_largest_and_of_equals_the_first(void **state)
{
    (void)state;
    float logits[V];
    make_logits(1, 1, logits);
    logits[17] = logits[30] = logits[41] = 9;
    pith_sampling o = px_sampling_defaults();
    o.temperature = 0;
    px_sampler s = start(&o, NULL, 0);
    assert_int_equal(draw(&s, logits, context, N_CONTEXT), 17);
    px_sampler_clear(&s);
    const pith_logit_bias bias[] = {{17, -0.5f}, {30, -INFINITY}, {3, 8.75f}};
    s = start(&o, bias, 3);
    logits[3] = 0.5f;
    assert_int_equal(draw(&s, logits, context, N_CONTEXT), 3); // 9.25
    px_sampler_clear(&s);
    o.repeat_penalty = 1.1f; // 3 stands in the context: 9.25 / 1.1 is less than 9
    s = start(&o, bias, 3);
    assert_int_equal(draw(&s, logits, context, N_CONTEXT), 41);
    px_sampler_clear(&s);
}

static void infinite_logits(void **state)
{
    (void)state;
    float logits[V];
    for (int i = 0; i < V; i++)
        logits[i] = -INFINITY;
    logits[8] = -1e30f;
    pith_sampling o = px_sampling_defaults();
    o.top_k = 3;
    o.typical = 0.5f;
    o.xtc_probability = 1;
    o.min_keep = 5;
    for (int mirostat = 0; mirostat <= 2; mirostat += 2) {
        o.mirostat = mirostat;
        px_sampler s = start(&o, NULL, 0);
        for (int i = 0; i < 50; i++)
            assert_int_equal(draw(&s, logits, context, N_CONTEXT), 8);
        px_sampler_clear(&s);
    }
}

static void nothing_to_choose(void **state)
{
    (void)state;
    float logits[V];
    for (int i = 0; i < V; i++)
        logits[i] = -INFINITY;
    for (int kind = 0; kind < 4; kind++) {
        pith_sampling o = px_sampling_defaults();
        o.temperature = kind == 0 ? 0 : 1;
        o.mirostat = kind == 1 ? 2 : 0;
        o.top_k = kind == 2 ? 0 : 40;
        px_sampler s = start(&o, NULL, 0);
        pith_error err = {0};
        int32_t token = -7;
        px_sampler_load(&s, &candidates, logits);
        assert_int_equal(px_sampler_choose(&s, &candidates, context, N_CONTEXT, &token, &err),
                         PITH_E_ARGUMENT);
        assert_non_null(strstr(err.text, "all 60 tokens are forbidden"));
        assert_int_equal(token, -7);
        px_sampler_clear(&s);
    }
}

static void nan_is_an_error(void **state)
{
    (void)state;
    float logits[V];
    make_logits(1, 1, logits);
    logits[59] = NAN;
    pith_sampling o = px_sampling_defaults();
    px_sampler s = start(&o, NULL, 0);
    pith_error err = {0};
    int32_t token;
    px_sampler_load(&s, &candidates, logits);
    assert_int_equal(px_sampler_choose(&s, &candidates, context, N_CONTEXT, &token, &err),
                     PITH_E_NUMERIC);
    px_sampler_clear(&s);
}

static void a_seed_repeats(void **state)
{
    (void)state;
    /* As docs/sampling.md lists them: any machine must give these. */
    static const int32_t expected[] = {22, 9, 37, 47, 37, 35, 40, 40, 42, 8};
    float logits[V];
    for (int i = 0; i < V; i++)
        logits[i] = (float)((i * 37) % 60) * 0.0625f - (float)i * 0.03125f;
    pith_sampling o = px_sampling_defaults();
    o.temperature = 1.25f;
    o.seed = 2026;
    px_sampler s = start(&o, NULL, 0);
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        int32_t got = draw(&s, logits, NULL, 0);
        if (got != expected[i])
            fail_msg("draw %zu is %d, expected %d", i, got, expected[i]);
    }
    px_sampler_clear(&s);
    o.seed = PITH_SEED_RANDOM;
    s = start(&o, NULL, 0);
    assert_true(s.seed != PITH_SEED_RANDOM);
    px_sampler_clear(&s);
}

static void mirostat_keeps_the_surprise(void **state)
{
    (void)state;
    float logits[V];
    make_logits(4, 1, logits);
    pith_sampling o = bare();
    o.mirostat = 2;
    o.mirostat_tau = 3;
    px_sampler s = start(&o, NULL, 0);
    double sum = 0;
    int n = 20000;
    for (int i = 0; i < n; i++) {
        double before = s.mu;
        draw(&s, logits, NULL, 0);
        sum += (before - s.mu) / (double)o.mirostat_eta + (double)o.mirostat_tau;
    }
    px_sampler_clear(&s);
    assert_true(fabs(sum / n - 3) < 0.01); // mean surprise of what was drawn, in bits
}

/* ---- options */

static void orders_are_read(void **state)
{
    (void)state;
    px_stage order[PX_STAGE_N];
    int32_t n;
    assert_int_equal(px_order_parse(NULL, order, &n, NULL), PITH_OK);
    assert_int_equal(n, PX_STAGE_N);
    for (int i = 0; i < PX_STAGE_N; i++)
        assert_int_equal(order[i], i);
    assert_int_equal(px_order_parse(" Temp ; Min-P;;TYPICAL_P ", order, &n, NULL), PITH_OK);
    assert_int_equal(n, 3);
    assert_int_equal(order[0], PX_STAGE_TEMPERATURE);
    assert_int_equal(order[1], PX_STAGE_MIN_P);
    assert_int_equal(order[2], PX_STAGE_TYPICAL);
    pith_error err = {0};
    assert_int_equal(px_order_parse("top_k;tfs_z", order, &n, &err), PITH_E_ARGUMENT);
    assert_string_equal(err.text, "the sampler order names \"tfs_z\", which is none of: "
                                  "penalties;dry;top_k;typical;top_p;min_p;xtc;temperature");
    err = (pith_error){0};
    assert_int_equal(px_order_parse("top_k;top-k", order, &n, &err), PITH_E_ARGUMENT);
    assert_non_null(strstr(err.text, "\"top_k\" twice"));
}

static void refuse_option(pith_sampling o, const char *text)
{
    pith_sampling out;
    pith_error err = {0};
    assert_int_equal(px_sampling_take(&o, &out, &err), PITH_E_ARGUMENT);
    if (!strstr(err.text, text))
        fail_msg("'%s' lacks '%s'", err.text, text);
}

static void options_out_of_range(void **state)
{
    (void)state;
    const pith_sampling d = px_sampling_defaults();
    pith_sampling o = d;
    o.temperature = NAN;
    refuse_option(o, "temperature is nan");
    o = d;
    o.temperature = 1e-9f;
    refuse_option(o, "temperature is 1e-09, expected 0 (greedy) or at least 0.0001");
    o = d;
    o.top_p = 1.5f;
    refuse_option(o, "top_p is 1.5, expected 0 to 1");
    o = d;
    o.repeat_penalty = 0;
    refuse_option(o, "repeat_penalty is 0");
    o = d;
    o.mirostat = 1;
    refuse_option(o, "mirostat is 1, expected 0 (off) or 2");
    o = d;
    o.penalty_last_n = -2;
    refuse_option(o, "penalty_last_n is -2, expected at least -1");
    o = d;
    o.dry_base = 0.5f;
    refuse_option(o, "dry_base is 0.5");
    o = d;
    o.size = 3;
    refuse_option(o, "pith_sampling.size is 3");
}

static void older_callers_have_defaults(void **state)
{
    (void)state;
    pith_sampling o = px_sampling_defaults(), out;
    o.top_k = 7;
    o.size = offsetof(pith_sampling, top_p); // compiled before top_p was there
    o.top_p = 99;
    assert_int_equal(px_sampling_take(&o, &out, NULL), PITH_OK);
    assert_int_equal(out.top_k, 7);
    assert_true(out.top_p == 0.95f);
}

static void bias_is_checked(void **state)
{
    (void)state;
    pith_sampling o = px_sampling_defaults();
    px_sampler s;
    const pith_logit_bias bad[] = {{V, 1}, {-1, 1}, {0, NAN}, {0, INFINITY}};
    for (int i = 0; i < 4; i++) {
        px_sampler_def def = {.sampling = &o, .bias = &bad[i], .n_bias = 1, .n_vocab = V};
        pith_error err = {0};
        assert_int_equal(px_sampler_init(&s, &def, &err), PITH_E_ARGUMENT);
        assert_non_null(strstr(err.text, "logit bias 0"));
    }
}

static int set_up(void **state)
{
    (void)state;
    return px_candidates_init(&candidates, V, NULL);
}

static int tear_down(void **state)
{
    (void)state;
    px_candidates_clear(&candidates);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(softmax_alone),
        cmocka_unit_test(each_filter_alone),
        cmocka_unit_test(filters_together),
        cmocka_unit_test(the_defaults),
        cmocka_unit_test(greedy_takes_the_largest_and_of_equals_the_first),
        cmocka_unit_test(infinite_logits),
        cmocka_unit_test(nothing_to_choose),
        cmocka_unit_test(nan_is_an_error),
        cmocka_unit_test(a_seed_repeats),
        cmocka_unit_test(mirostat_keeps_the_surprise),
        cmocka_unit_test(orders_are_read),
        cmocka_unit_test(options_out_of_range),
        cmocka_unit_test(older_callers_have_defaults),
        cmocka_unit_test(bias_is_checked),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}

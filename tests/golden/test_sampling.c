/*
 * Sampling against llama.cpp and transformers: the tokens that the filters leave and their
 * probabilities, in the cases of tests/golden/sampling (made by make.py there), and what is drawn
 * from them over many seeds.
 *
 * Probabilities must agree to 2e-5: the references compute in f32, where a logit of 10 carries an
 * error of 1e-6 and a softmax over 40 tokens a few of those; pith's weights are exact to 2^-40.
 */
#include "support/support.h"

#include <cmocka.h>

#include "engine/sampler.h"

#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const double BOUND = 2e-5;

enum { MAX_TOKENS = 64 };

typedef struct sampling_case {
    char name[64];
    pith_sampling options;
    int32_t n_text, text[MAX_TOKENS];
    int32_t n_vocab;
    float logits[MAX_TOKENS];
    int32_t n_left, left[MAX_TOKENS]; // ascending
    double p[MAX_TOKENS];
} sampling_case;

/* ---- reading */

typedef struct option {
    const char *name;
    size_t offset;
    bool whole;
} option;

#define FLOAT(member)                                   \
    {                                                   \
#member, offsetof(pith_sampling, member), false \
    }
#define WHOLE(member)                                  \
    {                                                  \
#member, offsetof(pith_sampling, member), true \
    }

static const option OPTIONS[] = {
    FLOAT(temperature),
    WHOLE(top_k),
    FLOAT(top_p),
    FLOAT(min_p),
    FLOAT(typical),
    FLOAT(xtc_probability),
    FLOAT(xtc_threshold),
    FLOAT(repeat_penalty),
    FLOAT(frequency_penalty),
    FLOAT(presence_penalty),
    WHOLE(penalty_last_n),
    FLOAT(dry_multiplier),
    FLOAT(dry_base),
    WHOLE(dry_allowed_length),
    WHOLE(dry_last_n),
    WHOLE(mirostat),
    FLOAT(mirostat_tau),
    FLOAT(mirostat_eta),
    WHOLE(min_keep),
};

static void set_option(pith_sampling *s, const char *name, const char *value)
{
    for (size_t i = 0; i < sizeof OPTIONS / sizeof *OPTIONS; i++)
        if (!strcmp(OPTIONS[i].name, name)) {
            char *end;
            if (OPTIONS[i].whole) {
                const int32_t v = (int32_t)strtol(value, &end, 10);
                memcpy((char *)s + OPTIONS[i].offset, &v, sizeof v);
            } else {
                const float v = strtof(value, &end);
                memcpy((char *)s + OPTIONS[i].offset, &v, sizeof v);
            }
            assert_true(end > value && *end == 0);
            return;
        }
    fail_msg("unknown option %s", name);
}

/* Everything off but what a case sets. */
static pith_sampling all_off(void)
{
    pith_sampling s = px_sampling_defaults();
    s.temperature = 1;
    s.top_k = 0;
    s.top_p = 1;
    s.min_p = 0;
    s.typical = 1;
    s.xtc_probability = 0;
    s.repeat_penalty = 1;
    s.frequency_penalty = s.presence_penalty = 0;
    s.dry_multiplier = 0;
    s.mirostat = 0;
    s.min_keep = 1;
    s.seed = 1;
    return s;
}

static int32_t read_count(char **at)
{
    const long n = strtol(*at, at, 10);
    assert_in_range(n, 1, MAX_TOKENS);
    return (int32_t)n;
}

static void read_line(sampling_case *c, char *line)
{
    char *at = strchr(line, ' ');
    assert_non_null(at);
    *at++ = 0;
    if (!strcmp(line, "case")) {
        snprintf(c->name, sizeof c->name, "%s", at);
    } else if (!strcmp(line, "set")) {
        char *value = strchr(at, ' ');
        assert_non_null(value);
        *value++ = 0;
        set_option(&c->options, at, value);
    } else if (!strcmp(line, "text")) {
        c->n_text = read_count(&at);
        for (int32_t i = 0; i < c->n_text; i++)
            c->text[i] = (int32_t)strtol(at, &at, 10);
    } else if (!strcmp(line, "logits")) {
        c->n_vocab = read_count(&at);
        for (int32_t i = 0; i < c->n_vocab; i++)
            c->logits[i] = strtof(at, &at);
    } else {
        assert_string_equal(line, "expect");
        c->n_left = read_count(&at);
        for (int32_t i = 0; i < c->n_left; i++) {
            c->left[i] = (int32_t)strtol(at, &at, 10);
            assert_int_equal(*at++, ':');
            c->p[i] = strtod(at, &at);
        }
    }
}

/* ---- comparing */

typedef struct rig {
    sampling_case c;
    px_candidates candidates;
    px_sampler sampler;
} rig;

static void ok(pith_status status, const pith_error *err)
{
    if (status != PITH_OK)
        fail_msg("status %d: %s", (int)status, err->text);
}

static void rig_start(rig *r, uint64_t seed)
{
    pith_error err = {0};
    pith_sampling options;
    r->c.options.seed = seed;
    ok(px_sampling_take(&r->c.options, &options, &err), &err);
    const px_sampler_def def = {.sampling = &options, .n_vocab = r->c.n_vocab, .n_ctx = 4096};
    ok(px_sampler_init(&r->sampler, &def, &err), &err);
    for (int32_t i = 0; i < r->c.n_text; i++)
        px_sampler_accept(&r->sampler, r->c.text[i]);
}

static int32_t rig_choose(rig *r)
{
    pith_error err = {0};
    int32_t token = -1;
    px_sampler_load(&r->sampler, &r->candidates, r->c.logits);
    ok(px_sampler_choose(&r->sampler, &r->candidates, r->c.text, r->c.n_text, &token, &err), &err);
    return token;
}

static int32_t place_of(const sampling_case *c, int32_t token)
{
    for (int32_t i = 0; i < c->n_left; i++)
        if (c->left[i] == token)
            return i;
    return -1;
}

/* Who is left, and how likely; returns the largest difference of a probability. */
static double compare(rig *r)
{
    const sampling_case *c = &r->c;
    rig_start(r, 1);
    const int32_t token = rig_choose(r);
    const px_candidates *left = &r->candidates;
    double worst = 0;
    if (left->n != c->n_left)
        fail_msg("%s: %d tokens are left, expected %d", c->name, left->n, c->n_left);
    for (int32_t i = 0; i < c->n_left; i++) {
        const double p = (double)left->weights[i] / (double)left->total;
        if (left->ids[i] != c->left[i])
            fail_msg("%s: token %d is left, expected %d", c->name, left->ids[i], c->left[i]);
        if (!(fabs(p - c->p[i]) <= BOUND))
            fail_msg("%s: token %d has probability %.7f, expected %.7f", c->name, c->left[i], p,
                     c->p[i]);
        worst = fmax(worst, fabs(p - c->p[i]));
    }
    const int32_t place = place_of(c, token);
    assert_true(place >= 0);
    if (c->options.mirostat == 2) {
        const double tau = c->options.mirostat_tau, eta = c->options.mirostat_eta;
        const double mu = 2 * tau - eta * (-log2(c->p[place]) - tau);
        assert_true(fabs(r->sampler.mu - mu) <= 1e-4);
    }
    px_sampler_clear(&r->sampler);
    return worst;
}

/* Chi-square of N draws against the reference's probabilities, tokens that are expected less than 8
 * times taken together. The bound is the 1 - 1e-6 quantile by the Wilson-Hilferty formula; seeds
 * are fixed, so a pass is a pass for good. */
static void check_draws(rig *r)
{
    enum { N = 10000 };
    const sampling_case *c = &r->c;
    int32_t counts[MAX_TOKENS] = {0};
    rig_start(r, 20251122);
    for (int i = 0; i < N; i++) {
        const int32_t place = place_of(c, rig_choose(r));
        assert_true(place >= 0);
        counts[place]++;
    }
    px_sampler_clear(&r->sampler);
    double chi2 = 0, rest_expected = 0, rest = 0;
    int classes = 0;
    for (int32_t i = 0; i < c->n_left; i++) {
        const double expected = N * c->p[i];
        if (expected < 8) {
            rest_expected += expected;
            rest += counts[i];
            continue;
        }
        chi2 += (counts[i] - expected) * (counts[i] - expected) / expected;
        classes++;
    }
    if (rest_expected >= 8) {
        chi2 += (rest - rest_expected) * (rest - rest_expected) / rest_expected;
        classes++;
    }
    if (classes < 2)
        return;
    const double k = classes - 1, a = 2 / (9 * k);
    const double bound = k * pow(1 - a + 4.7534 * sqrt(a), 3);
    if (!(chi2 <= bound))
        fail_msg("%s: chi-square %.1f of %d classes, bound %.1f", c->name, chi2, classes, bound);
}

static void test_file(void **state)
{
    const char *name = *state;
    char *text = test_read(test_source(test_format("tests/golden/sampling/%s.txt", name)), NULL);
    rig r = {.c = {.options = all_off()}};
    pith_error err = {0};
    int n_cases = 0, n_draws = 0;
    double worst = 0;
    for (char *line = text, *next; *line; line = next) {
        next = strchr(line, '\n');
        assert_non_null(next);
        *next++ = 0;
        const bool last = !strncmp(line, "expect ", 7);
        read_line(&r.c, line);
        if (!last)
            continue;
        ok(px_candidates_init(&r.candidates, r.c.n_vocab, &err), &err);
        worst = fmax(worst, compare(&r));
        if (r.c.options.mirostat == 0 && n_cases % 4 == 0) {
            check_draws(&r);
            n_draws++;
        }
        px_candidates_clear(&r.candidates);
        r = (rig){.c = {.options = all_off()}};
        n_cases++;
    }
    assert_true(n_cases >= 40);
    printf("# %s: %d cases, largest difference of a probability %.1e; draws of %d cases\n", name,
           n_cases, worst, n_draws);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        {"llama.cpp", test_file, NULL, NULL, (void *)(uintptr_t) "llama_cpp"},
        {"transformers", test_file, NULL, NULL, (void *)(uintptr_t) "transformers"},
    };
    return cmocka_run_group_tests_name("sampling", tests, NULL, NULL);
}

/*
 * Prefixes that are found, in memory and on disk, in each family: windows, soft caps, rope of all
 * kinds, contexts longer than the windows and than the trained ones. Logits after them against
 * those of an engine without a cache.
 *
 * Plain C computes each column alone, so that where a context is cut changes nothing but the order
 * in which attention adds: 1e-5 of the largest logit is a hundred times the rounding of f32.
 */
#include "support/support.h"

#include <cmocka.h>

#include "golden/support/runner.h"
#include "pith.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { LENGTH = 230, PAGE = 64 };

static pith_engine *engine_of(const pith_model *model, bool cached, const char *folder)
{
    pith_engine_options o = PITH_INIT(pith_engine_options);
    pith_error err = {0};
    bool runs;
    o.n_ctx = 256;
    o.n_threads = 1;
    o.k_type = o.v_type = "f32";
    o.cpu = pith_cpu_level(0, &runs);
    o.no_prefix_cache = !cached;
    o.kv_dir = folder;
    pith_engine *e;
    runner_ok(pith_engine_new(model, &o, &e, &err), &err);
    return e;
}

/* The last logits of a context read by a new session; *computed: how many of its tokens were. */
static float *logits_of(pith_engine *e, int32_t n_vocab, const int32_t *tokens, int64_t n,
                        int64_t *computed)
{
    pith_error err = {0};
    pith_session *s;
    const float *rows;
    pith_engine_info before = PITH_INIT(pith_engine_info), after = before;
    runner_ok(pith_engine_get_info(e, &before, &err), &err);
    runner_ok(pith_session_new(e, NULL, &s, &err), &err);
    runner_ok(pith_session_set(s, tokens, n, 1, &rows, &err), &err);
    runner_ok(pith_engine_get_info(e, &after, &err), &err);
    *computed = (int64_t)(after.n_computed - before.n_computed);
    float *copy = malloc((size_t)n_vocab * sizeof *copy);
    assert_non_null(copy);
    memcpy(copy, rows, (size_t)n_vocab * sizeof *copy);
    pith_session_free(s);
    return copy;
}

static void assert_near(const float *got, const float *expected, int32_t n, const char *model)
{
    double largest = 0, worst = 0;
    for (int32_t i = 0; i < n; i++) {
        double a = fabs((double)expected[i]), d = fabs((double)got[i] - (double)expected[i]);
        largest = a > largest ? a : largest;
        worst = d > worst || isnan(d) ? d : worst;
    }
    if (!(worst <= 1e-5 * largest))
        fail_msg("%s: %g off, the largest logit is %g", model, worst, largest);
}

static void test_model(void **state)
{
    const char *name = *state;
    pith_error err = {0};
    pith_model_options mo = PITH_INIT(pith_model_options);
    mo.flags = PITH_OPEN_NO_TOKENIZER;
    pith_model *model;
    runner_ok(pith_model_open(runner_folder(name), &mo, &model, &err), &err);
    pith_model_info info = PITH_INIT(pith_model_info);
    runner_ok(pith_model_get_info(model, &info, &err), &err);
    int32_t tokens[LENGTH], other[LENGTH];
    for (int i = 0; i < LENGTH; i++) {
        tokens[i] = (i * 37 + i * i * 11 + 5) % info.n_vocab;
        other[i] = i < 170 ? tokens[i] : (tokens[i] + 3) % info.n_vocab; // in the third page
    }
    const char *folder = test_temp(name);
    pith_engine *plain = engine_of(model, false, NULL), *e = engine_of(model, true, folder);
    int64_t computed;
    float *expected = logits_of(plain, info.n_vocab, tokens, LENGTH, &computed);
    float *expected_other = logits_of(plain, info.n_vocab, other, LENGTH, &computed);
    free(logits_of(e, info.n_vocab, tokens, LENGTH, &computed));
    assert_int_equal(computed, LENGTH);
    float *got = logits_of(e, info.n_vocab, tokens, LENGTH, &computed);
    assert_int_equal(computed, 1); // whole pages, and the last one's copy
    assert_near(got, expected, info.n_vocab, name);
    free(got);
    got = logits_of(e, info.n_vocab, other, LENGTH, &computed);
    assert_int_equal(computed, LENGTH - 170);
    assert_near(got, expected_other, info.n_vocab, name);
    free(got);
    pith_engine_free(e); // which saves them
    e = engine_of(model, true, folder);
    got = logits_of(e, info.n_vocab, tokens, LENGTH, &computed);
    assert_int_equal(computed, LENGTH - 3 * PAGE);
    assert_near(got, expected, info.n_vocab, name);
    free(got);
    free(expected);
    free(expected_other);
    pith_engine_free(e);
    pith_engine_free(plain);
    pith_model_close(model);
}

int main(void)
{
    static struct CMUnitTest tests[64];
    size_t n = 0;
    for (const char *const *name = RUNNER_MODELS; *name; name++) {
        void *state = (void *)(uintptr_t)*name;
        tests[n++] = (struct CMUnitTest){*name, test_model, NULL, NULL, state};
    }
    return _cmocka_run_group_tests("cache", tests, n, NULL, NULL);
}

/* session: holding exactly what one is told, reuse, forks, limits; engines and their options. */
#include "stories.h"

enum { V = 512 };

static float *kept_logits(pith_session *s, const int32_t *tokens, int64_t n, int32_t rows)
{
    const float *logits;
    assert_ok(pith_session_set(s, tokens, n, rows, &logits, &err));
    float *copy = malloc((size_t)rows * V * sizeof *copy);
    assert_non_null(copy);
    memcpy(copy, logits, (size_t)rows * V * sizeof *copy);
    return copy;
}

static void assert_close(const float *a, const float *b, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!(fabsf(a[i] - b[i]) <= 1e-3f))
            fail_msg("logit %zu: %g and %g", i, (double)a[i], (double)b[i]);
}

static const char *const story =
    "Once upon a time, there was a little girl named Lily. She loved to play outside in the park. "
    "One day, she saw a big, red ball. She wanted to play with it, but it was too high. "
    "Lily's mom said, let us go home.";

static void however_it_is_cut_the_logits_are_the_same(void **state)
{
    (void)state;
    need_model();
    ids text = ids_of(story);
    assert_true(text.n > 70 && text.n <= 128); // over a page of the cache
    float *expected = NULL;
    static const int32_t batches[] = {0, 1, 3, 8, 64, 65};
    for (size_t i = 0; i < sizeof batches / sizeof batches[0]; i++) {
        pith_engine_options o = engine_options(0);
        o.n_batch = batches[i];
        pith_engine *e = engine_with(o);
        pith_session *s = session_of(e, PITH_OVERFLOW_ERROR, 0);
        pith_engine_info info = PITH_INIT(pith_engine_info);
        assert_ok(pith_engine_get_info(e, &info, &err));
        int32_t rows = info.max_logits < 20 ? info.max_logits : 20;
        float *got = kept_logits(s, text.id, text.n, rows);
        if (!expected)
            expected = got;
        assert_close(got, expected + (size_t)(20 - rows) * V, (size_t)rows * V);
        if (got != expected)
            free(got);
        pith_session_free(s);
        pith_engine_free(e);
    }
    free(expected);
}

static void a_prefix_is_reused(void **state)
{
    (void)state;
    need_model();
    pith_engine *e = engine_with(engine_options(0));
    pith_session *s = session_of(e, PITH_OVERFLOW_ERROR, 0);
    pith_session *fresh = session_of(e, PITH_OVERFLOW_ERROR, 0);
    ids a = ids_of(story), b = a;
    for (int64_t i = 40; i < b.n; i++)
        b.id[i] = 300 + (int32_t)i;
    free(kept_logits(s, a.id, a.n, 1));
    /* Shorter, the same, another end, and back: always as if computed anew. */
    const struct {
        const ids *text;
        int64_t n;
    } steps[] = {{&a, 30}, {&a, 30}, {&a, a.n}, {&b, b.n}, {&b, 41}, {&a, 41}, {&a, 65}, {&a, 64}};
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        float *got = kept_logits(s, steps[i].text->id, steps[i].n, 2);
        assert_ok(pith_session_set(fresh, NULL, 0, 0, NULL, &err));
        float *expected = kept_logits(fresh, steps[i].text->id, steps[i].n, 2);
        assert_close(got, expected, 2 * V);
        int64_t n;
        const int32_t *tokens = pith_session_get_tokens(s, &n);
        assert_int_equal(n, steps[i].n);
        assert_memory_equal(tokens, steps[i].text->id, (size_t)n * sizeof *tokens);
        free(got);
        free(expected);
    }
    /* Tokens may be the session's own. */
    int64_t n;
    const int32_t *own = pith_session_get_tokens(s, &n);
    assert_ok(pith_session_set(s, own, 20, 0, NULL, &err));
    own = pith_session_get_tokens(s, &n);
    assert_int_equal(n, 20);
    assert_memory_equal(own, a.id, 20 * sizeof *own);
    pith_session_free(fresh);
    pith_session_free(s);
    pith_engine_free(e);
}

static void forks_share_and_part(void **state)
{
    (void)state;
    need_model();
    pith_engine *e = engine_with(engine_options(0));
    pith_session *s = session_of(e, PITH_OVERFLOW_ERROR, 0);
    ids a = ids_of(story), b = a;
    b.id[71] = 300;
    free(kept_logits(s, a.id, a.n, 1));
    pith_engine_info before = PITH_INIT(pith_engine_info), after = before;
    assert_ok(pith_engine_get_info(e, &before, &err));
    pith_session *f;
    assert_ok(pith_session_fork(s, 70, &f, &err));
    assert_ok(pith_engine_get_info(e, &after, &err));
    assert_int_equal(after.kv_bytes, before.kv_bytes); // nothing was copied
    int64_t n;
    assert_memory_equal(pith_session_get_tokens(f, &n), a.id, 70 * sizeof a.id[0]);
    assert_int_equal(n, 70);
    /* Both write on from a page that they share. */
    float *of_fork = kept_logits(f, b.id, b.n, 1);
    float *of_first = kept_logits(s, a.id, a.n, 1);
    pith_session *fresh = session_of(e, PITH_OVERFLOW_ERROR, 0);
    float *expected = kept_logits(fresh, b.id, b.n, 1);
    assert_close(of_fork, expected, V);
    free(expected);
    expected = kept_logits(fresh, a.id, a.n, 1);
    assert_close(of_first, expected, V);
    pith_session_free(s); // the fork lives on
    free(of_fork);
    of_fork = kept_logits(f, a.id, 80, 1);
    free(expected);
    expected = kept_logits(fresh, a.id, 80, 1);
    assert_close(of_fork, expected, V);
    assert_refused(pith_session_fork(f, 81, &s, &err), PITH_E_ARGUMENT,
                   "81 tokens is asked for, the session holds 80");
    assert_null(s);
    free(of_fork);
    free(of_first);
    free(expected);
    pith_session_free(f);
    pith_session_free(fresh);
    assert_ok(pith_engine_get_info(e, &after, &err));
    pith_engine_free(e);
}

static void a_fork_of_an_answer_takes_its_last_token_along(void **state)
{
    (void)state;
    pith_engine *e = engine_with(engine_options(0));
    pith_session *s = session_of(e, PITH_OVERFLOW_ERROR, 0);
    ids context = ids_of(PROMPT);
    pith_request r = request(&context, 4, NULL);
    assert_ok(pith_generate(s, &r, NULL, &err));
    int64_t n, m;
    const int32_t *tokens = pith_session_get_tokens(s, &n);
    pith_session *f;
    assert_ok(pith_session_fork(s, n, &f, &err));
    assert_memory_equal(pith_session_get_tokens(f, &m), tokens, (size_t)n * sizeof *tokens);
    assert_int_equal(m, n);
    float *a = kept_logits(f, tokens, n, 1), *b = kept_logits(s, tokens, n, 1);
    assert_close(a, b, V);
    free(a);
    free(b);
    pith_session_free(f);
    pith_session_free(s);
    pith_engine_free(e);
}

static void rows_of_logits_are_bounded(void **state)
{
    (void)state;
    need_model();
    pith_engine_options o = engine_options(0);
    o.max_logits = 4;
    pith_engine *e = engine_with(o);
    pith_session *s = session_of(e, PITH_OVERFLOW_ERROR, 0);
    const int32_t tokens[] = {1, 5, 6, 7, 8, 9};
    const float *logits;
    assert_refused(pith_session_set(s, tokens, 6, 5, &logits, &err), PITH_E_ARGUMENT,
                   "5 rows of logits");
    assert_null(logits);
    assert_refused(pith_session_set(s, tokens, 2, 3, &logits, &err), PITH_E_ARGUMENT,
                   "of 2 tokens");
    assert_refused(pith_session_set(s, tokens, 2, 1, NULL, &err), PITH_E_ARGUMENT, "NULL");
    float *four = kept_logits(s, tokens, 6, 4);
    for (int i = 0; i < 4; i++) {
        float *one = kept_logits(s, tokens, 3 + i, 1);
        assert_close(one, four + (size_t)i * V, V);
        free(one);
    }
    free(four);
    pith_session_free(s);
    pith_engine_free(e);
}

static void engine_options_are_checked(void **state)
{
    (void)state;
    need_model();
    pith_engine *e;
    pith_engine_options o = PITH_INIT(pith_engine_options);
    o.n_ctx = -1;
    assert_refused(pith_engine_new(model, &o, &e, &err), PITH_E_ARGUMENT, "n_ctx is -1");
    assert_null(e);
    o = PITH_INIT(pith_engine_options);
    o.n_ctx = INT64_MAX;
    assert_refused(pith_engine_new(model, &o, &e, &err), PITH_E_ARGUMENT, "expected 1 to 67108864");
    o = PITH_INIT(pith_engine_options);
    o.k_type = "q4_0";
    assert_refused(pith_engine_new(model, &o, &e, &err), PITH_E_ARGUMENT,
                   "k_type of the KV cache is 'q4_0', expected f16, f32 or q8_0");
    o.k_type = NULL;
    o.v_type = "fp99";
    assert_refused(pith_engine_new(model, &o, &e, &err), PITH_E_ARGUMENT, "v_type");
    o = PITH_INIT(pith_engine_options);
    o.v_type = "q8_0"; // heads of 8 are no blocks of 32
    assert_int_not_equal(pith_engine_new(model, &o, &e, &err), PITH_OK);
    o = PITH_INIT(pith_engine_options);
    o.cpu = "mmx";
    assert_refused(pith_engine_new(model, &o, &e, &err), PITH_E_ARGUMENT,
                   "CPU level 'mmx', which is none of: ref, avx2");
    o = PITH_INIT(pith_engine_options);
    o.n_threads = -3;
    assert_refused(pith_engine_new(model, &o, &e, &err), PITH_E_ARGUMENT, "-3 threads");
    o = PITH_INIT(pith_engine_options);
    o.n_batch = -1;
    assert_refused(pith_engine_new(model, &o, &e, &err), PITH_E_ARGUMENT, "n_batch is -1");
    o.size = 4;
    assert_refused(pith_engine_new(model, &o, &e, &err), PITH_E_ARGUMENT, "size is 4");
    assert_refused(pith_engine_new(NULL, NULL, &e, &err), PITH_E_ARGUMENT, "NULL");
    bool runs;
    for (int32_t i = 0; pith_cpu_level(i, &runs); i++) {
        o = PITH_INIT(pith_engine_options);
        o.cpu = pith_cpu_level(i, NULL);
        pith_status st = pith_engine_new(model, &o, &e, NULL);
        assert_int_equal(st, runs ? PITH_OK : PITH_E_UNSUPPORTED);
        pith_engine_free(e);
    }
    pith_model *words;
    pith_model_options mo = PITH_INIT(pith_model_options);
    mo.flags = PITH_OPEN_NO_WEIGHTS;
    assert_ok(pith_model_open(stories_path(), &mo, &words, &err));
    assert_refused(pith_engine_new(words, NULL, &e, &err), PITH_E_UNSUPPORTED, "without weights");
    pith_model_close(words);
}

static void the_environment_caps_the_level(void **state)
{
    (void)state;
    need_model();
    pith_engine *e;
    pith_engine_info info = PITH_INIT(pith_engine_info);
    assert_int_equal(setenv("PITH_CPU", "ref", 1), 0);
    assert_ok(pith_engine_new(model, NULL, &e, &err));
    assert_ok(pith_engine_get_info(e, &info, &err));
    assert_string_equal(info.cpu, "ref");
    pith_engine_free(e);
    assert_int_equal(setenv("PITH_CPU", "quantum", 1), 0);
    assert_refused(pith_engine_new(model, NULL, &e, &err), PITH_E_ARGUMENT,
                   "PITH_CPU names CPU level 'quantum'");
    unsetenv("PITH_CPU");
}

static void sessions_are_bounded(void **state)
{
    (void)state;
    need_model();
    pith_engine_options o = engine_options(16);
    o.max_sessions = 2;
    pith_engine *e = engine_with(o);
    pith_session *a = session_of(e, PITH_OVERFLOW_ERROR, 0);
    pith_session *b = session_of(e, PITH_OVERFLOW_ERROR, 14), *c;
    assert_refused(pith_session_new(e, NULL, &c, &err), PITH_E_LIMIT, "2 sessions");
    pith_session_free(a);
    pith_session_options so = PITH_INIT(pith_session_options);
    so.n_keep = 15;
    assert_refused(pith_session_new(e, &so, &c, &err), PITH_E_ARGUMENT,
                   "n_keep is 15, expected 0 to 14");
    so.n_keep = 0;
    so.overflow = (pith_overflow)3;
    assert_refused(pith_session_new(e, &so, &c, &err), PITH_E_ARGUMENT, "overflow is 3");
    assert_ok(pith_session_new(e, NULL, &c, &err));
    pith_session_free(b);
    pith_session_free(c);
    pith_engine_free(e);
}

static void the_cache_is_bounded(void **state)
{
    (void)state;
    need_model();
    pith_plan plan = PITH_INIT(pith_plan);
    plan.n_ctx = 128;
    assert_ok(pith_model_plan(model, &plan, &err));
    assert_int_equal(plan.kv_token_bytes, 5 * 4 * (8 + 8) * 2); // layers, kv heads, k and v, f16
    pith_engine_options o = engine_options(0);
    o.k_type = o.v_type = "f16";
    o.kv_bytes = plan.kv_bytes; // two pages
    pith_engine *e = engine_with(o);
    pith_session *a = session_of(e, PITH_OVERFLOW_ERROR, 0);
    pith_session *b = session_of(e, PITH_OVERFLOW_ERROR, 0);
    ids text = ids_of(story);
    free(kept_logits(a, text.id, text.n, 1));
    const float *logits;
    assert_int_equal(pith_session_set(b, text.id, 10, 1, &logits, &err), PITH_E_MEMORY);
    assert_ok(pith_session_set(a, text.id, 10, 0, NULL, &err)); // gives a page back
    assert_ok(pith_session_set(b, text.id, 10, 1, &logits, &err));
    pith_engine_info info = PITH_INIT(pith_engine_info);
    assert_ok(pith_engine_get_info(e, &info, &err));
    assert_true(info.kv_bytes <= plan.kv_bytes);
    pith_session_free(a);
    pith_session_free(b);
    pith_engine_free(e);
}

static void plans_say_where_memory_goes(void **state)
{
    (void)state;
    need_model();
    pith_plan plan = PITH_INIT(pith_plan);
    assert_ok(pith_model_plan(model, &plan, &err));
    assert_int_equal(plan.n_ctx, 128);
    assert_string_equal(plan.kv_type, "f16");
    assert_true(plan.n_threads >= 1 && plan.n_batch == 128);
    pith_model_info info = PITH_INIT(pith_model_info);
    assert_ok(pith_model_get_info(model, &info, &err));
    assert_true(plan.weight_bytes > 0 && plan.weight_bytes <= info.weight_bytes);
    assert_true(plan.kv_bytes >= 128 * plan.kv_token_bytes);
    assert_true(plan.work_bytes > 0);
    pith_plan wide = PITH_INIT(pith_plan);
    wide.kv_type = "f32";
    wide.n_ctx = 1000;
    assert_ok(pith_model_plan(model, &wide, &err));
    assert_int_equal(wide.kv_token_bytes, 2 * plan.kv_token_bytes);
    assert_true(wide.kv_bytes >= 1000 * wide.kv_token_bytes);
    wide.kv_type = "x";
    assert_refused(pith_model_plan(model, &wide, &err), PITH_E_ARGUMENT, "'x'");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(however_it_is_cut_the_logits_are_the_same),
        cmocka_unit_test(a_prefix_is_reused),
        cmocka_unit_test(forks_share_and_part),
        cmocka_unit_test(a_fork_of_an_answer_takes_its_last_token_along),
        cmocka_unit_test(rows_of_logits_are_bounded),
        cmocka_unit_test(engine_options_are_checked),
        cmocka_unit_test(the_environment_caps_the_level),
        cmocka_unit_test(sessions_are_bounded),
        cmocka_unit_test(the_cache_is_bounded),
        cmocka_unit_test(plans_say_where_memory_goes),
    };
    return cmocka_run_group_tests(tests, NULL, close_model);
}

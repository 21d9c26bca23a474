/* score: sums against the logits themselves, windows against their definition. */
#include "stories.h"

enum { V = 512 };

static const char *const story =
    "Once upon a time, there was a little girl named Lily. She loved to play outside in the park. "
    "One day, she saw a big, red ball. She wanted to play with it, but it was too high. "
    "Lily's mom said, let us go home. Caf\xc3\xa9 \xe2\x82\xac!";

/* -log p of tokens[at] after those before it, from logits of a session that is told them. */
static double plain_nll(pith_session *s, const int32_t *tokens, int64_t at, bool *greedy)
{
    const float *logits;
    assert_ok(pith_session_set(s, tokens, at, 1, &logits, &err));
    double sum = 0;
    int best = 0;
    for (int t = 0; t < V; t++) {
        sum += exp((double)logits[t]);
        best = logits[t] > logits[best] ? t : best;
    }
    *greedy = best == tokens[at];
    return log(sum) - (double)logits[tokens[at]];
}

static void each_token_as_its_logits_say(void **state)
{
    (void)state;
    need_model();
    pith_engine_options o = engine_options(0);
    o.max_logits = 7;
    pith_engine *e = engine_with(o);
    pith_session *s = session_of(e, PITH_OVERFLOW_ERROR, 0);
    pith_session *plain = session_of(e, PITH_OVERFLOW_ERROR, 0);
    ids text = ids_of(story);
    static const int64_t firsts[] = {1, 2, 50, 80};
    for (size_t i = 0; i < 4; i++) {
        int64_t first = firsts[i], n = text.n - first;
        assert_true(n > 0);
        float out[256];
        bool greedy[256];
        assert_ok(pith_score_tokens(s, text.id, text.n, first, out, greedy, &err));
        for (int64_t t = 0; t < n; t++) {
            bool best;
            double expected = -plain_nll(plain, text.id, first + t, &best);
            if (!(fabs((double)out[t] - expected) <= 1e-3))
                fail_msg("token %d: %g, expected %g", (int)(first + t), (double)out[t], expected);
            assert_int_equal(greedy[t], best);
        }
        int64_t held;
        assert_memory_equal(pith_session_get_tokens(s, &held), text.id,
                            (size_t)text.n * sizeof text.id[0]);
        assert_int_equal(held, text.n);
    }
    float out[4];
    assert_ok(pith_score_tokens(s, text.id, 3, 3, out, NULL, &err)); // nothing to score
    assert_refused(pith_score_tokens(s, text.id, 3, 0, out, NULL, &err), PITH_E_ARGUMENT,
                   "first token to score is 0 of 3");
    assert_refused(pith_score_tokens(s, text.id, 3, 4, out, NULL, &err), PITH_E_ARGUMENT, "4 of 3");
    ids longest = {.n = 129};
    float *many = calloc(129, sizeof *many);
    assert_refused(pith_score_tokens(s, longest.id, 129, 1, many, NULL, &err), PITH_E_CONTEXT,
                   "129 tokens do not fit into the context of 128");
    free(many);
    pith_session_free(plain);
    pith_session_free(s);
    pith_engine_free(e);
}

/* The definition of the windows, with a session told every token. */
static void plain_windows(pith_session *s, const char *text, int64_t window, int64_t stride,
                          pith_score *out)
{
    ids all = ids_of(text); // bos first
    int64_t n = all.n - 1, width = window - 1, scored = 0;
    *out = PITH_INIT(pith_score);
    for (int64_t begin = 0; scored < n; begin += stride) {
        int64_t end = begin + width < n ? begin + width : n;
        ids w = {.n = 1 + end - begin};
        w.id[0] = all.id[0];
        memcpy(w.id + 1, all.id + 1 + begin, (size_t)(end - begin) * sizeof w.id[0]);
        for (; scored < end; scored++) {
            bool greedy;
            out->nll += plain_nll(s, w.id, 1 + scored - begin, &greedy);
        }
        out->n_windows++;
    }
    out->n_tokens = n;
    out->perplexity = exp(out->nll / (double)n);
    out->bits_per_byte = out->nll / log(2) / (double)strlen(text);
}

static int64_t told_last, told_total, told_calls;

static int note_progress(void *user, uint64_t done, uint64_t total)
{
    assert_true((int64_t)done >= told_last);
    told_last = (int64_t)done;
    told_total = (int64_t)total;
    told_calls++;
    return user && told_calls > *(int *)user;
}

static void texts_in_windows(void **state)
{
    (void)state;
    need_model();
    pith_engine *e = engine_with(engine_options(0));
    pith_session *s = session_of(e, PITH_OVERFLOW_ERROR, 0);
    static const int64_t shapes[][2] = {{128, 64}, {32, 16}, {32, 31}, {33, 1}, {2, 1}, {17, 5}};
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        pith_score expected, got = PITH_INIT(pith_score);
        plain_windows(s, story, shapes[i][0], shapes[i][1], &expected);
        got.window = shapes[i][0];
        got.stride = shapes[i][1];
        told_last = told_calls = 0;
        assert_ok(pith_score_text(e, story, strlen(story), &got, note_progress, NULL, &err));
        assert_int_equal(got.n_tokens, expected.n_tokens);
        assert_int_equal(got.n_windows, expected.n_windows);
        assert_true(fabs(got.nll - expected.nll) < 1e-3 * expected.nll);
        assert_true(fabs(got.perplexity - expected.perplexity) < 2e-3 * expected.perplexity);
        assert_true(fabs(got.bits_per_byte - expected.bits_per_byte) < 1e-3);
        assert_int_equal(told_total, got.n_tokens);
        assert_int_equal(told_last, got.n_tokens);
    }
    pith_score d = PITH_INIT(pith_score);
    assert_ok(pith_score_text(e, story, strlen(story), &d, NULL, NULL, &err));
    assert_int_equal(d.window, 128);
    assert_int_equal(d.stride, 64);
    assert_int_equal(d.n_windows, 1);
    /* A story is likelier than noise. */
    pith_score noise = PITH_INIT(pith_score);
    static const char odd[] = "zq xv 9$ kj{} #wq ~~ pfft qqq zzz vvv jjj";
    assert_ok(pith_score_text(e, odd, strlen(odd), &noise, NULL, NULL, &err));
    assert_true(noise.perplexity > 10 * d.perplexity);
    pith_session_free(s);
    pith_engine_free(e);
}

static void refuses_and_cancels(void **state)
{
    (void)state;
    need_model();
    pith_engine *e = engine_with(engine_options(0));
    pith_score sc = PITH_INIT(pith_score);
    sc.window = 129;
    assert_refused(pith_score_text(e, story, 10, &sc, NULL, NULL, &err), PITH_E_ARGUMENT,
                   "window is 129 tokens, expected 2 to 128");
    sc.window = 1;
    assert_refused(pith_score_text(e, story, 10, &sc, NULL, NULL, &err), PITH_E_ARGUMENT,
                   "window is 1");
    sc.window = 16;
    sc.stride = 16;
    assert_refused(pith_score_text(e, story, 10, &sc, NULL, NULL, &err), PITH_E_ARGUMENT,
                   "stride is 16 tokens, expected 1 to 15");
    sc = PITH_INIT(pith_score);
    assert_refused(pith_score_text(e, "", 0, &sc, NULL, NULL, &err), PITH_E_ARGUMENT, "0 tokens");
    int calls = 1;
    told_last = told_calls = 0;
    sc.window = 16;
    assert_refused(pith_score_text(e, story, strlen(story), &sc, note_progress, &calls, &err),
                   PITH_E_CANCELLED, "cancelled after");
    assert_int_equal(told_calls, 2);
    /* The engine's sessions are all given back. */
    pith_engine_options o = engine_options(0);
    o.max_sessions = 1;
    pith_engine *one = engine_with(o);
    for (int i = 0; i < 3; i++)
        assert_ok(pith_score_text(one, story, strlen(story), &sc, NULL, NULL, &err));
    pith_engine_free(one);
    pith_engine_free(e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_token_as_its_logits_say),
        cmocka_unit_test(texts_in_windows),
        cmocka_unit_test(refuses_and_cancels),
    };
    return cmocka_run_group_tests(tests, NULL, close_model);
}

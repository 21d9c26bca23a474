/* prompt: log-probabilities of the context's tokens (pith_request.prompt_logprobs): as scoring has
 * them, in order and once, however steps cut the context and whoever else is in flight. */
#include "stories.h"

static const char TEXT[] =
    "Once upon a time, there was a little girl named Lily. She loved to play outside in the park. "
    "One day, she saw a big, red ball. She wanted to play with it, but it was too high.";

typedef struct heard {
    int64_t n_prompt, n_answer;
    int32_t tokens[512];
    float logprobs[512];
    pith_logprob top[512];
    int32_t n_top[512];
    char text[2048];
    size_t len;
    int64_t stop_at;
} heard;

static int hear_prompt(void *user, const pith_event *event)
{
    heard *h = user;
    if (!event->prompt) {
        h->n_answer += event->token >= 0;
        return 0;
    }
    assert_int_equal(h->n_answer, 0); // the context's come first
    int64_t i = h->n_prompt++;
    assert_true(i < 512);
    h->tokens[i] = event->token;
    h->logprobs[i] = event->logprob;
    h->n_top[i] = event->n_top;
    if (event->n_top > 0)
        h->top[i] = event->top[0];
    assert_true(h->len + event->len < sizeof h->text);
    memcpy(h->text + h->len, event->text, event->len);
    h->len += event->len;
    return h->stop_at > 0 && h->n_prompt == h->stop_at;
}

static pith_request telling(const ids *text, int64_t max_tokens, heard *h)
{
    pith_request r = request(text, max_tokens, NULL);
    memset(h, 0, sizeof *h);
    r.prompt_logprobs = true;
    r.n_top = 2;
    r.ignore_end = true;
    r.on_event = hear_prompt;
    r.user = h;
    return r;
}

static void assert_as_scored(const heard *h, const ids *text, const float *scores,
                             const bool *likeliest)
{
    assert_int_equal(h->n_prompt, text->n);
    assert_memory_equal(h->tokens, text->id, (size_t)text->n * sizeof text->id[0]);
    assert_true(isnan(h->logprobs[0]));
    assert_int_equal(h->n_top[0], 0);
    for (int64_t i = 1; i < text->n; i++) {
        assert_true(fabsf(h->logprobs[i] - scores[i - 1]) < 1e-4f);
        assert_int_equal(h->n_top[i], 2);
        assert_int_equal(h->top[i].token == text->id[i], likeliest[i - 1]);
    }
}

static void as_scoring_has_them(void **state)
{
    (void)state;
    need_model();
    static heard h;
    static float scores[512];
    static bool likeliest[512];
    ids text = ids_of(TEXT);
    for (int32_t rows = 1; rows <= 33; rows += 8) {
        pith_engine_options o = engine_options(0);
        o.max_logits = rows;
        pith_engine *e = engine_with(o);
        pith_session *s = session_of(e, PITH_OVERFLOW_ERROR, 0);
        assert_ok(pith_score_tokens(s, text.id, text.n, 1, scores, likeliest, &err));
        for (int64_t max = 0; max < 3; max++) {
            pith_request r = telling(&text, max, &h);
            pith_result result = PITH_INIT(pith_result);
            assert_ok(pith_generate(s, &r, &result, &err)); // the session holds it all already
            assert_int_equal(result.n_reused, 0);
            assert_int_equal(result.n_generated, max);
            assert_int_equal(h.n_answer, max);
            assert_as_scored(&h, &text, scores, likeliest);
            /* All of the text, behind the name of bos. */
            assert_true(h.len > strlen(TEXT));
            assert_memory_equal(h.text + h.len - strlen(TEXT), TEXT, strlen(TEXT));
            assert_memory_equal(h.text, "<s>", 3);
        }
        ids one = {.id = {1}, .n = 1};
        for (int64_t max = 0; max < 2; max++) {
            pith_request r = telling(&one, max, &h);
            assert_ok(pith_generate(s, &r, NULL, &err));
            assert_int_equal(h.n_prompt, 1);
            assert_int_equal(h.n_answer, max);
            assert_true(isnan(h.logprobs[0]));
        }
        pith_session_free(s);
        pith_engine_free(e);
    }
}

/* Rows of logits are scarce: writers and readers share them, nobody is left out. */
static void among_many_writers(void **state)
{
    (void)state;
    need_model();
    enum { N = 6 };
    static heard h;
    static said out[N], expected[N];
    static float scores[512];
    static bool likeliest[512];
    ids text = ids_of(TEXT), prompt[N];
    for (int32_t rows = 1; rows <= 6; rows++) {
        pith_engine_options o = engine_options(0);
        o.max_logits = rows;
        o.n_batch = 20;
        pith_engine *e = engine_with(o);
        pith_session *s[N + 1];
        pith_answer *a[N + 1];
        for (int i = 0; i <= N; i++)
            s[i] = session_of(e, PITH_OVERFLOW_ERROR, 0);
        assert_ok(pith_score_tokens(s[N], text.id, text.n, 1, scores, likeliest, &err));
        for (int i = 0; i < N; i++) {
            prompt[i] = ids_of(TEXT + i);
            prompt[i].n = 10;
            pith_request r = request(&prompt[i], 110, &expected[i]);
            r.ignore_end = true;
            assert_ok(pith_generate(s[i], &r, NULL, &err));
            r = request(&prompt[i], 110, &out[i]);
            r.ignore_end = true;
            assert_ok(pith_session_submit(s[i], &r, &a[i], &err));
        }
        pith_request r = telling(&text, 1, &h);
        assert_ok(pith_session_submit(s[N], &r, &a[N], &err));
        int64_t at = -1; // the writers' tokens when the reader was done
        for (int32_t left = 1; left > 0;) {
            assert_ok(pith_engine_run(e, &left, &err));
            if (at < 0 && pith_answer_is_done(a[N]))
                at = out[0].n;
        }
        /* It had at least every other step's row, or a quarter of all. */
        assert_in_range(at, 1, 109);
        assert_as_scored(&h, &text, scores, likeliest);
        for (int i = 0; i <= N; i++) {
            if (i < N)
                assert_memory_equal(out[i].tokens, expected[i].tokens, 110 * sizeof(int32_t));
            pith_answer_free(a[i]);
            pith_session_free(s[i]);
        }
        pith_engine_free(e);
    }
}

static void a_callback_may_end_it(void **state)
{
    (void)state;
    need_model();
    static heard h;
    ids text = ids_of(TEXT);
    pith_engine *e = engine_with(engine_options(0));
    pith_session *s = session_of(e, PITH_OVERFLOW_ERROR, 0);
    pith_request r = telling(&text, 5, &h);
    h.stop_at = 7;
    pith_result result = PITH_INIT(pith_result);
    assert_ok(pith_generate(s, &r, &result, &err));
    assert_int_equal(result.finish, PITH_FINISH_CALLBACK);
    assert_int_equal(h.n_prompt, 7);
    assert_int_equal(h.n_answer, 0);
    pith_session_free(s);
    pith_engine_free(e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_scoring_has_them),
        cmocka_unit_test(among_many_writers),
        cmocka_unit_test(a_callback_may_end_it),
    };
    return cmocka_run_group_tests(tests, NULL, close_model);
}

/* cache: prefixes that other sessions have computed: what is found, what is not, that answers stay
 * the same, that memory stays in its bounds, and a long random history against a model of it. */
#include "stories.h"

#include "engine/session.h"

enum { PAGE = 64 };

static pith_result answer(pith_session *s, const ids *context, int64_t n, said *out)
{
    pith_request r = request(context, n, out);
    r.ignore_end = true;
    pith_result result = PITH_INIT(pith_result);
    assert_ok(pith_generate(s, &r, &result, &err));
    return result;
}

static void assert_same_answer(const said *a, const said *b)
{
    assert_int_equal(a->n, b->n);
    assert_memory_equal(a->tokens, b->tokens, (size_t)a->n * sizeof a->tokens[0]);
}

/* The next turn of a conversation, in a session of its own: all but what is new is found, at any
 * place in a page, after the first session has gone and while it is there. */
static void a_second_turn_finds_the_first(void **state)
{
    (void)state;
    need_model();
    static said first, second, expected;
    for (int64_t n = 100; n < 300; n += 37)
        for (int alive = 0; alive < 2; alive++) {
            pith_engine_options o = engine_options(512);
            o.no_prefix_cache = true;
            pith_engine *plain = engine_with(o), *e = engine_with(engine_options(512));
            pith_session *s = session_of(e, PITH_OVERFLOW_ERROR, 0);
            ids turn = text_of(1, n);
            answer(s, &turn, 20, &first);
            memcpy(turn.id + n, first.tokens, 20 * sizeof first.tokens[0]);
            for (int i = 0; i < 15; i++)
                turn.id[n + 20 + i] = 400 + i;
            turn.n = n + 35;
            if (!alive)
                pith_session_free(s);
            pith_session *t = session_of(e, PITH_OVERFLOW_ERROR, 0);
            uint64_t before = info_of(e).n_computed, hits = info_of(e).n_cache_hits;
            pith_result r = answer(t, &turn, 20, &second);
            /* The last token of an answer is not computed. A living session's last page is not
             * shared, as it may still grow; one of a token (n 174) is not worth it. */
            int64_t found = alive || n == 174 ? (n + 19) / PAGE * PAGE : n + 19;
            assert_int_equal(r.n_reused, found);
            assert_int_equal(r.n_prompt, turn.n);
            assert_int_equal(info_of(e).n_computed - before, turn.n - found + 19);
            assert_int_equal(info_of(e).n_cache_hits - hits, found);
            pith_session *u = session_of(plain, PITH_OVERFLOW_ERROR, 0);
            r = answer(u, &turn, 20, &expected);
            assert_int_equal(r.n_reused, 0);
            assert_same_answer(&second, &expected);
            pith_session_free(t);
            pith_session_free(u);
            if (alive)
                pith_session_free(s);
            assert_true(info_of(e).cache_tokens >= turn.n + 19 && info_of(e).cache_bytes > 0);
            assert_int_equal(info_of(e).cache_bytes, info_of(e).kv_bytes);
            assert_ok(pith_engine_clear_cache(e, &err));
            assert_int_equal(info_of(e).kv_bytes, 0);
            assert_int_equal(info_of(e).cache_bytes, 0);
            assert_int_equal(info_of(e).cache_tokens, 0);
            assert_int_equal(info_of(plain).cache_tokens, 0);
            assert_int_equal(info_of(plain).kv_bytes, 0);
            pith_engine_free(plain);
            pith_engine_free(e);
        }
}

/* Logits after a prefix that was found are those without, up to the order of sums. */
static void logits_are_the_same(void **state)
{
    (void)state;
    need_model();
    pith_engine *e = engine_with(engine_options(512));
    static float expected[512];
    ids text = text_of(2, 200), other = text;
    other.id[150] = 77;
    const float *logits;
    pith_session *s = session_of(e, PITH_OVERFLOW_ERROR, 0);
    assert_ok(pith_session_set(s, text.id, 200, 1, &logits, &err));
    memcpy(expected, logits, sizeof expected);
    uint64_t computed = info_of(e).n_computed;
    pith_session *t = session_of(e, PITH_OVERFLOW_ERROR, 0);
    assert_ok(pith_session_set(t, text.id, 200, 1, &logits, &err));
    assert_int_equal(info_of(e).n_computed - computed, 200 - 192);
    for (int i = 0; i < 512; i++)
        assert_true(fabsf(logits[i] - expected[i]) < 1e-4f);
    pith_session_free(s);
    pith_session_free(t);
    /* Part of a page: 150 tokens agree, the third page is copied up to there and goes on. */
    t = session_of(e, PITH_OVERFLOW_ERROR, 0);
    computed = info_of(e).n_computed;
    assert_ok(pith_session_set(t, other.id, 200, 1, &logits, &err));
    assert_int_equal(info_of(e).n_computed - computed, 50);
    static float got[512];
    memcpy(got, logits, sizeof got);
    pith_session_free(t);
    /* The page that it was copied from is as it was. */
    t = session_of(e, PITH_OVERFLOW_ERROR, 0);
    computed = info_of(e).n_computed;
    assert_ok(pith_session_set(t, text.id, 200, 1, &logits, &err));
    assert_int_equal(info_of(e).n_computed - computed, 1);
    for (int i = 0; i < 512; i++)
        assert_true(fabsf(logits[i] - expected[i]) < 1e-4f);
    pith_session_free(t);
    pith_engine_options o = engine_options(512);
    o.no_prefix_cache = true;
    pith_engine *plain = engine_with(o);
    t = session_of(plain, PITH_OVERFLOW_ERROR, 0);
    assert_ok(pith_session_set(t, other.id, 200, 1, &logits, &err));
    for (int i = 0; i < 512; i++)
        assert_true(fabsf(logits[i] - got[i]) < 1e-4f);
    pith_session_free(t);
    pith_engine_free(plain);
    pith_engine_free(e);
}

/* Pages belong to a key of adapters, and only count with all that was before them. */
static void what_is_not_found(void **state)
{
    (void)state;
    need_model();
    pith_engine *e = engine_with(engine_options(512));
    ids text = text_of(3, 200), shifted = text;
    memmove(shifted.id, text.id + PAGE, 136 * sizeof text.id[0]); // pages, but not their places
    shifted.n = 136;
    pith_session *s = session_of(e, PITH_OVERFLOW_ERROR, 0);
    assert_ok(pith_session_set(s, text.id, 200, 0, NULL, &err));
    pith_session_free(s);
    static const struct {
        uint64_t key;
        bool shifted;
        int64_t found;
    } CASES[] = {{5, false, 0}, {0, true, 0}, {0, false, 199}, {5, false, 199}, {6, false, 0}};
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        s = session_of(e, PITH_OVERFLOW_ERROR, 0);
        s->adapter_key = CASES[i].key;
        pith_result r = answer(s, CASES[i].shifted ? &shifted : &text, 1, NULL);
        assert_int_equal(r.n_reused, CASES[i].found);
        pith_session_free(s);
    }
    pith_engine_free(e);
}

/* A limit holds for pages in use and cached ones together; those used longest ago go first, the end
 * of a text before its beginning. */
static void the_oldest_makes_room(void **state)
{
    (void)state;
    need_model();
    pith_plan plan = PITH_INIT(pith_plan);
    plan.n_ctx = 6 * PAGE;
    plan.kv_type = "f32";
    assert_ok(pith_model_plan(model, &plan, &err));
    pith_engine_options o = engine_options(512);
    o.kv_bytes = plan.kv_bytes; // six pages
    pith_engine *e = engine_with(o);
    assert_int_equal(info_of(e).kv_limit, plan.kv_bytes);
    ids text[4];
    for (int i = 0; i < 4; i++)
        text[i] = text_of(10 + (uint64_t)i, 2 * PAGE);
    /* Three texts of two pages fill it; the first is used once more. */
    static const int USED[] = {0, 1, 2, 0};
    for (int i = 0; i < 4; i++) {
        pith_session *s = session_of(e, PITH_OVERFLOW_ERROR, 0);
        assert_ok(pith_session_set(s, text[USED[i]].id, 2 * PAGE, 0, NULL, &err));
        pith_session_free(s);
        assert_true(info_of(e).kv_bytes <= plan.kv_bytes);
    }
    assert_int_equal(info_of(e).kv_bytes, plan.kv_bytes);
    assert_int_equal(info_of(e).cache_bytes, plan.kv_bytes);
    assert_int_equal(info_of(e).n_cache_evicted, 0);
    /* Three pages of the fourth: all of the second text go, and the end of the third. */
    pith_session *s = session_of(e, PITH_OVERFLOW_ERROR, 0);
    ids fourth = text_of(13, 3 * PAGE);
    assert_ok(pith_session_set(s, fourth.id, 3 * PAGE, 0, NULL, &err));
    assert_int_equal(info_of(e).n_cache_evicted, 3);
    assert_int_equal(info_of(e).cache_bytes, plan.kv_bytes / 2);
    static const int64_t FOUND[] = {2 * PAGE, 0, PAGE};
    for (int i = 0; i < 3; i++) {
        uint64_t hits = info_of(e).n_cache_hits;
        pith_session *t = session_of(e, PITH_OVERFLOW_ERROR, 0);
        px_placing how = {.most_reused = INT64_MAX};
        px_placed placed;
        assert_ok(px_session_place(t, text[i].id, 2 * PAGE, &how, &placed, &err));
        assert_int_equal(placed.n_reused, FOUND[i]);
        assert_int_equal(info_of(e).n_cache_hits - hits, FOUND[i]);
        pith_session_free(t);
    }
    /* A session that holds everything: a page that it shares with the cache alone becomes its own
     * where there is none for a copy. */
    ids all = text_of(20, 6 * PAGE);
    assert_ok(pith_session_set(s, all.id, all.n, 0, NULL, &err));
    assert_int_equal(info_of(e).cache_bytes, 0);
    all.id[330] = 5;
    assert_ok(pith_session_set(s, all.id, all.n, 0, NULL, &err));
    assert_int_equal(info_of(e).kv_bytes, plan.kv_bytes);
    pith_session_free(s);
    pith_engine_free(e);
}

/* ---- in flight together */

static pith_answer *submit(pith_session *s, const pith_request *r)
{
    pith_answer *a;
    assert_ok(pith_session_submit(s, r, &a, &err));
    return a;
}

static int32_t run(pith_engine *e)
{
    int32_t left = -1;
    assert_ok(pith_engine_run(e, &left, &err));
    return left;
}

/* Several that begin alike and come together: what they share is computed once, by whoever is
 * ahead, also when that one is cancelled on the way. */
static void what_is_alike_is_computed_once(void **state)
{
    (void)state;
    need_model();
    enum { N = 4, COMMON = 300 };
    static said out[N], expected[N];
    for (int cancel = 0; cancel < 2; cancel++) {
        pith_engine_options o = engine_options(512);
        o.n_batch = 100;
        o.no_prefix_cache = true;
        pith_engine *plain = engine_with(o);
        o.no_prefix_cache = false;
        pith_engine *e = engine_with(o);
        pith_session *s[N];
        pith_answer *a[N];
        ids text[N];
        for (int i = 0; i < N; i++) {
            text[i] = text_of(30, COMMON);
            for (int j = 0; j < 10; j++)
                text[i].id[text[i].n++] = 100 + i; // the ends differ
            pith_session *alone = session_of(plain, PITH_OVERFLOW_ERROR, 0);
            answer(alone, &text[i], 8, &expected[i]);
            pith_session_free(alone);
            s[i] = session_of(e, PITH_OVERFLOW_ERROR, 0);
            pith_request r = request(&text[i], 8, &out[i]);
            r.ignore_end = true;
            a[i] = submit(s[i], &r);
        }
        run(e);
        run(e); // two pages of the first
        assert_int_equal(info_of(e).n_computed, 200);
        if (cancel)
            pith_session_cancel(s[0]);
        while (run(e) > 0) {
        }
        /* Four whole pages once; the fifth, of which 44 tokens are common, by each. */
        int64_t each = COMMON + 10 - 4 * PAGE, through = cancel ? N - 1 : N;
        uint64_t most = (uint64_t)(4 * PAGE + through * (each + 8 - 1));
        if (!cancel)
            assert_int_equal(info_of(e).n_computed, most);
        else // the part of a page that the first had begun is lost with it
            assert_in_range(info_of(e).n_computed, most, most + PAGE);
        for (int i = 0; i < N; i++) {
            pith_result r = PITH_INIT(pith_result);
            assert_ok(pith_answer_get_result(a[i], &r, &err));
            if (i > 0 || !cancel) {
                assert_same_answer(&out[i], &expected[i]);
                if (i > 0) // who follows the cancelled one finds what that one has done
                    assert_int_equal(r.n_reused, (cancel && i == 1 ? 3 : 4) * PAGE);
            }
            pith_answer_free(a[i]);
            pith_session_free(s[i]);
        }
        assert_int_equal(info_of(e).cache_bytes, info_of(e).kv_bytes);
        pith_engine_free(plain);
        pith_engine_free(e);
    }
}

/* Answers that outgrow the cache together: the one that came last gives its pages up, goes on when
 * there are some, and says what it would have said. */
static void who_came_last_makes_room(void **state)
{
    (void)state;
    need_model();
    enum { N = 3, LENGTH = 170 };
    static said out[N], expected[N];
    pith_plan plan = PITH_INIT(pith_plan);
    plan.n_ctx = 7 * PAGE;
    plan.kv_type = "f32";
    assert_ok(pith_model_plan(model, &plan, &err));
    for (int cached = 0; cached < 2; cached++) {
        pith_engine_options o = engine_options(512);
        pith_engine *plain = engine_with(o);
        o.kv_bytes = plan.kv_bytes; // seven pages; each will need four, and two to begin
        o.no_prefix_cache = !cached;
        pith_engine *e = engine_with(o);
        pith_session *s[N];
        pith_answer *a[N];
        for (int i = 0; i < N; i++) {
            ids text = text_of(40 + (uint64_t)i, 50);
            pith_session *alone = session_of(plain, PITH_OVERFLOW_ERROR, 0);
            answer(alone, &text, LENGTH, &expected[i]);
            pith_session_free(alone);
            s[i] = session_of(e, PITH_OVERFLOW_ERROR, 0);
            pith_request r = request(&text, LENGTH, &out[i]);
            r.ignore_end = true;
            a[i] = submit(s[i], &r);
        }
        for (int32_t left = N; left > 0;) {
            left = run(e);
            assert_true(info_of(e).kv_bytes <= plan.kv_bytes);
            for (int i = 0; i < N; i++) // as a server does
                if (s[i] && pith_answer_is_done(a[i])) {
                    pith_session_free(s[i]);
                    s[i] = NULL;
                }
        }
        assert_true(info_of(e).n_paused >= 1);
        for (int i = 0; i < N; i++) {
            assert_ok(pith_answer_get_result(a[i], NULL, &err));
            assert_same_answer(&out[i], &expected[i]);
            pith_answer_free(a[i]);
        }
        assert_ok(pith_engine_clear_cache(e, &err));
        assert_int_equal(info_of(e).kv_bytes, 0);
        pith_engine_free(plain);
        pith_engine_free(e);
    }
}

/* One that needs all pages has them one day, however many small ones come. */
static void who_needs_much_is_not_passed_for_ever(void **state)
{
    (void)state;
    need_model();
    pith_plan plan = PITH_INIT(pith_plan);
    plan.n_ctx = 4 * PAGE;
    plan.kv_type = "f32";
    assert_ok(pith_model_plan(model, &plan, &err));
    pith_engine_options o = engine_options(512);
    o.kv_bytes = plan.kv_bytes; // four pages
    pith_engine *e = engine_with(o);
    enum { SMALL = 2 };
    pith_session *s[SMALL + 1] = {NULL};
    pith_answer *a[SMALL + 1] = {NULL};
    int n_small = 0;
    ids large = text_of(60, 230);
    for (int step = 0; step < 2000 && !(a[SMALL] && pith_answer_is_done(a[SMALL])); step++) {
        for (int i = 0; i < SMALL; i++) {
            if (a[i] && !pith_answer_is_done(a[i]))
                continue;
            pith_answer_free(a[i]);
            pith_session_free(s[i]);
            ids text = text_of(100 + (uint64_t)n_small++, 30);
            s[i] = session_of(e, PITH_OVERFLOW_ERROR, 0);
            pith_request r = request(&text, 10 + i * 3, NULL); // they never end together
            r.ignore_end = true;
            a[i] = submit(s[i], &r);
        }
        if (step == 10) {
            s[SMALL] = session_of(e, PITH_OVERFLOW_ERROR, 0);
            pith_request r = request(&large, 10, NULL);
            r.ignore_end = true;
            a[SMALL] = submit(s[SMALL], &r);
        }
        run(e);
    }
    assert_ok(pith_answer_get_result(a[SMALL], NULL, &err));
    assert_in_range(n_small, 4, 30);
    for (int i = 0; i <= SMALL; i++) {
        pith_answer_free(a[i]);
        pith_session_free(s[i]);
    }
    pith_engine_free(e);
}

static void a_server_can_ask_first(void **state)
{
    (void)state;
    need_model();
    pith_plan plan = PITH_INIT(pith_plan);
    plan.n_ctx = 4 * PAGE;
    plan.kv_type = "f32";
    assert_ok(pith_model_plan(model, &plan, &err));
    pith_engine_options o = engine_options(512);
    o.kv_bytes = plan.kv_bytes; // four pages
    pith_engine *e = engine_with(o);
    assert_int_equal(pith_engine_would_fit(e, 128, 128), PITH_FIT_NOW);
    assert_int_equal(pith_engine_would_fit(e, 129, 128), PITH_FIT_NEVER);
    assert_int_equal(pith_engine_would_fit(e, 192, -1), PITH_FIT_NOW);
    assert_int_equal(pith_engine_would_fit(e, 513, 0), PITH_FIT_NEVER); // the context is 512
    ids text = text_of(50, 100);
    pith_session *s = session_of(e, PITH_OVERFLOW_ERROR, 0);
    pith_request r = request(&text, 20, NULL);
    pith_answer *a = submit(s, &r);
    /* It will take two pages, before and after its first step. */
    for (int i = 0; i < 2; i++) {
        assert_int_equal(info_of(e).n_waiting, i == 0);
        assert_int_equal(pith_engine_would_fit(e, 100, 28), PITH_FIT_NOW);
        assert_int_equal(pith_engine_would_fit(e, 100, 29), PITH_FIT_LATER);
        run(e);
    }
    pith_session_free(s); // its pages stay in the cache, which does not count
    assert_int_equal(pith_engine_would_fit(e, 128, 128), PITH_FIT_NOW);
    pith_answer_free(a);
    pith_engine_free(e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_second_turn_finds_the_first),
        cmocka_unit_test(logits_are_the_same),
        cmocka_unit_test(what_is_not_found),
        cmocka_unit_test(the_oldest_makes_room),
        cmocka_unit_test(what_is_alike_is_computed_once),
        cmocka_unit_test(who_came_last_makes_room),
        cmocka_unit_test(who_needs_much_is_not_passed_for_ever),
        cmocka_unit_test(a_server_can_ask_first),
    };
    return cmocka_run_group_tests(tests, NULL, close_model);
}

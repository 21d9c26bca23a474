/* crowded: a long random history of sessions and answers that begin, end, fork, are cancelled and
 * freed in all orders, against a model of what may and what must be found in the cache of prefixes;
 * in the end no page is left over. */
#include "stories.h"

#include "engine/session.h"

enum { PAGE = 64, CONTEXT = 256, LIVE = 12, MOST_PAST = 4000 };

/* Tokens that a session held, and how many of them were computed. */
typedef struct past {
    int32_t tokens[CONTEXT + 1];
    int64_t n, computed;
} past;

typedef struct world {
    pith_engine *engine;
    test_random rng;
    bool bounded; // pages are evicted, so that nothing must be found
    pith_session *session[LIVE];
    pith_answer *answer[LIVE];
    past *past; // [MOST_PAST]
    int n_past;
    int64_t n_found, n_answers;
    uint64_t most_bytes;
} world;

static int64_t below(world *w, int64_t n)
{
    return (int64_t)test_random_below(&w->rng, (uint64_t)n);
}

/* Texts that often begin alike: two beginnings, and every 30 tokens two ways to go on. */
static ids some_text(world *w)
{
    ids t = {.n = 1 + below(w, 200)};
    int64_t way = 0;
    for (int64_t i = 0; i < t.n; i++) {
        if (i % 30 == 0)
            way = way * 2 + below(w, 2);
        t.id[i] = 3 + (int32_t)((way * 131 + i * 7) % 500);
    }
    return t;
}

static void remember(world *w, const pith_session *s)
{
    int64_t n;
    const int32_t *tokens = pith_session_get_tokens(s, &n);
    assert_true(w->n_past < MOST_PAST);
    past *p = &w->past[w->n_past++];
    p->n = n;
    p->computed = s->seq.n_tokens;
    memcpy(p->tokens, tokens, (size_t)n * sizeof *tokens);
}

static int64_t alike(const int32_t *a, int64_t n, const int32_t *b, int64_t m)
{
    int64_t i = 0;
    while (i < n && i < m && a[i] == b[i])
        i++;
    return i;
}

/* What must be found of a text, and what may be. */
static void expect(const world *w, const pith_session *own, const ids *t, int64_t *least,
                   int64_t *most)
{
    *least = *most = 0;
    int64_t limit = t->n - 1;
    for (int i = 0; i < w->n_past + LIVE; i++) {
        const pith_session *s = i < LIVE ? w->session[i] : NULL;
        if (i < LIVE && !s)
            continue;
        int64_t n, computed;
        const int32_t *tokens;
        if (s) {
            tokens = pith_session_get_tokens(s, &n);
            computed = s->seq.n_tokens;
        } else {
            const past *p = &w->past[i - LIVE];
            tokens = p->tokens;
            computed = p->computed;
        }
        int64_t same = alike(t->id, limit, tokens, computed);
        *most = same > *most ? same : *most;
        if (s != own)
            same = same / PAGE * PAGE;
        *least = same > *least ? same : *least;
    }
    if (w->bounded)
        *least = alike(t->id, limit, own->tokens, own->seq.n_tokens);
}

static void begin(world *w, int i)
{
    if (!w->session[i]) {
        int from = (int)below(w, LIVE);
        if (below(w, 4) == 0 && w->session[from]) {
            int64_t n;
            pith_session_get_tokens(w->session[from], &n);
            assert_ok(pith_session_fork(w->session[from], below(w, n + 1), &w->session[i], &err));
        } else {
            w->session[i] = session_of(w->engine, PITH_OVERFLOW_SHIFT, 1);
        }
    }
    pith_session *s = w->session[i];
    if (s->answer)
        return;
    pith_answer_free(w->answer[i]);
    ids t = some_text(w);
    int64_t least, most;
    expect(w, s, &t, &least, &most);
    remember(w, s);
    pith_request r = request(&t, below(w, 30), NULL);
    r.ignore_end = true;
    r.key = (uint64_t)below(w, 3);
    if (r.max_tokens == 0)
        r.max_tokens = 1;
    assert_ok(pith_session_submit(s, &r, &w->answer[i], &err));
    pith_result result = PITH_INIT(pith_result);
    assert_int_equal(pith_answer_get_result(w->answer[i], &result, NULL), PITH_E_BUSY);
    if (result.n_reused < least || result.n_reused > most)
        fail_msg("%lld tokens were found, expected %lld to %lld", (long long)result.n_reused,
                 (long long)least, (long long)most);
    assert_int_equal(s->seq.n_tokens, result.n_reused);
    w->n_found += result.n_reused;
    w->n_answers++;
}

static void drop(world *w, int i)
{
    if (w->session[i])
        remember(w, w->session[i]);
    if (below(w, 2) == 0) { // either may go first
        pith_answer_free(w->answer[i]);
        pith_session_free(w->session[i]);
    } else {
        pith_session_free(w->session[i]);
        pith_answer_free(w->answer[i]);
    }
    w->session[i] = NULL;
    w->answer[i] = NULL;
}

static void live(world *w, int steps)
{
    for (int step = 0; step < steps; step++) {
        int i = (int)below(w, LIVE);
        switch (below(w, 12)) {
        case 0:
        case 1:
        case 2:
            begin(w, i);
            break;
        case 3:
            pith_session_cancel(w->session[i]);
            break;
        case 4:
            drop(w, i);
            break;
        case 5:
            pith_answer_free(w->answer[i]);
            w->answer[i] = NULL;
            break;
        case 6:
            if (below(w, 30) == 0 && w->bounded)
                assert_ok(pith_engine_clear_cache(w->engine, &err));
            break;
        default:
            assert_ok(pith_engine_run(w->engine, NULL, &err));
        }
        assert_true(info_of(w->engine).kv_bytes <= w->most_bytes);
        assert_true(info_of(w->engine).cache_bytes <= info_of(w->engine).kv_bytes);
    }
}

static void history(bool bounded, uint64_t seed, int steps)
{
    pith_plan plan = PITH_INIT(pith_plan);
    plan.n_ctx = bounded ? 14 * PAGE : 4000 * PAGE;
    assert_ok(pith_model_plan(model, &plan, &err));
    pith_engine_options o = PITH_INIT(pith_engine_options);
    o.n_ctx = CONTEXT;
    o.n_threads = 1;
    o.max_sessions = bounded ? LIVE : 1000; // room in addresses for all that is ever computed
    o.kv_bytes = plan.kv_bytes;
    o.n_batch = 100;
    world w = {.engine = engine_with(o),
               .rng = test_random_start(seed),
               .bounded = bounded,
               .past = malloc(MOST_PAST * sizeof(past)),
               .most_bytes = plan.kv_bytes};
    assert_non_null(w.past);
    live(&w, steps);
    assert_true(w.n_answers > steps / 12 && w.n_found > w.n_answers * 10);
    if (!bounded)
        assert_int_equal(info_of(w.engine).n_cache_evicted, 0);
    else
        assert_true(info_of(w.engine).n_cache_evicted > 10);
    for (int i = 0; i < LIVE; i++)
        drop(&w, i);
    pith_engine_info info = info_of(w.engine);
    assert_int_equal(info.n_sessions, 0);
    assert_int_equal(info.n_answers, 0);
    assert_int_equal(info.kv_bytes, info.cache_bytes); // all pages are in the cache alone
    assert_true(info.cache_tokens > 0);
    assert_ok(pith_engine_clear_cache(w.engine, &err));
    info = info_of(w.engine);
    assert_int_equal(info.kv_bytes, 0);
    assert_int_equal(info.cache_bytes, 0);
    assert_int_equal(info.cache_tokens, 0);
    pith_engine_free(w.engine);
    free(w.past);
}

static void all_that_was_computed_is_found(void **state)
{
    (void)state;
    need_model();
    history(false, 21, 3000);
}

static void nothing_is_found_that_was_not_computed(void **state)
{
    (void)state;
    need_model();
    history(true, 22, 6000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_that_was_computed_is_found),
        cmocka_unit_test(nothing_is_found_that_was_not_computed),
    };
    return cmocka_run_group_tests(tests, NULL, close_model);
}

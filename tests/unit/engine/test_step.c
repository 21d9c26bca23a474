/* step: many sessions in one step: the same answers as alone, whatever else is computed; all or
 * nothing; what is refused. */
#include "stories.h"

#include "base/mem.h"

enum { V = 512, N = 12 };

static const char *const PROMPTS[N] = {
    "Once upon a time",
    "Lily and Tom went to the park. They saw a big dog.",
    "The cat",
    "One day, a little boy named Tim found a red ball in his yard and he was very happy.",
    "Sara liked to draw.",
    "It was a dark night. The wind was loud. The little bird was scared and wanted her mom.",
    "Ben has a toy car",
    "\"Can I help you?\" asked the old man.",
    "Anna",
    "The sun was hot and the sand was soft.",
    "He ran and ran",
    "There was a small house near the big lake where a frog lived with his three best friends.",
};

static int32_t best_of(const float *logits)
{
    int32_t best = 0;
    for (int32_t i = 1; i < V; i++)
        if (logits[i] > logits[best])
            best = i;
    return best;
}

/* The greedy answer of a session alone, n tokens. Returns how many of them were chosen by a lead
 * over twice the bound of test_session.c, so that the last bits of logits do not decide. */
static int32_t alone(const ids *text, int32_t *out, int32_t n)
{
    pith_engine *e = engine_with(engine_options(0));
    pith_session *s = session_of(e, PITH_OVERFLOW_ERROR, 0);
    ids t = *text;
    int32_t sure = n;
    for (int32_t i = 0; i < n; i++) {
        const float *logits;
        assert_ok(pith_session_set(s, t.id, t.n, 1, &logits, &err));
        int32_t best = best_of(logits);
        for (int32_t j = 0; j < V; j++)
            if (j != best && logits[best] - logits[j] <= 2e-3f && i < sure)
                sure = i;
        t.id[t.n++] = out[i] = best;
    }
    pith_session_free(s);
    pith_engine_free(e);
    return sure;
}

/* One sequence of the crowd below. */
typedef struct walker {
    pith_session *session;
    ids text;
    int64_t given; // tokens of the text that were handed to the session
    int32_t chunk; // tokens of the prompt in a step
    int32_t out[24];
    int32_t n_out;
} walker;

/* Each walker starts at a step of its own, reads its prompt in chunks of its own and then writes 24
 * tokens: prompts and answers mixed in every step. All logits go into one sum of bits. */
static void walk(pith_engine *e, walker *w, uint64_t *bits)
{
    pith_step_item items[N];
    int who[N];
    for (int step = 0;; step++) {
        int n = 0;
        bool waiting = false;
        for (int i = 0; i < N; i++) {
            waiting |= step < i / 2;
            if (step < i / 2 || w[i].n_out == 24)
                continue;
            int64_t left = w[i].text.n - w[i].given;
            int32_t take = left < w[i].chunk ? (int32_t)left : w[i].chunk;
            items[n] = (pith_step_item){.session = w[i].session,
                                        .tokens = w[i].text.id + w[i].given,
                                        .n = take,
                                        .n_logits = take == left};
            w[i].given += take;
            who[n++] = i;
        }
        if (n == 0 && !waiting)
            return;
        assert_ok(pith_engine_step(e, items, n, &err));
        for (int j = 0; j < n; j++) {
            walker *a = &w[who[j]];
            assert_int_equal(items[j].status, PITH_OK);
            assert_int_equal(items[j].logits != NULL, items[j].n_logits);
            if (!items[j].logits)
                continue;
            for (int t = 0; t < V; t++) {
                uint32_t b;
                memcpy(&b, &items[j].logits[t], sizeof b);
                *bits = *bits * 0x9e3779b97f4a7c15u + b;
            }
            a->text.id[a->text.n++] = a->out[a->n_out++] = best_of(items[j].logits);
        }
    }
}

static void a_crowd_writes_what_each_writes_alone(void **state)
{
    (void)state;
    need_model();
    static int32_t expected[N][24];
    static walker w[N];
    int32_t sure[N], all = 0;
    for (int i = 0; i < N; i++) {
        ids text = ids_of(PROMPTS[i]);
        sure[i] = alone(&text, expected[i], 24);
        all += sure[i];
    }
    assert_in_range(all, N * 24 * 9 / 10, N * 24);
    bool runs;
    for (int32_t level = 0; pith_cpu_level(level, &runs); level++) {
        uint64_t first = 0;
        for (int32_t threads = 1; runs && threads <= 3; threads++) {
            pith_engine_options o = engine_options(0);
            o.cpu = pith_cpu_level(level, NULL);
            o.n_threads = threads;
            pith_engine *e = engine_with(o);
            for (int i = 0; i < N; i++)
                w[i] = (walker){.session = session_of(e, PITH_OVERFLOW_ERROR, 0),
                                .text = ids_of(PROMPTS[i]),
                                .chunk = 1 + i * 5 % 9};
            uint64_t bits = 0;
            walk(e, w, &bits);
            for (int i = 0; i < N; i++) {
                int64_t n;
                const int32_t *held = pith_session_get_tokens(w[i].session, &n);
                assert_int_equal(n, w[i].given);
                assert_memory_equal(held, w[i].text.id, (size_t)n * sizeof *held);
                assert_memory_equal(w[i].out, expected[i], (size_t)sure[i] * sizeof w[i].out[0]);
                pith_session_free(w[i].session);
            }
            if (threads == 1)
                first = bits;
            assert_true(bits == first); // to the last bit, whatever the threads
            pith_engine_free(e);
        }
    }
}

static void all_rows_or_the_last_ones(void **state)
{
    (void)state;
    need_model();
    pith_engine *e = engine_with(engine_options(0));
    pith_session *a = session_of(e, PITH_OVERFLOW_ERROR, 0);
    pith_session *b = session_of(e, PITH_OVERFLOW_ERROR, 0);
    ids text = ids_of("Once upon a time, there was a little girl named Lily.");
    pith_step_item items[2] = {
        {.session = a, .tokens = text.id, .n = (int32_t)text.n, .n_logits = (int32_t)text.n},
        {.session = b, .tokens = text.id, .n = (int32_t)text.n, .n_logits = 3}};
    assert_ok(pith_engine_step(e, items, 2, &err));
    const float *last = items[0].logits + (text.n - 3) * V;
    for (size_t i = 0; i < 3 * V; i++)
        assert_true(fabsf(last[i] - items[1].logits[i]) <= 1e-3f);
    float *kept = malloc((size_t)text.n * V * sizeof *kept);
    assert_non_null(kept);
    memcpy(kept, items[0].logits, (size_t)text.n * V * sizeof *kept);
    for (int64_t n = 1; n <= text.n; n++) {
        const float *logits;
        assert_ok(pith_session_set(a, text.id, n, 1, &logits, &err));
        for (size_t i = 0; i < V; i++)
            assert_true(fabsf(kept[(size_t)(n - 1) * V + i] - logits[i]) <= 1e-3f);
    }
    free(kept);
    pith_session_free(a);
    pith_session_free(b);
    pith_engine_free(e);
}

static void an_answer_s_last_token_is_computed_along(void **state)
{
    (void)state;
    need_model();
    pith_engine *e = engine_with(engine_options(0));
    pith_session *s = session_of(e, PITH_OVERFLOW_ERROR, 0);
    static said out;
    ids context = ids_of(PROMPT);
    pith_request r = request(&context, 5, &out);
    assert_ok(pith_generate(s, &r, NULL, &err));
    int64_t n;
    pith_session_get_tokens(s, &n);
    assert_int_equal(n, context.n + 5);
    const int32_t next = 300;
    pith_step_item item = {.session = s, .tokens = &next, .n = 1, .n_logits = 1};
    assert_ok(pith_engine_step(e, &item, 1, &err));
    float got[V];
    memcpy(got, item.logits, sizeof got);
    ids whole = context;
    memcpy(whole.id + whole.n, out.tokens, 5 * sizeof out.tokens[0]);
    whole.n += 5;
    whole.id[whole.n++] = next;
    const int32_t *held = pith_session_get_tokens(s, &n);
    assert_int_equal(n, whole.n);
    assert_memory_equal(held, whole.id, (size_t)n * sizeof *held);
    const float *logits;
    pith_session *fresh = session_of(e, PITH_OVERFLOW_ERROR, 0);
    assert_ok(pith_session_set(fresh, whole.id, whole.n, 1, &logits, &err));
    for (int i = 0; i < V; i++)
        assert_true(fabsf(got[i] - logits[i]) <= 1e-3f);
    pith_session_free(fresh);
    pith_session_free(s);
    pith_engine_free(e);
}

/* ---- refusals */

static int64_t held_by(const pith_session *s)
{
    int64_t n;
    pith_session_get_tokens(s, &n);
    return n;
}

static void a_bad_item_stops_the_step_and_is_named(void **state)
{
    (void)state;
    need_model();
    pith_engine *e = engine_with(engine_options(16)), *other = engine_with(engine_options(16));
    pith_session *a = session_of(e, PITH_OVERFLOW_SHIFT, 0);
    pith_session *b = session_of(e, PITH_OVERFLOW_TRUNCATE, 0);
    pith_session *foreign = session_of(other, PITH_OVERFLOW_ERROR, 0);
    const int32_t good[16] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
    const int32_t bad[2] = {5, V};
    const pith_step_item fine = {.session = a, .tokens = good, .n = 2, .n_logits = 1};
    const struct {
        pith_step_item item;
        pith_status status;
        const char *text;
    } cases[] = {
        {{.session = NULL, .tokens = good, .n = 1}, PITH_E_ARGUMENT, "item 1 of the step has no"},
        {{.session = foreign, .tokens = good, .n = 1}, PITH_E_ARGUMENT, "another engine"},
        {{.session = a, .tokens = good, .n = 1}, PITH_E_ARGUMENT, "items 0 and 1"},
        {{.session = b, .tokens = good, .n = 0}, PITH_E_ARGUMENT, "has 0 tokens"},
        {{.session = b, .tokens = good, .n = -1}, PITH_E_ARGUMENT, "has -1 tokens"},
        {{.session = b, .tokens = NULL, .n = 1}, PITH_E_ARGUMENT, "no list"},
        {{.session = b, .tokens = good, .n = 2, .n_logits = 3}, PITH_E_ARGUMENT, "3 rows"},
        {{.session = b, .tokens = good, .n = 2, .n_logits = -1}, PITH_E_ARGUMENT, "-1 rows"},
        {{.session = b, .tokens = bad, .n = 2}, PITH_E_ARGUMENT, "token 1 of item 1 has id 512"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        pith_step_item items[2] = {fine, cases[i].item};
        items[0].status = items[1].status = PITH_E_INTERNAL;
        items[0].logits = (const float *)good;
        assert_refused(pith_engine_step(e, items, 2, &err), cases[i].status, cases[i].text);
        assert_int_equal(items[0].status, PITH_OK);
        assert_null(items[0].logits);
        assert_int_equal(items[1].status, cases[i].status);
        assert_int_equal(held_by(a), 0);
        assert_int_equal(held_by(b), 0);
    }
    /* The context of one is full, whatever its policy; the other goes on without it. */
    pith_step_item items[2] = {fine, {.session = b, .tokens = good, .n = 13}};
    assert_ok(pith_engine_step(e, items, 2, &err));
    items[1].n = 4;
    assert_refused(pith_engine_step(e, items, 2, &err), PITH_E_CONTEXT,
                   "item 1: 4 more tokens behind 13 do not fit into the context of 16");
    assert_int_equal(items[0].status, PITH_OK);
    assert_int_equal(items[1].status, PITH_E_CONTEXT);
    assert_int_equal(held_by(a), 2);
    assert_int_equal(held_by(b), 13);
    assert_ok(pith_engine_step(e, items, 1, &err));
    items[1].n = 3;
    assert_ok(pith_engine_step(e, &items[1], 1, &err));
    assert_int_equal(held_by(a), 4);
    assert_int_equal(held_by(b), 16);
    pith_session_free(foreign);
    pith_session_free(a);
    pith_session_free(b);
    pith_engine_free(other);
    pith_engine_free(e);
}

static void a_step_is_bounded(void **state)
{
    (void)state;
    need_model();
    pith_engine_options o = engine_options(64);
    o.n_batch = 8;
    o.max_logits = 3;
    o.max_sessions = 2;
    pith_engine *e = engine_with(o);
    pith_session *a = session_of(e, PITH_OVERFLOW_ERROR, 0);
    pith_session *b = session_of(e, PITH_OVERFLOW_ERROR, 0);
    const int32_t t[9] = {1, 2, 3, 4, 5, 6, 7, 8, 9};
    pith_step_item items[3] = {{.session = a, .tokens = t, .n = 5, .n_logits = 2},
                               {.session = b, .tokens = t, .n = 4, .n_logits = 1}};
    assert_refused(pith_engine_step(e, items, 2, &err), PITH_E_ARGUMENT,
                   "9 tokens is asked for, expected at most 8");
    assert_int_equal(items[0].status, PITH_OK);
    assert_int_equal(items[1].status, PITH_OK);
    items[1].n = 3;
    items[1].n_logits = 2;
    assert_refused(pith_engine_step(e, items, 2, &err), PITH_E_ARGUMENT,
                   "4 rows of logits are asked for, expected at most 3");
    assert_refused(pith_engine_step(e, items, 3, &err), PITH_E_ARGUMENT, "3 items");
    assert_refused(pith_engine_step(e, items, -1, &err), PITH_E_ARGUMENT, "negative");
    assert_refused(pith_engine_step(e, NULL, 1, &err), PITH_E_ARGUMENT, "NULL");
    assert_refused(pith_engine_step(NULL, items, 1, &err), PITH_E_ARGUMENT, "NULL");
    assert_ok(pith_engine_step(e, NULL, 0, &err));
    assert_int_equal(held_by(a) + held_by(b), 0);
    items[1].n_logits = 1;
    assert_ok(pith_engine_step(e, items, 2, &err));
    assert_int_equal(held_by(a) + held_by(b), 8);
    pith_session_free(a);
    pith_session_free(b);
    pith_engine_free(e);
}

static void a_full_cache_names_whom_it_refuses(void **state)
{
    (void)state;
    need_model();
    pith_plan plan = PITH_INIT(pith_plan);
    plan.n_ctx = 128;
    assert_ok(pith_model_plan(model, &plan, &err));
    pith_engine_options o = engine_options(0);
    o.k_type = o.v_type = "f16";
    o.kv_bytes = plan.kv_bytes; // two pages
    pith_engine *e = engine_with(o);
    pith_session *s[3];
    const int32_t t[3] = {1, 2, 3};
    pith_step_item items[3];
    for (int i = 0; i < 3; i++) {
        s[i] = session_of(e, PITH_OVERFLOW_ERROR, 0);
        items[i] = (pith_step_item){.session = s[i], .tokens = t, .n = 3, .n_logits = 1};
    }
    pith_engine_info info = PITH_INIT(pith_engine_info);
    assert_int_equal(pith_engine_step(e, items, 3, &err), PITH_E_MEMORY);
    assert_int_equal(items[0].status, PITH_OK);
    assert_int_equal(items[1].status, PITH_OK);
    assert_int_equal(items[2].status, PITH_E_MEMORY);
    assert_ok(pith_engine_get_info(e, &info, &err));
    assert_int_equal(info.kv_bytes, 0); // what was reserved for the others went back
    assert_ok(pith_engine_step(e, items, 2, &err));
    assert_int_equal(held_by(s[0]), 3);
    assert_int_equal(held_by(s[2]), 0);
    pith_session_free(s[0]);
    assert_ok(pith_engine_step(e, &items[1], 2, &err));
    assert_int_equal(held_by(s[1]), 6);
    pith_session_free(s[1]);
    pith_session_free(s[2]);
    pith_engine_free(e);
}

static void a_cancelled_item_is_named_once(void **state)
{
    (void)state;
    need_model();
    pith_engine *e = engine_with(engine_options(0));
    pith_session *a = session_of(e, PITH_OVERFLOW_ERROR, 0);
    pith_session *b = session_of(e, PITH_OVERFLOW_ERROR, 0);
    const int32_t t[2] = {1, 2};
    pith_step_item items[2] = {{.session = a, .tokens = t, .n = 2},
                               {.session = b, .tokens = t, .n = 2}};
    pith_session_cancel(b);
    assert_refused(pith_engine_step(e, items, 2, &err), PITH_E_CANCELLED, "item 1");
    assert_int_equal(items[0].status, PITH_OK);
    assert_int_equal(items[1].status, PITH_E_CANCELLED);
    assert_int_equal(held_by(a) + held_by(b), 0);
    assert_ok(pith_engine_step(e, items, 2, &err)); // a cancel counts once
    assert_int_equal(held_by(a) + held_by(b), 4);
    pith_session_free(a);
    pith_session_free(b);
    pith_engine_free(e);
}

static pith_step_item *busy_item;
static pith_engine *busy_engine;

static int step_inside(void *user, const pith_event *event)
{
    (void)user;
    (void)event;
    pith_error e = {0};
    assert_int_equal(pith_engine_step(busy_engine, busy_item, 1, &e), PITH_E_BUSY);
    return 0;
}

static void callbacks_make_no_steps(void **state)
{
    (void)state;
    need_model();
    busy_engine = engine_with(engine_options(0));
    pith_session *a = session_of(busy_engine, PITH_OVERFLOW_ERROR, 0);
    pith_session *b = session_of(busy_engine, PITH_OVERFLOW_ERROR, 0);
    const int32_t t = 1;
    pith_step_item item = {.session = b, .tokens = &t, .n = 1};
    busy_item = &item;
    ids context = ids_of(PROMPT);
    pith_request r = request(&context, 2, NULL);
    r.on_event = step_inside;
    assert_ok(pith_generate(a, &r, NULL, &err));
    assert_int_equal(held_by(b), 0);
    pith_session_free(a);
    pith_session_free(b);
    pith_engine_free(busy_engine);
}

static void nothing_from_the_heap(void **state)
{
    (void)state;
    need_model();
    uint64_t before = px_heap_violations();
    pith_engine *e = engine_with(engine_options(0));
    pith_session *s[4];
    pith_step_item items[4];
    static int32_t t[30] = {1, 5, 7, 9};
    for (int i = 0; i < 4; i++) {
        s[i] = session_of(e, PITH_OVERFLOW_ERROR, 0);
        items[i] = (pith_step_item){.session = s[i], .tokens = t, .n = 30 - i, .n_logits = i};
    }
    for (int step = 0; step < 4; step++)
        assert_ok(pith_engine_step(e, items, 4, &err));
    assert_int_equal(px_heap_violations() - before, 0);
    for (int i = 0; i < 4; i++)
        pith_session_free(s[i]);
    pith_engine_free(e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_crowd_writes_what_each_writes_alone),
        cmocka_unit_test(all_rows_or_the_last_ones),
        cmocka_unit_test(an_answer_s_last_token_is_computed_along),
        cmocka_unit_test(a_bad_item_stops_the_step_and_is_named),
        cmocka_unit_test(a_step_is_bounded),
        cmocka_unit_test(a_full_cache_names_whom_it_refuses),
        cmocka_unit_test(a_cancelled_item_is_named_once),
        cmocka_unit_test(callbacks_make_no_steps),
        cmocka_unit_test(nothing_from_the_heap),
    };
    return cmocka_run_group_tests(tests, NULL, close_model);
}

/* batch: answers in flight: each the same as alone, joining and leaving at any step; fairness
 * between those who write and those who read; cancel, deadline, failures and freeing of one among
 * many. */
#include "stories.h"

#include "base/mem.h"
#include "engine/session.h"

enum { N = 10 };

static const char *const PROMPTS[N] = {
    "Once upon a time",
    "Lily and Tom went to the park. They saw a big dog.",
    "The cat",
    "One day, a little boy named Tim found a red ball in his yard and he was very happy.",
    "Sara liked to draw.",
    "It was a dark night. The wind was loud. The little bird was scared and wanted her mom.",
    "Ben has a toy car",
    "Anna",
    "The sun was hot and the sand was soft.",
    "There was a small house near the big lake where a frog lived with his three best friends.",
};

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

static pith_result result_of(const pith_answer *a, pith_status expected)
{
    pith_result r = PITH_INIT(pith_result);
    err = (pith_error){0};
    assert_true(pith_answer_is_done(a));
    pith_status st = pith_answer_get_result(a, &r, &err);
    if (st != expected)
        fail_msg("expected %s, got %s: %s", pith_status_text(expected), pith_status_text(st),
                 err.text);
    return r;
}

/* Sampled answers with a seed each, some with logit bias, stop strings and penalties. */
static pith_request kind_of_request(int i, const ids *context, pith_sampling *o, said *out)
{
    static const pith_logit_bias bias = {.token = 300, .bias = 2};
    static const pith_str stop = {"mom", 3};
    *o = sampling(i % 3 == 0 ? 0 : 0.7f, 40 + (uint64_t)i);
    o->repeat_penalty = i % 4 == 1 ? 1.2f : 1;
    o->dry_multiplier = i % 4 == 2 ? 0.8f : 0;
    pith_request r = request(context, 20 + i, out);
    r.sampling = o;
    r.bias = &bias;
    r.n_bias = i % 2;
    r.stops = &stop;
    r.n_stops = i % 3 == 1;
    r.logprobs = i % 5 == 0;
    return r;
}

static void assert_same_said(const said *a, const said *b)
{
    assert_int_equal(a->n, b->n);
    assert_memory_equal(a->tokens, b->tokens, (size_t)a->n * sizeof a->tokens[0]);
    assert_string_equal(a->text, b->text);
    assert_true(fabs(a->logprob - b->logprob) < 1e-2);
}

/* The requests are chosen (seeds above) so that no choice hangs on the last bits of the logits: if
 * kernels change and one does, it shows here at one level and not at another. */
static void each_answer_is_as_alone(void **state)
{
    (void)state;
    need_model();
    static said expected[N], got[N];
    pith_result results[N];
    pith_sampling o[N];
    ids context[N];
    pith_engine *e = engine_with(engine_options(0));
    pith_session *s = session_of(e, PITH_OVERFLOW_ERROR, 0);
    for (int i = 0; i < N; i++) {
        context[i] = ids_of(PROMPTS[i]);
        pith_request r = kind_of_request(i, &context[i], &o[i], &expected[i]);
        results[i] = PITH_INIT(pith_result);
        assert_ok(pith_generate(s, &r, &results[i], &err));
    }
    pith_session_free(s);
    pith_engine_free(e);
    for (int32_t threads = 1; threads <= 3; threads++)
        for (int small = 0; small < 2; small++) {
            pith_engine_options eo = engine_options(0);
            eo.n_threads = threads;
            eo.n_batch = small ? 16 : 0;   // not everybody fits into a step
            eo.max_logits = small ? 4 : 0; // nor do all rows
            eo.prompt_batch = small ? 5 : 0;
            e = engine_with(eo);
            pith_session *sessions[N];
            pith_answer *answers[N] = {NULL};
            int32_t left = 1;
            for (int step = 0; left > 0 || step < 2 * N; step++) {
                if (step % 2 == 0 && step / 2 < N) { // one more joins every second step
                    int i = step / 2;
                    sessions[i] = session_of(e, PITH_OVERFLOW_ERROR, 0);
                    pith_request r = kind_of_request(i, &context[i], &o[i], &got[i]);
                    ids lost = context[i];
                    r.tokens = lost.id; // what the request points to is not needed any more
                    answers[i] = submit(sessions[i], &r);
                    memset(lost.id, 0x55, sizeof lost.id);
                }
                left = run(e);
                assert_in_range(step, 0, 2000);
            }
            for (int i = 0; i < N; i++) {
                pith_result r = result_of(answers[i], PITH_OK);
                assert_same_said(&got[i], &expected[i]);
                assert_int_equal(r.finish, results[i].finish);
                assert_int_equal(r.stop_index, results[i].stop_index);
                assert_int_equal(r.n_prompt, results[i].n_prompt);
                assert_int_equal(r.n_generated, results[i].n_generated);
                assert_int_equal(r.seed, results[i].seed);
                assert_true(r.prompt_seconds > 0 && r.decode_seconds > 0);
                int64_t n;
                pith_session_get_tokens(sessions[i], &n);
                assert_int_equal(n, context[i].n + r.n_generated);
                pith_answer_free(answers[i]);
                pith_session_free(sessions[i]);
            }
            pith_engine_info info = PITH_INIT(pith_engine_info);
            assert_ok(pith_engine_get_info(e, &info, &err));
            assert_int_equal(info.n_answers, 0);
            assert_int_equal(info.n_sessions, 0);
            assert_true(info.n_generated >= 20 && info.n_computed > info.n_generated &&
                        info.n_steps > 0);
            pith_engine_free(e);
        }
}

/* ---- who is served when */

static void long_contexts_do_not_stall_those_who_write(void **state)
{
    (void)state;
    need_model();
    pith_engine_options eo = engine_options(600);
    eo.n_batch = 100;
    eo.prompt_batch = 20;
    eo.no_prefix_cache = true; // both contexts are the same, and are to be computed twice
    pith_engine *e = engine_with(eo);
    pith_session *writer = session_of(e, PITH_OVERFLOW_ERROR, 0);
    pith_session *readers[2];
    ids context = ids_of(PROMPT), long_one = {.n = 90};
    for (int i = 0; i < 90; i++)
        long_one.id[i] = 3 + i;
    static said heard, other[2];
    pith_request r = request(&context, 30, &heard);
    pith_answer *first = submit(writer, &r);
    run(e);
    assert_int_equal(heard.n, 1); // the context is read in one step, and a token chosen from it
    pith_answer *answers[2];
    for (int i = 0; i < 2; i++) {
        readers[i] = session_of(e, PITH_OVERFLOW_ERROR, 0);
        pith_request l = request(&long_one, 3, &other[i]);
        answers[i] = submit(readers[i], &l);
    }
    /* 180 tokens of contexts at 20 a step; the one who writes has a token every step; the two take
     * turns: five pieces of one (20, 20, 20, 20, 10), and both are through after nine or ten. */
    for (int step = 1; step <= 10; step++) {
        pith_engine_info before = PITH_INIT(pith_engine_info), after = before;
        assert_ok(pith_engine_get_info(e, &before, &err));
        run(e);
        assert_ok(pith_engine_get_info(e, &after, &err));
        assert_int_equal(heard.n, 1 + step);
        assert_int_equal(after.n_steps - before.n_steps, 1);
        assert_true(after.n_computed - before.n_computed <= 22);
        pith_result one = PITH_INIT(pith_result);
        assert_int_equal(pith_answer_get_result(answers[0], &one, NULL), PITH_E_BUSY);
        if (step < 9)
            assert_int_equal(other[0].n + other[1].n, 0);
    }
    assert_true(other[0].n >= 1 && other[1].n >= 1);
    while (run(e) > 0) {
    }
    assert_int_equal(other[0].n, 3);
    assert_memory_equal(other[0].tokens, other[1].tokens, 3 * sizeof other[0].tokens[0]);
    /* With nobody who writes a step is filled. */
    ids filler = long_one;
    filler.id[0] = 200;
    pith_answer_free(answers[0]);
    pith_request l = request(&filler, 1, &other[0]);
    answers[0] = submit(readers[0], &l);
    assert_int_equal(run(e), 0);
    for (int i = 0; i < 2; i++) {
        pith_answer_free(answers[i]);
        pith_session_free(readers[i]);
    }
    pith_answer_free(first);
    pith_session_free(writer);
    pith_engine_free(e);
}

static void nobody_is_left_out(void **state)
{
    (void)state;
    need_model();
    pith_engine_options eo = engine_options(0);
    eo.max_logits = 3;
    pith_engine *e = engine_with(eo);
    ids context = ids_of(PROMPT);
    static said out[7];
    pith_session *s[7];
    pith_answer *a[7];
    for (int i = 0; i < 7; i++) {
        s[i] = session_of(e, PITH_OVERFLOW_ERROR, 0);
        pith_request r = request(&context, 30, &out[i]);
        a[i] = submit(s[i], &r);
    }
    for (int step = 0; step < 60; step++) {
        run(e);
        int64_t least = out[0].n, most = out[0].n;
        for (int i = 1; i < 7; i++) {
            least = out[i].n < least ? out[i].n : least;
            most = out[i].n > most ? out[i].n : most;
        }
        if (step >= 6) // contexts are read, then three of seven write each step, in turn
            assert_true(most - least <= 2);
    }
    for (int i = 0; i < 7; i++) {
        pith_answer_free(a[i]);
        pith_session_free(s[i]);
    }
    pith_engine_free(e);
}

/* Four answers of one key have together as much as the one of another, of rows as of the steps that
 * read contexts; and who comes late owes nothing for what others had before. */
static void keys_share_evenly(void **state)
{
    (void)state;
    need_model();
    enum { MANY = 5 };
    static said out[MANY];
    for (int reads = 0; reads < 2; reads++) {
        pith_engine_options eo = engine_options(512);
        eo.max_logits = 1;
        eo.n_batch = reads ? 10 : 0;
        eo.no_prefix_cache = true;
        pith_engine *e = engine_with(eo);
        pith_session *s[MANY];
        pith_answer *a[MANY];
        ids context = ids_of(PROMPT), long_one = {.n = 400};
        for (int i = 0; i < 400; i++)
            long_one.id[i] = 3 + i;
        for (int i = 0; i < MANY; i++) {
            s[i] = session_of(e, PITH_OVERFLOW_ERROR, 0);
            pith_request r = request(reads ? &long_one : &context, 100, &out[i]);
            r.ignore_end = true;
            r.key = i == 4 ? 7 : 3;
            if (i == 4) // others have had much by then
                for (int step = 0; step < 50; step++)
                    run(e);
            a[i] = submit(s[i], &r);
        }
        int64_t before[MANY], had[MANY];
        for (int i = 0; i < MANY; i++) {
            pith_result r = PITH_INIT(pith_result);
            assert_int_equal(pith_answer_get_result(a[i], &r, NULL), PITH_E_BUSY);
            before[i] = reads ? s[i]->seq.n_tokens : out[i].n;
        }
        for (int step = 0; step < 40; step++)
            run(e);
        for (int i = 0; i < MANY; i++)
            had[i] = (reads ? s[i]->seq.n_tokens : out[i].n) - before[i];
        /* 40 steps of a row, or of 10 tokens: half of them for each key. */
        int64_t half = reads ? 200 : 20;
        assert_in_range(had[4], half - half / 10, half + half / 10);
        for (int i = 0; i < 4; i++)
            assert_in_range(had[i], half / 4 - half / 10, half / 4 + half / 10);
        for (int i = 0; i < MANY; i++) {
            pith_answer_free(a[i]);
            pith_session_free(s[i]);
        }
        pith_engine_free(e);
    }
}

/* ---- one among many */

static void one_ends_and_the_others_go_on(void **state)
{
    (void)state;
    need_model();
    pith_engine_options eo = engine_options(0);
    eo.no_prefix_cache = true; // a session that has not begun holds nothing
    pith_engine *e = engine_with(eo);
    ids context = ids_of(PROMPT);
    static said out[4], expected;
    pith_session *s[4];
    pith_answer *a[4];
    pith_request plain = request(&context, 30, &expected);
    for (int i = 0; i < 4; i++)
        s[i] = session_of(e, PITH_OVERFLOW_ERROR, 0);
    assert_ok(pith_generate(s[0], &plain, NULL, &err));
    for (int i = 0; i < 4; i++) {
        pith_request r = request(&context, 30, &out[i]);
        if (i == 1)
            out[i].stop_after = 9; // the callback ends it
        if (i == 2)
            r.deadline = 1e-9;
        a[i] = submit(s[i], &r);
    }
    for (int step = 0; step < 5; step++)
        run(e);
    assert_int_equal(result_of(a[2], PITH_OK).finish, PITH_FINISH_DEADLINE);
    assert_int_equal(out[2].n, 0);
    pith_session_cancel(s[3]);
    pith_request r = request(&context, 1, NULL);
    assert_int_equal(pith_generate(s[3], &r, NULL, &err), PITH_E_BUSY); // does not eat the cancel
    while (run(e) > 0) {
    }
    assert_int_equal(result_of(a[3], PITH_OK).finish, PITH_FINISH_CANCELLED);
    assert_int_equal(out[3].n, 5);
    assert_int_equal(result_of(a[1], PITH_OK).finish, PITH_FINISH_CALLBACK);
    assert_int_equal(out[1].n, 9);
    assert_int_equal(result_of(a[0], PITH_OK).finish, PITH_FINISH_LENGTH);
    assert_memory_equal(out[0].tokens, expected.tokens, 30 * sizeof expected.tokens[0]);
    for (int i = 0; i < 4; i++) {
        pith_answer_free(a[i]);
        /* Every session goes on, as if its answer had been alone. */
        int64_t n, m;
        const int32_t *held = pith_session_get_tokens(s[i], &n);
        assert_int_equal(n, i == 2 ? 0 : context.n + out[i].n);
        ids more = {.n = n};
        memcpy(more.id, held, (size_t)n * sizeof *held);
        if (i == 2)
            more = context;
        static said rest;
        r = request(&more, 2, &rest);
        assert_ok(pith_generate(s[i], &r, NULL, &err));
        if (i > 0)
            assert_memory_equal(rest.tokens, expected.tokens + (i == 2 ? 0 : out[i].n),
                                2 * sizeof rest.tokens[0]);
        pith_session_get_tokens(s[i], &m);
        assert_int_equal(m, more.n + 2);
        pith_session_free(s[i]);
    }
    pith_engine_free(e);
}

/* A hook that breaks the logits from the third token on. */
static int break_logits(void *user, float *logits, int32_t n_vocab, const int32_t *tokens,
                        int64_t n_tokens)
{
    (void)n_vocab;
    (void)tokens;
    if (n_tokens >= *(const int64_t *)user)
        logits[7] = NAN;
    return 0;
}

static void one_fails_and_the_others_go_on(void **state)
{
    (void)state;
    need_model();
    pith_engine *e = engine_with(engine_options(24));
    ids context = ids_of(PROMPT);
    static said out[3], expected;
    pith_session *s[3];
    pith_answer *a[3];
    for (int i = 0; i < 3; i++)
        s[i] = session_of(e, i == 2 ? PITH_OVERFLOW_SHIFT : PITH_OVERFLOW_ERROR, 0);
    pith_request r = request(&context, 40, &expected);
    r.ignore_end = true;
    assert_ok(pith_generate(s[2], &r, NULL, &err));
    int64_t from = context.n + 2;
    for (int i = 0; i < 3; i++) {
        r = request(&context, 40, &out[i]);
        r.ignore_end = true;
        if (i == 0) {
            r.on_logits = break_logits;
            r.user = &from;
            r.on_event = NULL;
        }
        a[i] = submit(s[i], &r);
    }
    while (run(e) > 0) {
    }
    pith_result broken = result_of(a[0], PITH_E_NUMERIC);
    assert_non_null(strstr(err.text, "NaN"));
    assert_int_equal(broken.n_generated, 2);
    pith_result full = result_of(a[1], PITH_E_CONTEXT);
    assert_non_null(strstr(err.text, "filled the context of 24"));
    assert_int_equal(full.n_generated, 20);
    assert_int_equal(out[1].n, 20);
    pith_result fine = result_of(a[2], PITH_OK);
    assert_int_equal(fine.n_generated, 40);
    assert_true(fine.n_dropped > 0);
    assert_memory_equal(out[2].tokens, expected.tokens, 40 * sizeof out[2].tokens[0]);
    for (int i = 0; i < 3; i++) {
        pith_answer_free(a[i]);
        pith_session_free(s[i]);
    }
    pith_engine_free(e);
}

static void a_full_cache_makes_wait(void **state)
{
    (void)state;
    need_model();
    pith_plan plan = PITH_INIT(pith_plan);
    plan.n_ctx = 128;
    assert_ok(pith_model_plan(model, &plan, &err));
    pith_engine_options eo = engine_options(512);
    eo.k_type = eo.v_type = "f16";
    eo.kv_bytes = plan.kv_bytes; // two pages of 64 tokens
    pith_engine *e = engine_with(eo);
    ids context = ids_of(PROMPT);
    static said out[3], expected;
    pith_session *s[3];
    pith_answer *a[3];
    for (int i = 0; i < 3; i++)
        s[i] = session_of(e, PITH_OVERFLOW_ERROR, 0);
    pith_request r = request(&context, 20, &expected);
    assert_ok(pith_generate(s[0], &r, NULL, &err));
    assert_ok(pith_session_set(s[0], NULL, 0, 0, NULL, &err));
    for (int i = 0; i < 3; i++) {
        r = request(&context, 20, &out[i]);
        a[i] = submit(s[i], &r);
    }
    while (run(e) > 1) {
    }
    result_of(a[0], PITH_OK);
    result_of(a[1], PITH_OK);
    assert_int_equal(out[2].n, 0);
    pith_session_free(s[0]); // gives its page back
    while (run(e) > 0) {
    }
    result_of(a[2], PITH_OK);
    assert_memory_equal(out[2].tokens, expected.tokens, 20 * sizeof expected.tokens[0]);
    /* The second waits for the first, whose session then keeps both pages: nobody can move, and it
     * fails. */
    s[0] = session_of(e, PITH_OVERFLOW_ERROR, 0);
    pith_answer_free(a[0]);
    pith_answer_free(a[1]);
    ids both = {.n = 60};
    for (int i = 0; i < 60; i++)
        both.id[i] = 3 + i;
    r = request(&both, 20, &out[1]);
    a[1] = submit(s[1], &r);
    pith_answer_free(a[2]);
    r = request(&both, 20, &out[2]);
    a[2] = submit(s[2], &r);
    while (run(e) > 0) {
    }
    result_of(a[2], PITH_E_MEMORY);
    assert_non_null(strstr(err.text, "KV cache is full: 2 pages"));
    assert_int_equal(out[2].n, 0);
    result_of(a[1], PITH_OK);
    assert_int_equal(out[1].n, 20);
    pith_answer_free(a[1]);
    pith_answer_free(a[2]);
    assert_ok(pith_session_set(s[1], NULL, 0, 0, NULL, &err));
    r = request(&both, 20, &out[2]);
    a[2] = submit(s[2], &r);
    while (run(e) > 0) {
    }
    result_of(a[2], PITH_OK);
    assert_memory_equal(out[2].tokens, out[1].tokens, 20 * sizeof out[1].tokens[0]);
    /* What can never fit fails, having used all that there is. */
    pith_answer_free(a[2]);
    r = request(&both, 100, &out[2]);
    a[2] = submit(s[2], &r);
    while (run(e) > 0) {
    }
    result_of(a[2], PITH_E_MEMORY);
    assert_int_equal(out[2].n, 2 * 64 - 60 + 1); // the last one is chosen, not computed
    pith_answer_free(a[2]);
    for (int i = 0; i < 3; i++)
        pith_session_free(s[i]);
    pith_engine_free(e);
}

static void freeing_takes_answers_out(void **state)
{
    (void)state;
    need_model();
    pith_engine *e = engine_with(engine_options(0));
    ids context = ids_of(PROMPT);
    static said out[3];
    pith_session *s[3];
    pith_answer *a[3];
    for (int i = 0; i < 3; i++) {
        s[i] = session_of(e, PITH_OVERFLOW_ERROR, 0);
        pith_request r = request(&context, 10, &out[i]);
        a[i] = submit(s[i], &r);
    }
    assert_int_equal(run(e), 3);
    assert_int_equal(run(e), 3);
    pith_session_free(s[0]);
    assert_true(pith_answer_is_done(a[0]));
    assert_int_equal(result_of(a[0], PITH_OK).finish, PITH_FINISH_CANCELLED);
    pith_answer_free(a[1]); // in flight; its session is free again and keeps what it has
    int64_t n;
    pith_session_get_tokens(s[1], &n);
    assert_int_equal(n, context.n + 2);
    while (run(e) > 0) {
    }
    assert_int_equal(out[0].n, 2);
    assert_int_equal(out[1].n, 2);
    assert_int_equal(out[2].n, 10);
    pith_request r = request(&context, 10, &out[1]);
    assert_ok(pith_generate(s[1], &r, NULL, &err));
    assert_memory_equal(out[1].tokens, out[2].tokens, 10 * sizeof out[1].tokens[0]);
    pith_answer_free(a[0]);
    pith_session_free(s[2]);
    pith_answer_free(a[2]); // its session went first
    pith_answer_free(NULL);
    pith_session_free(s[1]);
    pith_engine_free(e);
}

/* ---- contract */

static pith_session *probe;
static pith_engine *probe_engine;

static int call_back(void *user, const pith_event *event)
{
    (void)event;
    pith_request *r = user;
    pith_answer *a;
    pith_error e = {0};
    int32_t left;
    assert_int_equal(pith_engine_run(probe_engine, &left, &e), PITH_E_BUSY);
    assert_int_equal(pith_session_submit(probe, r, &a, &e), PITH_E_BUSY);
    assert_null(a);
    return 0;
}

static void a_session_in_flight_is_busy(void **state)
{
    (void)state;
    need_model();
    pith_engine *e = probe_engine = engine_with(engine_options(0));
    pith_session *s = session_of(e, PITH_OVERFLOW_ERROR, 0);
    probe = session_of(e, PITH_OVERFLOW_ERROR, 0);
    ids context = ids_of(PROMPT);
    pith_request r = request(&context, 3, NULL);
    r.on_event = call_back;
    r.user = &r;
    pith_answer *a = submit(s, &r), *b;
    const float *logits;
    float out[2];
    assert_refused(pith_session_set(s, context.id, 2, 1, &logits, &err), PITH_E_BUSY, "in flight");
    assert_refused(pith_generate(s, &r, NULL, &err), PITH_E_BUSY, "in flight");
    assert_refused(pith_session_submit(s, &r, &b, &err), PITH_E_BUSY, "in flight");
    assert_refused(pith_score_tokens(s, context.id, 3, 1, out, NULL, &err), PITH_E_BUSY,
                   "in flight");
    pith_step_item item = {.session = s, .tokens = context.id, .n = 1};
    assert_refused(pith_engine_step(e, &item, 1, &err), PITH_E_BUSY, "in flight");
    pith_result result = PITH_INIT(pith_result);
    assert_refused(pith_answer_get_result(a, &result, &err), PITH_E_BUSY, "still being written");
    assert_int_equal(result.n_prompt, context.n);
    assert_false(pith_answer_is_done(a));
    run(e);
    run(e);
    /* A fork of what is there, while it is being written. */
    int64_t n, m;
    pith_session_get_tokens(s, &n);
    pith_session *f;
    assert_ok(pith_session_fork(s, n, &f, &err));
    pith_session_get_tokens(f, &m);
    assert_int_equal(m, n);
    assert_int_equal(n, context.n + 2);
    /* Others may be used between steps. */
    assert_ok(pith_session_set(f, context.id, 3, 1, &logits, &err));
    while (run(e) > 0) {
    }
    assert_int_equal(result_of(a, PITH_OK).n_generated, 3);
    assert_ok(pith_session_set(s, context.id, 2, 1, &logits, &err));
    assert_refused(pith_session_submit(NULL, &r, &b, &err), PITH_E_ARGUMENT, "NULL");
    assert_refused(pith_engine_run(NULL, NULL, &err), PITH_E_ARGUMENT, "NULL");
    assert_refused(pith_answer_get_result(NULL, NULL, &err), PITH_E_ARGUMENT, "NULL");
    r.n_tokens = 0;
    assert_refused(pith_session_submit(s, &r, &b, &err), PITH_E_ARGUMENT, "no tokens");
    r.n_tokens = 3;
    context.id[1] = 512;
    assert_refused(pith_session_submit(s, &r, &b, &err), PITH_E_ARGUMENT, "has id 512");
    assert_ok(pith_engine_run(e, NULL, &err)); // nothing in flight: nothing to do
    pith_engine_options bad = engine_options(0);
    bad.prompt_batch = -1;
    pith_engine *none;
    assert_refused(pith_engine_new(model, &bad, &none, &err), PITH_E_ARGUMENT, "prompt_batch");
    pith_answer_free(a);
    pith_session_free(f);
    pith_session_free(s);
    pith_session_free(probe);
    pith_engine_free(e);
}

/* What was known of the texts when the callback was first called, and how far the answer is. */
typedef struct preparing {
    uint64_t least, last; // tokens of the texts that were ready
    const said *answer;
    int64_t said_before; // when the last of them became ready
} preparing;

static int note_preparing(void *user, uint64_t done, uint64_t total)
{
    preparing *p = user;
    p->least = p->last == 0 ? total : p->least;
    if (done == 0 && total != p->last)
        p->said_before = p->answer->n;
    p->last = total;
    return 0;
}

/* Making many texts ready takes long: those who write go on meanwhile, one step for 16 KiB. */
static void texts_that_are_made_ready_stall_nobody(void **state)
{
    (void)state;
    need_model();
    enum { TEXTS = 200, BYTES = 2000, SHORT = 200, STEP = 16 << 10 };
    static const int bytes[] = {BYTES, 40 + SHORT};
    static char text[BYTES], document[SHORT];
    static float vectors[TEXTS * 64], scores[TEXTS];
    pith_str texts[TEXTS], documents[TEXTS];
    memset(text, 'a', sizeof text);
    memset(document, 'b', sizeof document);
    for (int i = 0; i < TEXTS; i++) {
        texts[i] = (pith_str){text, sizeof text};
        documents[i] = (pith_str){document, sizeof document};
    }
    pith_engine *e = engine_with(engine_options(512));
    ids context = ids_of(PROMPT);
    static said out;
    for (int rerank = 0; rerank < 2; rerank++) {
        pith_session *s = session_of(e, PITH_OVERFLOW_ERROR, 0);
        pith_request r = request(&context, 400, &out);
        r.ignore_end = true;
        pith_answer *a = submit(s, &r);
        preparing p = {.answer = &out};
        if (rerank) {
            pith_rerank_options o = PITH_INIT(pith_rerank_options);
            o.progress = note_preparing;
            o.user = &p;
            assert_ok(
                pith_rerank(e, (pith_str){text, 40}, documents, TEXTS, &o, scores, NULL, &err));
        } else {
            pith_embed_options o = PITH_INIT(pith_embed_options);
            o.progress = note_preparing;
            o.user = &p;
            o.truncate = true;
            assert_ok(pith_embed_text(e, texts, TEXTS, &o, vectors, NULL, &err));
        }
        assert_true(p.least > 0 && p.least < p.last);
        int each = (STEP + bytes[rerank] - 1) / bytes[rerank]; // texts behind which a step comes
        assert_int_equal(p.said_before, TEXTS / each);
        pith_answer_free(a);
        pith_session_free(s);
    }
    pith_engine_free(e);
}

static void nothing_from_the_heap(void **state)
{
    (void)state;
    need_model();
    uint64_t before = px_heap_violations();
    pith_engine *e = engine_with(engine_options(0));
    ids context = ids_of(PROMPT);
    static said out[4];
    pith_session *s[4];
    pith_answer *a[4];
    pith_sampling o[4];
    for (int i = 0; i < 4; i++) {
        s[i] = session_of(e, PITH_OVERFLOW_ERROR, 0);
        pith_request r = kind_of_request(i, &context, &o[i], &out[i]);
        a[i] = submit(s[i], &r);
    }
    while (run(e) > 0) {
    }
    assert_int_equal(px_heap_violations() - before, 0);
    for (int i = 0; i < 4; i++) {
        pith_answer_free(a[i]);
        pith_session_free(s[i]);
    }
    pith_engine_free(e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_answer_is_as_alone),
        cmocka_unit_test(long_contexts_do_not_stall_those_who_write),
        cmocka_unit_test(nobody_is_left_out),
        cmocka_unit_test(keys_share_evenly),
        cmocka_unit_test(one_ends_and_the_others_go_on),
        cmocka_unit_test(one_fails_and_the_others_go_on),
        cmocka_unit_test(a_full_cache_makes_wait),
        cmocka_unit_test(freeing_takes_answers_out),
        cmocka_unit_test(a_session_in_flight_is_busy),
        cmocka_unit_test(texts_that_are_made_ready_stall_nobody),
        cmocka_unit_test(nothing_from_the_heap),
    };
    return cmocka_run_group_tests(tests, NULL, close_model);
}

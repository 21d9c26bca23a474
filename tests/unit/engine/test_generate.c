/* generate: answers of a real model: their text, ends, overflow, cancel, callbacks, seeds. */
#include "stories.h"

#include "base/mem.h"

#include <pthread.h>
#include <time.h>

static void greedy_answer_is_the_expected_one(void **state)
{
    (void)state;
    need_model();
    const char *expected = expected_answer();
    static said out;
    ids context = ids_of(PROMPT);
    bool runs;
    for (int32_t level = 0; pith_cpu_level(level, &runs); level++)
        for (int32_t threads = 1; runs && threads <= 3; threads++)
            for (int kv = 0; kv < 2; kv++) {
                pith_engine_options o = engine_options(0);
                o.cpu = pith_cpu_level(level, NULL);
                o.n_threads = threads;
                o.k_type = o.v_type = kv ? "f32" : NULL;
                pith_engine *e = engine_with(o);
                pith_session *s = session_of(e, PITH_OVERFLOW_ERROR, 0);
                pith_request r = request(&context, 64, &out);
                pith_result result = PITH_INIT(pith_result);
                assert_ok(pith_generate(s, &r, &result, &err));
                /* The expected text was cut where its program trimmed it. */
                if (strncmp(out.text, expected, strlen(expected) - 1) != 0)
                    fail_msg("level %s, %d threads, kv %d: '%s', expected '%s'", o.cpu, threads, kv,
                             out.text, expected);
                assert_int_equal(result.finish, PITH_FINISH_LENGTH);
                assert_int_equal(result.n_generated, 64);
                assert_int_equal(result.n_prompt, context.n);
                assert_int_equal(result.n_reused, 0);
                assert_int_equal(result.n_dropped, 0);
                assert_int_equal(result.stop_index, -1);
                assert_int_equal(out.n, 64);
                pith_session_free(s);
                pith_engine_free(e);
            }
}

static void the_session_holds_context_and_answer(void **state)
{
    (void)state;
    pith_engine *e = engine_with(engine_options(0));
    pith_session *s = session_of(e, PITH_OVERFLOW_ERROR, 0);
    static said out;
    ids context = ids_of(PROMPT);
    pith_request r = request(&context, 10, &out);
    pith_result result = PITH_INIT(pith_result);
    assert_ok(pith_generate(s, &r, &result, &err));
    int64_t n;
    const int32_t *tokens = pith_session_get_tokens(s, &n);
    assert_int_equal(n, context.n + 10);
    assert_memory_equal(tokens, context.id, (size_t)context.n * sizeof *tokens);
    assert_memory_equal(tokens + context.n, out.tokens, 10 * sizeof *tokens);
    /* The next request continues: all that was computed is reused, so the last token alone is new.
     */
    ids longer = {.n = n};
    memcpy(longer.id, tokens, (size_t)n * sizeof *tokens);
    static said more;
    r = request(&longer, 5, &more);
    assert_ok(pith_generate(s, &r, &result, &err));
    assert_int_equal(result.n_reused, n - 1);
    /* In one go it is the same. */
    pith_session *other = session_of(e, PITH_OVERFLOW_ERROR, 0);
    static said whole;
    r = request(&context, 15, &whole);
    assert_ok(pith_generate(other, &r, NULL, &err));
    assert_memory_equal(whole.tokens, out.tokens, 10 * sizeof *tokens);
    assert_memory_equal(whole.tokens + 10, more.tokens, 5 * sizeof *tokens);
    pith_session_free(s);
    pith_session_free(other);
    pith_engine_free(e);
}

static void stop_strings_end_the_answer_and_do_not_show(void **state)
{
    (void)state;
    pith_engine *e = engine_with(engine_options(0));
    pith_session *s = session_of(e, PITH_OVERFLOW_ERROR, 0);
    static said out;
    ids context = ids_of(PROMPT);
    const char *expected = expected_answer();
    static const char *const stops[] = {"nowhere", "red ball", "Lily. She", " big", "\xc3\xa9"};
    static const int32_t alone[] = {-1, 1, 2, 3, -1};
    for (int32_t i = 0; i < 5; i++) {
        pith_str list[] = {{"never", 5}, {stops[i], strlen(stops[i])}};
        pith_request r = request(&context, 64, &out);
        r.stops = list;
        r.n_stops = 2;
        pith_result result = PITH_INIT(pith_result);
        assert_ok(pith_generate(s, &r, &result, &err));
        if (alone[i] < 0) {
            assert_int_equal(result.finish, PITH_FINISH_LENGTH);
            assert_int_equal(result.stop_index, -1);
            assert_int_equal(strncmp(out.text, expected, strlen(expected) - 1), 0);
            continue;
        }
        assert_int_equal(result.finish, PITH_FINISH_STOP);
        assert_int_equal(result.stop_index, 1);
        const char *at = strstr(expected, stops[i]);
        assert_non_null(at);
        assert_int_equal(out.len, at - expected);
        assert_memory_equal(out.text, expected, out.len);
    }
    pith_session_free(s);
    pith_engine_free(e);
}

/* ---- overflow */

static void overflow_is_an_error_unless_chosen(void **state)
{
    (void)state;
    pith_engine *e = engine_with(engine_options(24));
    pith_session *s = session_of(e, PITH_OVERFLOW_ERROR, 0);
    static said out;
    ids context = ids_of(PROMPT); // 5 tokens
    pith_request r = request(&context, -1, &out);
    pith_result result = PITH_INIT(pith_result);
    assert_refused(pith_generate(s, &r, &result, &err), PITH_E_CONTEXT,
                   "filled the context of 24 tokens after 20 of its own");
    assert_int_equal(result.n_generated, 20);
    assert_int_equal(out.n, 20);
    assert_int_equal(strncmp(out.text, expected_answer(), out.len), 0);
    ids long_one = ids_of("Once upon a time there was a little girl who liked to play in the park "
                          "with her dog and her ball");
    assert_true(long_one.n > 24);
    char text[100];
    snprintf(text, sizeof text, "%d tokens do not fit into the context of 24, %d are too many",
             (int)long_one.n, (int)long_one.n - 24);
    r = request(&long_one, 5, &out);
    assert_refused(pith_generate(s, &r, NULL, &err), PITH_E_CONTEXT, text);
    assert_refused(pith_session_set(s, long_one.id, long_one.n, 0, NULL, &err), PITH_E_CONTEXT,
                   text);
    /* The session goes on. */
    r = request(&context, 5, &out);
    assert_ok(pith_generate(s, &r, NULL, &err));
    assert_int_equal(out.n, 5);
    pith_session_free(s);
    pith_engine_free(e);
}

/* Follows the definition of SHIFT with sessions that are told exactly what to hold. */
static void shift_forgets_half_and_computes_anew(void **state)
{
    (void)state;
    enum { CTX = 24, KEEP = 3, N = 70 };
    pith_engine *e = engine_with(engine_options(CTX));
    pith_session *s = session_of(e, PITH_OVERFLOW_SHIFT, KEEP);
    static said out;
    ids context = ids_of(PROMPT);
    pith_request r = request(&context, N, &out);
    r.ignore_end = true;
    pith_result result = PITH_INIT(pith_result);
    assert_ok(pith_generate(s, &r, &result, &err));
    assert_int_equal(out.n, N);

    pith_session *plain = session_of(e, PITH_OVERFLOW_ERROR, 0);
    ids held = context;
    int64_t dropped = 0;
    for (int i = 0; i < N; i++) {
        if (held.n > CTX) {
            int64_t half = (CTX - KEEP) / 2;
            memmove(held.id + KEEP, held.id + KEEP + half,
                    (size_t)(held.n - KEEP - half) * sizeof held.id[0]);
            held.n -= half;
            dropped += half;
        }
        const float *logits;
        assert_ok(pith_session_set(plain, held.id, held.n, 1, &logits, &err));
        int best = 0;
        for (int t = 1; t < 512; t++)
            best = logits[t] > logits[best] ? t : best;
        assert_int_equal(out.tokens[i], best);
        held.id[held.n++] = best;
    }
    assert_int_equal(result.n_dropped, dropped);
    assert_true(dropped >= 2 * (CTX - KEEP) / 2);
    int64_t n;
    const int32_t *tokens = pith_session_get_tokens(s, &n);
    assert_int_equal(n, held.n);
    assert_memory_equal(tokens, held.id, (size_t)n * sizeof *tokens);
    pith_session_free(plain);
    pith_session_free(s);
    pith_engine_free(e);
}

static void long_prompts_are_cut_as_the_policy_says(void **state)
{
    (void)state;
    enum { CTX = 24, KEEP = 4, N = 60 };
    pith_engine *e = engine_with(engine_options(CTX));
    ids longest = {.n = N};
    for (int i = 0; i < N; i++)
        longest.id[i] = 3 + i;
    /* SHIFT: half of 20 at a time, 36 are too many: 40 go. */
    pith_session *s = session_of(e, PITH_OVERFLOW_SHIFT, KEEP);
    assert_ok(pith_session_set(s, longest.id, N, 0, NULL, &err));
    int64_t n;
    const int32_t *tokens = pith_session_get_tokens(s, &n);
    assert_int_equal(n, 20);
    for (int i = 0; i < 20; i++)
        assert_int_equal(tokens[i], i < KEEP ? 3 + i : 3 + 40 + i);
    pith_session_free(s);
    /* TRUNCATE: just what is too much. */
    s = session_of(e, PITH_OVERFLOW_TRUNCATE, KEEP);
    assert_ok(pith_session_set(s, longest.id, N, 0, NULL, &err));
    tokens = pith_session_get_tokens(s, &n);
    assert_int_equal(n, CTX);
    for (int i = 0; i < CTX; i++)
        assert_int_equal(tokens[i], i < KEEP ? 3 + i : 3 + 36 + i);
    /* Room for an answer: what it asks for, at most half. Then it ends when the context is full. */
    static said out;
    pith_result result = PITH_INIT(pith_result);
    pith_request r = request(&longest, 6, &out);
    r.ignore_end = true;
    assert_ok(pith_generate(s, &r, &result, &err));
    assert_int_equal(result.finish, PITH_FINISH_LENGTH);
    assert_int_equal(result.n_prompt, CTX - 6);
    assert_int_equal(result.n_dropped, N - (CTX - 6));
    r = request(&longest, -1, &out);
    r.ignore_end = true;
    assert_ok(pith_generate(s, &r, &result, &err));
    assert_int_equal(result.finish, PITH_FINISH_CONTEXT);
    assert_int_equal(result.n_prompt, CTX - 10);
    assert_int_equal(result.n_generated, 11); // the last one needs no place
    pith_session_free(s);
    pith_engine_free(e);
}

/* ---- ending early */

typedef struct canceller {
    pith_session *session;
    volatile bool started;
} canceller;

static int note_start(void *user, const pith_event *event)
{
    (void)event;
    __atomic_store_n(&((canceller *)user)->started, true, __ATOMIC_RELAXED);
    return 0;
}

static void *cancel_soon(void *user)
{
    canceller *c = user;
    struct timespec nap = {.tv_nsec = 1000000};
    while (!__atomic_load_n(&c->started, __ATOMIC_RELAXED))
        nanosleep(&nap, NULL);
    pith_session_cancel(c->session);
    return NULL;
}

static void cancel_from_another_thread(void **state)
{
    (void)state;
    pith_engine *e = engine_with(engine_options(64));
    pith_session *s = session_of(e, PITH_OVERFLOW_SHIFT, 0);
    ids context = ids_of(PROMPT);
    canceller c = {.session = s};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, cancel_soon, &c), 0);
    pith_request r = request(&context, INT64_MAX, NULL); // for ever, but for the cancel
    r.ignore_end = true;
    r.on_event = note_start;
    r.user = &c;
    pith_result result = PITH_INIT(pith_result);
    assert_ok(pith_generate(s, &r, &result, &err));
    pthread_join(thread, NULL);
    assert_int_equal(result.finish, PITH_FINISH_CANCELLED);
    assert_true(result.n_generated >= 1);
    /* Before a call it ends that call, and no other. */
    pith_session_cancel(s);
    assert_refused(pith_session_set(s, context.id, 3, 0, NULL, &err), PITH_E_CANCELLED,
                   "cancelled after");
    static said out;
    r = request(&context, 4, &out);
    assert_ok(pith_generate(s, &r, &result, &err));
    assert_int_equal(result.finish, PITH_FINISH_LENGTH);
    assert_int_equal(out.n, 4);
    pith_session_free(s);
    pith_engine_free(e);
}

static void a_deadline_ends_the_answer(void **state)
{
    (void)state;
    pith_engine *e = engine_with(engine_options(64));
    pith_session *s = session_of(e, PITH_OVERFLOW_SHIFT, 0);
    ids context = ids_of(PROMPT);
    pith_request r = request(&context, INT64_MAX, NULL);
    pith_result result = PITH_INIT(pith_result);
    r.ignore_end = true;
    r.deadline = 0.05;
    assert_ok(pith_generate(s, &r, &result, &err));
    assert_int_equal(result.finish, PITH_FINISH_DEADLINE);
    assert_true(result.prompt_seconds + result.decode_seconds >= 0.05);
    r.deadline = 1e-9; // over before the context is computed
    ids other = ids_of("The dog");
    r.tokens = other.id;
    r.n_tokens = other.n;
    assert_ok(pith_generate(s, &r, &result, &err));
    assert_int_equal(result.finish, PITH_FINISH_DEADLINE);
    assert_int_equal(result.n_generated, 0);
    pith_session_free(s);
    pith_engine_free(e);
}

static void a_callback_ends_the_answer(void **state)
{
    (void)state;
    pith_engine *e = engine_with(engine_options(0));
    pith_session *s = session_of(e, PITH_OVERFLOW_ERROR, 0);
    static said out;
    ids context = ids_of(PROMPT);
    pith_request r = request(&context, 64, &out);
    out.stop_after = 7;
    pith_result result = PITH_INIT(pith_result);
    assert_ok(pith_generate(s, &r, &result, &err));
    assert_int_equal(result.finish, PITH_FINISH_CALLBACK);
    assert_int_equal(out.n_events, 7);
    assert_int_equal(result.n_generated, 7);
    pith_session_free(s);
    pith_engine_free(e);
}

/* The model ends its turn when its logits say so: the hook makes it. */
static int end_soon(void *user, float *logits, int32_t n_vocab, const int32_t *tokens, int64_t n)
{
    (void)tokens;
    assert_int_equal(n_vocab, 512);
    if (n >= *(int64_t *)user)
        logits[2] = 1000; // </s>
    return n >= 12 ? 1 : 0;
}

static void end_tokens_and_the_logits_hook(void **state)
{
    (void)state;
    pith_engine *e = engine_with(engine_options(0));
    pith_session *s = session_of(e, PITH_OVERFLOW_ERROR, 0);
    ids context = ids_of(PROMPT);
    int64_t at = 8;
    pith_request r = request(&context, 64, NULL);
    r.on_logits = end_soon;
    r.user = &at;
    pith_result result = PITH_INIT(pith_result);
    assert_ok(pith_generate(s, &r, &result, &err));
    assert_int_equal(result.finish, PITH_FINISH_END);
    assert_int_equal(result.n_generated, 8 + 1 - context.n);
    int64_t n;
    const int32_t *tokens = pith_session_get_tokens(s, &n);
    assert_int_equal(n, 9);
    assert_int_equal(tokens[8], 2);
    r.ignore_end = true; // then the hook's own end counts
    assert_ok(pith_generate(s, &r, &result, &err));
    assert_int_equal(result.finish, PITH_FINISH_CALLBACK);
    assert_int_equal(result.n_generated, 12 - context.n);
    pith_session_free(s);
    pith_engine_free(e);
}

/* ---- choosing */

static void a_seed_repeats_whatever_the_threads(void **state)
{
    (void)state;
    need_model();
    static said first, again, other;
    ids context = ids_of(PROMPT);
    pith_sampling o = sampling(1, 77);
    for (int32_t threads = 1; threads <= 3; threads++) {
        pith_engine_options eo = engine_options(0);
        eo.n_threads = threads;
        pith_engine *e = engine_with(eo);
        pith_session *s = session_of(e, PITH_OVERFLOW_ERROR, 0);
        said *out = threads == 1 ? &first : &again;
        pith_request r = request(&context, 60, out);
        r.sampling = &o;
        r.ignore_end = true;
        pith_result result = PITH_INIT(pith_result);
        assert_ok(pith_generate(s, &r, &result, &err));
        assert_true(result.seed == 77);
        if (threads > 1)
            assert_memory_equal(first.tokens, again.tokens, 60 * sizeof first.tokens[0]);
        pith_sampling o2 = sampling(1, 78);
        r = request(&context, 60, &other);
        r.sampling = &o2;
        r.ignore_end = true;
        assert_ok(pith_generate(s, &r, &result, &err));
        assert_memory_not_equal(first.tokens, other.tokens, 60 * sizeof first.tokens[0]);
        pith_session_free(s);
        pith_engine_free(e);
    }
}

static void bias_forbids_tokens(void **state)
{
    (void)state;
    pith_engine *e = engine_with(engine_options(0));
    pith_session *s = session_of(e, PITH_OVERFLOW_ERROR, 0);
    static said out;
    ids context = ids_of(PROMPT);
    pith_logit_bias bias[511];
    for (int32_t i = 0; i < 511; i++)
        bias[i] = (pith_logit_bias){.token = i < 300 ? i : i + 1, .bias = -INFINITY};
    pith_request r = request(&context, 3, &out);
    r.bias = bias;
    r.n_bias = 511;
    assert_ok(pith_generate(s, &r, NULL, &err));
    for (int i = 0; i < 3; i++)
        assert_int_equal(out.tokens[i], 300);
    bias[510].token = 300;
    bias[509].token = 511;
    pith_logit_bias last = {.token = 510, .bias = -INFINITY};
    pith_logit_bias all[512];
    memcpy(all, bias, sizeof bias);
    all[511] = last;
    r.bias = all;
    r.n_bias = 512;
    assert_refused(pith_generate(s, &r, NULL, &err), PITH_E_ARGUMENT,
                   "all 512 tokens are forbidden");
    pith_session_free(s);
    pith_engine_free(e);
}

typedef struct heard_probs {
    said said;
    pith_session *probe; // another session, told the same tokens
    ids held;
} heard_probs;

static heard_probs probs;

static int note_probs(void *user, const pith_event *event)
{
    (void)user;
    if (event->token < 0)
        return 0;
    assert_int_equal(event->n_top, 100);
    bool found = false;
    for (int i = 0; i < event->n_top; i++) {
        assert_true(i == 0 || event->top[i].logprob <= event->top[i - 1].logprob);
        found |= event->top[i].token == event->token && event->top[i].logprob == event->logprob;
    }
    assert_true(found || event->logprob <= event->top[99].logprob);
    probs.held.id[probs.held.n] = event->token;
    probs.said.tokens[probs.held.n] = (int32_t)lrint((double)event->logprob * 1e6);
    probs.held.n++;
    return 0;
}

static void logprobs_are_the_models_own(void **state)
{
    (void)state;
    pith_engine *e = engine_with(engine_options(0));
    pith_session *s = session_of(e, PITH_OVERFLOW_ERROR, 0);
    ids context = ids_of(PROMPT);
    pith_sampling o = sampling(1.5f, 5); // its temperature and filters must not show
    pith_request r = request(&context, 40, NULL);
    r.sampling = &o;
    r.logprobs = true;
    r.n_top = 100;
    r.ignore_end = true;
    r.on_event = note_probs;
    probs.held = context;
    assert_ok(pith_generate(s, &r, NULL, &err));
    assert_int_equal(probs.held.n, context.n + 40);
    for (int64_t n = context.n; n < probs.held.n; n++) {
        const float *logits;
        assert_ok(pith_session_set(s, probs.held.id, n, 1, &logits, &err));
        double sum = 0;
        for (int t = 0; t < 512; t++)
            sum += exp((double)logits[t]);
        double expected = (double)logits[probs.held.id[n]] - log(sum);
        assert_true(fabs(expected - probs.said.tokens[n] * 1e-6) < 1e-4);
    }
    pith_session_free(s);
    pith_engine_free(e);
}

/* All tokens' log-probabilities are probabilities: a vocabulary of 512, heard a hundred at a time
 * by forbidding what was heard; forbidding does not change the model's own. */
static double heard_sum;
static bool heard[512];

static int sum_probs(void *user, const pith_event *event)
{
    (void)user;
    if (event->token >= 0 && !heard[event->token]) {
        heard[event->token] = true;
        heard_sum += exp((double)event->logprob);
    }
    return 0;
}

static void logprobs_sum_to_one(void **state)
{
    (void)state;
    pith_engine *e = engine_with(engine_options(0));
    pith_session *s = session_of(e, PITH_OVERFLOW_ERROR, 0);
    ids context = ids_of(PROMPT);
    heard_sum = 0;
    for (int32_t t = 0; t < 512; t++) {
        pith_logit_bias bias = {.token = t, .bias = 1e6f};
        pith_request r = request(&context, 1, NULL);
        r.bias = &bias;
        r.n_bias = 1;
        r.logprobs = true;
        r.on_event = sum_probs;
        assert_ok(pith_generate(s, &r, NULL, &err));
    }
    assert_true(fabs(heard_sum - 1) < 1e-5);
    pith_session_free(s);
    pith_engine_free(e);
}

/* ---- contract */

static pith_session *busy_session;

static int call_back(void *user, const pith_event *event)
{
    (void)event;
    pith_request *r = user;
    const float *logits;
    pith_error e = {0};
    assert_int_equal(pith_session_set(busy_session, r->tokens, 1, 1, &logits, &e), PITH_E_BUSY);
    assert_int_equal(pith_generate(busy_session, r, NULL, &e), PITH_E_BUSY);
    return 0;
}

static void callbacks_do_not_call_the_engine(void **state)
{
    (void)state;
    pith_engine *e = engine_with(engine_options(0));
    busy_session = session_of(e, PITH_OVERFLOW_ERROR, 0);
    ids context = ids_of(PROMPT);
    pith_request r = request(&context, 3, NULL);
    r.on_event = call_back;
    r.user = &r;
    pith_result result = PITH_INIT(pith_result);
    assert_ok(pith_generate(busy_session, &r, &result, &err));
    assert_int_equal(result.finish, PITH_FINISH_LENGTH);
    pith_session_free(busy_session);
    pith_engine_free(e);
}

static void refuses_bad_requests(void **state)
{
    (void)state;
    pith_engine *e = engine_with(engine_options(0));
    pith_session *s = session_of(e, PITH_OVERFLOW_ERROR, 0);
    ids context = ids_of(PROMPT);
    const pith_request good = request(&context, 3, NULL);
    pith_request r = good;
    r.n_tokens = 0;
    assert_refused(pith_generate(s, &r, NULL, &err), PITH_E_ARGUMENT, "no tokens");
    r = good;
    r.size = 0;
    assert_refused(pith_generate(s, &r, NULL, &err), PITH_E_ARGUMENT, "pith_request.size is 0");
    r = good;
    r.n_top = 101;
    assert_refused(pith_generate(s, &r, NULL, &err), PITH_E_ARGUMENT, "n_top is 101");
    r = good;
    r.deadline = -1;
    assert_refused(pith_generate(s, &r, NULL, &err), PITH_E_ARGUMENT, "deadline is -1");
    r = good;
    r.n_stops = 1;
    assert_refused(pith_generate(s, &r, NULL, &err), PITH_E_ARGUMENT, "n_stops is 1 with no");
    const pith_str empty = {"", 0};
    r.stops = &empty;
    assert_refused(pith_generate(s, &r, NULL, &err), PITH_E_ARGUMENT, "stop string 0 is empty");
    r = good;
    const pith_logit_bias bias = {.token = 512};
    r.bias = &bias;
    r.n_bias = 1;
    assert_refused(pith_generate(s, &r, NULL, &err), PITH_E_ARGUMENT, "token 512");
    r = good;
    context.id[2] = 512;
    assert_refused(pith_generate(s, &r, NULL, &err), PITH_E_ARGUMENT,
                   "token 2 has id 512, expected 0 to 511");
    context.id[2] = -1;
    assert_refused(pith_session_set(s, context.id, 3, 0, NULL, &err), PITH_E_ARGUMENT,
                   "token 2 has id -1");
    pith_sampling o = sampling(1, 1);
    o.order = "top_k;guess";
    r.sampling = &o;
    assert_refused(pith_generate(s, &r, NULL, &err), PITH_E_ARGUMENT, "\"guess\"");
    int64_t n;
    pith_session_get_tokens(s, &n);
    assert_int_equal(n, 0); // nothing of all that touched the session
    pith_session_free(s);
    pith_engine_free(e);
}

static void nothing_from_the_heap_while_decoding(void **state)
{
    (void)state;
    uint64_t before = px_heap_violations();
    pith_engine *e = engine_with(engine_options(48));
    pith_session *s = session_of(e, PITH_OVERFLOW_SHIFT, 2);
    static said out;
    ids context = ids_of(PROMPT);
    pith_sampling o = sampling(1, 3);
    o.dry_multiplier = 0.8f;
    o.repeat_penalty = 1.1f;
    o.typical = 0.9f;
    o.xtc_probability = 0.5f;
    const pith_str stop = {"never in a story", 16};
    pith_request r = request(&context, 120, &out);
    r.sampling = &o;
    r.stops = &stop;
    r.n_stops = 1;
    r.logprobs = true;
    r.n_top = 5;
    r.ignore_end = true;
    assert_ok(pith_generate(s, &r, NULL, &err));
    assert_int_equal(px_heap_violations() - before, 0);
    pith_session_free(s);
    pith_engine_free(e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(greedy_answer_is_the_expected_one),
        cmocka_unit_test(the_session_holds_context_and_answer),
        cmocka_unit_test(stop_strings_end_the_answer_and_do_not_show),
        cmocka_unit_test(overflow_is_an_error_unless_chosen),
        cmocka_unit_test(shift_forgets_half_and_computes_anew),
        cmocka_unit_test(long_prompts_are_cut_as_the_policy_says),
        cmocka_unit_test(cancel_from_another_thread),
        cmocka_unit_test(a_deadline_ends_the_answer),
        cmocka_unit_test(a_callback_ends_the_answer),
        cmocka_unit_test(end_tokens_and_the_logits_hook),
        cmocka_unit_test(a_seed_repeats_whatever_the_threads),
        cmocka_unit_test(bias_forbids_tokens),
        cmocka_unit_test(logprobs_are_the_models_own),
        cmocka_unit_test(logprobs_sum_to_one),
        cmocka_unit_test(callbacks_do_not_call_the_engine),
        cmocka_unit_test(refuses_bad_requests),
        cmocka_unit_test(nothing_from_the_heap_while_decoding),
    };
    return cmocka_run_group_tests(tests, NULL, close_model);
}

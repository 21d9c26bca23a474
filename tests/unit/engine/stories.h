/* stories: what the tests of engine share: stories260K opened once, text to ids, engines. */
#ifndef TEST_ENGINE_STORIES_H
#define TEST_ENGINE_STORIES_H

#include "pith.h"
#include "support/asserts.h"
#include "support/support.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define PROMPT "Once upon a time"

static pith_model *model;
static pith_error err;

static inline const char *stories_path(void)
{
    return test_shared("models/stories260K.gguf");
}

/* Opens the model at the first call; a test case calls it first, so that it is skipped where the
 * shared folder is missing. */
static inline void need_model(void)
{
    if (!model)
        assert_ok(pith_model_open(stories_path(), NULL, &model, &err));
}

static inline int close_model(void **state)
{
    (void)state;
    pith_model_close(model);
    model = NULL;
    return 0;
}

enum { MOST_IDS = 4096 };

typedef struct ids {
    int32_t id[MOST_IDS];
    int64_t n;
} ids;

static inline ids ids_of(const char *text)
{
    ids out = {.n = 0};
    assert_ok(pith_tokenize(pith_model_tokenizer(model), text, strlen(text), 0, out.id, NULL,
                            MOST_IDS, &out.n, &err));
    assert_in_range(out.n, 1, MOST_IDS);
    return out;
}

/* n tokens, repeatable; texts of different seeds differ from the first token on, mostly. */
static inline ids text_of(uint64_t seed, int64_t n)
{
    ids out = {.n = n};
    for (int64_t i = 0; i < n; i++) {
        seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
        out.id[i] = 3 + (int32_t)(seed >> 33) % 500;
    }
    return out;
}

/* Pages of f32, for tests that compare logits: level avx512bf16 rounds f16 ones more coarsely in
 * long steps than in short ones (golden-kv). */
static inline pith_engine_options engine_options(int64_t n_ctx)
{
    pith_engine_options o = PITH_INIT(pith_engine_options);
    o.n_ctx = n_ctx;
    o.k_type = o.v_type = "f32";
    o.n_threads = 1;
    return o;
}

static inline pith_engine *engine_with(pith_engine_options o)
{
    need_model();
    pith_engine *e;
    assert_ok(pith_engine_new(model, &o, &e, &err));
    return e;
}

static inline pith_engine_info info_of(const pith_engine *e)
{
    pith_engine_info info = PITH_INIT(pith_engine_info);
    assert_ok(pith_engine_get_info(e, &info, &err));
    return info;
}

static inline pith_session *session_of(pith_engine *e, pith_overflow overflow, int32_t n_keep)
{
    pith_session *s;
    pith_session_options o = PITH_INIT(pith_session_options);
    o.overflow = overflow;
    o.n_keep = n_keep;
    assert_ok(pith_session_new(e, &o, &s, &err));
    return s;
}

/* What an answer said. */
typedef struct said {
    char text[16384];
    size_t len;
    int32_t tokens[4096];
    int64_t n;
    double logprob;     // sum
    int64_t stop_after; // events; 0: never
    int64_t n_events;
} said;

static inline int hear(void *user, const pith_event *event)
{
    said *s = user;
    assert_true(s->len + event->len < sizeof s->text);
    memcpy(s->text + s->len, event->text, event->len);
    s->len += event->len;
    s->text[s->len] = '\0';
    if (event->token >= 0)
        s->tokens[s->n++] = event->token;
    s->logprob += (double)event->logprob;
    s->n_events++;
    return s->stop_after > 0 && s->n_events >= s->stop_after;
}

static inline pith_sampling sampling(float temperature, uint64_t seed)
{
    pith_sampling s = PITH_INIT(pith_sampling);
    assert_ok(pith_sampling_init(&s, model, &err));
    s.temperature = temperature;
    s.seed = seed;
    return s;
}

static const pith_sampling *greedy(void)
{
    static pith_sampling s;
    s = sampling(0, 0);
    return &s;
}

static inline pith_request request(const ids *context, int64_t max_tokens, said *out)
{
    pith_request r = PITH_INIT(pith_request);
    r.tokens = context->id;
    r.n_tokens = context->n;
    r.max_tokens = max_tokens;
    r.sampling = greedy();
    if (out) {
        memset(out, 0, sizeof *out);
        r.on_event = hear;
        r.user = out;
    }
    return r;
}

/* The file says the prompt, which begins with a space, and the answer; its last line ends twice. */
static inline const char *expected_answer(void)
{
    size_t n;
    char *text = test_read(test_shared("models/stories260K.expected.txt"), &n);
    assert_true(n > 2 && strncmp(text, " " PROMPT, 1 + strlen(PROMPT)) == 0);
    text[n - 1] = '\0';
    return text + 1 + strlen(PROMPT);
}

#endif

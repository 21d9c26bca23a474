/* Every allocation of opening, computing, answering, talking and scoring fails in turn. */
#include "support/fault.h"
#include "support/support.h"

#include "base/mem.h"

#include <string.h>

#include <cmocka.h>

static const char *path;

/* What is needed before the work at hand; allocations fail here too. */
typedef struct bench {
    pith_model *model;
    pith_engine *engine;
    pith_session *session;
} bench;

static pith_status set_up(bench *b, pith_error *err)
{
    *b = (bench){0};
    pith_engine_options o = PITH_INIT(pith_engine_options);
    o.n_threads = 1;
    pith_status st = pith_model_open(path, NULL, &b->model, err);
    if (st == PITH_OK)
        st = pith_engine_new(b->model, &o, &b->engine, err);
    if (st == PITH_OK)
        st = pith_session_new(b->engine, NULL, &b->session, err);
    return st;
}

static void tear_down(bench *b)
{
    pith_session_free(b->session);
    pith_engine_free(b->engine);
    pith_model_close(b->model);
}

static int ignore(void *user, const pith_event *event)
{
    (void)user;
    (void)event;
    return 0;
}

static pith_status answer(void *ctx, pith_error *err)
{
    (void)ctx;
    bench b;
    pith_status st = set_up(&b, err);
    static const int32_t tokens[] = {1, 403, 407, 261, 378};
    pith_sampling s = PITH_INIT(pith_sampling);
    if (st == PITH_OK)
        st = pith_sampling_init(&s, b.model, err);
    if (st == PITH_OK) {
        s.dry_multiplier = 0.5f;
        s.seed = 3;
        const pith_str stop = {"xyz", 3};
        const pith_logit_bias bias = {7, 1};
        pith_request r = PITH_INIT(pith_request);
        r.tokens = tokens;
        r.n_tokens = 5;
        r.max_tokens = 4;
        r.sampling = &s;
        r.stops = &stop;
        r.n_stops = 1;
        r.bias = &bias;
        r.n_bias = 1;
        r.logprobs = true;
        r.n_top = 3;
        r.on_event = ignore;
        st = pith_generate(b.session, &r, NULL, err);
    }
    pith_session *fork = NULL;
    if (st == PITH_OK)
        st = pith_session_fork(b.session, 3, &fork, err);
    pith_session_free(fork);
    tear_down(&b);
    return st;
}

/* Two answers in flight, with a draft model that guesses for one of them; a step; an answer that is
 * freed while it is being written. */
static pith_status answers(void *ctx, pith_error *err)
{
    (void)ctx;
    bench b = {0};
    pith_engine_options o = PITH_INIT(pith_engine_options);
    o.n_threads = 1;
    o.kv_dir = test_temp("kv");
    pith_status st = pith_model_open(path, NULL, &b.model, err);
    if (st == PITH_OK)
        st = pith_engine_new(b.model, &o, &b.engine, err);
    if (st == PITH_OK)
        st = pith_engine_set_draft(b.engine, b.model, err);
    static const int32_t tokens[] = {1, 403, 407, 261, 378, 403, 407};
    pith_session *s[2] = {NULL};
    pith_answer *a[2] = {NULL};
    for (int i = 0; st == PITH_OK && i < 2; i++) {
        st = pith_session_new(b.engine, NULL, &s[i], err);
        pith_request r = PITH_INIT(pith_request);
        r.tokens = tokens;
        r.n_tokens = 7;
        r.max_tokens = i == 0 ? 80 : 6; // past a page, which is then saved
        r.on_event = ignore;
        r.prompt_logprobs = i == 1;
        r.ignore_end = true;
        r.speculation = i == 0 ? PITH_SPECULATE_DRAFT : PITH_SPECULATE_NGRAM;
        if (st == PITH_OK)
            st = pith_session_submit(s[i], &r, &a[i], err);
    }
    for (int step = 0; st == PITH_OK && step < 4; step++)
        st = pith_engine_run(b.engine, NULL, err);
    pith_answer_free(a[1]);
    for (int32_t left = 1; st == PITH_OK && left > 0;)
        st = pith_engine_run(b.engine, &left, err);
    if (st == PITH_OK)
        st = pith_answer_get_result(a[0], NULL, err);
    if (st == PITH_OK)
        st = pith_engine_save_cache(b.engine, err);
    pith_step_item item = {.session = s[1], .tokens = tokens, .n = 3, .n_logits = 1};
    if (st == PITH_OK)
        st = pith_engine_step(b.engine, &item, 1, err);
    pith_answer_free(a[0]);
    pith_session_free(s[0]);
    pith_session_free(s[1]);
    tear_down(&b);
    return st;
}

static pith_status score(void *ctx, pith_error *err)
{
    (void)ctx;
    bench b;
    pith_status st = set_up(&b, err);
    pith_score sc = PITH_INIT(pith_score);
    static const char text[] = "Once upon a time there was";
    if (st == PITH_OK)
        st = pith_score_text(b.engine, text, strlen(text), &sc, NULL, NULL, err);
    tear_down(&b);
    return st;
}

static pith_status talk(void *ctx, pith_error *err)
{
    (void)ctx;
    pith_model *model;
    pith_model_options o = PITH_INIT(pith_model_options);
    o.flags = PITH_OPEN_NO_WEIGHTS;
    pith_status st = pith_model_open(path, &o, &model, err);
    static const char json[] = "{\"messages\":[{\"role\":\"user\",\"content\":\"hi </s> you\"}],"
                               "\"add_generation_prompt\":true}";
    pith_chat chat;
    pith_rendered rendered;
    pith_template *t = NULL;
    if (st == PITH_OK) {
        st = pith_chat_tokenize(model, json, strlen(json), &chat, err);
        pith_chat_free(&chat);
    }
    static const char source[] = "{% for m in messages %}{{ bos_token ~ m.content }}{% endfor %}";
    if (st == PITH_OK)
        st = pith_template_new("t", source, strlen(source), &t, err);
    if (st == PITH_OK) {
        st = pith_template_render(t, model, json, strlen(json), &rendered, err);
        pith_rendered_free(&rendered);
    }
    pith_template_free(t);
    pith_text text;
    const char *key;
    for (int64_t i = 0; st == PITH_OK && i < 5; i++) {
        st = pith_model_get_meta(model, i, 4, &key, &text, err);
        pith_text_free(&text);
    }
    const int32_t ids[] = {1, 403, 407};
    if (st == PITH_OK) {
        st = pith_detokenize(pith_model_tokenizer(model), ids, 3, true, &text, err);
        pith_text_free(&text);
    }
    int32_t out[20];
    int64_t n;
    if (st == PITH_OK)
        st = pith_tokenize(pith_model_tokenizer(model), json, strlen(json), 0, out, NULL, 20, &n,
                           err);
    pith_model_close(model);
    return st;
}

/* An adapter opened and used by a session and its fork; embeddings and scores of texts with it. */
static pith_status adapt(void *ctx, pith_error *err)
{
    (void)ctx;
    bench b;
    pith_adapter *adapter = NULL;
    pith_session *fork = NULL;
    const char *file = test_source("tests/golden/adapters/llama32-all.gguf");
    static const int32_t tokens[] = {5, 17, 40, 61};
    static const pith_str texts[] = {{"the end", 7}, {"a start", 7}};
    static float out[2 * 64], scores[2];
    pith_status st = set_up(&b, err);
    if (st == PITH_OK)
        st = pith_adapter_open(b.model, file, &adapter, err);
    pith_adapter_use use = {adapter, 1};
    pith_session_options o = PITH_INIT(pith_session_options);
    o.adapters = &use;
    o.n_adapters = 1;
    pith_session *s = NULL;
    if (st == PITH_OK)
        st = pith_session_new(b.engine, &o, &s, err);
    if (st == PITH_OK)
        st = pith_session_set(s, tokens, 4, 0, NULL, err);
    if (st == PITH_OK)
        st = pith_session_fork(s, 3, &fork, err);
    pith_embed_options eo = PITH_INIT(pith_embed_options);
    eo.adapters = &use;
    eo.n_adapters = 1;
    if (st == PITH_OK)
        st = pith_embed_text(b.engine, texts, 2, &eo, out, NULL, err);
    if (st == PITH_OK)
        st = pith_rerank(b.engine, texts[0], texts, 2, NULL, scores, NULL, err);
    pith_session_free(fork);
    pith_session_free(s);
    pith_adapter_close(adapter);
    tear_down(&b);
    return st;
}

static void each_allocation_of_adapters_and_embeddings(void **state)
{
    (void)state;
    path = test_source("tests/golden/models/llama32");
    uint64_t before = px_heap_violations();
    test_fault_each(adapt, NULL, 200);
    assert_int_equal(px_heap_violations(), before);
}

static void each_allocation_of_an_answer(void **state)
{
    (void)state;
    path = test_shared("models/stories260K.gguf");
    uint64_t before = px_heap_violations();
    test_fault_each(answer, NULL, 0);
    assert_int_equal(px_heap_violations(), before); // decoding took nothing from the heap
}

static void each_allocation_of_answers_in_flight(void **state)
{
    (void)state;
    path = test_shared("models/stories260K.gguf");
    uint64_t before = px_heap_violations();
    test_fault_each(answers, NULL, 0);
    assert_int_equal(px_heap_violations(), before);
}

static void each_allocation_of_a_score(void **state)
{
    (void)state;
    path = test_shared("models/stories260K.gguf");
    test_fault_each(score, NULL, 0);
}

static void each_allocation_of_a_conversation(void **state)
{
    (void)state;
    path = test_shared("models/stories260K.gguf");
    test_fault_each(talk, NULL, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_allocation_of_adapters_and_embeddings),
        cmocka_unit_test(each_allocation_of_an_answer),
        cmocka_unit_test(each_allocation_of_answers_in_flight),
        cmocka_unit_test(each_allocation_of_a_score),
        cmocka_unit_test(each_allocation_of_a_conversation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

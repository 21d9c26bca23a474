/* serve: bodies of every dialect, their answers and the engine thread, without memory. */
#include "support/fault.h"
#include "support/support.h"

#include "base/mem.h"
#include "serve/dialect.h"
#include "serve/keys.h"
#include "serve/metrics.h"
#include "serve/models.h"
#include "serve/prepare.h"
#include "serve/runner.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#define TURNS                                                                                    \
    "{\"role\":\"user\",\"content\":\"Hi\"},{\"role\":\"assistant\",\"content\":\"a\","          \
    "\"reasoning_content\":\"r\",\"tool_calls\":[{\"id\":\"c\",\"type\":\"function\","           \
    "\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}}]},{\"role\":\"tool\",\"tool_call_id\":" \
    "\"c\",\"content\":\"x\"}"
#define SCHEMA "{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"integer\"}}}"
#define FUNCTION                                                                 \
    "{\"type\":\"function\",\"function\":{\"name\":\"f\",\"description\":\"d\"," \
    "\"parameters\":" SCHEMA "}}"

/* A body that has all that the dialect reads into memory of its own. */
typedef struct example {
    const char *path, *body;
} example;

static const example EXAMPLES[] = {
    {"/v1/chat/completions",
     "{\"model\":\"m\",\"messages\":[" TURNS "],\"tools\":[" FUNCTION "],\"tool_choice\":{"
     "\"type\":\"function\",\"function\":{\"name\":\"f\"}},\"stop\":[\"a\",\"b\"],"
     "\"logit_bias\":{\"5\":1},\"samplers\":[\"top_k\",\"temperature\"],\"response_format\":{"
     "\"type\":\"json_schema\",\"json_schema\":{\"name\":\"n\",\"schema\":" SCHEMA "}},"
     "\"chat_template_kwargs\":{\"x\":1},\"reasoning_effort\":\"low\",\"unknown\":1,"
     "\"stream\":true}"},
    {"/v1/completions", "{\"model\":\"m\",\"prompt\":[\"a\",\"b\"],\"suffix\":\"s\",\"stop\":\"x\","
                        "\"guided_regex\":\"a+\"}"},
    {"/v1/completions",
     "{\"model\":\"m\",\"prompt\":[[1,2],[3]],\"grammar\":\"root ::= \\\"a\\\"\"}"},
    {"/v1/embeddings", "{\"model\":\"m\",\"input\":[\"a\",\"b\"],\"encoding_format\":\"base64\"}"},
    {"/v1/rerank", "{\"model\":\"m\",\"query\":\"q\",\"documents\":[\"a\",{\"text\":\"b\"}],"
                   "\"return_documents\":true}"},
    {"/v1/responses",
     "{\"model\":\"m\",\"instructions\":\"i\",\"input\":[{\"role\":\"user\",\"content\":\"Hi\"},"
     "{\"type\":\"reasoning\",\"summary\":[{\"type\":\"summary_text\",\"text\":\"t\"}]},"
     "{\"type\":\"message\",\"role\":\"assistant\",\"content\":[{\"type\":\"output_text\",\"text\":"
     "\"a\"}]},{\"type\":\"function_call\",\"call_id\":\"c\",\"name\":\"f\",\"arguments\":\"{}\"},"
     "{\"type\":\"function_call_output\",\"call_id\":\"c\",\"output\":\"x\"}],\"tools\":[{\"type\":"
     "\"function\",\"name\":\"f\",\"parameters\":" SCHEMA "}],\"tool_choice\":{\"type\":"
     "\"function\",\"name\":\"f\"},\"text\":{\"format\":{\"type\":\"json_schema\",\"name\":\"n\","
     "\"schema\":" SCHEMA "}},\"reasoning\":{\"effort\":\"low\"},\"stream\":true}"},
    {"/v1/messages",
     "{\"model\":\"m\",\"max_tokens\":5,\"system\":[{\"type\":\"text\",\"text\":\"s\"}],"
     "\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"},{\"role\":\"assistant\",\"content\":[{"
     "\"type\":\"thinking\",\"thinking\":\"t\"},{\"type\":\"text\",\"text\":\"a\"},{\"type\":"
     "\"tool_use\",\"id\":\"c\",\"name\":\"f\",\"input\":{}}]},{\"role\":\"user\",\"content\":[{"
     "\"type\":\"tool_result\",\"tool_use_id\":\"c\",\"is_error\":true,\"content\":\"x\"},{"
     "\"type\":\"text\",\"text\":\"b\"}]}],\"tools\":[{\"name\":\"f\",\"description\":\"d\","
     "\"input_schema\":" SCHEMA "}],\"tool_choice\":{\"type\":\"tool\",\"name\":\"f\"},"
     "\"stop_sequences\":[\"x\"],\"thinking\":{\"type\":\"enabled\",\"budget_tokens\":5},"
     "\"stream\":true}"},
    {"/api/chat",
     "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"},{\"role\":"
     "\"assistant\",\"thinking\":\"t\",\"tool_calls\":[{\"function\":{\"name\":\"f\","
     "\"arguments\":{}}}]},{\"role\":\"tool\",\"tool_name\":\"f\",\"content\":\"x\"}],"
     "\"tools\":[" FUNCTION "],\"format\":" SCHEMA ",\"options\":{\"stop\":[\"x\"],\"top_k\":3},"
     "\"think\":\"low\",\"keep_alive\":\"5m\"}"},
    {"/api/generate", "{\"model\":\"m\",\"prompt\":\"p\",\"system\":\"s\",\"context\":[1,2]}"},
    {"/api/generate", "{\"model\":\"m\",\"prompt\":\"p\",\"suffix\":\"s\",\"raw\":true}"},
    {"/api/embed", "{\"model\":\"m\",\"input\":[\"a\",\"b\"]}"},
    {"/api/embeddings", "{\"model\":\"m\",\"prompt\":\"a\"}"},
};

static const serve_route *route_of(const char *path)
{
    static const serve_route *(*const LISTS[])(int *n) = {
        serve_routes_openai, serve_routes_responses, serve_routes_anthropic, serve_routes_ollama};
    for (size_t i = 0; i < sizeof LISTS / sizeof *LISTS; i++) {
        int n;
        const serve_route *routes = LISTS[i](&n);
        for (int k = 0; k < n; k++)
            if (strcmp(routes[k].path, path) == 0 && routes[k].job)
                return &routes[k];
    }
    fail_msg("no route %s", path);
    return NULL;
}

/* What a client would be told, as a status: out of memory is a 503. */
static pith_status status_of(const serve_problem *problem, pith_error *err)
{
    if (problem->http == 0)
        return PITH_OK;
    return px_fail(err, problem->http == 503 ? PITH_E_MEMORY : PITH_E_ARGUMENT, "%d: %s",
                   problem->http, problem->text);
}

static serve_job *read_job(const example *e, serve_problem *problem)
{
    px_json body;
    serve_warnings told = {0};
    const serve_route *route = route_of(e->path);
    serve_job *job = serve_job_new(route->dialect);
    if (!job)
        serve_refuse(problem, 503, NULL, "out of memory for the request");
    else if (serve_known_read(route->known, e->body, strlen(e->body), &body, &told, problem) &&
             !route->dialect->parse(job, body, problem) && !problem->http)
        fail_msg("%s: refused without a reason", e->path);
    return job;
}

static pith_status read_body(void *ctx, pith_error *err)
{
    serve_problem problem = {0};
    px_buf vars = {0};
    serve_job *job = read_job(ctx, &problem);
    if (!problem.http && job->request.kind == SERVE_CHAT)
        serve_chat_vars(&job->request, NULL, &vars, &problem);
    px_buf_clear(&vars);
    serve_job_leave(job);
    return status_of(&problem, err);
}

static void bodies_need_memory(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof EXAMPLES / sizeof *EXAMPLES; i++)
        assert_true(test_fault_each(read_body, (void *)(uintptr_t)&EXAMPLES[i], 0) > 1);
}

/* ---- writers: what they write into says that it has failed */

typedef struct written {
    serve_job *job;
    bool whole;
} written;

static void tell(const written *w, serve_event_kind kind, const char *text, px_buf *out)
{
    serve_event e = {.kind = kind, .text = text, .len = strlen(text), .id = "id", .name = "f"};
    w->job->dialect->event(w->job, &e, out);
}

static void write_stream(const written *w, px_buf *out)
{
    const serve_dialect *d = w->job->dialect;
    memset(w->job->state, 0, d->state_bytes);
    if (d->begin)
        d->begin(w->job, out);
    tell(w, SERVE_EVENT_REASONING, "thought", out);
    tell(w, SERVE_EVENT_CONTENT, "some \"words\"", out);
    tell(w, SERVE_EVENT_CALL, "", out);
    tell(w, SERVE_EVENT_ARGUMENTS, "{\"a\":1}", out);
    tell(w, SERVE_EVENT_CALL_END, "", out);
    tell(w, SERVE_EVENT_FINISH, "", out);
    if (d->end)
        d->end(w->job, out);
}

static pith_status write_answer(void *ctx, pith_error *err)
{
    const written *w = ctx;
    px_buf out = {0};
    if (w->whole)
        w->job->dialect->whole(w->job, &out);
    else
        write_stream(w, &out);
    pith_status status = out.failed ? px_fail_memory(err, "the answer") : PITH_OK;
    px_buf_clear(&out);
    return status;
}

static void fill(serve_job *job)
{
    static serve_model model = {.name = (char *)(uintptr_t) "m"};
    serve_choice *c = px_calloc(1, sizeof *c);
    job->model = &model;
    job->choices = c;
    job->n_choices = 1;
    c->stop_index = -1;
    c->finish = SERVE_FINISH_TOOL_CALLS;
    px_buf_puts(&c->reasoning, "thought");
    px_buf_puts(&c->content, "some \"words\"");
    c->calls = px_calloc(1, sizeof *c->calls);
    c->n_calls = 1;
    c->calls[0].id = px_strndup("id", 2);
    c->calls[0].name = px_strndup("f", 1);
    px_buf_puts(&c->calls[0].arguments, "{\"a\":1}");
}

static void answers_need_memory(void **state)
{
    static const char *const CHATS[] = {"/v1/chat/completions", "/v1/responses", "/v1/messages",
                                        "/api/chat"};
    (void)state;
    for (size_t i = 0; i < sizeof EXAMPLES / sizeof *EXAMPLES; i++)
        for (size_t k = 0; k < 4; k++) {
            serve_problem problem = {0};
            if (strcmp(EXAMPLES[i].path, CHATS[k]) != 0)
                continue;
            written w = {.job = read_job(&EXAMPLES[i], &problem)};
            assert_int_equal(problem.http, 0);
            fill(w.job);
            assert_true(test_fault_each(write_answer, &w, 0) > 0);
            w.whole = true;
            assert_true(test_fault_each(write_answer, &w, 0) > 0);
            w.job->model = NULL;
            serve_job_leave(w.job);
        }
}

/* ---- keys */

static pith_status read_keys(void *ctx, pith_error *err)
{
    static const char TEXT[] =
        "# keys\nsecret-1:ann rps=5 tpm=100\nsecret-2 concurrent=1\nsecret-3:bob\n";
    (void)ctx;
    serve_keys *keys = serve_keys_parse("keys", TEXT, sizeof TEXT - 1, err);
    serve_keys_free(keys);
    return keys ? PITH_OK : err->status;
}

static void keys_need_memory(void **state)
{
    (void)state;
    assert_true(test_fault_each(read_keys, NULL, 0) > 0);
}

/* ---- the engine thread: whatever fails, the job ends and the next one is answered */

typedef struct service {
    store_root *store;
    serve_models *models;
    serve_metrics *metrics;
    serve_runner *runner;
} service;

static service begin_service(void)
{
    const store_options so = {.home = test_temp("serve-home")};
    const char *path = test_shared("models/stories260K.gguf");
    const serve_runner_options ro = {.parallel = 2,
                                     .max_models = 1,
                                     .max_queue = 8,
                                     .n_ctx = 256,
                                     .n_threads = 1,
                                     .kv_bytes = 8u << 20};
    pith_error err = {0};
    service s = {.metrics = serve_metrics_new()};
    assert_int_equal(store_open(&so, &s.store, &err), PITH_OK);
    const serve_models_options mo = {.store = s.store};
    s.models = serve_models_new(&mo, &err);
    assert_non_null(s.models);
    assert_non_null(s.metrics);
    if (!serve_models_add(s.models, "m", path, &err))
        fail_msg("%s", err.text);
    s.runner = serve_runner_new(s.models, s.metrics, &ro, &err);
    assert_non_null(s.runner);
    return s;
}

static void end_service(service *s)
{
    serve_runner_free(s->runner);
    serve_models_free(s->models);
    serve_metrics_free(s->metrics);
    store_close(s->store);
}

static void wait_for(serve_job *job)
{
    for (int i = 0; i < 30000; i++) {
        pthread_mutex_lock(&job->out.lock);
        bool ended = job->out.ended;
        pthread_mutex_unlock(&job->out.lock);
        if (ended)
            return;
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
    fail_msg("the job did not end within 30 seconds");
}

/* Runs one request from its body to the end of its answer. Returns the HTTP status; *text is what
 * was answered, when it is 200. */
static int serve_one(service *s, const example *e, char text[256])
{
    serve_problem problem = {0};
    serve_job *job = read_job(e, &problem);
    bool ok = !problem.http && serve_prepare(s->models, job, &problem);
    if (ok) {
        serve_job_keep(job);
        ok = serve_runner_submit(s->runner, job, -1, &problem);
        if (!ok)
            serve_job_leave(job);
    }
    if (ok) {
        wait_for(job);
        problem = job->problem;
        if (!problem.http && serve_out_has_left(&job->out))
            problem.http = 499; // the connection is cut: its bytes could not be kept
        px_buf whole = {0};
        if (!problem.http && !job->request.stream)
            job->dialect->whole(job, &whole);
        if (whole.failed)
            problem.http = 503;
        px_buf_clear(&whole);
        const px_buf *said = &job->choices[0].content;
        snprintf(text, 256, "%d answers, %d numbers: %s", job->n_choices,
                 job->choices[0].n_embedding, said->data ? said->data : "");
    }
    serve_job_leave(job);
    return problem.http ? problem.http : 200;
}

static void the_engine_thread_needs_memory(void **state)
{
    static const example ASKS[] = {
        {"/v1/chat/completions", "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":"
                                 "\"Once\"}],\"max_tokens\":6,\"temperature\":0,\"stream\":true,"
                                 "\"logprobs\":true,\"top_logprobs\":2,\"n\":2}"},
        {"/api/generate",
         "{\"model\":\"m\",\"prompt\":\"Once\",\"options\":{\"num_predict\":6,\"temperature\":0},"
         "\"stream\":false}"},
        {"/v1/embeddings", "{\"model\":\"m\",\"input\":[\"Once\",\"upon\"]}"},
    };
    (void)state;
    service s = begin_service();
    for (size_t i = 0; i < sizeof ASKS / sizeof *ASKS; i++) {
        px_fault_arm(-1, false);
        char expect[256], text[256];
        assert_int_equal(serve_one(&s, &ASKS[i], expect), 200);
        int64_t total = px_fault_count(), step = total / 150 + 1;
        int n_failed = 0;
        assert_true(total > 30);
        for (int64_t n = 0; n < total; n += step)
            for (int sticky = 0; sticky < 2; sticky++) {
                px_fault_arm(n, sticky);
                int status = serve_one(&s, &ASKS[i], text);
                px_fault_arm(-1, false);
                if (status == 200)
                    assert_string_equal(text, expect);
                if (status != 200 && status != 499 && status != 503 && status != 500)
                    fail_msg("allocation %lld failing: HTTP status %d", (long long)n, status);
                n_failed += status != 200;
                assert_int_equal(serve_one(&s, &ASKS[i], text), 200);
                assert_string_equal(text, expect);
            }
        assert_true(n_failed > 20);
    }
    end_service(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bodies_need_memory),
        cmocka_unit_test(answers_need_memory),
        cmocka_unit_test(keys_need_memory),
        cmocka_unit_test(the_engine_thread_needs_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

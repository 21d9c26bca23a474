/* dialects: see dialects.h. */
#include "dialects.h"

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

const serve_route *route_of(const char *path)
{
    static const serve_route *(*const ALL[])(int *n) = {
        serve_routes_openai, serve_routes_responses, serve_routes_anthropic, serve_routes_ollama};
    for (size_t i = 0; i < sizeof ALL / sizeof *ALL; i++) {
        int n;
        const serve_route *routes = ALL[i](&n);
        for (int k = 0; k < n; k++)
            if (strcmp(routes[k].path, path) == 0 && strcmp(routes[k].method, "GET") != 0)
                return &routes[k];
    }
    fail_msg("no route %s", path);
    return NULL;
}

serve_job *job_of(const char *path, const char *body, bool *ok, serve_problem *problem)
{
    px_json value;
    serve_warnings warnings = {0};
    const serve_route *route = route_of(path);
    serve_job *job = serve_job_new(route->dialect);
    assert_non_null(job);
    *problem = (serve_problem){0};
    *ok = serve_known_read(route->known, body, strlen(body), &value, &warnings, problem) &&
          route->dialect->parse(job, value, problem);
    return job;
}

const char *told(const char *path, const char *body)
{
    static char text[2048];
    px_json value;
    serve_warnings warnings = {0};
    serve_problem problem = {0};
    bool ok =
        serve_known_read(route_of(path)->known, body, strlen(body), &value, &warnings, &problem);
    assert_int_equal(ok, problem.http == 0);
    if (ok)
        snprintf(text, sizeof text, "%s", warnings.text);
    else
        snprintf(text, sizeof text, "%d %s: %s", problem.http, problem.param, problem.text);
    return text;
}

static void put_str(px_buf *out, const char *name, px_str text)
{
    if (text.len > 0)
        px_buf_printf(out, " %s=%.*s", name, (int)text.len, text.data);
}

static void put_int(px_buf *out, const char *name, int64_t value, int64_t usual)
{
    if (value != usual)
        px_buf_printf(out, " %s=%lld", name, (long long)value);
}

static void put_flag(px_buf *out, const char *name, bool value)
{
    if (value)
        px_buf_printf(out, " %s", name);
}

static void put_request(px_buf *out, const serve_request *r)
{
    static const char *const KINDS[] = {"chat", "text", "embed", "rerank", "load"};
    static const char *const CHOICES[] = {"auto", "none", "required", "named"};
    static const char *const FORMATS[] = {"free",    "object", "schema",
                                          "grammar", "regex",  "choices"};
    static const char *const OVERFLOWS[] = {"error", "shift", "truncate"};
    px_buf_puts(out, KINDS[r->kind]);
    put_str(out, "model", r->model);
    put_str(out, "messages", r->messages);
    put_str(out, "tools", r->tools);
    if (r->tool_choice != SERVE_TOOLS_AUTO)
        px_buf_printf(out, " choice=%s", CHOICES[r->tool_choice]);
    put_str(out, "tool", r->tool_name);
    put_flag(out, "single", r->single_call);
    put_flag(out, "continue", r->continue_final);
    put_int(out, "think", r->think, -1);
    put_int(out, "budget", r->think_budget, -1);
    put_str(out, "effort", r->effort);
    for (int i = 0; i < r->n_inputs; i++)
        put_str(out, "input", r->inputs[i].text);
    for (int64_t i = 0; i < r->n_prefix; i++)
        px_buf_printf(out, "%s%d", i == 0 ? " prefix=" : ",", r->prefix[i]);
    put_flag(out, "special", r->special);
    if (r->suffixed)
        put_str(out, "suffix", r->suffix);
    put_int(out, "dimensions", r->dimensions, 0);
    put_flag(out, "cut", r->truncate_input);
    put_int(out, "n", r->n, 1);
    put_int(out, "max", r->max_tokens, -1);
    for (int k = 0; k < SERVE_N_KNOBS; k++)
        if (r->given & (1u << k))
            px_buf_printf(out, " knob%d=%g", k, r->knobs[k]);
    if (r->seed != PITH_SEED_RANDOM)
        px_buf_printf(out, " seed=%llu", (unsigned long long)r->seed);
    for (int i = 0; i < r->n_stops; i++)
        put_str(out, "stop", (px_str){r->stops[i].data, r->stops[i].len});
    put_flag(out, "logprobs", r->logprobs);
    put_int(out, "top", r->n_top, 0);
    if (r->format != SERVE_FREE)
        px_buf_printf(out, " format=%s", FORMATS[r->format]);
    put_str(out, "schema", r->format_text);
    if (r->overflow != PITH_OVERFLOW_ERROR)
        px_buf_printf(out, " overflow=%s", OVERFLOWS[r->overflow]);
    put_int(out, "keep", r->n_keep, 0);
    put_flag(out, "tokens", r->keep_tokens);
    put_flag(out, "stream", r->stream);
    if (r->has_keep_alive)
        px_buf_printf(out, " alive=%g", r->keep_alive);
}

const char *parsed(const char *path, const char *body)
{
    static char text[4096];
    px_buf out = {0};
    bool ok;
    serve_problem problem;
    serve_job *job = job_of(path, body, &ok, &problem);
    if (ok)
        put_request(&out, &job->request);
    else
        px_buf_printf(&out, "%d %s: %s", problem.http, problem.param, problem.text);
    serve_job_leave(job);
    assert_false(out.failed);
    assert_true(out.len < sizeof text);
    memcpy(text, out.data, out.len + 1);
    px_buf_clear(&out);
    return text;
}

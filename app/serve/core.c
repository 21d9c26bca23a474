/* core: routes that belong to no dialect: the page, health and metrics. */
#include "serve/metrics.h"
#include "serve/openai.h"
#include "serve/page.h"
#include "serve/server.h"

static bool answer_health(serve_call *call, serve_answer *answer, serve_problem *problem)
{
    serve_server *s = call->server;
    (void)problem;
    bool stopping = atomic_load(&s->stopping);
    answer->http = stopping ? 503 : 200;
    px_buf_printf(&answer->body, "{\"status\":\"%s\",\"version\":\"%s\"}",
                  stopping ? "stopping" : "ok", pith_version());
    return true;
}

static bool answer_metrics(serve_call *call, serve_answer *answer, serve_problem *problem)
{
    (void)problem;
    answer->type = "text/plain; version=0.0.4; charset=utf-8";
    serve_metrics_write(call->server->metrics, call->server->models, &answer->body);
    return true;
}

/* Browsers get the page; Ollama's clients, which ask whether somebody is there, their sentence. */
static bool answer_root(serve_call *call, serve_answer *answer, serve_problem *problem)
{
    const serve_page *page = serve_page_get();
    (void)problem;
    serve_answer_header(answer, "Vary", "Accept");
    if (!serve_page_wanted(serve_call_header(call, "Accept"))) {
        answer->type = "text/plain; charset=utf-8";
        px_buf_puts(&answer->body, "Ollama is running");
        return true;
    }
    serve_answer_header(answer, "Content-Security-Policy", "%s", page->policy);
    serve_answer_header(answer, "ETag", "%s", page->etag);
    serve_answer_header(answer, "Cache-Control", "no-cache");
    serve_answer_header(answer, "Referrer-Policy", "no-referrer");
    if (serve_page_known(serve_call_header(call, "If-None-Match"))) {
        answer->http = 304;
        return true;
    }
    answer->type = "text/html; charset=utf-8";
    answer->fixed = page->html;
    answer->fixed_len = page->len;
    return true;
}

const serve_route *serve_routes_core(int *n)
{
    static const serve_route ROUTES[] = {
        {.method = "GET",
         .path = "/",
         .dialect = &serve_openai_chat,
         .answer = answer_root,
         .open = true},
        {.method = "GET",
         .path = "/health",
         .dialect = &serve_openai_chat,
         .answer = answer_health,
         .open = true},
        {.method = "GET",
         .path = "/metrics",
         .dialect = &serve_openai_chat,
         .answer = answer_metrics},
    };
    *n = sizeof ROUTES / sizeof ROUTES[0];
    return ROUTES;
}

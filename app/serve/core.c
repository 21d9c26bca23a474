/* core: routes that belong to no dialect: health and metrics. */
#include "serve/metrics.h"
#include "serve/openai.h"
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

const serve_route *serve_routes_core(int *n)
{
    static const serve_route ROUTES[] = {
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

/* anthropic: the dialects of the Messages API and its routes. See anthropic.h. */
#include "serve/anthropic.h"

#include "serve/count.h"

static const serve_dialect MESSAGES = {
    .name = "anthropic.messages",
    .stream_type = "text/event-stream",
    .state_bytes = sizeof(serve_anthropic_state),
    .parse = serve_anthropic_parse,
    .check = serve_anthropic_check,
    .begin = serve_anthropic_begin,
    .event = serve_anthropic_event,
    .end = serve_anthropic_end,
    .broken = serve_anthropic_broken,
    .whole = serve_anthropic_whole,
    .error = serve_anthropic_error,
};

static const serve_dialect COUNT = {
    .name = "anthropic.count_tokens",
    .stream_type = "text/event-stream",
    .state_bytes = sizeof(serve_anthropic_state),
    .parse = serve_anthropic_parse_count,
    .event = serve_anthropic_event,
    .error = serve_anthropic_error,
};

static bool answer_count(serve_call *call, serve_answer *answer, serve_problem *problem)
{
    int64_t n;
    if (!serve_count_tokens(call, &COUNT, &n, problem))
        return false;
    px_buf_printf(&answer->body, "{\"input_tokens\":%lld}", (long long)n);
    return true;
}

const serve_route *serve_routes_anthropic(int *n)
{
    static const serve_route ROUTES[] = {
        {.method = "POST",
         .path = "/v1/messages",
         .dialect = &MESSAGES,
         .known = &serve_anthropic_known,
         .job = true},
        {.method = "POST",
         .path = "/v1/messages/count_tokens",
         .dialect = &COUNT,
         .known = &serve_anthropic_known,
         .answer = answer_count},
    };
    *n = (int)(sizeof ROUTES / sizeof *ROUTES);
    return ROUTES;
}

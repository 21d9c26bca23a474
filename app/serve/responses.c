/* responses: the dialect of /v1/responses and its routes. See responses.h. */
#include "serve/responses.h"

#include "serve/count.h"
#include "serve/openai.h"

static const serve_dialect RESPONSES = {
    .name = "openai.responses",
    .stream_type = "text/event-stream",
    .state_bytes = sizeof(serve_responses_state),
    .parse = serve_responses_parse,
    .begin = serve_responses_begin,
    .event = serve_responses_event,
    .end = serve_responses_end,
    .broken = serve_responses_broken,
    .whole = serve_responses_whole,
    .error = serve_openai_error,
};

static bool answer_count(serve_call *call, serve_answer *answer, serve_problem *problem)
{
    int64_t n;
    if (!serve_count_tokens(call, &RESPONSES, &n, problem))
        return false;
    px_buf_printf(&answer->body, "{\"object\":\"response.input_tokens\",\"input_tokens\":%lld}",
                  (long long)n);
    return true;
}

const serve_route *serve_routes_responses(int *n)
{
    static const serve_route ROUTES[] = {
        {.method = "POST",
         .path = "/v1/responses",
         .dialect = &RESPONSES,
         .known = &serve_responses_known,
         .job = true},
        {.method = "POST",
         .path = "/v1/responses/input_tokens",
         .dialect = &RESPONSES,
         .known = &serve_responses_known,
         .answer = answer_count},
    };
    *n = (int)(sizeof ROUTES / sizeof *ROUTES);
    return ROUTES;
}

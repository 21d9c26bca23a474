/*
 * fuzz_requests: what a client of the server sends. The first character chooses a route, the
 * letters behind it up to the end of the line what comes of the request, the rest is the body:
 *
 *   a    one of ROUTES
 *   twcpe    a thought, a word, a call, a piece of its arguments, its end
 *
 * What is told of unknown members fits into a header. Whatever is taken is JSON again on its way to
 * the template; whatever is written is JSON, in whole and in events; a refusal says why.
 */
#include "fuzz.h"

#include "base/mem.h"
#include "serve/dialect.h"
#include "serve/models.h"
#include "serve/prepare.h"

#include <string.h>

static const char *const ROUTES[] = {
    "/v1/chat/completions", "/v1/completions", "/v1/embeddings", "/v1/rerank", "/v1/responses",
    "/v1/messages",         "/api/chat",       "/api/generate",  "/api/embed", "/api/embeddings"};
enum { N_ROUTES = sizeof ROUTES / sizeof *ROUTES, MAX_CALLS = 8 };

static const serve_route *route_of(const char *path)
{
    static const serve_route *(*const ALL[])(int *n) = {
        serve_routes_openai, serve_routes_responses, serve_routes_anthropic, serve_routes_ollama};
    for (size_t i = 0; i < sizeof ALL / sizeof *ALL; i++) {
        int n;
        const serve_route *routes = ALL[i](&n);
        for (int k = 0; k < n; k++)
            if (routes[k].job && strcmp(routes[k].path, path) == 0)
                return &routes[k];
    }
    return NULL;
}

static void check_json(const char *text, size_t len)
{
    px_json value;
    FUZZ_CHECK(px_json_check("written", text, len, &value, NULL) == PITH_OK);
}

/* Lines that hold JSON: all of them, or those that begin with "data: ". */
static void check_stream(const px_buf *out, bool events)
{
    const char *at = out->data, *end = at ? at + out->len : NULL;
    while (at < end) {
        const char *line = memchr(at, '\n', (size_t)(end - at));
        FUZZ_CHECK(line);
        size_t n = (size_t)(line - at);
        if (!events)
            check_json(at, n);
        else if (n > 6 && memcmp(at, "data: ", 6) == 0 && memcmp(at + 6, "[DONE]", 6) != 0)
            check_json(at + 6, n - 6);
        at = line + 1;
    }
}

/* What stands in a header: one line of printable ASCII. */
static void check_told(const serve_warnings *told)
{
    FUZZ_CHECK(memchr(told->text, 0, sizeof told->text));
    for (const char *c = told->text; *c; c++)
        FUZZ_CHECK(*c >= ' ' && *c <= '~');
}

static void tell(serve_job *job, serve_event event, px_buf *out)
{
    px_buf text = {0};
    job->dialect->event(job, &event, &text);
    FUZZ_CHECK(!text.failed);
    if (text.len > 0)
        px_buf_put(out, text.data, text.len);
    px_buf_clear(&text);
}

static void write_event(serve_job *job, char letter, px_buf *out)
{
    serve_choice *c = &job->choices[0];
    serve_event e = {.text = "\"w\" \n", .len = 5, .call = c->n_calls - 1};
    switch (letter) {
    case 't':
        e.kind = SERVE_EVENT_REASONING;
        px_buf_put(&c->reasoning, e.text, e.len);
        break;
    case 'w':
        e.kind = SERVE_EVENT_CONTENT;
        px_buf_put(&c->content, e.text, e.len);
        break;
    case 'c':
        if (c->n_calls == MAX_CALLS)
            return;
        e.kind = SERVE_EVENT_CALL;
        e.call = c->n_calls;
        e.id = c->calls[e.call].id = px_strndup("id", 2);
        e.name = c->calls[e.call].name = px_strndup("f", 1);
        e.len = 0;
        c->n_calls++;
        break;
    case 'p':
        if (c->n_calls == 0)
            return;
        e.kind = SERVE_EVENT_ARGUMENTS;
        e.text = c->calls[e.call].arguments.len == 0 ? "{\"a\":" : "1}";
        e.len = strlen(e.text);
        px_buf_puts(&c->calls[e.call].arguments, e.text);
        break;
    case 'e':
        if (c->n_calls == 0)
            return;
        e.kind = SERVE_EVENT_CALL_END;
        e.len = 0;
        break;
    default:
        return;
    }
    tell(job, e, out);
}

/* Streams the letters' events, then writes the whole of them. */
static void write_answer(serve_job *job, const char *letters, size_t n)
{
    px_buf out = {0}, whole = {0};
    serve_model model = {.name = (char *)(uintptr_t) "m"};
    const serve_dialect *d = job->dialect;
    int kind = job->request.kind;
    job->model = &model;
    job->n_choices = kind == SERVE_LOAD ? 0 : kind == SERVE_CHAT ? 1 : job->request.n_inputs;
    job->choices = px_calloc((size_t)job->n_choices + 1, sizeof *job->choices);
    for (int i = 0; i < job->n_choices; i++)
        job->choices[i].stop_index = -1;
    if (job->n_choices > 0 && kind <= SERVE_TEXT) {
        serve_choice *c = &job->choices[0];
        c->calls = px_calloc(MAX_CALLS, sizeof *c->calls);
        if (d->begin)
            d->begin(job, &out);
        for (size_t i = 0; i < n; i++)
            write_event(job, letters[i], &out);
        c->finish = n % 2 ? SERVE_FINISH_STOP : SERVE_FINISH_LENGTH;
        tell(job, (serve_event){.kind = SERVE_EVENT_FINISH, .text = ""}, &out);
        if (d->end)
            d->end(job, &out);
        check_stream(&out, strcmp(d->stream_type, "text/event-stream") == 0);
    }
    d->whole(job, &whole);
    FUZZ_CHECK(!whole.failed);
    check_json(whole.data, whole.len);
    px_buf_clear(&out);
    px_buf_clear(&whole);
    job->model = NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    const char *line = size > 0 ? memchr(text, '\n', size) : NULL;
    px_json body;
    if (!line || line == text)
        return 0;
    const char *rest = line + 1;
    const serve_route *route = route_of(ROUTES[data[0] % N_ROUTES]);
    const serve_dialect *dialect = route->dialect;
    serve_job *job = serve_job_new(dialect);
    serve_warnings told = {0};
    serve_problem problem = {0};
    px_buf out = {0};
    if (!job)
        return 0;
    bool ok = serve_known_read(route->known, rest, size - (size_t)(rest - text), &body, &told,
                               &problem) &&
              dialect->parse(job, body, &problem);
    FUZZ_CHECK(ok == (problem.http == 0));
    check_told(&told);
    if (ok && job->request.kind == SERVE_CHAT) {
        ok = serve_chat_vars(&job->request, NULL, &out, &problem);
        FUZZ_CHECK(ok == (problem.http == 0));
        if (ok)
            check_json(out.data, out.len);
        px_buf_reset(&out);
    }
    if (ok) {
        write_answer(job, text + 1, (size_t)(line - text) - 1);
    } else {
        FUZZ_CHECK(problem.http >= 400 && problem.text[0]);
        dialect->error(&problem, &out);
        check_json(out.data, out.len);
    }
    px_buf_clear(&out);
    serve_job_leave(job);
    return 0;
}

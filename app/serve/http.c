/* http: see http.h. */
#include "serve/http.h"

#include "base/mem.h"
#include "serve/gate.h"
#include "serve/log.h"
#include "serve/prepare.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

/* Bodies are kept whole. Together they have at most LARGE_BODIES times what one may have; the first
 * SMALL_BODY bytes of each do not count, so that small requests are heard however many large ones
 * are on their way. */
enum { SMALL_BODY = 65536, LARGE_BODIES = 8 };

/* One request. Two owners where a thread of its own writes the answer. */
typedef struct exchange {
    serve_call call;
    const serve_route *route;
    const serve_dialect *shape; // of errors
    px_buf body, path;
    size_t claimed; // of serve_server.body_bytes
    char method[16];
    char allow[64];
    char origin[256]; // that may read the answer, or ""
    serve_problem problem;
    serve_warnings told;
    serve_job *job;
    serve_out out; // of work
    bool has_out, entered, submitted, waiting, head_done, is_head;
    int fd, http;
    double started;
    _Atomic int owners;
} exchange;

/* Counts n more bytes of the body. */
static bool claim(exchange *x, size_t n)
{
    serve_server *s = x->call.server;
    size_t len = x->body.len + n, large = len > SMALL_BODY ? len - SMALL_BODY : 0;
    size_t more = large - x->claimed;
    x->claimed = large;
    return more == 0 ||
           atomic_fetch_add(&s->body_bytes, more) + more <= LARGE_BODIES * s->options.max_body;
}

static void let_body_go(exchange *x)
{
    px_buf_clear(&x->body);
    atomic_fetch_sub(&x->call.server->body_bytes, x->claimed);
    x->claimed = 0;
}

static void leave(exchange *x)
{
    if (atomic_fetch_sub(&x->owners, 1) != 1)
        return;
    if (x->route && x->route->free_user)
        x->route->free_user(x->call.user);
    if (x->has_out)
        serve_out_clear(&x->out);
    let_body_go(x);
    px_buf_clear(&x->path);
    px_free(x);
}

const char *serve_call_query(const serve_call *call, const char *name)
{
    return MHD_lookup_connection_value(call->connection, MHD_GET_ARGUMENT_KIND, name);
}

const char *serve_call_header(const serve_call *call, const char *name)
{
    return MHD_lookup_connection_value(call->connection, MHD_HEADER_KIND, name);
}

void serve_answer_header(serve_answer *answer, const char *name, const char *fmt, ...)
{
    va_list args;
    if (answer->n_headers == 8)
        return;
    answer->headers[answer->n_headers].name = name;
    va_start(args, fmt);
    vsnprintf(answer->headers[answer->n_headers].value, sizeof answer->headers[0].value, fmt, args);
    va_end(args);
    answer->n_headers++;
}

/* ---- responses */

static void free_bytes(void *bytes)
{
    px_free(bytes);
}

static void add_common(const exchange *x, struct MHD_Response *r)
{
    if (x->origin[0]) {
        MHD_add_response_header(r, "Access-Control-Allow-Origin", x->origin);
        MHD_add_response_header(r, "Vary", "Origin");
        MHD_add_response_header(r, "Access-Control-Expose-Headers", "*");
    }
    MHD_add_response_header(r, "X-Content-Type-Options", "nosniff");
    if (x->told.text[0])
        MHD_add_response_header(r, "X-Pith-Warning", x->told.text);
    if (x->job) { /* OpenAI's clients read the one, Anthropic's the other */
        MHD_add_response_header(r, "X-Request-Id", x->job->tag);
        MHD_add_response_header(r, "request-id", x->job->tag);
    }
}

static enum MHD_Result send_response(exchange *x, struct MHD_Connection *c, int http,
                                     struct MHD_Response *r)
{
    if (!r)
        return MHD_NO;
    add_common(x, r);
    x->http = http;
    enum MHD_Result result = MHD_queue_response(c, (unsigned)http, r);
    MHD_destroy_response(r);
    return result;
}

/* Takes the buffer's bytes. */
static struct MHD_Response *response_of(px_buf *body, const char *type)
{
    size_t len = 0;
    char *bytes = body->len > 0 ? px_buf_take(body, &len) : NULL;
    struct MHD_Response *r =
        bytes ? MHD_create_response_from_buffer_with_free_callback(len, bytes, free_bytes)
              : MHD_create_response_from_buffer(0, (void *)(uintptr_t) "", MHD_RESPMEM_PERSISTENT);
    if (!r)
        px_free(bytes);
    else if (type)
        MHD_add_response_header(r, "Content-Type", type);
    return r;
}

static enum MHD_Result send_problem(exchange *x, struct MHD_Connection *c, const serve_problem *p)
{
    px_buf body = {0};
    char number[16];
    x->shape->error(p, &body);
    struct MHD_Response *r = response_of(&body, "application/json");
    px_buf_clear(&body);
    if (r && p->retry_after > 0) {
        snprintf(number, sizeof number, "%d", p->retry_after);
        MHD_add_response_header(r, "Retry-After", number);
    }
    if (r && p->http == 401)
        MHD_add_response_header(r, "WWW-Authenticate", "Bearer");
    if (r && p->http == 405)
        MHD_add_response_header(r, "Allow", x->allow);
    return send_response(x, c, p->http, r);
}

static ssize_t read_out(void *cls, uint64_t pos, char *to, size_t n)
{
    exchange *x = cls;
    serve_out *out = x->job ? &x->job->out : &x->out;
    (void)pos;
    long got = serve_out_read(out, x->call.connection, to, n);
    if (got >= 0)
        return got;
    return serve_out_has_left(out) ? MHD_CONTENT_READER_END_WITH_ERROR
                                   : MHD_CONTENT_READER_END_OF_STREAM;
}

static void free_reader(void *cls)
{
    leave(cls);
}

static enum MHD_Result send_stream(exchange *x, struct MHD_Connection *c, const char *type)
{
    atomic_fetch_add(&x->owners, 1);
    struct MHD_Response *r =
        MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, 4096, read_out, x, free_reader);
    if (!r) {
        leave(x);
        return MHD_NO;
    }
    MHD_add_response_header(r, "Content-Type", type);
    MHD_add_response_header(r, "Cache-Control", "no-cache");
    MHD_add_response_header(r, "X-Accel-Buffering", "no");
    return send_response(x, c, 200, r);
}

/* ---- jobs */

static void begin_job(exchange *x)
{
    serve_server *s = x->call.server;
    serve_job *job = serve_job_new(x->route->dialect);
    if (!job) {
        serve_refuse(&x->problem, 503, NULL, "out of memory for the request");
        return;
    }
    x->job = job;
    job->key = x->call.key;
    job->accepted = x->started;
    job->body = x->body; // the job may outlive the connection
    x->body = (px_buf){0};
    bool ok = x->route->dialect->parse(job, x->call.json, &x->problem) &&
              serve_prepare(s->models, job, &x->problem) &&
              (!x->route->dialect->check || x->route->dialect->check(s, job, &x->problem));
    x->entered = ok && serve_key_enter(job->key, serve_now(), &x->problem);
    if (ok && !x->entered)
        serve_metrics_count(s->metrics, SERVE_COUNT_LIMITED);
    if (!x->entered)
        return;
    serve_job_keep(job);
    x->submitted = serve_runner_submit(s->runner, job, x->fd, &x->problem);
    if (!x->submitted)
        serve_job_leave(job);
}

static enum MHD_Result send_job(exchange *x, struct MHD_Connection *c)
{
    serve_job *job = x->job;
    px_buf body = {0};
    if (serve_out_has_left(&job->out))
        return MHD_NO;
    bool bare = serve_out_is_bare(&job->out);
    if (bare && job->problem.http)
        return send_problem(x, c, &job->problem);
    if (!bare)
        return send_stream(x, c, job->dialect->stream_type);
    job->dialect->whole(job, &body);
    serve_problem p = {0};
    if (body.failed)
        serve_refuse(&p, 503, NULL, "out of memory for the answer");
    enum MHD_Result result = p.http
                                 ? send_problem(x, c, &p)
                                 : send_response(x, c, 200, response_of(&body, "application/json"));
    px_buf_clear(&body);
    return result;
}

/* ---- other routes */

static enum MHD_Result send_answer(exchange *x, struct MHD_Connection *c)
{
    serve_answer answer = {.http = 200, .type = "application/json"};
    bool ok = x->route->answer(&x->call, &answer, &x->problem);
    if (ok && answer.body.failed)
        ok = serve_refuse(&x->problem, 503, NULL, "out of memory for the answer");
    enum MHD_Result result;
    if (!ok) {
        result = send_problem(x, c, &x->problem);
    } else {
        struct MHD_Response *r =
            answer.fixed
                ? MHD_create_response_from_buffer(answer.fixed_len, (void *)(uintptr_t)answer.fixed,
                                                  MHD_RESPMEM_PERSISTENT)
                : response_of(&answer.body, NULL);
        if (r && answer.type)
            MHD_add_response_header(r, "Content-Type", answer.type);
        for (int i = 0; r && i < answer.n_headers; i++)
            MHD_add_response_header(r, answer.headers[i].name, answer.headers[i].value);
        result = send_response(x, c, answer.http, r);
    }
    px_buf_clear(&answer.body);
    return result;
}

static void *work_thread(void *arg)
{
    exchange *x = arg;
    serve_server *s = x->call.server;
    serve_problem problem = {0};
    if (!x->route->work(&x->call, &x->out, &problem)) {
        pthread_mutex_lock(&x->out.lock);
        bool bare = !x->out.put;
        pthread_mutex_unlock(&x->out.lock);
        px_buf text = {0};
        if (bare)
            x->problem = problem;
        else if (x->route->dialect->broken) {
            x->route->dialect->broken(NULL, &problem, &text);
            if (text.failed || !serve_out_put(&x->out, text.data, text.len))
                serve_out_drop(&x->out);
        }
        px_buf_clear(&text);
    }
    serve_out_end(&x->out);
    leave(x);
    atomic_fetch_sub(&s->n_works, 1);
    return NULL;
}

static bool begin_work(exchange *x)
{
    pthread_t thread;
    serve_server *s = x->call.server;
    serve_out_init(&x->out);
    x->has_out = true;
    x->out.blocking = true;
    atomic_fetch_add(&x->owners, 1);
    atomic_fetch_add(&s->n_works, 1);
    int code = pthread_create(&thread, NULL, work_thread, x);
    if (code == 0) {
        pthread_detach(thread);
        return true;
    }
    atomic_fetch_sub(&s->n_works, 1);
    leave(x);
    return serve_refuse(&x->problem, 503, NULL, "no thread for this request: %s", strerror(code));
}

static enum MHD_Result send_work(exchange *x, struct MHD_Connection *c)
{
    if (serve_out_is_bare(&x->out) && x->problem.http)
        return send_problem(x, c, &x->problem);
    return send_stream(x, c, x->route->dialect->stream_type);
}

/* ---- the way of a request */

static exchange *new_exchange(serve_server *s, struct MHD_Connection *c, const char *url,
                              const char *method)
{
    exchange *x = px_calloc(1, sizeof *x);
    if (!x)
        return NULL;
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(c, MHD_CONNECTION_INFO_CONNECTION_FD);
    atomic_store(&x->owners, 1);
    x->started = serve_now();
    x->fd = info ? info->connect_fd : -1;
    x->body.limit = s->options.max_body;
    snprintf(x->method, sizeof x->method, "%s", method);
    px_buf_puts(&x->path, url);
    x->call = (serve_call){.server = s,
                           .method = x->method,
                           .path = x->path.data ? x->path.data : "/",
                           .connection = c};
    return x;
}

static void judge(exchange *x, struct MHD_Connection *c)
{
    serve_server *s = x->call.server;
    serve_head head = {
        .method = x->method,
        .path = x->call.path,
        .host = MHD_lookup_connection_value(c, MHD_HEADER_KIND, "Host"),
        .origin = MHD_lookup_connection_value(c, MHD_HEADER_KIND, "Origin"),
        .authorization = MHD_lookup_connection_value(c, MHD_HEADER_KIND, "Authorization"),
        .api_key = MHD_lookup_connection_value(c, MHD_HEADER_KIND, "x-api-key"),
        .type = MHD_lookup_connection_value(c, MHD_HEADER_KIND, "Content-Type"),
        .encoding = MHD_lookup_connection_value(c, MHD_HEADER_KIND, "Content-Encoding"),
        .length = MHD_lookup_connection_value(c, MHD_HEADER_KIND, "Content-Length"),
    };
    if (head.origin && serve_gate_origin(&s->options, head.origin))
        snprintf(x->origin, sizeof x->origin, "%s", head.origin);
    x->route =
        serve_gate_route(x->method, x->call.path, &x->call.rest, x->allow, &x->shape, &x->problem);
    if (strcmp(x->method, "OPTIONS") == 0 && x->allow[0])
        return;
    if (x->route && serve_gate_head(s, x->route, &head, &x->call.key, &x->problem) &&
        x->route->take)
        x->route->take(&x->call, NULL, 0, &x->problem);
}

static enum MHD_Result send_preflight(exchange *x, struct MHD_Connection *c)
{
    px_buf none = {0};
    struct MHD_Response *r = response_of(&none, NULL);
    if (r) {
        MHD_add_response_header(r, "Allow", x->allow);
        MHD_add_response_header(r, "Access-Control-Allow-Methods", x->allow);
        const char *want =
            MHD_lookup_connection_value(c, MHD_HEADER_KIND, "Access-Control-Request-Headers");
        MHD_add_response_header(r, "Access-Control-Allow-Headers",
                                want && strlen(want) < 512 ? want : "Authorization, Content-Type");
        MHD_add_response_header(r, "Access-Control-Max-Age", "86400");
    }
    return send_response(x, c, 204, r);
}

static void receive(exchange *x, const char *data, size_t n)
{
    if (x->problem.http)
        return; // read, and let go, so that the client hears what is wrong
    if (x->route->take)
        x->route->take(&x->call, data, n, &x->problem);
    else if (!claim(x, n))
        serve_refuse(&x->problem, 503, NULL,
                     "the bodies that are on their way have over %zu bytes together; try again "
                     "later",
                     LARGE_BODIES * x->call.server->options.max_body);
    else if (!px_buf_put(&x->body, data, n))
        serve_refuse(&x->problem, x->body.limited ? 413 : 503, NULL,
                     x->body.limited ? "the body has over %zu bytes (--max-body)"
                                     : "out of memory for a body of over %zu bytes",
                     x->body.limited ? x->body.limit : x->body.len);
    if (x->problem.http == 503)
        x->problem.retry_after = 5;
    if (x->problem.http)
        let_body_go(x); // the rest may come slowly
}

static void read_body(exchange *x)
{
    serve_known_read(x->route->known, x->body.data, x->body.len, &x->call.json, &x->told,
                     &x->problem);
    if (x->told.text[0])
        serve_log_note(x->call.server, "warning: %s %s: %s", x->method, x->route->path,
                       x->told.text);
}

static enum MHD_Result dispatch(exchange *x, struct MHD_Connection *c)
{
    const serve_route *route = x->route;
    if (strcmp(x->method, "OPTIONS") == 0 && x->allow[0])
        return send_preflight(x, c);
    x->call.body = x->body.data;
    x->call.body_len = x->body.len;
    if (!x->problem.http && route->known)
        read_body(x);
    if (!x->problem.http && route->job)
        begin_job(x);
    else if (!x->problem.http && route->work)
        begin_work(x);
    else if (!x->problem.http)
        return send_answer(x, c);
    if (x->problem.http)
        return send_problem(x, c, &x->problem);
    x->waiting = true;
    if (serve_out_wait(x->job ? &x->job->out : &x->out, c))
        return MHD_YES;
    return x->job ? send_job(x, c) : send_work(x, c);
}

enum MHD_Result serve_http_access(void *cls, struct MHD_Connection *c, const char *url,
                                  const char *method, const char *version, const char *data,
                                  size_t *n, void **con_cls)
{
    exchange *x = *con_cls;
    (void)version;
    if (!x) {
        x = *con_cls = new_exchange(cls, c, url, method);
        if (!x)
            return MHD_NO;
        judge(x, c);
        /* A body that is far too long is not waited for. */
        return x->problem.http == 413 ? send_problem(x, c, &x->problem) : MHD_YES;
    }
    if (*n > 0) {
        receive(x, data, *n);
        *n = 0;
        return MHD_YES;
    }
    if (x->waiting)
        return x->job ? send_job(x, c) : send_work(x, c);
    return dispatch(x, c);
}

void serve_http_completed(void *cls, struct MHD_Connection *c, void **con_cls,
                          enum MHD_RequestTerminationCode code)
{
    serve_server *s = cls;
    exchange *x = *con_cls;
    (void)c;
    if (!x)
        return;
    *con_cls = NULL;
    bool whole = code == MHD_REQUEST_TERMINATED_COMPLETED_OK;
    if (x->has_out)
        serve_out_leave(&x->out);
    if (x->job) {
        if (x->submitted) {
            serve_out_leave(&x->job->out);
            serve_runner_forget(s->runner, x->fd);
            serve_runner_wake(s->runner);
        } else if (x->entered) {
            serve_key_leave(x->call.key, serve_now(), 0);
        }
    }
    double seconds = serve_now() - x->started;
    serve_metrics_request(s->metrics, x->route ? x->route->path : "other", whole ? x->http : 499,
                          seconds);
    serve_log_request(s, x->method, x->call.path, whole ? x->http : 499, seconds, x->call.key,
                      whole && x->submitted ? x->job : NULL);
    serve_job_leave(x->job);
    x->job = NULL;
    leave(x);
}

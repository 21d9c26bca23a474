/*
 * dialect: what stands between the core and a way of speaking HTTP (OpenAI's, Ollama's,
 * Anthropic's): how a body becomes a job, and how what comes of it becomes bytes.
 *
 * A call is one HTTP request. Routes (a table; serve_routes_* of each dialect) say what it becomes:
 *   answer  an immediate answer: GET /v1/models, GET /metrics
 *   job     parse makes a job of the body, the engine answers
 *   work    a thread of its own writes the answer piece by piece: POST /api/pull
 *   take    the body is not JSON and is handed over as it comes: POST /api/blobs/...; then answer
 * A route with `known` has a body of JSON, which is read and held against that table before.
 *
 * Threads: parse, whole, answer and error run on an HTTP thread and should take milliseconds;
 * begin, event and end run on the engine thread and must only write into `out`; work may block.
 */
#ifndef PITH_SERVE_DIALECT_H
#define PITH_SERVE_DIALECT_H

#include "serve/job.h"
#include "serve/known.h"

typedef struct serve_server serve_server;

struct serve_dialect {
    const char *name;        // in the log and in metrics: "openai.chat"
    const char *stream_type; // Content-Type of a streamed answer: "text/event-stream"
    size_t state_bytes;      // of serve_job.state
    /* Reads the body into job->request (job->arena keeps its texts) or refuses it. The JSON text
     * lives as long as the job: slices of it need no copy. */
    bool (*parse)(serve_job *job, px_json body, serve_problem *problem);
    /* Once the model is known and the request has become tokens; may be NULL. */
    bool (*check)(serve_server *server, serve_job *job, serve_problem *problem);
    /* A streamed answer: begin before the first event, end after the last choice's FINISH. Any may
     * be NULL but event. What cannot be written for lack of memory is seen in out->failed. */
    void (*begin)(serve_job *job, px_buf *out);
    void (*event)(serve_job *job, const serve_event *event, px_buf *out);
    void (*end)(serve_job *job, px_buf *out);
    /* An error after the stream has begun; nothing follows. */
    void (*broken)(serve_job *job, const serve_problem *problem, px_buf *out);
    /* A whole answer, from job->choices. */
    void (*whole)(serve_job *job, px_buf *out);
    /* The body of an error; also for routes without a job. */
    void (*error)(const serve_problem *problem, px_buf *out);
};

/* One HTTP request, as routes see it. Lent for the call. */
typedef struct serve_call {
    serve_server *server;
    const char *method;
    const char *path;
    px_str rest;      // what a trailing '*' of the pattern stood for, percent signs resolved
    const char *body; // JSON text or any; NULL when empty
    size_t body_len;
    px_json json;   // the body, an object, where the route says what is known of it
    serve_key *key; // of the client, or NULL
    void *user;     // of take: its own state
    void *connection;
} serve_call;

/* The value of ?name= with percent signs resolved, or of a header; NULL without. Lent. */
const char *serve_call_query(const serve_call *call, const char *name);
const char *serve_call_header(const serve_call *call, const char *name);

/* An immediate answer. Starts as 200 application/json. */
typedef struct serve_answer {
    int http;
    const char *type; // static
    px_buf body;
    struct {
        const char *name; // static
        char value[512];
    } headers[8];
    int n_headers;
    /* In place of body: static bytes, never freed; e.g. the web page. */
    const void *fixed;
    size_t fixed_len;
} serve_answer;
void serve_answer_header(serve_answer *answer, const char *name, const char *fmt, ...)
    PX_PRINTF(3, 4);

typedef bool (*serve_answer_fn)(serve_call *call, serve_answer *answer, serve_problem *problem);
/* Writes with serve_out_put, which fails once the client has left. A problem before the first byte
 * gives an HTTP error, later one goes through dialect->broken with job NULL. */
typedef bool (*serve_work_fn)(serve_call *call, serve_out *out, serve_problem *problem);
/* Called first with n 0, then for each piece; at the end answer is called; free_user always. */
typedef bool (*serve_take_fn)(serve_call *call, const void *bytes, size_t n,
                              serve_problem *problem);

typedef struct serve_route {
    const char *method;           // "GET" also answers HEAD
    const char *path;             // exact, or with a trailing "*": any rest of at least one byte
    const serve_dialect *dialect; // of its errors, and of its jobs
    bool job;                     // the body is parsed and the engine answers
    serve_answer_fn answer;
    serve_work_fn work;
    serve_take_fn take;
    void (*free_user)(void *user); // of take
    const serve_known *known;      // members of the body, which is JSON; NULL: there is none
    bool open;                     // needs no API key: /health, the page
} serve_route;

/* Routes of each dialect; n is set. */
const serve_route *serve_routes_core(int *n);
const serve_route *serve_routes_openai(int *n);
const serve_route *serve_routes_responses(int *n);
const serve_route *serve_routes_anthropic(int *n);
const serve_route *serve_routes_ollama(int *n);

/* ---- tools for parse. Each returns false with a problem that names the field; a field that is
 * absent or null leaves *out alone and is fine. */

/* A field's text, in the job's arena with a zero byte behind it. */
bool serve_get_text(serve_job *job, px_json object, const char *name, px_str *out,
                    serve_problem *problem);
bool serve_get_bool(px_json object, const char *name, bool *out, serve_problem *problem);
bool serve_get_int(px_json object, const char *name, int64_t min, int64_t max, int64_t *out,
                   serve_problem *problem);
bool serve_get_real(px_json object, const char *name, double min, double max, double *out,
                    serve_problem *problem);
/* A sampling parameter under the name that this dialect gives it, within its range. */
bool serve_get_knob(serve_job *job, px_json object, const char *name, serve_knob knob,
                    serve_problem *problem);
/* All of them, under the names that every dialect but for a few has. */
bool serve_get_knobs(serve_job *job, px_json object, serve_problem *problem);
const char *serve_knob_name(serve_knob knob);
/* A string or an array of strings; empty strings are left out. */
bool serve_get_stops(serve_job *job, px_json object, const char *name, int most,
                     serve_problem *problem);
/* "5m", "1h30m", "300ms", "-1", "10" (seconds). */
bool serve_read_duration(const char *text, double *seconds);
/* "5m", "1h30m", "300ms", a number of seconds; negative is for ever. */
bool serve_get_keep_alive(serve_job *job, px_json object, const char *name, serve_problem *problem);
/* A string, an array of strings, an array of tokens or an array of arrays of tokens -> inputs. */
bool serve_get_inputs(serve_job *job, px_json object, const char *name, serve_problem *problem);
/* Copies text into the job's arena; *out has a zero byte behind it. */
bool serve_copy(serve_job *job, const char *text, size_t len, px_str *out, serve_problem *problem);
/* The JSON text of a value as a slice (lives as long as the job). */
px_str serve_slice(px_json value);

/* ---- tools for writers: JSON text appended to a buffer. */

/* "text" with quotes and escapes; bytes that are not UTF-8 become U+FFFD. */
void serve_put_string(px_buf *out, const char *text, size_t len);
void serve_put_text(px_buf *out, const char *zero_terminated);
/* A number that JSON can hold; what is not finite becomes null. */
void serve_put_real(px_buf *out, double value);
/* "2026-11-22T23:59:59.123456789Z" of now, without quotes. */
void serve_put_time(px_buf *out);

/* ---- models, for lists and details: serve/models.h. */

#endif

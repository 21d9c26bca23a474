/*
 * job: one request for the engine, normalised, and what has come of it. A dialect fills a
 * serve_request from a body; the core renders, tokenizes, queues and runs it, and tells the dialect
 * of each piece (serve_event); at the end serve_choice holds all of each answer.
 *
 *   dialect's parse -> serve_request -> prepare (HTTP thread: model, template, tokens)
 *       -> queue -> runner (the engine thread) -> serve_event -> dialect's writers -> serve_out
 *
 * A job has two owners: the HTTP connection and, once it is submitted, the runner; the last one to
 * leave frees it. Threads: the request is written by the HTTP thread before submitting and by
 * nobody afterwards; choices are the runner's until serve_out says that it has ended, and the HTTP
 * thread's from there on.
 */
#ifndef PITH_SERVE_JOB_H
#define PITH_SERVE_JOB_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/json.h"
#include "base/str.h"
#include "pith.h"
#include "serve/out.h"

#include <math.h>
#include <stdatomic.h>

/* What a client is told when something went wrong. */
typedef struct serve_problem {
    int http;                // 400, 404, ...; 0: nothing is wrong
    const char *type;        // static; NULL: the dialect's usual type for this HTTP status
    const char *code;        // static; "model_not_found", "context_length_exceeded", ... or NULL
    char param[64];          // the field at fault, or ""
    int retry_after;         // seconds; 0: none
    int64_t n_prompt, n_ctx; // both set when the context is too long, else 0
    char text[1020];
} serve_problem;

/* Fills *p, unless it holds a problem already, and returns false for `return serve_refuse(...)`. */
bool serve_refuse(serve_problem *p, int http, const char *param, const char *fmt, ...)
    PX_PRINTF(4, 5);

/* The same from a failure of the library; http 0 takes the status' own. */
bool serve_refuse_error(serve_problem *p, int http, const pith_error *err);

/* ---- what is asked for */

typedef enum serve_kind {
    SERVE_CHAT,   // messages through the model's template
    SERVE_TEXT,   // inputs as they are
    SERVE_EMBED,  // a vector of each input
    SERVE_RERANK, // a score of each input for the query
    SERVE_LOAD    // nothing: the model is opened, and kept as keep_alive says
} serve_kind;

/* A text or its tokens. */
typedef struct serve_input {
    px_str text; // of the request's arena
    int32_t *ids;
    int64_t n_ids; // ids NULL: not tokenized yet
} serve_input;

/* Sampling parameters; those not given keep the model's defaults. */
typedef enum serve_knob {
    SERVE_TEMPERATURE,
    SERVE_TOP_K,
    SERVE_TOP_P,
    SERVE_MIN_P,
    SERVE_TYPICAL_P,
    SERVE_REPEAT_PENALTY,
    SERVE_REPEAT_LAST_N,
    SERVE_FREQUENCY_PENALTY,
    SERVE_PRESENCE_PENALTY,
    SERVE_XTC_PROBABILITY,
    SERVE_XTC_THRESHOLD,
    SERVE_DRY_MULTIPLIER,
    SERVE_DRY_BASE,
    SERVE_DRY_ALLOWED_LENGTH,
    SERVE_DRY_LAST_N,
    SERVE_MIROSTAT,
    SERVE_MIROSTAT_TAU,
    SERVE_MIROSTAT_ETA,
    SERVE_MIN_KEEP,
    SERVE_N_KNOBS
} serve_knob;

typedef enum serve_choice_of_tool {
    SERVE_TOOLS_AUTO,
    SERVE_TOOLS_NONE,
    SERVE_TOOLS_REQUIRED,
    SERVE_TOOLS_NAMED
} serve_choice_of_tool;

/* To what the answer is held. */
typedef enum serve_format {
    SERVE_FREE,
    SERVE_JSON_OBJECT, // any JSON object
    SERVE_JSON_SCHEMA, // format_text: the schema
    SERVE_GRAMMAR,     // format_text: GBNF
    SERVE_REGEX,       // format_text: the expression
    SERVE_CHOICES      // format_text: a JSON array of strings
} serve_format;

enum { SERVE_MAX_STOPS = 64, SERVE_MAX_BIAS = 4096, SERVE_MAX_N = 64, SERVE_MAX_INPUTS = 2048 };

/* An adapter of the model by its place among them, and its scale for one request. */
typedef struct serve_lora {
    int32_t id;
    float scale;
} serve_lora;

typedef struct serve_request {
    serve_kind kind;
    px_str model; // as the client wrote it, zero byte behind it; "" where there was none
    /* CHAT. JSON texts in OpenAI's form; content may be a string or text parts, arguments of tool
     * calls a string or an object. */
    px_str messages;
    px_str tools;         // array, or empty
    px_str template_vars; // an object whose members become variables of the template, or empty
    bool continue_final;  // the last message, an assistant's, is continued
    int think;            // -1: as the template does; 0, 1: enable_thinking
    int64_t think_budget; // tokens of reasoning, after which it is closed; -1: any
    px_str effort;        // reasoning_effort for the template: "low", ...; or empty
    bool keep_reasoning;  // reasoning stays in the content as the model wrote it
    serve_choice_of_tool tool_choice;
    px_str tool_name;
    bool single_call; // not more than one tool call
    /* TEXT, EMBED, RERANK */
    serve_input *inputs;
    int n_inputs;
    bool special;  // special tokens written in inputs are read as such
    bool suffixed; // TEXT: fill in the middle before `suffix`
    px_str suffix;
    const int32_t *prefix; // CHAT: tokens of earlier exchanges, which come before the messages
    int64_t n_prefix;
    px_str instruction;  // RERANK: what makes a document fit, or empty
    px_str query;        // RERANK
    int64_t top_n;       // RERANK: results in the answer; 0: all
    int64_t dimensions;  // EMBED: 0: all
    bool truncate_input; // EMBED: inputs that are too long are cut
    /* The answer. */
    int n;              // choices of each input, at least 1
    int64_t max_tokens; // negative: until it ends
    int64_t min_tokens;
    double knobs[SERVE_N_KNOBS];
    uint32_t given;  // bit of each knob that is given
    uint64_t seed;   // PITH_SEED_RANDOM: any
    px_str samplers; // order, or empty
    pith_str *stops;
    int n_stops;
    pith_logit_bias *bias;
    int n_bias;
    serve_lora *loras; // NULL: those that the model's name stands for
    int n_loras;
    bool ignore_end;
    bool logprobs;
    int n_top;
    bool keep_tokens;     // serve_choice.tokens are wanted
    bool echo;            // TEXT: the prompt stands before the answer
    bool prompt_logprobs; // TEXT with echo: log-probabilities of the prompt, too
    serve_format format;
    px_str format_text;
    double deadline;        // seconds from the start; 0: none
    pith_overflow overflow; // ERROR: a context that is too long is refused with its numbers
    int32_t n_keep;
    int64_t n_ctx; // a smaller context than the engine's, or 0
    bool stream;
    bool has_keep_alive;
    double keep_alive; // seconds to stay open after this; negative: for ever; 0: close at once
} serve_request;

/* ---- what becomes of it */

typedef struct serve_logprob {
    int32_t token;
    float logprob;
    int32_t first_top, n_top; // in serve_choice.tops
    size_t at;                // bytes of the content before it
} serve_logprob;

typedef struct serve_tool_call {
    char *id, *name;
    px_buf arguments; // JSON text
} serve_tool_call;

typedef enum serve_finish {
    SERVE_FINISH_NONE, // not yet
    SERVE_FINISH_STOP, // end of turn or a stop string
    SERVE_FINISH_LENGTH,
    SERVE_FINISH_TOOL_CALLS,
    SERVE_FINISH_CANCELLED,
    SERVE_FINISH_DEADLINE,
    SERVE_FINISH_ERROR
} serve_finish;

/* One answer of a job: choice i answers input i / n. */
typedef struct serve_choice {
    px_buf content, reasoning;
    serve_tool_call *calls;
    int n_calls;
    serve_logprob *logprobs;
    int n_logprobs, cap_logprobs;
    pith_logprob *tops;
    int n_tops, cap_tops;
    int32_t *tokens; // when request.keep_tokens: of the answer
    int n_tokens, cap_tokens;
    int64_t n_cut; // tokens that an input which was too long has lost
    serve_finish finish;
    int stop_index;                                       // which stop string, or -1
    int64_t n_prompt, n_cached, n_generated, n_reasoning; // tokens
    double prompt_seconds, decode_seconds;
    float *embedding; // EMBED: [n_embedding], of unit length
    int32_t n_embedding;
    double score; // RERANK
} serve_choice;

typedef enum serve_event_kind {
    SERVE_EVENT_CONTENT,   // text, and log-probabilities if asked for
    SERVE_EVENT_REASONING, // text
    SERVE_EVENT_CALL,      // a tool call begins: call, id, name
    SERVE_EVENT_ARGUMENTS, // text: the next piece of its arguments
    SERVE_EVENT_CALL_END,
    SERVE_EVENT_FINISH // the choice is complete: see serve_choice
} serve_event_kind;

/* A piece of an answer. The choice holds it already when the dialect is told. */
typedef struct serve_event {
    serve_event_kind kind;
    int choice;
    const char *text; // valid UTF-8; lent
    size_t len;
    int call; // from 0
    const char *id, *name;
    int first_logprob, n_logprobs; // of the choice's, that belong to this piece
} serve_event;

typedef struct serve_dialect serve_dialect;
typedef struct serve_model serve_model;
typedef struct serve_run serve_run;
typedef struct serve_key serve_key;

typedef struct serve_job {
    /* Of the HTTP thread till submitted. */
    px_buf body;    // as it came: what the dialect keeps of its JSON points into it
    px_arena arena; // the request's texts; the dialect may put its own there
    serve_request request;
    const serve_dialect *dialect;
    void *state;           // of the dialect: dialect->state_bytes, zeroed
    uint64_t id;           // unique in this process
    char tag[25];          // random letters and digits, for ids
    int64_t created;       // seconds since 1970
    double accepted;       // serve_now() when the request was complete
    serve_model *model;    // open as long as the job lives
    serve_key *key;        // of the client, or NULL
    pith_reply **replies;  // CHAT: request.n of them
    pith_grammar *grammar; // of other requests, or NULL
    /* Of the runner while it runs. */
    serve_choice *choices;
    int n_choices;
    serve_run *runs;
    double started, first; // serve_now() when it began to run, and at its first token
    double load_seconds;   // spent opening the model for it
    serve_problem problem;
    px_buf scratch; // what a dialect writes for an event
    int n_told;     // events told so far
    /* Between both. */
    serve_out out;
    _Atomic int owners;
    struct serve_job *next; // in a list of the runner
} serve_job;

/* A job with one owner and defaults in its request; NULL when memory is out. */
serve_job *serve_job_new(const serve_dialect *dialect);
void serve_job_keep(serve_job *job);
void serve_job_leave(serve_job *job);

/* Sums over the choices. The prompt of an input counts once, as clients are billed for it. */
typedef struct serve_usage {
    int64_t prompt, cached, completion, reasoning;
    double prompt_seconds, decode_seconds;
} serve_usage;
serve_usage serve_job_usage(const serve_job *job);

/* Seconds of a clock that never goes back. */
double serve_now(void);

#endif

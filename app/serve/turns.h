/*
 * turns: the messages of a conversation, written as the JSON array in OpenAI's form that the core
 * renders (serve_request.messages), from whatever form a dialect has.
 *
 *   serve_turns_open(&t, "user");
 *   serve_turns_text(&t, "content", text, len);
 *   serve_turns_close(&t);
 *   ok = serve_turns_give(&t, job, problem);        (or serve_turns_clear)
 *
 * Failures of memory are sticky and told by serve_turns_give. One thread at a time.
 */
#ifndef PITH_SERVE_TURNS_H
#define PITH_SERVE_TURNS_H

#include "serve/dialect.h"

typedef struct serve_turns {
    px_buf json; // zero-initialise
    int n;       // messages that were begun
} serve_turns;

void serve_turns_open(serve_turns *t, const char *role);
void serve_turns_close(serve_turns *t);
/* A member of the open message: a text, or JSON as it stands. */
void serve_turns_text(serve_turns *t, const char *name, const char *text, size_t len);
void serve_turns_json(serve_turns *t, const char *name, px_str json);
/* Puts the array into the job's request and clears t. */
bool serve_turns_give(serve_turns *t, serve_job *job, serve_problem *problem);
void serve_turns_clear(serve_turns *t);

/* What an assistant's turn is made of while its parts come one by one. Zero-initialise. */
typedef struct serve_said {
    px_buf text, reasoning, calls;
    int n_calls;
} serve_said;

/* A call of a tool in OpenAI's form; each is JSON as the client wrote it. */
void serve_said_call(serve_said *said, px_str id, px_str name, px_str arguments);
/* Writes it as a message and clears it. */
bool serve_said_give(serve_said *said, serve_turns *turns, const char *role,
                     serve_problem *problem);
void serve_said_clear(serve_said *said);

/* ---- reading what several dialects have alike */

/* "tools" -> request.tools, each written by `take` in OpenAI's form, without what stands around and
 * between them. *n: how many. */
typedef bool (*serve_tool_fn)(px_json tool, int i, px_buf *out, serve_problem *problem);
bool serve_take_tools(serve_job *job, px_json body, serve_tool_fn take, int *n,
                      serve_problem *problem);

/* The member, or a value of type NONE when it is absent or null. */
px_json serve_member(px_json object, const char *name);
/* A value as it is written, for messages; "missing" for none. */
px_str serve_shown(px_json value);
/* Whether a value is this string. */
bool serve_is(px_json value, const char *text);
/* Appends a string's text; false, and a problem naming `where`, for any other value. */
bool serve_text_of(px_json value, px_buf *out, const char *where, serve_problem *problem);
/* Appends the text of a string, or of an array of strings and objects {"type", "text"} whose type
 * is one of `types` (each between spaces: " text input_text "), with `between` between them. Any
 * other part is refused by its type and place. */
bool serve_parts_of(px_json value, const char *types, const char *between, px_buf *out,
                    const char *where, serve_problem *problem);
/* A required member that is an array with at least `least` elements. */
bool serve_array_of(px_json object, const char *name, size_t least, px_json *out,
                    serve_problem *problem);
/* "'where' is <found>, expected <expected>", a 400. */
bool serve_refuse_type(serve_problem *problem, const char *where, px_json found,
                       const char *expected);
bool serve_refuse_memory(serve_problem *problem);

/* ---- writing */

/* JSON text without the white space between its parts: models and clients write line ends there,
 * and a line of a stream must not hold one. */
void serve_put_compact(px_buf *out, const char *json, size_t len);
/* [{"token","logprob","bytes","top_logprobs":[..]}] of a stretch of a choice's log-probabilities,
 * as OpenAI and Ollama write them. */
void serve_put_logprobs(px_buf *out, const serve_job *job, const serve_choice *c, int first, int n);
/* Whether a tool call's arguments are whole: an answer that was cut off may end inside them. */
bool serve_call_is_whole(const serve_tool_call *call);

#endif

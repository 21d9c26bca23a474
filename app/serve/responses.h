/*
 * responses: OpenAI's POST /v1/responses, without state: each request brings the whole
 * conversation.
 *
 * Items become messages in OpenAI's chat form: consecutive items of the assistant (reasoning,
 * message, function_call) are one message, as chat templates expect; function_call_output is a
 * tool's message. previous_response_id, conversation, background, stored prompts, item references
 * and tools that run at OpenAI are refused by name. "store" is accepted and answered with false.
 */
#ifndef PITH_SERVE_RESPONSES_H
#define PITH_SERVE_RESPONSES_H

#include "serve/dialect.h"

enum { SERVE_MAX_ITEMS = 512 };

/* responses_known.c: of both routes. */
extern const serve_known serve_responses_known;

typedef enum serve_item_kind {
    SERVE_ITEM_NONE,
    SERVE_ITEM_MESSAGE,
    SERVE_ITEM_REASONING,
    SERVE_ITEM_CALL
} serve_item_kind;

/* One item of the output: a stretch of the choice's content or reasoning, or a call. */
typedef struct serve_item {
    serve_item_kind kind;
    int call;
    size_t from, to; // bytes of content or reasoning
    int first_logprob, n_logprobs;
} serve_item;

/* Of serve_job.state. */
typedef struct serve_responses_state {
    /* Of the request, to be said again in the response. */
    px_json body;
    bool wants_logprobs;
    /* Of the writer. */
    int64_t sequence; // of the next event
    bool open;        // the last item is open
    int n_items;      // at most SERVE_MAX_ITEMS: what comes after them is in the stream only
    serve_item items[SERVE_MAX_ITEMS];
} serve_responses_state;

bool serve_responses_parse(serve_job *job, px_json body, serve_problem *problem);
void serve_responses_begin(serve_job *job, px_buf *out);
void serve_responses_event(serve_job *job, const serve_event *event, px_buf *out);
void serve_responses_end(serve_job *job, px_buf *out);
void serve_responses_broken(serve_job *job, const serve_problem *problem, px_buf *out);
void serve_responses_whole(serve_job *job, px_buf *out);

#endif

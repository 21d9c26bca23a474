/*
 * anthropic: the Messages API: POST /v1/messages and /v1/messages/count_tokens.
 *
 * Blocks become messages in OpenAI's form: text is text; tool_use is a call of the assistant's
 * turn; tool_result is a turn of its own; thinking is the assistant's reasoning. What pith cannot
 * read or do (images, documents, tools that run at Anthropic, containers) is refused by name.
 */
#ifndef PITH_SERVE_ANTHROPIC_H
#define PITH_SERVE_ANTHROPIC_H

#include "serve/dialect.h"

/* Of serve_job.state: where in the stream of blocks the writer is. */
typedef enum serve_block {
    SERVE_BLOCK_NONE,
    SERVE_BLOCK_TEXT,
    SERVE_BLOCK_THINKING,
    SERVE_BLOCK_TOOL
} serve_block;

typedef struct serve_anthropic_state {
    serve_block block; // that is open
    int index;         // of the next block to open
    bool cut;          // the open tool block was cut off
} serve_anthropic_state;

/* anthropic_known.c: of both routes. */
extern const serve_known serve_anthropic_known;

bool serve_anthropic_parse(serve_job *job, px_json body, serve_problem *problem);
bool serve_anthropic_parse_count(serve_job *job, px_json body, serve_problem *problem);
/* Tells the log of thinking that was asked for and that the model cannot do. */
bool serve_anthropic_check(serve_server *server, serve_job *job, serve_problem *problem);
void serve_anthropic_begin(serve_job *job, px_buf *out);
void serve_anthropic_event(serve_job *job, const serve_event *event, px_buf *out);
void serve_anthropic_end(serve_job *job, px_buf *out);
void serve_anthropic_broken(serve_job *job, const serve_problem *problem, px_buf *out);
void serve_anthropic_whole(serve_job *job, px_buf *out);
void serve_anthropic_error(const serve_problem *problem, px_buf *out);

#endif

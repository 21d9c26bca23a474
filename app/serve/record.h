/* record: what a model's record in the store says of requests that say nothing themselves:
 * sampling, stops, a system prompt, messages that every chat begins with. */
#ifndef PITH_SERVE_RECORD_H
#define PITH_SERVE_RECORD_H

#include "serve/models.h"

/* Fills what the request leaves open from the record of job->model. */
bool serve_record_apply(serve_job *job, serve_problem *problem);

/* Writes the record's messages that stand before those of a chat ("," behind each): the system
 * prompt unless the chat has one, and the conversation of MESSAGE lines. */
void serve_record_messages(const store_model *record, px_json messages, px_buf *out);

#endif

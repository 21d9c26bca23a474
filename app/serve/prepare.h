/*
 * prepare: a request becomes tokens: the model is taken, messages go through its template, texts
 * through its tokenizer. On an HTTP thread; the engine thread sees tokens only.
 */
#ifndef PITH_SERVE_PREPARE_H
#define PITH_SERVE_PREPARE_H

#include "serve/models.h"

/* Takes job->model and fills the tokens of every input (a chat becomes the one input). */
bool serve_prepare(serve_models *models, serve_job *job, serve_problem *problem);

/* The tokens before, behind and for what is to be filled in between, where the vocabulary has them;
 * else NULL. */
const char *const *serve_middle_names(const pith_tokenizer *tok);

/* The JSON variables of the template for a chat: messages (those of the model's record before
 * them), tools and the rest. record may be NULL. */
bool serve_chat_vars(const serve_request *request, const store_model *record, px_buf *out,
                     serve_problem *problem);

#endif

/*
 * openai: OpenAI's dialect, as reference/serving.md section 2.1 has it, with the extensions of
 * llama-server and vLLM that local clients use. docs/serving.md lists the fields.
 */
#ifndef PITH_SERVE_OPENAI_H
#define PITH_SERVE_OPENAI_H

#include "serve/dialect.h"

extern const serve_dialect serve_openai_chat;
extern const serve_dialect serve_openai_text;
extern const serve_dialect serve_openai_embed;
extern const serve_dialect serve_openai_rerank;

/* openai_known.c */
extern const serve_known serve_openai_known_chat;
extern const serve_known serve_openai_known_text;
extern const serve_known serve_openai_known_embed;
extern const serve_known serve_openai_known_rerank;
extern const serve_known serve_openai_known_tokenize;
extern const serve_known serve_openai_known_detokenize;

/* Routes with an immediate answer: /tokenize, /detokenize, /apply-template and the counting of a
 * chat's tokens. */
bool serve_openai_tokenize(serve_call *call, serve_answer *answer, serve_problem *problem);
bool serve_openai_detokenize(serve_call *call, serve_answer *answer, serve_problem *problem);
bool serve_openai_template(serve_call *call, serve_answer *answer, serve_problem *problem);
bool serve_openai_count(serve_call *call, serve_answer *answer, serve_problem *problem);

/* The model's name as the client knows it. */
void serve_openai_model(const serve_job *job, px_buf *out);

/* What /v1/chat/completions and /v1/completions share. */
bool serve_openai_sampling(serve_job *job, px_json body, serve_problem *problem);
/* response_format, structured_outputs and their kin -> request.format. */
bool serve_openai_format(serve_job *job, px_json body, serve_problem *problem);
/* {"prompt_tokens":...} */
void serve_openai_usage(const serve_job *job, px_buf *out);
/* ,"timings":{...} */
void serve_openai_timings(const serve_job *job, px_buf *out);
const char *serve_openai_finish(serve_finish finish);
void serve_openai_error(const serve_problem *problem, px_buf *out);
/* The same as an event of a stream, and its end. */
void serve_openai_broken(serve_job *job, const serve_problem *problem, px_buf *out);
/* {"content":[...]} of log-probabilities first .. first + n. */
void serve_openai_logprobs(const serve_job *job, int choice, int first, int n, px_buf *out);

/* Whether the stream was asked for its usage. */
typedef struct serve_openai_state {
    bool include_usage;
    bool timings;
    uint64_t roles; // choices whose role was told, by bit
} serve_openai_state;

#endif

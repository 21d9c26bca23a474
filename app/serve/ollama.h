/*
 * ollama: Ollama's own API, under /api/. Streams are lines of JSON and are the default; durations
 * are nanoseconds; errors are {"error": "text"}.
 *
 * ollama_request.c  bodies of generate, chat, embed and embeddings
 * ollama_reply.c    their answers
 * ollama_models.c   tags, ps, show and version
 * ollama_store.c    pull, create, copy, delete, push and blobs, on app/store
 * ollama.c          the dialects and the table of routes
 */
#ifndef PITH_SERVE_OLLAMA_H
#define PITH_SERVE_OLLAMA_H

#include "serve/dialect.h"

/* What a version of Ollama this API is; clients refuse to speak to old ones. */
#define SERVE_OLLAMA_VERSION "0.12.0"

/* Of serve_job.state. */
typedef struct serve_ollama_state {
    bool generate; // /api/generate, else /api/chat
    bool unload;   // keep_alive 0 and nothing to do
    bool thinks;   // "think": true or a level
    bool tells_context;
    bool wants_logprobs;
    int64_t num_ctx; // as asked for; 0: not
} serve_ollama_state;

/* ollama_known.c */
extern const serve_known serve_ollama_known_chat;
extern const serve_known serve_ollama_known_generate;
extern const serve_known serve_ollama_known_embed;
extern const serve_known serve_ollama_known_embeddings;
extern const serve_known serve_ollama_known_show;
extern const serve_known serve_ollama_known_pull;
extern const serve_known serve_ollama_known_copy;
extern const serve_known serve_ollama_known_delete;
extern const serve_known serve_ollama_known_create;

bool serve_ollama_parse_generate(serve_job *job, px_json body, serve_problem *problem);
bool serve_ollama_parse_chat(serve_job *job, px_json body, serve_problem *problem);
bool serve_ollama_parse_embed(serve_job *job, px_json body, serve_problem *problem);
bool serve_ollama_parse_embeddings(serve_job *job, px_json body, serve_problem *problem);
/* Once the model is known: what it cannot do is refused, what is odd goes to the log. */
bool serve_ollama_check(serve_server *server, serve_job *job, serve_problem *problem);

void serve_ollama_event(serve_job *job, const serve_event *event, px_buf *out);
void serve_ollama_end(serve_job *job, px_buf *out);
void serve_ollama_broken(serve_job *job, const serve_problem *problem, px_buf *out);
void serve_ollama_whole(serve_job *job, px_buf *out);
void serve_ollama_whole_embed(serve_job *job, px_buf *out);
void serve_ollama_whole_embeddings(serve_job *job, px_buf *out);
void serve_ollama_error(const serve_problem *problem, px_buf *out);

/* Appends the model's name from the body: of `member`, or for "model" of "name" as of old. */
bool serve_ollama_name(const serve_call *call, const char *member, px_buf *name,
                       serve_problem *problem);

/* Immediate answers. */
bool serve_ollama_version(serve_call *call, serve_answer *answer, serve_problem *problem);
bool serve_ollama_tags(serve_call *call, serve_answer *answer, serve_problem *problem);
bool serve_ollama_ps(serve_call *call, serve_answer *answer, serve_problem *problem);
bool serve_ollama_show(serve_call *call, serve_answer *answer, serve_problem *problem);
bool serve_ollama_copy(serve_call *call, serve_answer *answer, serve_problem *problem);
bool serve_ollama_delete(serve_call *call, serve_answer *answer, serve_problem *problem);
bool serve_ollama_push(serve_call *call, serve_answer *answer, serve_problem *problem);
bool serve_ollama_blob_head(serve_call *call, serve_answer *answer, serve_problem *problem);
/* Work on a thread of its own. */
bool serve_ollama_pull(serve_call *call, serve_out *out, serve_problem *problem);
bool serve_ollama_create(serve_call *call, serve_out *out, serve_problem *problem);
bool serve_ollama_blob_take(serve_call *call, const void *bytes, size_t n, serve_problem *problem);
bool serve_ollama_blob_done(serve_call *call, serve_answer *answer, serve_problem *problem);
void serve_ollama_blob_free(void *user);

#endif

/*
 * keys: API keys from a file, and what each may use. A line is
 *
 *   KEY[:NAME] [rps=N] [tpm=N] [concurrent=N]
 *
 * with N requests a second (a bucket of as many), tokens a minute (prompt and answer), answers at
 * the same time; '#' begins a comment. Keys are compared in constant time. Any thread.
 */
#ifndef PITH_SERVE_KEYS_H
#define PITH_SERVE_KEYS_H

#include "serve/job.h"

typedef struct serve_keys serve_keys;

serve_keys *serve_keys_load(const char *path, pith_error *err);
/* From a text; name stands in messages. */
serve_keys *serve_keys_parse(const char *name, const char *text, size_t len, pith_error *err);
void serve_keys_free(serve_keys *keys);

/* The key with exactly these characters, or NULL. */
serve_key *serve_keys_find(serve_keys *keys, const char *text);
const char *serve_key_name(const serve_key *key);

/* A request of this key begins: false with 429 when it may not now. Each success needs a leave,
 * with the tokens that it took. key NULL is always fine. */
bool serve_key_enter(serve_key *key, double now, serve_problem *problem);
void serve_key_leave(serve_key *key, double now, int64_t n_tokens);

#endif

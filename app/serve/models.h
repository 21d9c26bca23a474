/*
 * models: the models that the server answers for, by name: which file, opened or not, who uses it.
 *
 * A model is opened (mapped, tokenizer and template built) by the HTTP thread that first needs it
 * and closed by the runner once nobody uses it and its time is over; its engine is the runner's
 * alone. Entries live as long as the server. Threads: any, except where it says the runner's.
 */
#ifndef PITH_SERVE_MODELS_H
#define PITH_SERVE_MODELS_H

#include "serve/job.h"

typedef struct serve_models serve_models;

/* An entry. Members are read under the lock of its serve_models, but for what an owner of a use may
 * read without: name, path, model. */
struct serve_model {
    serve_models *all;
    char *name;
    char *path;
    pith_model *model;    // NULL: not open
    pith_model_info info; // while open
    int64_t created;      // when the file was written, seconds since 1970
    bool opening;         // by a thread that let the lock go
    int users;            // jobs and calls that use it
    double last_used;     // serve_now()
    double keep_alive;    // seconds; negative: for ever
    struct serve_model *next;
    /* The runner's. */
    pith_engine *engine;
    pith_engine_info counters;
    uint64_t kv_limit;
    int n_running; // answers in flight
    int32_t *ends; // end tokens, for min_tokens
    int n_ends;
};

typedef struct serve_models_options {
    double keep_alive; // of all models; negative: for ever
    const char *template_file;
} serve_models_options;

serve_models *serve_models_new(const serve_models_options *options, pith_error *err);
/* Nobody may use a model any more; engines must be gone. */
void serve_models_free(serve_models *models);

/* A model by path; name NULL: from the file's name. The first one is what an empty name means. */
bool serve_models_add(serve_models *models, const char *name, const char *path, pith_error *err);
/* Another name for one that is there. */
bool serve_models_alias(serve_models *models, const char *alias, const char *name, pith_error *err);

/* The model of that name, open, used once more; or NULL with a problem (404). Milliseconds when it
 * has to be opened. */
serve_model *serve_models_take(serve_models *models, const char *name, serve_problem *problem);
/* Ends a use. */
void serve_models_leave(serve_model *model);
/* How long it is to stay open after its last use. */
void serve_models_set_keep_alive(serve_model *model, double seconds);

/* What lists show; strings are lent for the call. */
typedef struct serve_model_row {
    const char *name, *path;
    bool alias;
    const pith_model *model; // NULL while it is closed
    int64_t created;
    uint64_t file_bytes;
    bool loaded;       // an engine runs it
    double expires_in; // seconds till it is closed; negative: never; 0 while it is used or not open
    uint64_t memory_bytes; // of its engine and its weights
    uint64_t kv_bytes, kv_limit;
    int64_t n_ctx; // of its engine, or 0
} serve_model_row;
typedef void (*serve_model_row_fn)(void *user, const serve_model_row *row);
/* All names, aliases too, in the order in which they were given. Calls with the lock held: fn only
 * copies. */
void serve_models_each(serve_models *models, serve_model_row_fn fn, void *user);

/* The runner's: goes through all entries with the lock held. */
void serve_models_visit(serve_models *models, void (*fn)(void *user, serve_model *model),
                        void *user);
/* The runner's: closes one that has no engine, no users and whose time is over. */
void serve_models_close_idle(serve_models *models, double now);
void serve_models_lock(serve_models *models);
void serve_models_unlock(serve_models *models);

#endif

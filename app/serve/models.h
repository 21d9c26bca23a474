/*
 * models: the models that the server answers for, by name: which file, opened or not, who uses it.
 *
 * A model is opened (mapped, tokenizer and template built) by the HTTP thread that first needs it
 * and closed by the runner once nobody uses it and its time is over; its engine is the runner's
 * alone. Names that the command line did not give are looked up in the store when they are asked
 * for. Entries live as long as the server; one whose record in the store has changed is hidden and
 * closed, and its name gets a new entry. Threads: any, except where it says the runner's.
 */
#ifndef PITH_SERVE_MODELS_H
#define PITH_SERVE_MODELS_H

#include "serve/job.h"
#include "store/store.h"

typedef struct serve_models serve_models;

enum { SERVE_MAX_ADAPTERS = 16 };

/* A LoRA file of a model: of its record, and then always used, or by a name of its own. */
typedef struct serve_adapter {
    char *name; // NULL: of the record
    char *path;
    pith_adapter *adapter; // while the model is open
} serve_adapter;

/* An entry. Members are read under the lock of its serve_models, but for what an owner of a use may
 * read without: name, record, model, info. */
struct serve_model {
    serve_models *all;
    char *name;
    store_model record;   // what the store knows of it; for a path that alone
    pith_model *model;    // NULL: not open
    pith_model_info info; // while open
    int64_t created;      // when the file was written, seconds since 1970
    bool from_store;      // found there by name, not given on the command line
    bool stale;           // its record has changed: nobody finds it any more
    bool opening;         // by a thread that let the lock go
    int users;            // jobs and calls that use it
    double last_used;     // serve_now()
    double keep_alive;    // seconds; negative: for ever
    serve_adapter adapters[SERVE_MAX_ADAPTERS];
    int n_adapters;
    struct serve_model *next;
    /* The runner's. */
    pith_engine *engine;
    pith_engine_info counters;
    int n_running; // answers in flight
    int32_t *ends; // end tokens, for min_tokens
    int n_ends;
};

typedef struct serve_models_options {
    double keep_alive; // of all models; negative: for ever
    const char *template_file;
    const store_root *store; // lent; NULL: paths only
} serve_models_options;

serve_models *serve_models_new(const serve_models_options *options, pith_error *err);
/* Nobody may use a model any more; engines must be gone. */
void serve_models_free(serve_models *models);

/* A model by path or by a name of the store; name NULL: that name, or the file's. The first one is
 * what an empty name means. */
bool serve_models_add(serve_models *models, const char *name, const char *word, pith_error *err);
const store_root *serve_models_store(const serve_models *models); // may be NULL
/* Another name for one that is there. */
bool serve_models_alias(serve_models *models, const char *alias, const char *name, pith_error *err);

/* A LoRA file under a name that stands for the model (NULL: the first) with it. */
bool serve_models_add_adapter(serve_models *models, const char *name, const char *path,
                              const char *model, pith_error *err);
/* What a session for a request of this name uses; returns how many. */
int serve_models_adapters(const serve_model *model, const char *name,
                          pith_adapter_use uses[SERVE_MAX_ADAPTERS]);

/* The model of that name, open, used once more; or NULL with a problem (404). Milliseconds when it
 * has to be opened. */
serve_model *serve_models_take(serve_models *models, const char *name, serve_problem *problem);
/* Ends a use. */
void serve_models_leave(serve_model *model);
/* How long it is to stay open after its last use. */
void serve_models_set_keep_alive(serve_model *model, double seconds);

/* What lists show; strings are lent for the call. */
typedef struct serve_model_row {
    const char *name;
    const store_model *record;
    bool alias;
    const pith_model *model; // NULL while it is closed
    int64_t created;
    uint64_t file_bytes;
    bool loaded;       // an engine runs it
    double expires_in; // seconds till it is closed; negative: never; 0 while it is used or not open
    uint64_t memory_bytes; // of its engine and its weights
    uint64_t kv_bytes, kv_limit, cache_hits, computed;
    int64_t n_ctx; // of its engine, or 0
} serve_model_row;
typedef void (*serve_model_row_fn)(void *user, const serve_model_row *row);
/* All names: those given, aliases, and with `stored` those of the store that were not. Calls with
 * the lock held: fn only copies. */
void serve_models_each(serve_models *models, bool stored, serve_model_row_fn fn, void *user);

/* The runner's: goes through all entries with the lock held. */
void serve_models_visit(serve_models *models, void (*fn)(void *user, serve_model *model),
                        void *user);
/* The runner's: closes one that has no engine, no users and whose time is over. */
void serve_models_close_idle(serve_models *models, double now);
void serve_models_lock(serve_models *models);
void serve_models_unlock(serve_models *models);

#endif

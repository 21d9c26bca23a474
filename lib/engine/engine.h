/*
 * engine: what computes for one model: kernels, threads, work memory, the KV cache, the sampler's
 * buffers. Lifetimes: model > engine > session > request. One thread at a time, but for
 * pith_session_cancel.
 */
#ifndef PX_ENGINE_ENGINE_H
#define PX_ENGINE_ENGINE_H

#include "base/pool.h"
#include "engine/cache.h"
#include "engine/candidates.h"
#include "engine/model.h"
#include "engine/shares.h"
#include "engine/spec.h"
#include "kern/ops.h"
#include "model/decoder.h"
#include "model/kv.h"

/* Options with their defaults filled in, checked. */
typedef struct px_engine_setup {
    px_cpu_level level;
    int n_threads;
    int64_t n_ctx;
    int32_t n_batch;
    int32_t max_logits;
    int32_t max_sessions;
    px_dtype k_type, v_type;
    uint64_t kv_bytes;    // limit; 0: none
    int32_t prompt_batch; // 0: by plan.c
    bool no_prefix_cache;
    const char *kv_dir; // lent for the call
    uint64_t kv_dir_bytes;
} px_engine_setup;

/* Errors: ARGUMENT, UNSUPPORTED. */
pith_status px_engine_setup_make(const pith_model *model, const pith_engine_options *options,
                                 px_engine_setup *out, pith_error *err);

/* The level for a cap by name (NULL or "": PITH_CPU from the environment, else the best). */
pith_status px_engine_level(const char *cap, px_cpu_level *out, pith_error *err);

/* An answer's part of a step: batch.h. */
typedef struct px_part {
    pith_answer *answer;
    int32_t n_draft;  // guesses behind its last token
    const float *row; // of logits, where its token is chosen beside others', or NULL
} px_part;

/* Answers that are written together: batch.h. */
typedef struct px_batch {
    pith_answer **answers;
    int32_t n;
} px_batch;

struct pith_engine {
    const pith_model *model;
    px_engine_setup setup;
    px_kern kern;
    px_pool *pool;
    px_decoder *decoder;
    px_kv_pool *kv;
    px_cache *cache; // of the cache, or NULL
    px_candidates candidates;
    px_candidates *beside; // [n_beside] those of the pool's other members
    int32_t n_beside;
    px_chunk *chunks; // [max_sessions] of the step at hand
    px_part *parts;   // [max_sessions] of the step at hand
    px_batch batch;   // answers in flight, room for max_sessions
    px_shares shares; // of their keys
    px_costs costs;
    int32_t exact_columns; // steps of up to so many give each column the bits that it has alone
    pith_engine *draft;    // with the draft model, or NULL
    bool borrows_pool;     // the pool is another engine's
    int32_t n_sessions;
    uint64_t n_steps, n_computed, n_generated, n_drafted, n_accepted; // pith_engine_info
    uint64_t n_answers, n_paused;
    bool busy; // inside a call
};

/* As pith_engine_new; pool: another engine's to compute with, which outlives this one, or NULL. */
pith_status px_engine_make(const pith_model *model, const pith_engine_options *options,
                           px_pool *pool, pith_engine **out, pith_error *err);

/* Memory of this machine, or of the control group that this process runs in if that has less. root
 * is "" but in tests. Unknown numbers are 0. */
void px_machine_memory(const char *root, uint64_t *total, uint64_t *available);

#endif

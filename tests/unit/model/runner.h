/* runner: a model opened, with table, threads, pages and decoder, ready for steps. Failures fail
 * the test case. */
#ifndef PITH_TESTS_UNIT_MODEL_RUNNER_H
#define PITH_TESTS_UNIT_MODEL_RUNNER_H

#include "tiny.h"

#include "model/decoder.h"

typedef struct runner {
    px_source *source;
    px_arena arena;
    px_hparams hp;
    px_weights w;
    px_kern kern;
    px_pool *pool;
    px_kv_pool *kv;
    px_decoder *decoder;
    px_decoder_options options;
} runner;

typedef struct runner_options {
    px_cpu_level level; // PX_CPU_REF is the zero
    int n_threads;      // 0: 1
    px_dtype kv_dtype;  // PX_F32 is the zero
    int32_t max_batch;  // 0: 256, and as many rows of logits
    int64_t n_ctx;      // 0: the model's
} runner_options;

/* Takes the source over. */
void runner_open(runner *r, px_source *source, const runner_options *options);
void runner_close(runner *r);

px_kv_seq runner_seq(runner *r);

/* One step of one chunk, room reserved. Copies n_logits rows to out (may be NULL). */
void runner_step(runner *r, px_kv_seq *seq, const int32_t *tokens, int32_t n, int32_t n_logits,
                 float *out);

#endif

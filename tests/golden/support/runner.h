/*
 * runner: opens a model as the engine does and pushes a sequence through the decoder in different
 * cuts, so that tests can compare what comes out.
 *
 * Anything that fails, fails the test case with the library's sentence.
 */
#ifndef PITH_GOLDEN_RUNNER_H
#define PITH_GOLDEN_RUNNER_H

#include "base/cpu.h"
#include "model/decoder.h"

typedef struct runner_model {
    px_source *source;
    px_arena arena;
    px_hparams hp;
    px_weights weights;
} runner_model;

/* A GGUF file or a Hugging Face folder. */
void runner_open(runner_model *m, const char *path);
void runner_close(runner_model *m);

/* How the tokens come to the decoder: all in one step; one a step; or in chunks of changing size,
 * each beside a chunk of another sequence, which holds the same tokens from last to first. */
typedef enum runner_cut { RUNNER_WHOLE, RUNNER_SINGLE, RUNNER_MIXED, RUNNER_CUTS } runner_cut;
extern const char *const RUNNER_CUT_NAMES[RUNNER_CUTS];

typedef struct runner_setup {
    const px_kern *kern;
    px_pool *pool;
    px_dtype k_dtype, v_dtype;
    int64_t n_ctx;
} runner_setup;

/* The logits of all tokens, [n, V]; free() them. With RUNNER_MIXED *other (may be NULL) becomes the
 * logits of the other sequence, [n, V], likewise. */
float *runner_logits(const runner_model *m, const runner_setup *setup, const int32_t *tokens,
                     int32_t n, runner_cut cut, float **other);

/* Continues a prompt with n tokens, each the largest logit's, into out[n]. */
void runner_greedy(const runner_model *m, const runner_setup *setup, const int32_t *prompt,
                   int32_t n_prompt, int32_t *out, int32_t n);

/* The kernels of each level that this machine runs, lowest first, levels that add none left out;
 * pools of 1 and 2 threads. */
typedef struct runner_machine {
    int n_levels;
    px_kern kerns[PX_CPU_N];
    px_pool *pools[2];
} runner_machine;

void runner_machine_open(runner_machine *machine);
void runner_machine_close(runner_machine *machine);

/* Whether these kernels round activations on their way into the model's matrices, so that logits
 * cannot be exact. */
bool runner_rounds_activations(const runner_model *m, const px_kern *kern);

/* The tiny models, NULL behind the last; paths of their folder and of their fixture. */
extern const char *const RUNNER_MODELS[];
const char *runner_folder(const char *model);
const char *runner_fixture(const char *model);

/* Fails the test case with the sentence of err unless status is PITH_OK. */
void runner_ok(pith_status status, const pith_error *err);

#endif

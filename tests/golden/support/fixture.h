/*
 * fixture: what transformers gave for one of the tiny models, as tests/golden/models/make.py keeps
 * it, and how far a row of logits may be from it.
 *
 * Format of NAME.expect, version 1, all numbers little-endian:
 */
/* clang-format off */
/*
 *   byte 0   "pithgold"
 *        8   u32 version
 *       12   u32 n_runs
 *       16   the runs, one after the other:
 *              +0   char name[16], zeros behind it
 *             +16   u32 n_ctx       context to open the decoder for
 *             +20   u32 n_tokens
 *             +24   u32 n_prompt    tokens from this one on are greedy choices; 0: none are
 *             +28   u32 n_keep      positions whose logits are kept
 *             +32   u32 n_vocab
 *             +36   u32 kv          dtype of keys and values in the reference (px_dtype)
 *             +40   f32 gap         least distance of the two best logits of the greedy choices, in
 *                                   units of their largest logit
 *             +44   i32 tokens[n_tokens]
 *                   i32 keep[n_keep]            ascending
 *                   f32 logits[n_keep][n_vocab]
 */
/* clang-format on */
#ifndef PITH_GOLDEN_FIXTURE_H
#define PITH_GOLDEN_FIXTURE_H

#include <stdint.h>

typedef struct fixture_run {
    char name[17];
    int32_t n_ctx, n_tokens, n_prompt, n_keep, n_vocab;
    uint32_t kv;
    float gap;
    int32_t *tokens; // [n_tokens]
    int32_t *keep;   // [n_keep]
    float *logits;   // [n_keep, n_vocab]
} fixture_run;

typedef struct fixture {
    int n_runs;
    fixture_run *runs;
} fixture;

/* Reads a file; the test case fails when it is not as drawn above. */
fixture fixture_load(const char *path);
void fixture_clear(fixture *f);

/* The run of that name, or NULL. */
const fixture_run *fixture_find(const fixture *f, const char *name);

/* The largest difference of logits [n_tokens, n_vocab] at the kept positions, each relative to the
 * largest reference logit of its position. Infinity when a logit is NaN or infinite. */
double fixture_error(const fixture_run *run, const float *logits);

/* The same measure between two sets of n rows of n_vocab logits. */
double fixture_distance(const float *logits, const float *reference, int64_t n, int32_t n_vocab);

#endif

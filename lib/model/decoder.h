/*
 * decoder: the one forward pass for all families. A step takes tokens of any number of sequences
 * (prompt chunks and single tokens mixed), writes their keys and values into the sequences' pages
 * and gives logits for the rows that ask.
 *
 * A decoder belongs to one thread at a time; it shares the model's weights with other decoders. Its
 * work memory is made once for max_batch tokens; a step takes nothing from the heap. Results do not
 * depend on the number of threads of the pool; they may depend on how tokens were split into steps
 * only through the order of float additions.
 */
#ifndef PX_MODEL_DECODER_H
#define PX_MODEL_DECODER_H

#include "base/pool.h"
#include "kern/ops.h"
#include "model/adapter.h"
#include "model/kv.h"
#include "model/weights.h"

typedef struct px_decoder px_decoder;

/* What the products of a layer read. */
typedef enum px_input {
    PX_INPUT_ATTENTION, // q, k, v
    PX_INPUT_OUT,       // o
    PX_INPUT_FFN,       // gate, up
    PX_INPUT_DOWN,      // down
    PX_INPUTS
} px_input;

/* Shown an input of a layer's products, rows [n, width] of f32, `stride` apart, before they run. On
 * the thread of the step; must take nothing from the heap. */
typedef void (*px_observe_fn)(void *user, int32_t layer, px_input which, const float *rows,
                              int64_t stride, int64_t width, int32_t n);

typedef struct px_decoder_options {
    int32_t max_batch;     // most tokens of a step
    int32_t max_logits;    // most rows of logits of a step
    int64_t n_ctx;         // longest context: longer than the original one, longrope takes the long
                           // factors from the first token on
    px_observe_fn observe; // or NULL
    void *observe_user;
} px_decoder_options;

/* hp, weights, kern and pool are lent and must outlive the decoder. Errors: ARGUMENT, MEMORY,
 * UNSUPPORTED (kern does not compute with a matrix's dtype). */
pith_status px_decoder_new(const px_hparams *hp, const px_weights *weights, const px_kern *kern,
                           px_pool *pool, const px_decoder_options *options, px_decoder **out,
                           pith_error *err);
void px_decoder_free(px_decoder *d);

/* Consecutive tokens of one sequence: they take positions seq->n_tokens and on. Room for them must
 * be reserved. */
typedef struct px_chunk {
    px_kv_seq *seq;
    const int32_t *tokens;
    int32_t n;
    int32_t n_logits; // logits are wanted for this many of the last tokens
    /* The final hidden states of tokens [pool_first, pool_first + n_pool), after the output norm,
     * are added to sum [C], in their order: only where no logits are wanted. */
    double *sum;
    int32_t pool_first, n_pool;
    const px_lora_use *loras; // adapters of this model that the tokens go through; lent
    int32_t n_loras;
} px_chunk;

/* Runs one step. On success each seq->n_tokens has grown by its chunk's n, and *logits points to
 * rows of n_vocab floats, chunk after chunk, valid until the next step. `cancel` (may be NULL;
 * other threads store to it atomically) is looked at between layers: when it becomes nonzero the
 * step ends with CANCELLED. Other errors: ARGUMENT (a token id out of range, no room reserved, too
 * many tokens), NUMERIC (a logit is NaN or infinite). On failure no sequence has grown and no sum
 * has changed. */
pith_status px_decoder_step(px_decoder *d, const px_chunk *chunks, int n_chunks,
                            const volatile int *cancel, const float **logits, pith_error *err);

/* Makes room for steps with chunks that have so many of these adapters; what was there before is
 * kept. Not inside a step. Errors: MEMORY. */
pith_status px_decoder_fit(px_decoder *d, const px_lora_use *loras, int32_t n, pith_error *err);
/* Bytes of that room. */
size_t px_decoder_fit_bytes(const px_decoder *d);

/* Final hidden states of the step's rows that asked for logits: [n_rows, C], after the output norm.
 * Valid as logits. */
const float *px_decoder_hidden(const px_decoder *d);

/* Bytes of work memory that a decoder with these options takes. The system gives them as they are
 * touched: a step of n tokens touches n of the max_batch rows. SIZE_MAX: more than fits. */
size_t px_decoder_bytes(const px_hparams *hp, const px_weights *weights, const px_kern *kern,
                        int n_threads, const px_decoder_options *options);

#endif

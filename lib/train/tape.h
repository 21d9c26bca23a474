/*
 * tape: one pass of training: forward over rows of tokens, keeping what the way back needs, the
 * loss of the positions that are learned, and back.
 *
 * A batch is any number of segments side by side: each is a sequence of its own, with positions
 * from 0 and attention inside itself only, so that packing leaks nothing.
 *
 * Kept are the inputs of all layers, and everything else of the `keep` uppermost ones; of the
 * others it is computed again on the way back (checkpointing: Chen et al. 2016, arXiv 1604.06174),
 * by the same code and so to the same bits. The head runs for learned positions only, some rows at
 * a time, so that logits of a whole sequence never exist.
 *
 * All activations and sums are f32; the operands of the large products are rounded to bf16 where
 * the table of kernels does that. A pass takes nothing from the heap. Results do not depend on the
 * number of threads.
 *
 * One thread at a time; the pool's owner.
 */
#ifndef PX_TRAIN_TAPE_H
#define PX_TRAIN_TAPE_H

#include "train/net.h"

typedef struct px_segment {
    int32_t first, n; // tokens of the batch
} px_segment;

typedef struct px_packed {
    int32_t n;              // tokens
    const int32_t *ids;     // [n]
    const int32_t *targets; // [n]: the token to be predicted there, or -1
    const px_segment *segs; // [n_segs], in order, without gaps
    int32_t n_segs;
} px_packed;

typedef struct px_tape_options {
    int32_t max_tokens; // of a batch
    int32_t head_rows;  // logits at once; 0: 128
    int32_t keep;       // layers kept whole, from the top; at least 1
    float dropout;      // on what the pairs read
} px_tape_options;

typedef struct px_tape px_tape;

/* net is lent. Errors: MEMORY, ARGUMENT. */
pith_status px_tape_new(px_net *net, const px_tape_options *options, px_tape **out,
                        pith_error *err);
void px_tape_free(px_tape *t);
/* Bytes that a tape takes. */
size_t px_tape_bytes(const px_net *net, const px_tape_options *options);

/* How a pass runs. */
typedef struct px_tape_pass {
    bool plain; // without the pairs: the model as it was
    bool drops; // dropout, by this key
    uint64_t key;
    const volatile int *cancel; // or NULL: looked at between layers
} px_tape_pass;

/* Up to the last layer. Errors: CANCELLED, ARGUMENT (a token out of range, too many). */
pith_status px_tape_forward(px_tape *t, const px_packed *batch, const px_tape_pass *pass,
                            pith_error *err);

/* The learned positions of the batch, in order: how many. */
int32_t px_tape_learned(const px_tape *t);

/* -log p of each learned token, in order: [px_tape_learned]. */
void px_tape_losses(px_tape *t, double *losses);

/* The same, and the way back through the head for loss = sum of scales[i] * losses[i]. scales NULL:
 * `scale` for all. */
void px_tape_head(px_tape *t, const float *scales, float scale, double *losses);

/* The way back through the layers; gradients are added to those of the net. After px_tape_head.
 * Errors: CANCELLED. */
pith_status px_tape_back(px_tape *t, pith_error *err);

#endif

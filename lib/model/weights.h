/*
 * weights: a model's tensors bound to the places where the decoder uses them, with dtype and shape
 * checked. Matrices stay in the source's maps; small vectors (norms, biases, rope factors) are
 * copied to f32.
 */
#ifndef PX_MODEL_WEIGHTS_H
#define PX_MODEL_WEIGHTS_H

#include "base/arena.h"
#include "model/hparams.h"

/* A matrix [rows, cols], row after row, packed. data NULL: the model has none. */
typedef struct px_matrix {
    const uint8_t *data;
    px_dtype dtype;
    int64_t rows, cols;
    size_t row_bytes;
    const char *name; // of its tensor, for messages and adapters
} px_matrix;

typedef struct px_layer {
    const float *attn_norm; // [C]
    const float *attn_post; // [C] or NULL
    const float *ffn_norm;  // [C]
    const float *ffn_post;  // [C] or NULL
    const float *q_norm;    // [D] or NULL
    const float *k_norm;    // [D] or NULL
    const float *q_bias;    // [H * D] or NULL
    const float *k_bias;    // [K * D] or NULL
    const float *v_bias;    // [K * Dv] or NULL
    const float *o_bias;    // [C] or NULL
    px_matrix q, k,
        v;       // [H*D, C], [K*D, C], [K*Dv, C]; rows of one tensor when the file has them fused
    px_matrix o; // [C, H*Dv]
    px_matrix gate, up; // [F, C]; likewise
    px_matrix down;     // [C, F]
} px_layer;

typedef struct px_weights {
    px_matrix embed;                 // [V, C]
    px_matrix head;                  // [V, C]; the same as embed when tied
    const float *out_norm;           // [C]
    const float *rope_factors;       // [rope_dims / 2] or NULL: llama3
    const float *rope_factors_short; // longrope
    const float *rope_factors_long;
    px_layer *layers;         // [L]
    size_t matrix_bytes;      // of all matrices, counted once
    int64_t n_unused;         // tensors that the decoder does not use and that are not known to be
    const char *first_unused; // harmless: callers warn; the first one's name, or NULL
} px_weights;

/* Binds. Errors: FORMAT (tensor missing, wrong shape: found and expected), UNSUPPORTED (a dtype
 * that kern does not compute with; a bias that the decoder does not know). */
pith_status px_weights_bind(const px_source *source, const px_hparams *hp, px_arena *arena,
                            px_weights *out, pith_error *err);

#endif

/*
 * rope: the frequencies of rotary positions, and rows of cosines and sines made from them.
 *
 * For a position p and a pair i of a head's rotated elements the angle is p * f_i with
 * f_i = base^(-2i / rope_dims), changed by the scaling of the model:
 *
 *   LINEAR    f_i / factor
 *   FACTORS   f_i / factors[i]                                 (llama3: the file holds the factors)
 *   LONGROPE  1 / (factors[i] * base^(2i / rope_dims)), short or long ones; cos, sin * mscale
 *   YARN      between f_i (fast pairs) and f_i / factor (slow ones) by a ramp; cos, sin * mscale
 *             (Peng et al., YaRN, arXiv 2309.00071)
 *
 * Frequencies and angles are f32, rounded where transformers 4.57.1 (modeling_rope_utils.py) rounds
 * them: at position 50000 one unit in the last place of f_0 is an angle of 0.003.
 *
 * Rows are made for the positions of a step; a table of all positions would take 32 MiB at a
 * context of 131072.
 */
#ifndef PX_MODEL_ROPE_H
#define PX_MODEL_ROPE_H

#include "model/weights.h"

typedef struct px_rope {
    int32_t n;      // rope_dims / 2
    float *freq[2]; // [n] each: as px_layer_kind.rope_base; freq[1] NULL when no layer uses it
    float mscale;   // of freq[0]
} px_rope;

/* Longrope takes the long factors when the context may grow past the original one: transformers
 * chooses by the length of the sequence at hand, which would leave the keys already in the cache
 * rotated by the other set. Errors: MEMORY. */
pith_status px_rope_make(const px_hparams *hp, const px_weights *w, int64_t n_ctx, px_arena *arena,
                         px_rope *out, pith_error *err);

/* cos and sin: [n] each. */
void px_rope_row(const px_rope *rope, int base, int64_t position, float *cos, float *sin);

#endif

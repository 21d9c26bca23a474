/*
 * formats: decode and encode of every dtype that computes, as traits.c lists them. Contracts in
 * kern/traits.h, layouts in kern/blocks.h.
 */
#ifndef PX_KERN_REF_FORMATS_H
#define PX_KERN_REF_FORMATS_H

#include "kern/ref/fit.h"
#include "kern/traits.h"

/* id of px_dtype, name in functions, form of activations */
#define PX_FORMATS(X)                \
    X(PX_F32, f32, PX_ACT_F32)       \
    X(PX_F16, f16, PX_ACT_F32)       \
    X(PX_BF16, bf16, PX_ACT_F32)     \
    X(PX_Q8_0, q8_0, PX_ACT_Q8)      \
    X(PX_Q4_0, q4_0, PX_ACT_Q8)      \
    X(PX_Q4_1, q4_1, PX_ACT_Q8)      \
    X(PX_Q5_0, q5_0, PX_ACT_Q8)      \
    X(PX_Q5_1, q5_1, PX_ACT_Q8)      \
    X(PX_IQ4_NL, iq4_nl, PX_ACT_Q8)  \
    X(PX_MXFP4, mxfp4, PX_ACT_Q8)    \
    X(PX_Q2_K, q2_k, PX_ACT_Q8K)     \
    X(PX_Q3_K, q3_k, PX_ACT_Q8K)     \
    X(PX_Q4_K, q4_k, PX_ACT_Q8K)     \
    X(PX_Q5_K, q5_k, PX_ACT_Q8K)     \
    X(PX_Q6_K, q6_k, PX_ACT_Q8K)     \
    X(PX_IQ4_XS, iq4_xs, PX_ACT_Q8K) \
    X(PX_NF4, nf4, PX_ACT_F32)

#define PX_FORMAT_DECLARE(id, name, form)                                                 \
    void px_##name##_decode(const void *restrict blocks, float *restrict out, int64_t n); \
    void px_##name##_encode(const float *restrict in, void *restrict blocks, int64_t n,   \
                            const float *importance);
PX_FORMATS(PX_FORMAT_DECLARE)
#undef PX_FORMAT_DECLARE

/* Formats whose scales are searched for: encode with the searches of a level. encode itself uses
 * those of plain C. */
#define PX_FITTED(X)     \
    X(PX_Q8_0, q8_0)     \
    X(PX_Q4_0, q4_0)     \
    X(PX_Q4_1, q4_1)     \
    X(PX_Q5_0, q5_0)     \
    X(PX_Q5_1, q5_1)     \
    X(PX_IQ4_NL, iq4_nl) \
    X(PX_Q2_K, q2_k)     \
    X(PX_Q3_K, q3_k)     \
    X(PX_Q4_K, q4_k)     \
    X(PX_Q5_K, q5_k)     \
    X(PX_Q6_K, q6_k)     \
    X(PX_IQ4_XS, iq4_xs)

#define PX_FITTED_DECLARE(id, name)                                             \
    void px_##name##_encode_with(const px_fits *fits, const float *restrict in, \
                                 void *restrict blocks, int64_t n, const float *importance);
PX_FITTED(PX_FITTED_DECLARE)
#undef PX_FITTED_DECLARE

/* The scale 2^(e - 128) of an MXFP4 block. */
float px_mxfp4_scale(uint8_t e);

#endif

/*
 * formats: decode and encode of every dtype that computes, as traits.c lists them. Contracts in
 * kern/traits.h, layouts in kern/blocks.h.
 */
#ifndef PX_KERN_REF_FORMATS_H
#define PX_KERN_REF_FORMATS_H

#include "kern/traits.h"

/* id of px_dtype, name in functions */
#define PX_FORMATS(X) \
    X(PX_F32, f32)    \
    X(PX_F16, f16)    \
    X(PX_BF16, bf16)  \
    X(PX_Q8_0, q8_0)  \
    X(PX_Q4_0, q4_0)

#define PX_FORMAT_DECLARE(id, name)                                                       \
    void px_##name##_decode(const void *restrict blocks, float *restrict out, int64_t n); \
    void px_##name##_encode(const float *restrict in, void *restrict blocks, int64_t n,   \
                            const float *importance);
PX_FORMATS(PX_FORMAT_DECLARE)
#undef PX_FORMAT_DECLARE

#endif

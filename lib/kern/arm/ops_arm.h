/* ops_arm: names of all AArch64 kernels, for the tables. Contracts in kern/ops.h. */
#ifndef PX_KERN_ARM_OPS_ARM_H
#define PX_KERN_ARM_OPS_ARM_H

#include "kern/ops.h"
#include "kern/ref/codes.h"

/* Formats with whole-number codes: X32(id, name, it has an offset) for blocks of 32,
 * X256(id, name, it has minima) for super-blocks. */
#define PX_ARM_FORMATS(X32, X256) \
    X32(PX_Q8_0, q8_0, false)     \
    X32(PX_Q4_0, q4_0, false)     \
    X32(PX_Q4_1, q4_1, true)      \
    X32(PX_Q5_0, q5_0, false)     \
    X32(PX_Q5_1, q5_1, true)      \
    X32(PX_IQ4_NL, iq4_nl, false) \
    X32(PX_MXFP4, mxfp4, false)   \
    X256(PX_Q2_K, q2_k, true)     \
    X256(PX_Q3_K, q3_k, false)    \
    X256(PX_Q4_K, q4_k, true)     \
    X256(PX_Q5_K, q5_k, true)     \
    X256(PX_Q6_K, q6_k, false)    \
    X256(PX_IQ4_XS, iq4_xs, false)

/* Products of each, at each level; level i8mm adds tiles. */
#define PX_ARM_DECLARE(id, name)                                              \
    void px_neon_mul_##name(const px_mul *m, int64_t row0, int64_t row1);     \
    void px_neon_tile_##name(const px_mul *m, int64_t row0, int64_t row1);    \
    void px_dotprod_mul_##name(const px_mul *m, int64_t row0, int64_t row1);  \
    void px_dotprod_tile_##name(const px_mul *m, int64_t row0, int64_t row1); \
    void px_i8mm_tile_##name(const px_mul *m, int64_t row0, int64_t row1);
PX_UNPACKED(PX_ARM_DECLARE)
#undef PX_ARM_DECLARE

/* bf16 weights with bf16 activations. */
void px_i8mm_mul_bf16(const px_mul *m, int64_t row0, int64_t row1);
void px_i8mm_tile_bf16(const px_mul *m, int64_t row0, int64_t row1);

#endif

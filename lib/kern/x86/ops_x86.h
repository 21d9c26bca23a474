/* ops_x86: names of all x86 kernels, for the tables. Contracts in kern/ops.h. */
#ifndef PX_KERN_X86_OPS_X86_H
#define PX_KERN_X86_OPS_X86_H

#include "kern/ops.h"
#include "kern/ref/codes.h"

/* Products of every format with whole-number codes, at each level, of few and of many columns. */
#define PX_X86_DECLARE(id, name)                                             \
    void px_avx2_mul_##name(const px_mul *m, int64_t row0, int64_t row1);    \
    void px_avx2_tile_##name(const px_mul *m, int64_t row0, int64_t row1);   \
    void px_avx512_tile_##name(const px_mul *m, int64_t row0, int64_t row1); \
    void px_vnni_tile_##name(const px_mul *m, int64_t row0, int64_t row1);
PX_UNPACKED(PX_X86_DECLARE)
#undef PX_X86_DECLARE

/* Formats whose few columns are multiplied by vectors of 64 bytes where there are any. The others
 * (Q4_0, Q8_0, Q4_K, Q5_K, Q6_K) keep their kernels of 32 bytes, which bring more of memory's
 * speed: docs/kernels.md. */
#define PX_WIDE(X)       \
    X(PX_Q4_1, q4_1)     \
    X(PX_Q5_0, q5_0)     \
    X(PX_Q5_1, q5_1)     \
    X(PX_IQ4_NL, iq4_nl) \
    X(PX_MXFP4, mxfp4)   \
    X(PX_Q2_K, q2_k)     \
    X(PX_Q3_K, q3_k)     \
    X(PX_IQ4_XS, iq4_xs)

#define PX_X86_DECLARE(id, name)                                            \
    void px_avx512_mul_##name(const px_mul *m, int64_t row0, int64_t row1); \
    void px_vnni_mul_##name(const px_mul *m, int64_t row0, int64_t row1);
PX_WIDE(PX_X86_DECLARE)
#undef PX_X86_DECLARE

/* Of those that keep 32 bytes, the ones that VNNI makes faster. */
#define PX_NARROW(X) \
    X(PX_Q4_0, q4_0) \
    X(PX_Q4_K, q4_k) \
    X(PX_Q5_K, q5_k) \
    X(PX_Q6_K, q6_k)

#define PX_X86_DECLARE(id, name) \
    void px_vnni_mul_##name(const px_mul *m, int64_t row0, int64_t row1);
PX_NARROW(PX_X86_DECLARE)
#undef PX_X86_DECLARE

void px_avx2_mul_nf4(const px_mul *m, int64_t row0, int64_t row1);
void px_avx512_mul_nf4(const px_mul *m, int64_t row0, int64_t row1);

/* Float weights with bf16 activations, at level avx512bf16. */
void px_bf16_mul_bf16(const px_mul *m, int64_t row0, int64_t row1);
void px_bf16_mul_f16(const px_mul *m, int64_t row0, int64_t row1);
void px_bf16_tile_bf16(const px_mul *m, int64_t row0, int64_t row1);
void px_bf16_tile_f16(const px_mul *m, int64_t row0, int64_t row1);

void px_bf16_attention(const px_attn *a);

#endif

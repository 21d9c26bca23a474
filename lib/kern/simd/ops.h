/*
 * ops: names of the kernels that simd/ gives a level. Included after a vec header, which defines
 * LEVEL(name). Contracts in kern/ops.h.
 */
#ifndef PX_KERN_SIMD_OPS_H
#define PX_KERN_SIMD_OPS_H

#include "kern/ops.h"

/* rows.h */
void LEVEL(rms_norm)(const float *x, const float *w, float eps, float *y, int64_t n);
void LEVEL(silu_mul)(const float *gate, const float *up, float *y, int64_t n);
void LEVEL(gelu_mul)(const float *gate, const float *up, float *y, int64_t n);
void LEVEL(axpy)(float a, const float *x, float *y, int64_t n);
void LEVEL(rope_pairs)(float *x, const float *cosines, const float *sines, int64_t n_rot);
void LEVEL(rope_halves)(float *x, const float *cosines, const float *sines, int64_t n_rot);

/* pack.h */
void LEVEL(pack_bf16)(const float *x, int64_t x_stride, int64_t k, int64_t c0, int64_t c1,
                      void *out, size_t column_bytes);
void LEVEL(pack_q8)(const float *x, int64_t x_stride, int64_t k, int64_t c0, int64_t c1, void *out,
                    size_t column_bytes);
void LEVEL(pack_q8k)(const float *x, int64_t x_stride, int64_t k, int64_t c0, int64_t c1, void *out,
                     size_t column_bytes);
void LEVEL(store_f16)(const float *x, void *out, int64_t n);
void LEVEL(store_q8_0)(const float *x, void *out, int64_t n);
void LEVEL(decode_f16)(const void *restrict blocks, float *restrict out, int64_t n);
void LEVEL(decode_bf16)(const void *restrict blocks, float *restrict out, int64_t n);

/* decode.h: X(id, name) for the formats that it has */
#define PX_SIMD_DECODES(X) \
    X(PX_Q8_0, q8_0)       \
    X(PX_Q4_0, q4_0)       \
    X(PX_Q4_1, q4_1)       \
    X(PX_Q5_0, q5_0)       \
    X(PX_Q5_1, q5_1)       \
    X(PX_Q2_K, q2_k)       \
    X(PX_Q3_K, q3_k)       \
    X(PX_Q4_K, q4_k)       \
    X(PX_Q5_K, q5_k)       \
    X(PX_Q6_K, q6_k)       \
    X(PX_NF4, nf4)         \
    X(PX_IQ4_NL, iq4_nl)   \
    X(PX_MXFP4, mxfp4)     \
    X(PX_IQ4_XS, iq4_xs)
#define PX_SIMD_DECLARE(id, name) \
    void LEVEL(decode_##name)(const void *restrict blocks, float *restrict out, int64_t n);
PX_SIMD_DECODES(PX_SIMD_DECLARE)
#undef PX_SIMD_DECLARE

/* mul_float.h */
void LEVEL(mul_f32)(const px_mul *m, int64_t row0, int64_t row1);
void LEVEL(mul_f16)(const px_mul *m, int64_t row0, int64_t row1);
void LEVEL(mul_bf16)(const px_mul *m, int64_t row0, int64_t row1);

/* tile_float.h */
void LEVEL(tile_f32)(const px_mul *m, int64_t row0, int64_t row1);
void LEVEL(tile_f16)(const px_mul *m, int64_t row0, int64_t row1);
void LEVEL(tile_bf16)(const px_mul *m, int64_t row0, int64_t row1);
void LEVEL(tile_nf4)(const px_mul *m, int64_t row0, int64_t row1);

/* attention.h */
void LEVEL(attention)(const px_attn *a);
/* Rows [r0, r0 + n) of it, row r being head r % group of token r / group: any number, made for few.
 */
void LEVEL(attention_few)(const px_attn *a, int64_t r0, int64_t n);

#endif

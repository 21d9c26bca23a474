/*
 * ops: the plain C kernels, which define every op of the table. Contracts in kern/ops.h.
 *
 * Sums that matter are in double; libm's expf, tanh and the like are used as they are.
 */
#ifndef PX_KERN_REF_OPS_H
#define PX_KERN_REF_OPS_H

#include "kern/ops.h"
#include "kern/ref/rope.h"

void px_ref_mul_f32(const px_mul *m, int64_t row0, int64_t row1); // float weights and NF4
void px_ref_mul_q8(const px_mul *m, int64_t row0, int64_t row1);  // blocks of 32
void px_ref_mul_q8k(const px_mul *m, int64_t row0, int64_t row1); // super-blocks

void px_ref_pack_f32(const float *x, int64_t x_stride, int64_t k, int64_t c0, int64_t c1, void *out,
                     size_t column_bytes);
void px_ref_pack_bf16(const float *x, int64_t x_stride, int64_t k, int64_t c0, int64_t c1,
                      void *out, size_t column_bytes);
void px_ref_pack_q8(const float *x, int64_t x_stride, int64_t k, int64_t c0, int64_t c1, void *out,
                    size_t column_bytes);
void px_ref_pack_q8k(const float *x, int64_t x_stride, int64_t k, int64_t c0, int64_t c1, void *out,
                     size_t column_bytes);

void px_ref_rms_norm(const float *x, const float *w, float eps, float *y, int64_t n);
void px_ref_silu_mul(const float *gate, const float *up, float *y, int64_t n);
void px_ref_gelu_mul(const float *gate, const float *up, float *y, int64_t n);
void px_ref_axpy(float a, const float *x, float *y, int64_t n);
void px_ref_store_f32(const float *x, void *out, int64_t n);
void px_ref_store_f16(const float *x, void *out, int64_t n);
void px_ref_store_q8_0(const float *x, void *out, int64_t n);

void px_ref_attention(const px_attn *a);

#endif

/*
 * grad: names of the kernels of training that simd/ gives a level. Included after GRAD(name) is
 * defined. Contracts in kern/grad.h.
 */
#ifndef PX_KERN_SIMD_GRAD_H
#define PX_KERN_SIMD_GRAD_H

#include "kern/grad.h"

enum { GRAD_SCRATCH = 512 << 10 }; // of products, each member's

#endif

/* grad_mul.h */
void GRAD(forward)(const px_grad_mul *m, int64_t first, int64_t end);
void GRAD(back)(const px_grad_mul *m, int64_t first, int64_t end);

/* grad_gemm.h */
void GRAD(gemm_nt)(const px_gemm *g, int64_t first, int64_t end);
void GRAD(gemm_nn)(const px_gemm *g, int64_t first, int64_t end);
void GRAD(gemm_tn)(const px_gemm *g, int64_t first, int64_t end);

/* grad_attention.h */
void GRAD(attention)(const px_grad_attn *a);
void GRAD(attention_back)(const px_grad_attn *a);

/* grad_rows.h */
void GRAD(norm_back)(const float *x, const float *w, float eps, const float *dy, float *dx,
                     float *dw, int64_t n);
void GRAD(silu_back)(const float *gate, const float *up, const float *dy, float *dgate, float *dup,
                     int64_t n);
void GRAD(gelu_back)(const float *gate, const float *up, const float *dy, float *dgate, float *dup,
                     int64_t n);
double GRAD(loss)(float *x, int64_t n, int32_t target, float cap, float scale);

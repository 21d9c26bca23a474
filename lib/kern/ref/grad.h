/*
 * grad: the plain C kernels of training, which define every op of px_grad. Contracts in
 * kern/grad.h. All sums are in double, whatever px_real is.
 */
#ifndef PX_KERN_REF_GRAD_H
#define PX_KERN_REF_GRAD_H

#include "kern/grad.h"

#define PX_REF_GRAD(name) PX_REAL_NAME(px_ref_grad_##name)

void PX_REF_GRAD(forward)(const px_grad_mul *m, int64_t first, int64_t end);
void PX_REF_GRAD(back)(const px_grad_mul *m, int64_t first, int64_t end);
void PX_REF_GRAD(gemm_nt)(const px_gemm *g, int64_t first, int64_t end);
void PX_REF_GRAD(gemm_nn)(const px_gemm *g, int64_t first, int64_t end);
void PX_REF_GRAD(gemm_tn)(const px_gemm *g, int64_t first, int64_t end);
void PX_REF_GRAD(attention)(const px_grad_attn *a);
void PX_REF_GRAD(attention_back)(const px_grad_attn *a);
void PX_REF_GRAD(norm_back)(const px_real *x, const px_real *w, px_real eps, const px_real *dy,
                            px_real *dx, px_real *dw, int64_t n);
void PX_REF_GRAD(silu_back)(const px_real *gate, const px_real *up, const px_real *dy,
                            px_real *dgate, px_real *dup, int64_t n);
void PX_REF_GRAD(gelu_back)(const px_real *gate, const px_real *up, const px_real *dy,
                            px_real *dgate, px_real *dup, int64_t n);
double PX_REF_GRAD(loss)(px_real *x, int64_t n, int32_t target, px_real cap, px_real scale);

#endif

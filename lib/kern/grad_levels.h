/*
 * grad_levels: one function a level that writes its kernels of training over those of the levels
 * below (grad.c).
 */
#ifndef PX_KERN_GRAD_LEVELS_H
#define PX_KERN_GRAD_LEVELS_H

#include "kern/grad.h"

void px_grad_add_ref(px_grad *grad);

#if defined(__x86_64__)
void px_grad_add_avx2(px_grad *grad);
void px_grad_add_avx512(px_grad *grad);
void px_grad_add_bf16(px_grad *grad);
#endif

#endif

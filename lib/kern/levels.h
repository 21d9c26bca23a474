/*
 * levels: one function a level that writes its kernels over those of the levels below. Only levels
 * that this build has are called; each lives in the folder of its architecture.
 */
#ifndef PX_KERN_LEVELS_H
#define PX_KERN_LEVELS_H

#include "kern/ops.h"

void px_kern_add_ref(px_kern *kern);

#if defined(__x86_64__)
void px_kern_add_avx2(px_kern *kern);
void px_kern_add_avx512(px_kern *kern);
void px_kern_add_vnni(px_kern *kern);
void px_kern_add_bf16(px_kern *kern);
#elif defined(__aarch64__)
void px_kern_add_neon(px_kern *kern);
void px_kern_add_dotprod(px_kern *kern);
void px_kern_add_i8mm(px_kern *kern);
#endif

#endif

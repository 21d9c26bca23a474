/* grad_mul_avx512: the products of simd/grad_mul.h for this instruction set, in f32. */
#include "kern/x86/vec_avx512.h"

#define GRAD(name) px_avx512_grad_##name
#include "kern/simd/grad.h"
#include "kern/x86/grad_decode.h"

#define grad_decode px_avx512_grad_decode
#include "kern/simd/grad_mul.h"

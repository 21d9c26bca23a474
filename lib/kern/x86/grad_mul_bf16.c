/* grad_mul_bf16: the products of simd/grad_mul.h by the bf16 dot product. */
#include "kern/x86/pairs_bf16.h"

#define GRAD(name) px_bf16_grad_##name
#include "kern/simd/grad.h"
#include "kern/x86/grad_decode.h"

#define grad_decode px_avx512_grad_decode
#include "kern/simd/grad_mul.h"

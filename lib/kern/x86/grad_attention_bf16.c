/* grad_attention_bf16: the kernels of simd/grad_attention.h by the bf16 dot product. */
#include "kern/x86/pairs_bf16.h"

#define GRAD(name) px_bf16_grad_##name
#include "kern/simd/grad.h"
#include "kern/simd/grad_attention.h"

/* grad_gemm_bf16: the products of simd/grad_gemm.h by the bf16 dot product; of them only tn is in
 * the table, for gradients of whole weights. */
#include "kern/x86/pairs_bf16.h"

#define GRAD(name) px_bf16_grad_##name
#include "kern/simd/grad.h"
#include "kern/simd/grad_gemm.h"

/* grad_rows_avx512: the kernels of simd/grad_rows.h for this instruction set. */
#include "kern/x86/vec_avx512.h"

#define GRAD(name) px_avx512_grad_##name
#include "kern/simd/grad.h"
#include "kern/simd/grad_rows.h"

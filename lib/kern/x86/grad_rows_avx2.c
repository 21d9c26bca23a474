/* grad_rows_avx2: the kernels of simd/grad_rows.h for this instruction set. */
#include "kern/x86/vec_avx2.h"

#define GRAD(name) px_avx2_grad_##name
#include "kern/simd/grad.h"
#include "kern/simd/grad_rows.h"

/* rows_avx2: the kernels of simd/rows.h for this instruction set. */
#include "kern/x86/vec_avx2.h"

#include "kern/simd/rows.h"

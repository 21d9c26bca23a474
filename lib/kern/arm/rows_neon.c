/* rows_neon: the kernels of simd/rows.h for this instruction set. */
#include "kern/arm/vec_neon.h"

#include "kern/simd/rows.h"

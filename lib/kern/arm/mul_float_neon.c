/* mul_float_neon: the kernels of simd/mul_float.h for this instruction set. */
#include "kern/arm/vec_neon.h"

#include "kern/simd/mul_float.h"

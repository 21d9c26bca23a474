/* mul_float_avx512: the kernels of simd/mul_float.h for this instruction set. */
#include "kern/x86/vec_avx512.h"

#include "kern/simd/mul_float.h"

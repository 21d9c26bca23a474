/* pack_avx512: the kernels of simd/pack.h for this instruction set. */
#include "kern/x86/vec_avx512.h"

#include "kern/simd/pack.h"

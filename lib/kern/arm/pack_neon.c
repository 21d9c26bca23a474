/* pack_neon: the kernels of simd/pack.h for this instruction set. */
#include "kern/arm/vec_neon.h"

#include "kern/simd/pack.h"

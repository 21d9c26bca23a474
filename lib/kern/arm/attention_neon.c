/* attention_neon: the kernels of simd/attention.h for this instruction set. */
#include "kern/arm/vec_neon.h"

#include "kern/simd/attention.h"

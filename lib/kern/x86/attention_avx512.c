/* attention_avx512: the kernels of simd/attention.h for this instruction set. */
#include "kern/x86/vec_avx512.h"

#include "kern/simd/attention.h"

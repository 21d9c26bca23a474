/* attention_avx2: the kernels of simd/attention.h for this instruction set. */
#include "kern/x86/vec_avx2.h"

#include "kern/simd/attention.h"

/* fit_avx2: the searches of simd/fit.h for this instruction set. */
#include "kern/x86/vec_avx2.h"

#include "kern/simd/fit.h"

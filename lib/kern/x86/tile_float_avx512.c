/* tile_float_avx512: the kernels of simd/tile_float.h for this instruction set. */
#include "kern/x86/vec_avx512.h"

#include "kern/simd/tile_float.h"

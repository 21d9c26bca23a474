/* tile_float_neon: the kernels of simd/tile_float.h for this instruction set. */
#include "kern/arm/vec_neon.h"

#include "kern/simd/tile_float.h"

/* ops_x86: names of all x86 kernels, for the tables. */
#ifndef PX_KERN_X86_OPS_X86_H
#define PX_KERN_X86_OPS_X86_H

#define LEVEL(name) px_avx2_##name
#include "kern/simd/ops.h"
#undef LEVEL
#undef PX_KERN_SIMD_OPS_H
#define LEVEL(name) px_avx512_##name
#include "kern/simd/ops.h"
#undef LEVEL

#endif

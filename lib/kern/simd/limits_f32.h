/* limits_f32: fused multiply-adds, over the names of a vec header, which is included first. */
#ifndef PX_KERN_SIMD_LIMITS_F32_H
#define PX_KERN_SIMD_LIMITS_F32_H

#include "kern/limits.h"

/* Two a cycle with a latency of five keep ten busy; AVX2 has 16 registers. */
enum { LIMIT_SUMS = 12, LIMIT_F32_OPS = LIMIT_SUMS * VF_N * 2 };

static float limit_f32(float a, float b, int64_t rounds)
{
    const vf va = vf_all(a), vb = vf_all(b);
    vf x[LIMIT_SUMS];
    for (int i = 0; i < LIMIT_SUMS; i++)
        x[i] = vf_all((float)i);
    for (int64_t r = 0; r < rounds; r++) {
        _Pragma("GCC unroll 12") for (int i = 0; i < LIMIT_SUMS; i++)
        {
            x[i] = vf_fma(va, x[i], vb);
        }
    }
    vf sum = vf_zero();
    for (int i = 0; i < LIMIT_SUMS; i++)
        sum = vf_add(sum, x[i]);
    return vf_sum(sum) / (LIMIT_SUMS * VF_N);
}

#endif

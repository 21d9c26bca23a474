/*
 * pairs_bf16: pairs of bf16 as the units of a reduction (kern/simd/panel.h), for level avx512bf16:
 * f32 rounded to nearest even, two to a lane. The dot product counts bf16 below 2^-126 as zero, and
 * so does the conversion.
 *
 * Static inline: included in files compiled for that level, after vec_avx512.h.
 */
#ifndef PX_KERN_X86_PAIRS_BF16_H
#define PX_KERN_X86_PAIRS_BF16_H

#include "kern/x86/vec_avx512.h"

#define PANEL_PAIRS

#ifndef INLINE
#define INLINE static inline __attribute__((always_inline))
#endif

enum { UNIT = 2 }; // values

/* sum[i] += a[2 i] b[2 i] + a[2 i + 1] b[2 i + 1] */
INLINE vf unit_dot(vf sum, vf a, vf b)
{
    return _mm512_dpbf16_ps(sum, (__m512bh)_mm512_castps_si512(a),
                            (__m512bh)_mm512_castps_si512(b));
}

/* 32 values as 16 pairs: those of `low` first. */
INLINE vf pairs_of(vf low, vf high)
{
    return _mm512_castsi512_ps((__m512i)_mm512_cvtne2ps_pbh(high, low));
}

/* Values of `low` in the lower halves of the lanes, of `high` in the upper ones. */
INLINE vf pair_lanes(vf low, vf high)
{
    static const uint16_t LANES[32] __attribute__((aligned(64))) = {
        0, 16, 1, 17, 2,  18, 3,  19, 4,  20, 5,  21, 6,  22, 7,  23,
        8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31};
    const __m512i both = (__m512i)_mm512_cvtne2ps_pbh(high, low);
    return _mm512_castsi512_ps(_mm512_permutexvar_epi16(_mm512_load_si512(LANES), both));
}

/* The rest of what panel.h asks of units. */
INLINE vf unit_row(const float *p, int64_t n)
{
    if (n >= 2 * VF_N)
        return pairs_of(vf_load(p), vf_load(p + VF_N));
    if (n > VF_N)
        return pairs_of(vf_load(p), vf_load_part(p + VF_N, n - VF_N));
    return pairs_of(n == VF_N ? vf_load(p) : vf_load_part(p, n), vf_zero());
}

INLINE vf unit_lanes(vf low, vf high)
{
    return pair_lanes(low, high);
}

#endif

/* mul_q8_vnni: mul_q8_avx512.h with VNNI: four products at once, codes unsigned. */
#include <immintrin.h>

#define LEVEL(name) px_vnni_##name

enum { CODE_SHIFT = 128 };

static inline __attribute__((always_inline)) __m512i dot_signed(__m512i q, __m512i x)
{
    return _mm512_dpbusd_epi32(_mm512_setzero_si512(), q, x);
}

static inline __attribute__((always_inline)) __m512i dot_small(__m512i start, __m512i a, __m512i xa,
                                                               __m512i b, __m512i xb)
{
    return _mm512_dpbusd_epi32(_mm512_dpbusd_epi32(start, a, xa), b, xb);
}

#include "kern/x86/mul_q8_avx512.h"

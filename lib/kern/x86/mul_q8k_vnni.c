/* mul_q8k_vnni: mul_q8k_avx512.h with VNNI: sums of dots in one instruction, codes unsigned. */
#include <immintrin.h>

#define LEVEL(name) px_vnni_##name

enum { CODE_SHIFT = 128 };

static inline __attribute__((always_inline)) __m512i add_dot16(__m512i sum, __m512i a, __m512i b)
{
    return _mm512_dpwssd_epi32(sum, a, b);
}

static inline __attribute__((always_inline)) __m512i dot_codes(__m512i q, __m512i x)
{
    return _mm512_dpbusd_epi32(_mm512_setzero_si512(), q, x);
}

#include "kern/x86/mul_q8k_avx512.h"

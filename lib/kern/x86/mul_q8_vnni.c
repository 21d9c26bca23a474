/* mul_q8_vnni: mul_q8_avx512.h with VNNI: four products at once. */
#include <immintrin.h>

#define LEVEL(name) px_vnni_##name

static inline __attribute__((always_inline)) __m512i dot64(__m512i a, __m512i b)
{
    return _mm512_dpbusd_epi32(_mm512_setzero_si512(), a, b);
}

#include "kern/x86/mul_q8_avx512.h"

/* mul_q8_avx512: mul_q8_avx512.h without VNNI: pairs in 16 bits first. */
#include <immintrin.h>

#define LEVEL(name) px_avx512_##name

static inline __attribute__((always_inline)) __m512i dot64(__m512i a, __m512i b)
{
    return _mm512_madd_epi16(_mm512_maddubs_epi16(a, b), _mm512_set1_epi16(1));
}

#include "kern/x86/mul_q8_avx512.h"

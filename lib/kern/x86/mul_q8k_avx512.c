/* mul_q8k_avx512: mul_q8k_avx512.h without VNNI. */
#include <immintrin.h>

#define LEVEL(name) px_avx512_##name

static inline __attribute__((always_inline)) __m512i add_dot16(__m512i sum, __m512i a, __m512i b)
{
    return _mm512_add_epi32(sum, _mm512_madd_epi16(a, b));
}

#include "kern/x86/mul_q8k_avx512.h"

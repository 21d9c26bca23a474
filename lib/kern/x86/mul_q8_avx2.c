/* mul_q8_avx2: mul_q8_256.h with AVX2, every format. */
#include <immintrin.h>

#define LEVEL(name) px_avx2_##name

/* Two pairs of products stay below 2^15: 31 * 127 * 4. */
static inline __attribute__((always_inline)) __m256i dot_small(__m256i start, __m256i a, __m256i xa,
                                                               __m256i b, __m256i xb)
{
    const __m256i pairs =
        _mm256_add_epi16(_mm256_maddubs_epi16(a, xa), _mm256_maddubs_epi16(b, xb));
    return _mm256_add_epi32(_mm256_madd_epi16(pairs, _mm256_set1_epi16(1)), start);
}

#include "kern/x86/mul_q8_256.h"

MUL(PX_Q8_0, q8_0, false, 0, true, false, codes_q8_0, eight_f16)
MUL(PX_Q4_0, q4_0, true, 8, false, false, codes_q4_0, eight_f16)
MUL(PX_Q4_1, q4_1, true, 0, false, true, codes_q4_1, eight_f16)
MUL(PX_Q5_0, q5_0, true, 16, false, false, codes_q5_0, eight_f16)
MUL(PX_Q5_1, q5_1, true, 0, false, true, codes_q5_1, eight_f16)
MUL(PX_IQ4_NL, iq4_nl, true, 0, true, false, codes_iq4_nl, eight_f16)
MUL(PX_MXFP4, mxfp4, true, 12, false, false, codes_mxfp4, eight_mxfp4)

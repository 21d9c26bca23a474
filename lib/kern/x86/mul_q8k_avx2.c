/* mul_q8k_avx2: mul_q8k_256.h with AVX2, every format. */
#include <immintrin.h>

#define LEVEL(name) px_avx2_##name

static inline __attribute__((always_inline)) __m256i add_dot16(__m256i sum, __m256i a, __m256i b)
{
    return _mm256_add_epi32(sum, _mm256_madd_epi16(a, b));
}

static inline __attribute__((always_inline)) __m256i or_masked(__m256i a, __m256i b, __m256i mask)
{
    return _mm256_or_si256(a, _mm256_and_si256(b, mask));
}

#include "kern/x86/mul_q8k_256.h"

MUL(PX_Q2_K, q2_k, true, true, false, -1, head_q2_k, codes_q2_k)
MUL(PX_Q3_K, q3_k, true, false, false, 2, head_q3_k, codes_q3_k)
MUL(PX_Q4_K, q4_k, false, true, false, -1, head_6, codes_q4_k)
MUL(PX_Q5_K, q5_k, false, true, false, -1, head_6, codes_q5_k)
MUL(PX_Q6_K, q6_k, true, false, false, 5, head_q6_k, codes_q6_k)
MUL(PX_IQ4_XS, iq4_xs, false, false, true, -1, head_iq4_xs, codes_iq4_xs)

/* mul_q8k_vnni256: mul_q8k_256.h with VNNI, for the formats that keep vectors of 32 bytes at every
 * level (PX_NARROW in ops_x86.h). */
#include <immintrin.h>

#define LEVEL(name) px_vnni_##name

static inline __attribute__((always_inline)) __m256i add_dot16(__m256i sum, __m256i a, __m256i b)
{
    return _mm256_dpwssd_epi32(sum, a, b);
}

static inline __attribute__((always_inline)) __m256i or_masked(__m256i a, __m256i b, __m256i mask)
{
    return _mm256_ternarylogic_epi32(a, b, mask, 0xf8);
}

#include "kern/x86/mul_q8k_256.h"

MUL(PX_Q4_K, q4_k, false, true, false, -1, head_6, codes_q4_k)
MUL(PX_Q5_K, q5_k, false, true, false, -1, head_6, codes_q5_k)
MUL(PX_Q6_K, q6_k, true, false, false, 5, head_q6_k, codes_q6_k)

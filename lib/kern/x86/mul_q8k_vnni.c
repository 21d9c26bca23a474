/* mul_q8k_vnni: mul_q8k_avx512.h with VNNI: product and sum in one instruction. */
#include <immintrin.h>

#define LEVEL(name) px_vnni_##name

static inline __attribute__((always_inline)) __m512i add_dot16(__m512i sum, __m512i a, __m512i b)
{
    return _mm512_dpwssd_epi32(sum, a, b);
}

#include "kern/x86/mul_q8k_avx512.h"

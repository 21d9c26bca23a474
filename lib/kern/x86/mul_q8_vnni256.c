/* mul_q8_vnni256: mul_q8_256.h with VNNI, for the formats that keep vectors of 32 bytes at every
 * level (PX_NARROW in ops_x86.h). */
#include <immintrin.h>

#define LEVEL(name) px_vnni_##name

static inline __attribute__((always_inline)) __m256i dot_small(__m256i start, __m256i a, __m256i xa,
                                                               __m256i b, __m256i xb)
{
    return _mm256_dpbusd_epi32(_mm256_dpbusd_epi32(start, a, xa), b, xb);
}

#include "kern/x86/mul_q8_256.h"

MUL(PX_Q4_0, q4_0, true, 8, false, false, codes_q4_0, eight_f16)

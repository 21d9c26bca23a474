/* decode_avx512: the kernels of simd/decode.h for this instruction set. */
#include "kern/x86/vec_avx512.h"

/* table[q[i]] */
static inline vf decode_look_up(const float *table, const uint8_t *q)
{
    const __m512i at = _mm512_cvtepu8_epi32(_mm_loadu_si128((const void *)q));
    return _mm512_permutexvar_ps(at, _mm512_loadu_ps(table));
}

#include "kern/simd/decode.h"

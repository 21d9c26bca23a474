/* decode_avx512: the kernels of simd/decode.h for this instruction set. */
#include "kern/x86/vec_avx512.h"

/* table[q[i]] */
static inline vf decode_look_up(const float *table, const uint8_t *q)
{
    const __m512i at = _mm512_cvtepu8_epi32(_mm_loadu_si128((const void *)q));
    return _mm512_permutexvar_ps(at, _mm512_loadu_ps(table));
}

static inline void decode_look_up16(const int8_t *table, const uint8_t *q, int8_t *out)
{
    const __m128i all = _mm_loadu_si128((const void *)table);
    _mm_storeu_si128((void *)out, _mm_shuffle_epi8(all, _mm_loadu_si128((const void *)q)));
}

#include "kern/simd/decode.h"

/* decode_avx2: the kernels of simd/decode.h for this instruction set. */
#include "kern/x86/vec_avx2.h"

/* table[q[i]]: both halves of the table are looked up, bit 3 tells which counts */
static inline vf decode_look_up(const float *table, const uint8_t *q)
{
    const __m256i at = _mm256_cvtepu8_epi32(_mm_loadl_epi64((const void *)q));
    const __m256 low = _mm256_permutevar8x32_ps(_mm256_loadu_ps(table), at);
    const __m256 high = _mm256_permutevar8x32_ps(_mm256_loadu_ps(table + 8), at);
    return _mm256_blendv_ps(low, high, _mm256_castsi256_ps(_mm256_slli_epi32(at, 28)));
}

static inline void decode_look_up16(const int8_t *table, const uint8_t *q, int8_t *out)
{
    const __m128i all = _mm_loadu_si128((const void *)table);
    _mm_storeu_si128((void *)out, _mm_shuffle_epi8(all, _mm_loadu_si128((const void *)q)));
}

#include "kern/simd/decode.h"

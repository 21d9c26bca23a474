/*
 * mul_nf4_avx2: NF4 weights times f32 activations, few columns: codes to f32 by look-ups in the two
 * halves of the table, 8 at a time. The codes of a block of 64 are summed with their activations
 * first and then meet the scale of the block, one row at a time in one straight line through
 * memory.
 */
#include "kern/act.h"
#include "kern/x86/ops_x86.h"
#include "kern/x86/unpack_avx2.h"

enum { BLOCKS = 4, LINE = 64, AHEAD = 2048 }; // blocks of 64 in a super-block

/* Eight codes in dwords to their values: bit 3 chooses the half of the table. */
INLINE __m256 values8(__m256i q, __m256 low, __m256 high)
{
    return _mm256_blendv_ps(_mm256_permutevar8x32_ps(low, q), _mm256_permutevar8x32_ps(high, q),
                            _mm256_castsi256_ps(_mm256_slli_epi32(q, 28)));
}

/* 16 codes times their activations: high half of a byte first. */
INLINE __m256 add16(__m256 sum, const uint8_t *qs, const float *x, __m256 low, __m256 high)
{
    const __m128i raw = _mm_loadl_epi64((const void *)qs);
    const __m128i nibble = _mm_set1_epi8(15);
    const __m128i q = _mm_unpacklo_epi8(_mm_and_si128(_mm_srli_epi16(raw, 4), nibble),
                                        _mm_and_si128(raw, nibble));
    const __m256 a = values8(_mm256_cvtepu8_epi32(q), low, high);
    const __m256 b = values8(_mm256_cvtepu8_epi32(_mm_unpackhi_epi64(q, q)), low, high);
    sum = _mm256_fmadd_ps(a, _mm256_loadu_ps(x), sum);
    return _mm256_fmadd_ps(b, _mm256_loadu_ps(x + 8), sum);
}

INLINE float sum8(__m256 a)
{
    __m128 s = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    s = _mm_add_ps(s, _mm_movehl_ps(s, s));
    return _mm_cvtss_f32(_mm_add_ss(s, _mm_movehdup_ps(s)));
}

static float product(const uint8_t *w, const float *x, int64_t k)
{
    const __m256 low = _mm256_loadu_ps(px_nf4_codes), high = _mm256_loadu_ps(px_nf4_codes + 8);
    const px_nf4 *b = (const void *)w;
    __m256 sum = _mm256_setzero_ps();
    for (int64_t i = 0; i < k; i += PX_NF4_VALUES, b++) {
        const float scale = px_load_f32(b->scale), offset = px_load_f32(b->offset);
        for (int at = 0; at < PX_NF4_BYTES; at += LINE)
            _mm_prefetch((const char *)b + AHEAD + at, _MM_HINT_T0);
#pragma GCC unroll 4
        for (int s = 0; s < BLOCKS; s++) {
            const float most = px_nf4_scale_codes[b->codes[s]] * scale + offset;
            __m256 part = _mm256_setzero_ps();
#pragma GCC unroll 4
            for (int j = 0; j < 4; j++)
                part = add16(part, b->qs + 32 * s + 8 * j, x + i + 64 * s + 16 * j, low, high);
            sum = _mm256_fmadd_ps(part, _mm256_set1_ps(most), sum);
        }
    }
    return sum8(sum);
}

void px_avx2_mul_nf4(const px_mul *m, int64_t row0, int64_t row1)
{
    for (int64_t r = row0; r < row1; r++)
        for (int64_t c = 0; c < m->x->n; c++)
            m->y[c * m->y_stride + r] =
                product(m->w + (size_t)r * m->row_bytes,
                        (const float *)(const void *)px_act_column(m->x, c), m->x->k);
}

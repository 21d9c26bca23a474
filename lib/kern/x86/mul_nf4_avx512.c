/*
 * mul_nf4_avx512: NF4 weights times f32 activations, few columns: codes to f32 by one register
 * look-up, 16 at a time. The codes of a block of 64 are summed with their activations first and
 * then meet the scale of the block, one row at a time in one straight line through memory.
 */
#include "kern/act.h"
#include "kern/x86/ops_x86.h"
#include "kern/x86/unpack_avx2.h"

enum { BLOCKS = 4, LINE = 64, AHEAD = 2048 }; // blocks of 64 in a super-block

/* 64 codes in the order of their values: high half of a byte first. */
INLINE __m512i codes64(const uint8_t *qs)
{
    const __m512i words = _mm512_cvtepu8_epi16(load256(qs));
    const __m512i both = _mm512_or_si512(_mm512_srli_epi16(words, 4), _mm512_slli_epi16(words, 8));
    return _mm512_and_si512(both, _mm512_set1_epi8(15));
}

/* Codes of one block times their activations. */
INLINE __m512 dot64(const uint8_t *qs, const float *x, __m512 table)
{
    const __m512i q = codes64(qs);
    const __m128i four[4] = {_mm512_castsi512_si128(q), _mm512_extracti32x4_epi32(q, 1),
                             _mm512_extracti32x4_epi32(q, 2), _mm512_extracti32x4_epi32(q, 3)};
    __m512 sum = _mm512_setzero_ps();
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
        const __m512 w = _mm512_permutexvar_ps(_mm512_cvtepu8_epi32(four[i]), table);
        sum = _mm512_fmadd_ps(w, _mm512_loadu_ps(x + 16 * i), sum);
    }
    return sum;
}

static float product(const uint8_t *w, const float *x, int64_t k)
{
    const __m512 table = _mm512_loadu_ps(px_nf4_codes);
    const px_nf4 *b = (const void *)w;
    __m512 sum = _mm512_setzero_ps();
    for (int64_t i = 0; i < k; i += PX_NF4_VALUES, b++) {
        const float scale = px_load_f32(b->scale), offset = px_load_f32(b->offset);
        for (int at = 0; at < PX_NF4_BYTES; at += LINE)
            _mm_prefetch((const char *)b + AHEAD + at, _MM_HINT_T0);
#pragma GCC unroll 4
        for (int s = 0; s < BLOCKS; s++) {
            const float most = px_nf4_scale_codes[b->codes[s]] * scale + offset;
            sum = _mm512_fmadd_ps(dot64(b->qs + 32 * s, x + i + 64 * s, table),
                                  _mm512_set1_ps(most), sum);
        }
    }
    return _mm512_reduce_add_ps(sum);
}

void px_avx512_mul_nf4(const px_mul *m, int64_t row0, int64_t row1)
{
    for (int64_t r = row0; r < row1; r++)
        for (int64_t c = 0; c < m->x->n; c++)
            m->y[c * m->y_stride + r] =
                product(m->w + (size_t)r * m->row_bytes,
                        (const float *)(const void *)px_act_column(m->x, c), m->x->k);
}

/*
 * mul_q8k_avx512: super-blocks of 256 codes times Q8K activations, 64 codes a vector. Included once
 * for each level of AVX-512, which defines LEVEL and add_dot16(sum, a, b): sum plus products of
 * 16-bit pairs in 32 lanes.
 *
 * As mul_q8k_avx2: maddubs to 16 bits, then products with the scale of each 16 values, which a
 * permutation spreads from 16 numbers to 32 lanes.
 */
#include "kern/act.h"
#include "kern/x86/ops_x86.h"
#include "kern/x86/unpack_avx2.h"

enum { COLS = 4 };

typedef void (*unpack_fn)(const void *block, codes256 *out);

/* A super-block in the form in which it is multiplied. */
typedef struct weights {
    __m512i q[4]; // |q| where codes are signed
    __m512i scales[4];
    __mmask64 negative[4];
    __m256i minima;
    float d, dmin;
} weights;

INLINE void prepare(const void *block, unpack_fn unpack, const bool is_signed, const bool minima,
                    weights *w)
{
    // scale 4 i + l / 8 for lane l of vector i
    static const int16_t PLACE[32] = {0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1,
                                      2, 2, 2, 2, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3, 3};
    codes256 c;
    unpack(block, &c);
    const __m512i all = _mm512_castsi256_si512(load256(c.sc));
    const __m512i place = _mm512_loadu_si512(PLACE);
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
        const __m512i q = _mm512_inserti64x4(_mm512_castsi256_si512(c.q[2 * i]), c.q[2 * i + 1], 1);
        const __m512i from = _mm512_add_epi16(place, _mm512_set1_epi16((short)(4 * i)));
        w->scales[i] = _mm512_permutexvar_epi16(from, all);
        w->q[i] = is_signed ? _mm512_abs_epi8(q) : q;
        w->negative[i] = is_signed ? _mm512_movepi8_mask(q) : 0;
    }
    if (minima) {
        w->minima = load256(c.mn);
        w->dmin = c.dmin;
    }
    w->d = c.d;
}

INLINE __m512i dot256(const weights *w, const int8_t *x, const bool is_signed)
{
    __m512i sum = _mm512_setzero_si512();
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
        __m512i a = _mm512_loadu_si512(x + 64 * i);
        if (is_signed)
            a = _mm512_mask_sub_epi8(a, w->negative[i], _mm512_setzero_si512(), a);
        sum = add_dot16(sum, _mm512_maddubs_epi16(w->q[i], a), w->scales[i]);
    }
    return sum;
}

INLINE float sum16(__m512 a)
{
    const __m256 h = _mm256_add_ps(_mm512_castps512_ps256(a), _mm512_extractf32x8_ps(a, 1));
    __m128 s = _mm_add_ps(_mm256_castps256_ps128(h), _mm256_extractf128_ps(h, 1));
    s = _mm_add_ps(s, _mm_movehl_ps(s, s));
    return _mm_cvtss_f32(_mm_add_ss(s, _mm_movehdup_ps(s)));
}

INLINE void block(const px_mul *m, int64_t r, int64_t c, const int cols, const int64_t block_bytes,
                  const bool is_signed, const bool minima, unpack_fn unpack)
{
    const int64_t n_blocks = m->x->k / PX_Q8K_BLOCK;
    const uint8_t *row = m->w + (size_t)r * m->row_bytes;
    px_q8k_column x[COLS];
    __m512 sum[COLS];
#pragma GCC unroll 4
    for (int j = 0; j < cols; j++) {
        x[j] = px_q8k_column_of(m->x, c + j);
        sum[j] = _mm512_setzero_ps();
    }
    for (int64_t b = 0; b < n_blocks; b++) {
        weights w;
        prepare(row + b * block_bytes, unpack, is_signed, minima, &w);
#pragma GCC unroll 4
        for (int j = 0; j < cols; j++) {
            const __m512i whole = dot256(&w, x[j].q + b * PX_Q8K_BLOCK, is_signed);
            const float d = x[j].d[b];
            sum[j] = _mm512_fmadd_ps(_mm512_set1_ps(w.d * d), _mm512_cvtepi32_ps(whole), sum[j]);
            if (minima) {
                const __m256i least = _mm256_madd_epi16(w.minima, load256(x[j].sums + 16 * b));
                const __m512 wide = _mm512_cvtepi32_ps(_mm512_zextsi256_si512(least));
                sum[j] = _mm512_fnmadd_ps(_mm512_set1_ps(w.dmin * d), wide, sum[j]);
            }
        }
    }
#pragma GCC unroll 4
    for (int j = 0; j < cols; j++)
        m->y[(c + j) * m->y_stride + r] = sum16(sum[j]);
}

INLINE void multiply(const px_mul *m, int64_t row0, int64_t row1, const int64_t block_bytes,
                     const bool is_signed, const bool minima, unpack_fn unpack)
{
    const int64_t n = m->x->n;
    for (int64_t r = row0; r < row1; r++) {
        int64_t c = 0;
        for (; c + COLS <= n; c += COLS)
            block(m, r, c, COLS, block_bytes, is_signed, minima, unpack);
        for (; c < n; c++)
            block(m, r, c, 1, block_bytes, is_signed, minima, unpack);
    }
}

#define MUL(id, name, is_signed, minima)                                       \
    void LEVEL(mul_##name)(const px_mul *m, int64_t row0, int64_t row1)        \
    {                                                                          \
        multiply(m, row0, row1, id##_BYTES, is_signed, minima, unpack_##name); \
    }
MUL(PX_Q2_K, q2_k, false, true)
MUL(PX_Q3_K, q3_k, true, false)
MUL(PX_Q4_K, q4_k, false, true)
MUL(PX_Q5_K, q5_k, false, true)
MUL(PX_Q6_K, q6_k, true, false)
MUL(PX_IQ4_XS, iq4_xs, true, false)

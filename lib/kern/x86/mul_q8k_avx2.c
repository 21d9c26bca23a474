/*
 * mul_q8k_avx2: super-blocks of 256 codes times Q8K activations.
 *
 * maddubs gives sums of pairs in 16 bits, below 2^15 (127 * 127 * 2 = 32258 at most), madd with the
 * 16-bit scale of each 16 values gives 32 bits: a whole super-block is summed in integers, with two
 * instructions for 32 codes, and then meets both f32 scales in one fma. Minima meet the sums of
 * activations in one madd. Signed codes hand their sign to the activation, as in mul_q8_avx2.
 *
 * Largest integer in a lane: 8 vectors of 4 products of 31 * 127 * 63 or 32 * 127 * 127: 17
 * million.
 */
#include "kern/act.h"
#include "kern/x86/ops_x86.h"
#include "kern/x86/unpack_avx2.h"

enum { COLS = 4 };

typedef void (*unpack_fn)(const void *block, codes256 *out);

INLINE float sum8(__m256 a)
{
    __m128 s = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    s = _mm_add_ps(s, _mm_movehl_ps(s, s));
    return _mm_cvtss_f32(_mm_add_ss(s, _mm_movehdup_ps(s)));
}

/* The integer sum of 256 codes times activations, with scales, in 8 lanes. */
INLINE __m256i dot256(const codes256 *w, const int8_t *x, const bool is_signed)
{
    __m256i sum = _mm256_setzero_si256();
#pragma GCC unroll 8
    for (int i = 0; i < 8; i++) {
        const __m256i a = load256(x + 32 * i);
        const __m256i pairs = is_signed ? _mm256_maddubs_epi16(_mm256_sign_epi8(w->q[i], w->q[i]),
                                                               _mm256_sign_epi8(a, w->q[i]))
                                        : _mm256_maddubs_epi16(w->q[i], a);
        const __m256i scales =
            _mm256_set_m128i(_mm_set1_epi16(w->sc[2 * i + 1]), _mm_set1_epi16(w->sc[2 * i]));
        sum = _mm256_add_epi32(sum, _mm256_madd_epi16(pairs, scales));
    }
    return sum;
}

/* cols products of row r from column c on. */
INLINE void block(const px_mul *m, int64_t r, int64_t c, const int cols, const int64_t block_bytes,
                  const bool is_signed, const bool minima, unpack_fn unpack)
{
    const int64_t n_blocks = m->x->k / PX_Q8K_BLOCK;
    const uint8_t *row = m->w + (size_t)r * m->row_bytes;
    px_q8k_column x[COLS];
    __m256 sum[COLS];
#pragma GCC unroll 4
    for (int j = 0; j < cols; j++) {
        x[j] = px_q8k_column_of(m->x, c + j);
        sum[j] = _mm256_setzero_ps();
    }
    for (int64_t b = 0; b < n_blocks; b++) {
        codes256 w;
        unpack(row + b * block_bytes, &w);
#pragma GCC unroll 4
        for (int j = 0; j < cols; j++) {
            const __m256i whole = dot256(&w, x[j].q + b * PX_Q8K_BLOCK, is_signed);
            const float d = x[j].d[b];
            sum[j] = _mm256_fmadd_ps(_mm256_set1_ps(w.d * d), _mm256_cvtepi32_ps(whole), sum[j]);
            if (minima) {
                const __m256i least = _mm256_madd_epi16(load256(w.mn), load256(x[j].sums + 16 * b));
                sum[j] =
                    _mm256_fnmadd_ps(_mm256_set1_ps(w.dmin * d), _mm256_cvtepi32_ps(least), sum[j]);
            }
        }
    }
#pragma GCC unroll 4
    for (int j = 0; j < cols; j++)
        m->y[(c + j) * m->y_stride + r] = sum8(sum[j]);
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
    void px_avx2_mul_##name(const px_mul *m, int64_t row0, int64_t row1)       \
    {                                                                          \
        multiply(m, row0, row1, id##_BYTES, is_signed, minima, unpack_##name); \
    }
MUL(PX_Q2_K, q2_k, false, true)
MUL(PX_Q3_K, q3_k, true, false)
MUL(PX_Q4_K, q4_k, false, true)
MUL(PX_Q5_K, q5_k, false, true)
MUL(PX_Q6_K, q6_k, true, false)
MUL(PX_IQ4_XS, iq4_xs, true, false)

/*
 * mul_q8_avx512: blocks of 32 codes times Q8 activations, two blocks a vector of 64 bytes. Included
 * once for each level of AVX-512, which defines LEVEL and dot64: 16 lanes of sums of four products
 * of unsigned and signed bytes, lanes 0 to 7 of the first block.
 *
 * As mul_q8_avx2: the sign of a code moves to the activation, here by a mask. A last single block
 * stands in the lower half, with zeros above it.
 */
#include "kern/act.h"
#include "kern/x86/ops_x86.h"
#include "kern/x86/unpack_avx2.h"

enum { ROWS = 4, COLS = 4 };

typedef codes32 (*unpack_fn)(const void *block);

/* Two blocks of codes and their scales. */
typedef struct codes64 {
    __m512i size; // |q|
    __mmask64 negative;
    float d0, d1, m0, m1;
} codes64;

INLINE codes64 join(codes32 a, codes32 b)
{
    const __m512i q = _mm512_inserti64x4(_mm512_castsi256_si512(a.q), b.q, 1);
    return (codes64){_mm512_abs_epi8(q), _mm512_movepi8_mask(q), a.d, b.d, a.m, b.m};
}

INLINE __m512 products(codes64 w, __m512i x, float d0, float d1)
{
    const __m512i turned = _mm512_mask_sub_epi8(x, w.negative, _mm512_setzero_si512(), x);
    const __m512 scales = _mm512_insertf32x8(_mm512_castps256_ps512(_mm256_set1_ps(w.d0 * d0)),
                                             _mm256_set1_ps(w.d1 * d1), 1);
    return _mm512_mul_ps(scales, _mm512_cvtepi32_ps(dot64(w.size, turned)));
}

INLINE float sum16(__m512 a)
{
    const __m256 h = _mm256_add_ps(_mm512_castps512_ps256(a), _mm512_extractf32x8_ps(a, 1));
    __m128 s = _mm_add_ps(_mm256_castps256_ps128(h), _mm256_extractf128_ps(h, 1));
    s = _mm_add_ps(s, _mm_movehl_ps(s, s));
    return _mm_cvtss_f32(_mm_add_ss(s, _mm_movehdup_ps(s)));
}

INLINE void block(const px_mul *m, int64_t r, int64_t c, const int rows, const int cols,
                  const int64_t block_bytes, const bool offset, unpack_fn unpack)
{
    const int64_t n_blocks = m->x->k / PX_Q8_BLOCK;
    px_q8_column x[COLS];
    __m512 sum[ROWS * COLS];
    float offsets[ROWS * COLS];
    for (int j = 0; j < cols; j++)
        x[j] = px_q8_column_of(m->x, c + j);
#pragma GCC unroll 4
    for (int i = 0; i < rows * cols; i++) {
        sum[i] = _mm512_setzero_ps();
        offsets[i] = 0.0f;
    }
    for (int64_t b = 0; b < n_blocks; b += 2) {
        const bool two = b + 1 < n_blocks;
#pragma GCC unroll 4
        for (int i = 0; i < rows; i++) {
            const uint8_t *at = m->w + (size_t)(r + i) * m->row_bytes + b * block_bytes;
            const codes32 first = unpack(at);
            codes32 second = {_mm256_setzero_si256(), 0.0f, 0.0f};
            if (two)
                second = unpack(at + block_bytes);
            const codes64 w = join(first, second);
#pragma GCC unroll 4
            for (int j = 0; j < cols; j++) {
                // the gap behind the last single block of a column is zero (act.h), as is its d
                const __m512i q = _mm512_loadu_si512(x[j].q + b * PX_Q8_BLOCK);
                const float d1 = two ? x[j].d[b + 1] : 0.0f;
                sum[i * cols + j] = _mm512_add_ps(sum[i * cols + j], products(w, q, x[j].d[b], d1));
                if (offset)
                    offsets[i * cols + j] +=
                        w.m0 * x[j].ds[b] + (two ? w.m1 * x[j].ds[b + 1] : 0.0f);
            }
        }
    }
#pragma GCC unroll 4
    for (int i = 0; i < rows; i++)
#pragma GCC unroll 4
        for (int j = 0; j < cols; j++)
            m->y[(c + j) * m->y_stride + r + i] = sum16(sum[i * cols + j]) + offsets[i * cols + j];
}

INLINE void multiply(const px_mul *m, int64_t row0, int64_t row1, const int64_t block_bytes,
                     const bool offset, unpack_fn unpack)
{
    const int64_t n = m->x->n;
    if (n == 1) {
        int64_t r = row0;
        for (; r + ROWS <= row1; r += ROWS)
            block(m, r, 0, ROWS, 1, block_bytes, offset, unpack);
        for (; r < row1; r++)
            block(m, r, 0, 1, 1, block_bytes, offset, unpack);
        return;
    }
    for (int64_t r = row0; r < row1; r++) {
        int64_t c = 0;
        for (; c + COLS <= n; c += COLS)
            block(m, r, c, 1, COLS, block_bytes, offset, unpack);
        for (; c < n; c++)
            block(m, r, c, 1, 1, block_bytes, offset, unpack);
    }
}

#define MUL(id, name, offset)                                           \
    void LEVEL(mul_##name)(const px_mul *m, int64_t row0, int64_t row1) \
    {                                                                   \
        multiply(m, row0, row1, id##_BYTES, offset, unpack_##name);     \
    }
MUL(PX_Q8_0, q8_0, false)
MUL(PX_Q4_0, q4_0, false)
MUL(PX_Q4_1, q4_1, true)
MUL(PX_Q5_0, q5_0, false)
MUL(PX_Q5_1, q5_1, true)
MUL(PX_IQ4_NL, iq4_nl, false)
MUL(PX_MXFP4, mxfp4, false)

/*
 * mul_q8_avx2: blocks of 32 codes times Q8 activations.
 *
 * One vector holds a block. maddubs multiplies unsigned by signed bytes and adds pairs to 16 bits,
 * so the sign of a code moves to the activation: |q| * (x with the sign of q). Pairs stay below
 * 2^15: 128 * 127 * 2 = 32512 (activations never are -128). Then 16 bits to 32, to f32, one fma
 * with the product of both scales. A block is unpacked once for all columns of a group.
 *
 * Each sum is added up in the same order however rows and columns are grouped.
 */
#include "kern/act.h"
#include "kern/x86/ops_x86.h"
#include "kern/x86/unpack_avx2.h"

enum { ROWS = 4, COLS = 4 }; // rows at once of one column; columns at once of one row

typedef codes32 (*unpack_fn)(const void *block);

INLINE __m256i dot32(__m256i q, __m256i x)
{
    const __m256i pairs = _mm256_maddubs_epi16(_mm256_sign_epi8(q, q), _mm256_sign_epi8(x, q));
    return _mm256_madd_epi16(pairs, _mm256_set1_epi16(1));
}

INLINE float sum8(__m256 a)
{
    __m128 s = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    s = _mm_add_ps(s, _mm_movehl_ps(s, s));
    return _mm_cvtss_f32(_mm_add_ss(s, _mm_movehdup_ps(s)));
}

/* rows x cols products from row r, column c on. */
INLINE void block(const px_mul *m, int64_t r, int64_t c, const int rows, const int cols,
                  const int64_t block_bytes, const bool offset, unpack_fn unpack)
{
    const int64_t n_blocks = m->x->k / PX_Q8_BLOCK;
    px_q8_column x[COLS];
    __m256 sum[ROWS * COLS];
    float offsets[ROWS * COLS];
    for (int j = 0; j < cols; j++)
        x[j] = px_q8_column_of(m->x, c + j);
#pragma GCC unroll 4
    for (int i = 0; i < rows * cols; i++) {
        sum[i] = _mm256_setzero_ps();
        offsets[i] = 0.0f;
    }
    for (int64_t b = 0; b < n_blocks; b++) {
#pragma GCC unroll 4
        for (int i = 0; i < rows; i++) {
            const codes32 w = unpack(m->w + (size_t)(r + i) * m->row_bytes + b * block_bytes);
#pragma GCC unroll 4
            for (int j = 0; j < cols; j++) {
                const __m256i whole = dot32(w.q, load256(x[j].q + b * PX_Q8_BLOCK));
                sum[i * cols + j] = _mm256_fmadd_ps(_mm256_set1_ps(w.d * x[j].d[b]),
                                                    _mm256_cvtepi32_ps(whole), sum[i * cols + j]);
                if (offset)
                    offsets[i * cols + j] += w.m * x[j].ds[b];
            }
        }
    }
#pragma GCC unroll 4
    for (int i = 0; i < rows; i++)
#pragma GCC unroll 4
        for (int j = 0; j < cols; j++)
            m->y[(c + j) * m->y_stride + r + i] = sum8(sum[i * cols + j]) + offsets[i * cols + j];
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

#define MUL(id, name, offset)                                            \
    void px_avx2_mul_##name(const px_mul *m, int64_t row0, int64_t row1) \
    {                                                                    \
        multiply(m, row0, row1, id##_BYTES, offset, unpack_##name);      \
    }
MUL(PX_Q8_0, q8_0, false)
MUL(PX_Q4_0, q4_0, false)
MUL(PX_Q4_1, q4_1, true)
MUL(PX_Q5_0, q5_0, false)
MUL(PX_Q5_1, q5_1, true)
MUL(PX_IQ4_NL, iq4_nl, false)
MUL(PX_MXFP4, mxfp4, false)

/*
 * mul_q8k_avx512: super-blocks of 256 codes times Q8K activations, few columns. Included once for
 * each level of AVX-512, which defines
 *
 *   LEVEL(name)          the names of the level
 *   add_dot16(sum, a, b) sum plus products of 16-bit pairs, 16 lanes of 32 bits
 *   CODE_SHIFT, dot_codes(q, x): products of signed codes and activations in fours; the level holds
 *                        codes as q + CODE_SHIFT, unsigned, where CODE_SHIFT is not 0
 *
 * One row at a time, four super-blocks of it together: memory is read in one straight line, which
 * is what the prefetchers of a processor follow best. Codes go unsigned and in the order of their
 * values, 64 a vector: maddubs to sums of pairs (16 bits), then a 16-bit dot with the integer scale
 * of each 16 values, and one f32 step a super-block. The headers of four super-blocks are taken
 * apart together, in general registers or block i in lane i of 128 bits. What codes are stored
 * above their values (bias) is taken away in integers, where a sum begins: bias * (scales . sums of
 * activations); minima meet the same sums.
 *
 * A last group of fewer blocks takes its last block again, with an activation scale of 0. Each
 * product takes the same steps however rows and columns are grouped.
 *
 * Largest integers: 4 vectors of 4 products 63 * 127 * 127, 16 million a lane; bias 4 * 32 * 4064
 * * 2 at the start.
 */
#include "kern/act.h"
#include "kern/x86/ops_x86.h"
#include "kern/x86/unpack_avx512.h"

enum { COLS = 3, BLOCKS = 4, VECTORS = 4, LINE = 64, AHEAD = 4096 };

/* Four super-blocks of a row. */
typedef struct group {
    const uint8_t *w[BLOCKS];
    int64_t at[BLOCKS]; // their places in a column
} group;

/* What a column brings to them. */
typedef struct column {
    __m128 d;       // of block i in float i
    __m512i lo, hi; // its sums of 16 values 0 to 7 and 8 to 15 in lane i; or lo: sums of 32
} column;

/* How a format comes apart. */
typedef struct format {
    int block_bytes;
    bool sub16;  // sub-blocks of 16 values, not 32
    bool minima; // has minima; else scales times bias are what is taken away
    int bias;    // as a power of two; -1: none
    void (*head)(const uint8_t *const w[BLOCKS], heads *h);
    void (*codes)(const uint8_t *block, __m512i q[VECTORS]);
    __m512i (*add)(__m512i sum, __m512i q, __m512i x, __m512i scales, int v); // vector v
} format;

/* ---- one vector of codes */

/* Codes below 64, scales of 16 values in 16 words. */
INLINE __m512i add_sub16(__m512i sum, __m512i q, __m512i x, __m512i scales, int v)
{
    const __m512i place = _mm512_add_epi16(word_runs(), _mm512_set1_epi16((short)(4 * v)));
    return add_dot16(sum, _mm512_maddubs_epi16(q, x), _mm512_permutexvar_epi16(place, scales));
}

/* Signed codes, scales of 32 values in 8 dwords. */
INLINE __m512i add_signed(__m512i sum, __m512i q, __m512i x, __m512i scales, int v)
{
    const __m512i place = counts32(2 * v, 2 * v + 1);
    return _mm512_add_epi32(
        sum, _mm512_mullo_epi32(dot_codes(q, x), _mm512_permutexvar_epi32(place, scales)));
}

/* ---- products */

/* The first `live` of four super-blocks from b on. */
INLINE column column_at(const px_q8k_column *x, int64_t b, const bool sub16, int live)
{
    column c = {.d = _mm_maskz_loadu_ps((__mmask8)((1u << live) - 1), x->d + b)};
    if (sub16) {
        const __m512i low = _mm512_setr_epi64(0, 1, 4, 5, 8, 9, 12, 13);
        const __m512i high = _mm512_setr_epi64(2, 3, 6, 7, 10, 11, 14, 15);
        const uint32_t words = live < 4 ? (1u << 8 * live) - 1 : ~0u; // of 64 dwords, 8 a block
        const int16_t *s = x->sums + 16 * b;
        const __m512i first = _mm512_maskz_loadu_epi32((__mmask16)words, s);
        const __m512i second = _mm512_maskz_loadu_epi32((__mmask16)(words >> 16), s + 32);
        c.lo = _mm512_permutex2var_epi64(first, low, second);
        c.hi = _mm512_permutex2var_epi64(first, high, second);
    } else {
        const uint32_t words = (1u << 4 * live) - 1;
        c.lo = c.hi = _mm512_maskz_loadu_epi32((__mmask16)words, x->sums32 + 8 * b);
    }
    return c;
}

/* Scales (or minima) of four super-blocks times sums of activations: block i in lane i. */
INLINE __m512i dot_sums(const heads *h, const column *x, const bool sub16)
{
    const __m512i sum = _mm512_madd_epi16(h->mn[0], x->lo);
    return sub16 ? _mm512_add_epi32(sum, _mm512_madd_epi16(h->mn[1], x->hi)) : sum;
}

/* Adds `live` super-blocks from b on of a row at w to cols sums. */
INLINE void add_group(const px_q8k_column *x, const int cols, const uint8_t *w, int64_t b, int live,
                      const format f, __m512 *sum)
{
    const __m512i four = _mm512_setr_epi32(0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3);
    group g;
    heads h;
    __m512i start[COLS];
    float scales[COLS][BLOCKS];
#pragma GCC unroll 4
    for (int i = 0; i < BLOCKS; i++) {
        g.at[i] = b + (i < live ? i : live - 1);
        g.w[i] = w + (i < live ? i : live - 1) * f.block_bytes;
    }
    f.head(g.w, &h);
#pragma GCC unroll 4
    for (int j = 0; j < cols; j++) {
        const column c = column_at(&x[j], b, f.sub16, live);
        const __m128 d = _mm_mul_ps(h.d, c.d);
        start[j] = _mm512_setzero_si512();
        if (f.minima) {
            const __m128 dmin = _mm_mul_ps(h.dmin, c.d);
            sum[j] = _mm512_fnmadd_ps(_mm512_permutexvar_ps(four, _mm512_castps128_ps512(dmin)),
                                      _mm512_cvtepi32_ps(dot_sums(&h, &c, f.sub16)), sum[j]);
        } else if (f.bias >= 0) {
            const __m512i least = dot_sums(&h, &c, f.sub16);
            start[j] = _mm512_sub_epi32(start[j], _mm512_slli_epi32(least, (unsigned)f.bias));
        }
        _mm_storeu_ps(scales[j], d);
        __asm__("" : "+m"(scales[j])); // broadcast from memory costs no shuffle
    }
#pragma GCC unroll 4
    for (int i = 0; i < BLOCKS; i++) {
        __m512i q[VECTORS];
        for (int at = i * f.block_bytes; at < (i + 1) * f.block_bytes; at += LINE)
            _mm_prefetch((const char *)w + AHEAD + at, _MM_HINT_T0);
        f.codes(g.w[i], q);
#pragma GCC unroll 4
        for (int j = 0; j < cols; j++) {
            const int8_t *a = x[j].q + g.at[i] * PX_Q8K_BLOCK;
            __m512i t = f.bias >= 0 ? _mm512_maskz_mov_epi32((__mmask16)(15 << 4 * i), start[j])
                                    : _mm512_setzero_si512();
#pragma GCC unroll 4
            for (int v = 0; v < VECTORS; v++)
                t = f.add(t, q[v], _mm512_loadu_si512(a + 64 * v), h.sc[i], v);
            sum[j] = _mm512_fmadd_ps(_mm512_set1_ps(scales[j][i]), _mm512_cvtepi32_ps(t), sum[j]);
        }
    }
}

INLINE float sum16(__m512 a)
{
    const __m256 h = _mm256_add_ps(_mm512_castps512_ps256(a), _mm512_extractf32x8_ps(a, 1));
    __m128 s = _mm_add_ps(_mm256_castps256_ps128(h), _mm256_extractf128_ps(h, 1));
    s = _mm_add_ps(s, _mm_movehl_ps(s, s));
    return _mm_cvtss_f32(_mm_add_ss(s, _mm_movehdup_ps(s)));
}

/* Products of rows with columns c to c + cols - 1. */
INLINE void multiply_cols(const px_mul *m, int64_t row0, int64_t row1, int64_t c, const int cols,
                          const format f)
{
    const int64_t n = m->x->k / PX_Q8K_BLOCK;
    px_q8k_column x[COLS];
    for (int j = 0; j < cols; j++)
        x[j] = px_q8k_column_of(m->x, c + j);
    for (int64_t r = row0; r < row1; r++) {
        const uint8_t *w = m->w + (size_t)r * m->row_bytes;
        __m512 sum[COLS];
#pragma GCC unroll 4
        for (int j = 0; j < cols; j++)
            sum[j] = _mm512_setzero_ps();
        int64_t b = 0;
        for (; b + BLOCKS <= n; b += BLOCKS)
            add_group(x, cols, w + b * f.block_bytes, b, BLOCKS, f, sum);
        if (b < n)
            add_group(x, cols, w + b * f.block_bytes, b, (int)(n - b), f, sum);
#pragma GCC unroll 4
        for (int j = 0; j < cols; j++)
            m->y[(c + j) * m->y_stride + r] = sum16(sum[j]);
    }
}

#include "kern/x86/mul_cols.h"

INLINE void multiply(const px_mul *m, int64_t row0, int64_t row1, const format f)
{
    multiply_in(m, row0, row1, COLS, f);
}

/* Codes of IQ4_XS as the level holds them. */
INLINE void codes_iq4_xs(const uint8_t *block, __m512i q[VECTORS])
{
    const px_iq4_xs *b = (const void *)block;
#pragma GCC unroll 4
    for (int i = 0; i < VECTORS; i++)
        q[i] = _mm512_add_epi8(look_up512(px_iq4_codes, nibbles_32(b->qs + 32 * i)),
                               _mm512_set1_epi8((char)CODE_SHIFT));
}

MUL(PX_Q2_K, q2_k, true, true, -1, head_q2_k, codes_q2_k, add_sub16)
MUL(PX_Q3_K, q3_k, true, false, 2, head_q3_k, codes_q3_k, add_sub16)
MUL(PX_IQ4_XS, iq4_xs, false, false, CODE_SHIFT ? 7 : -1, head_iq4_xs, codes_iq4_xs, add_signed)

/*
 * mul_q8_256: blocks of 32 codes times Q8 activations, few columns, vectors of 32 bytes. Included
 * by a file that defines
 *
 *   LEVEL(name)                        a function's name at this level
 *   dot_small(start, a, xa, b, xb)     start + dots of four codes below 32, of two vectors of them
 *
 * and then lists the formats with MUL.
 *
 * One row at a time, eight blocks of it together, in one straight line through memory. The eight
 * scales are gathered into one vector, converted and multiplied by those of the activations at
 * once; one shuffle then spreads them over the lanes. Nibbles come with the first halves of two
 * blocks in one vector and the second halves in another, so that one f32 step serves two blocks.
 * Byte products are unsigned by signed: codes below 32 are held with their stored bias, and sums of
 * products begin at -bias * (sum of activations); signed bytes (Q8_0, IQ4_NL) hand their sign to
 * the activation, which is never -128, so that pairs fit 16 bits: 128 * 127 * 2 = 32512.
 *
 * A call first writes its activations to scratch in the order in which codes come. A last group of
 * fewer blocks is read with the beginning of the next row, whose scales count as 0; in the last
 * rows of a call, behind which there may be nothing, it is copied. Each product takes the same
 * steps however rows and columns are grouped.
 */
#ifndef PX_KERN_X86_MUL_Q8_256_H
#define PX_KERN_X86_MUL_Q8_256_H

#include "kern/act.h"
#include "kern/ref/ops.h"
#include "kern/x86/ops_x86.h"
#include "kern/x86/unpack_avx2.h"

enum { COLS = 3, BLOCKS = 8, PAIRS = 4, LINE = 64, AHEAD = 4096, SCRATCH = 256 << 10 };

/* Eight blocks of a column. */
typedef struct part {
    int8_t a[PAIRS][32], b[PAIRS][32]; // halves of two blocks, or two blocks
    int32_t start[PAIRS][8];           // -bias * the sum of what the lane multiplies
    float d[BLOCKS], ds[BLOCKS];
} part;

/* Two blocks: first halves and second halves, or one and the other. */
typedef struct pair {
    __m256i a, b;
} pair;

/* How a format comes apart. */
typedef struct format {
    int block_bytes;
    bool halves; // codes come in halves of two blocks
    int bias;
    bool is_signed;
    bool offset; // has m
    pair (*codes)(const uint8_t *w, int stride);
    __m256 (*scales)(const uint8_t *w, int stride);
} format;

/* ---- activations */

INLINE void prepare_pair(const int8_t *q, const format f, part *out, int i)
{
    const __m256i x = load256(q), y = load256(q + 32), one = _mm256_set1_epi16(1);
    const __m256i a = f.halves ? _mm256_permute2x128_si256(x, y, 0x20) : x;
    const __m256i b = f.halves ? _mm256_permute2x128_si256(x, y, 0x31) : y;
    const __m256i bias = _mm256_set1_epi8((char)f.bias);
    const __m256i pairs =
        _mm256_add_epi16(_mm256_maddubs_epi16(bias, a), _mm256_maddubs_epi16(bias, b));
    _mm256_storeu_si256((void *)out->a[i], a);
    _mm256_storeu_si256((void *)out->b[i], b);
    _mm256_storeu_si256((void *)out->start[i],
                        _mm256_sub_epi32(_mm256_setzero_si256(), _mm256_madd_epi16(pairs, one)));
}

/* The parts of n blocks, with zeros behind the last. */
INLINE void prepare(const px_q8_column *x, int64_t n, const format f, part *out)
{
    for (int64_t b = 0; b < n; b += BLOCKS, out++) {
        const int live = n - b < BLOCKS ? (int)(n - b) : BLOCKS;
        const int8_t *q = x->q + b * PX_Q8_BLOCK;
        int8_t last[BLOCKS * PX_Q8_BLOCK] = {0};
        if (live < BLOCKS) {
            memcpy(last, q, (size_t)live * PX_Q8_BLOCK);
            q = last;
        }
        for (int i = 0; i < PAIRS; i++)
            prepare_pair(q + 64 * i, f, out, i);
        for (int i = 0; i < BLOCKS; i++) {
            out->d[i] = i < live ? x->d[b + i] : 0.0f;
            out->ds[i] = i < live ? x->ds[b + i] : 0.0f;
        }
    }
}

/* ---- codes and scales */

/* Eight f16, one at the start of each block: word i of what lies 2 i bytes before block i. */
INLINE __m256 eight_f16(const uint8_t *w, int stride)
{
#define AT(i) _mm_loadu_si128((const void *)(w + (i) * (stride - 2)))
    __m128i v = _mm_blend_epi16(AT(0), AT(1), 1 << 1);
    __m128i u = _mm_blend_epi16(AT(4), AT(5), 1 << 5);
    v = _mm_blend_epi16(_mm_blend_epi16(v, AT(2), 1 << 2), AT(3), 1 << 3);
    u = _mm_blend_epi16(_mm_blend_epi16(u, AT(6), 1 << 6), AT(7), 1 << 7);
#undef AT
    return _mm256_cvtph_ps(_mm_blend_epi16(v, u, 0xf0));
}

INLINE __m256 eight_mxfp4(const uint8_t *w, int stride)
{
    (void)stride;
    enum { S = PX_MXFP4_BYTES };
    const __m256i e =
        _mm256_setr_epi32(w[0], w[S], w[2 * S], w[3 * S], w[4 * S], w[5 * S], w[6 * S], w[7 * S]);
    const __m256i normal = _mm256_slli_epi32(_mm256_sub_epi32(e, _mm256_set1_epi32(1)), 23);
    const __m256i small = _mm256_sllv_epi32(_mm256_set1_epi32(0x00200000), e); // of 0 and 1
    const __m256i is_normal = _mm256_cmpgt_epi32(e, _mm256_set1_epi32(1));
    return _mm256_castsi256_ps(_mm256_blendv_epi8(small, normal, is_normal));
}

/* Nibbles of two blocks of 16 bytes. */
INLINE pair nibbles_of(const uint8_t *first, const uint8_t *second)
{
    const __m256i raw =
        _mm256_inserti128_si256(_mm256_castsi128_si256(_mm_loadu_si128((const void *)first)),
                                _mm_loadu_si128((const void *)second), 1);
    const __m256i low = _mm256_set1_epi8(15);
    return (pair){_mm256_and_si256(raw, low), _mm256_and_si256(_mm256_srli_epi16(raw, 4), low)};
}

INLINE pair codes_q4_0(const uint8_t *w, int stride)
{
    return nibbles_of(w + 2, w + stride + 2);
}

INLINE pair codes_q4_1(const uint8_t *w, int stride)
{
    return nibbles_of(w + 4, w + stride + 4);
}

/* Bit j of a block's 32 as bit 4 of its code j. */
INLINE pair add_high(pair p, const uint8_t *first, const uint8_t *second)
{
    const __m256i bits =
        _mm256_inserti128_si256(_mm256_castsi128_si256(_mm_set1_epi32((int)px_load32(first))),
                                _mm_set1_epi32((int)px_load32(second)), 1);
    const __m256i low =
        _mm256_broadcastsi128_si256(_mm_setr_epi8(0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1));
    const __m256i one = _mm256_set1_epi64x((long long)0x8040201008040201ull);
    const __m256i sixteen = _mm256_set1_epi8(16);
    const __m256i a = _mm256_shuffle_epi8(bits, low);
    const __m256i b = _mm256_shuffle_epi8(bits, _mm256_add_epi8(low, _mm256_set1_epi8(2)));
    const __m256i in_a = _mm256_cmpeq_epi8(_mm256_and_si256(a, one), one);
    const __m256i in_b = _mm256_cmpeq_epi8(_mm256_and_si256(b, one), one);
    return (pair){_mm256_or_si256(p.a, _mm256_and_si256(in_a, sixteen)),
                  _mm256_or_si256(p.b, _mm256_and_si256(in_b, sixteen))};
}

INLINE pair codes_q5_0(const uint8_t *w, int stride)
{
    return add_high(nibbles_of(w + 6, w + stride + 6), w + 2, w + stride + 2);
}

INLINE pair codes_q5_1(const uint8_t *w, int stride)
{
    return add_high(nibbles_of(w + 8, w + stride + 8), w + 4, w + stride + 4);
}

INLINE pair codes_iq4_nl(const uint8_t *w, int stride)
{
    const pair p = nibbles_of(w + 2, w + stride + 2);
    return (pair){look_up(px_iq4_codes, p.a), look_up(px_iq4_codes, p.b)};
}

/* 12 is added to make them unsigned. */
INLINE pair codes_mxfp4(const uint8_t *w, int stride)
{
    const pair p = nibbles_of(w + 1, w + stride + 1);
    const __m256i shift = _mm256_set1_epi8(12);
    return (pair){_mm256_add_epi8(look_up(px_mxfp4_codes, p.a), shift),
                  _mm256_add_epi8(look_up(px_mxfp4_codes, p.b), shift)};
}

INLINE pair codes_q8_0(const uint8_t *w, int stride)
{
    return (pair){load256(w + 2), load256(w + stride + 2)};
}

/* ---- products */

INLINE __m256i fours(__m256i q, __m256i x) // of signed codes
{
    const __m256i pairs = _mm256_maddubs_epi16(_mm256_sign_epi8(q, q), _mm256_sign_epi8(x, q));
    return _mm256_madd_epi16(pairs, _mm256_set1_epi16(1));
}

INLINE __m256 add_lanes(__m256 sum, __m256 scales, __m256i whole, __m256i lanes)
{
    return _mm256_fmadd_ps(_mm256_permutevar8x32_ps(scales, lanes), _mm256_cvtepi32_ps(whole), sum);
}

/* Adds pair i, with the scales of eight blocks. */
INLINE __m256 add_pair(__m256 sum, pair q, __m256 scales, const part *x, int i, const format f)
{
    const __m256i a = load256(x->a[i]), b = load256(x->b[i]);
    const __m256i first = _mm256_set1_epi32(2 * i), second = _mm256_set1_epi32(2 * i + 1);
    const __m256i both = _mm256_blend_epi32(first, second, 0xf0);
    if (!f.halves) {
        sum = add_lanes(sum, scales, fours(q.a, a), first);
        return add_lanes(sum, scales, fours(q.b, b), second);
    }
    if (f.is_signed)
        return add_lanes(sum, scales, _mm256_add_epi32(fours(q.a, a), fours(q.b, b)), both);
    const __m256i whole = dot_small(load256(x->start[i]), q.a, a, q.b, b);
    return add_lanes(sum, scales, whole, both);
}

/* Adds the first `live` of the eight blocks at w times part g of each column. What follows these
 * is read and has no weight, whatever numbers it makes. */
INLINE void add_group(const uint8_t *w, part *const *x, int64_t g, const int live, const int cols,
                      const format f, __m256 *sum)
{
    __m256 d = f.scales(w, f.block_bytes), m = _mm256_setzero_ps(), scales[COLS];
    if (f.offset)
        m = f.scales(w + 2, f.block_bytes);
    if (live < BLOCKS) {
        const __m256i lanes = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
        const __m256 mask = _mm256_castsi256_ps(_mm256_cmpgt_epi32(_mm256_set1_epi32(live), lanes));
        d = _mm256_and_ps(d, mask);
        m = _mm256_and_ps(m, mask);
    }
#pragma GCC unroll 4
    for (int j = 0; j < cols; j++) {
        const part *p = x[j] + g;
        scales[j] = _mm256_mul_ps(d, _mm256_loadu_ps(p->d));
        if (f.offset)
            sum[j] = _mm256_fmadd_ps(m, _mm256_loadu_ps(p->ds), sum[j]);
    }
#pragma GCC unroll 4
    for (int i = 0; 2 * i < live; i++) {
        const pair q = f.codes(w + 2 * i * f.block_bytes, f.block_bytes);
#pragma GCC unroll 4
        for (int j = 0; j < cols; j++)
            sum[j] = add_pair(sum[j], q, scales[j], x[j] + g, i, f);
    }
}

INLINE float sum8(__m256 a)
{
    __m128 s = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    s = _mm_add_ps(s, _mm_movehl_ps(s, s));
    return _mm_cvtss_f32(_mm_add_ss(s, _mm_movehdup_ps(s)));
}

/* Products of rows with columns c to c + cols - 1. */
INLINE void multiply_cols(const px_mul *m, int64_t row0, int64_t row1, int64_t c, const int cols,
                          const format f)
{
    const int64_t n = m->x->k / PX_Q8_BLOCK, groups = n / BLOCKS;
    const int left = (int)(n % BLOCKS);
    part *x[COLS];
    for (int j = 0; j < cols; j++) {
        const px_q8_column column = px_q8_column_of(m->x, c + j);
        x[j] = (part *)m->scratch + j * (groups + (left > 0));
        prepare(&column, n, f, x[j]);
    }
    // a last group may be read where it lies, with what follows, up to so many rows from the end
    const int64_t row_bytes = (int64_t)m->row_bytes, beyond = (BLOCKS - left) * f.block_bytes;
    const int64_t in_place = left > 0 ? row1 - (beyond + row_bytes - 1) / row_bytes : row1;
    for (int64_t r = row0; r < row1; r++) {
        const uint8_t *w = m->w + (size_t)r * m->row_bytes;
        __m256 sum[COLS];
#pragma GCC unroll 4
        for (int j = 0; j < cols; j++)
            sum[j] = _mm256_setzero_ps();
        for (int64_t g = 0; g < groups; g++, w += BLOCKS * f.block_bytes) {
            for (int at = 0; at < BLOCKS * f.block_bytes; at += LINE)
                _mm_prefetch((const char *)w + AHEAD + at, _MM_HINT_T0);
            add_group(w, x, g, BLOCKS, cols, f, sum);
        }
        if (left > 0 && r < in_place) {
            for (int at = 0; at < left * f.block_bytes; at += LINE)
                _mm_prefetch((const char *)w + AHEAD + at, _MM_HINT_T0);
            add_group(w, x, groups, left, cols, f, sum);
        } else if (left > 0) {
            uint8_t last[BLOCKS * PX_Q8_0_BYTES] = {0};
            memcpy(last, w, (size_t)(left * f.block_bytes));
            add_group(last, x, groups, left, cols, f, sum);
        }
#pragma GCC unroll 4
        for (int j = 0; j < cols; j++)
            m->y[(c + j) * m->y_stride + r] = sum8(sum[j]);
    }
}

#include "kern/x86/mul_cols.h"

INLINE void multiply(const px_mul *m, int64_t row0, int64_t row1, const format f)
{
    const int64_t parts = (m->x->k / PX_Q8_BLOCK + BLOCKS - 1) / BLOCKS;
    const int most = columns_in(SCRATCH, parts * (int64_t)sizeof(part));
    if (most == 0) // rows of more than 140 thousand values
        px_ref_mul_q8(m, row0, row1);
    else
        multiply_in(m, row0, row1, most, f);
}

#endif

/*
 * mul_q8k_256: super-blocks of 256 codes times Q8K activations, few columns, vectors of 32 bytes.
 * Included by a file that defines
 *
 *   LEVEL(name)                      a function's name at this level
 *   add_dot16(sum, a, b)             sum + dots of pairs of 16-bit numbers
 *   or_masked(a, b, mask)            a | (b & mask)
 *
 * and then lists the formats with MUL.
 *
 * One row at a time, in one straight line through memory. Codes go unsigned and in the order of
 * their values, 32 a vector: maddubs to sums of pairs in 16 bits, then a 16-bit dot with the
 * integer scale of each 16 values: a whole super-block is summed in integers and meets both f32
 * scales in one step. What codes are stored above their values (bias) is taken away where the
 * integer sum begins: bias * (scales . sums of activations); minima meet the same sums. Signed
 * codes (IQ4_XS) hand their sign to the activation, because byte products are unsigned by signed.
 *
 * Each product takes the same steps however rows and columns are grouped.
 *
 * Largest integer in a lane: 8 vectors of 4 products 63 * 127 * 127, and the start of 32 * 128 *
 * 2032 * 2: 49 million.
 */
#ifndef PX_KERN_X86_MUL_Q8K_256_H
#define PX_KERN_X86_MUL_Q8K_256_H

#include "kern/act.h"
#include "kern/x86/ops_x86.h"
#include "kern/x86/unpack_avx2.h"

enum { COLS = 3, VECTORS = 8, LINE = 64, AHEAD = 4096 };

/* The header of a super-block. */
typedef struct head {
    __m256i sc[2]; // scales as words, 0 to 7 and 8 to 15, each in both lanes
    __m256i mn;    // 16-bit minima, or scales of 16 once more; words 8 to 15 may be 0
    __m128 d;      // d, dmin
} head;

/* How a format comes apart. */
typedef struct format {
    int block_bytes;
    bool sub16;     // sub-blocks of 16 values, not 32
    bool minima;    // has minima
    bool is_signed; // codes are signed
    int bias;       // as a power of two; -1: none
    void (*head)(const uint8_t *block, head *h);
    __m256i (*codes)(const uint8_t *block, int v); // 32 v to 32 v + 31
} format;

/* ---- headers */

INLINE __m128 two_f16(const void *d, const void *dmin)
{
    return _mm_cvtph_ps(_mm_cvtsi32_si128((int)(px_load16(d) | (uint32_t)px_load16(dmin) << 16)));
}

/* 8 words. */
INLINE void set_8(head *h, __m128i words)
{
    h->sc[0] = _mm256_broadcastsi128_si256(words);
}

INLINE void set_16(head *h, __m256i words)
{
    h->sc[0] = _mm256_permute2x128_si256(words, words, 0x00);
    h->sc[1] = _mm256_permute2x128_si256(words, words, 0x11);
}

/* In general registers, which have nothing else to do: made in lanes (two shuffles, two shifts, two
 * permutations) it is 2 to 5 % slower. */
INLINE void head_6(const uint8_t *block, head *h)
{
    enum { LOW = 0x3f3f3f3f, NIBBLE = 0x0f0f0f0f, HIGH = 0x30303030 };
    const px_q4_k *b = (const void *)block;
    const uint32_t x = px_load32(b->scales), y = px_load32(b->scales + 4);
    const uint32_t z = px_load32(b->scales + 8);
    const uint64_t sc = (x & LOW) | (uint64_t)((z & NIBBLE) | (x >> 2 & HIGH)) << 32;
    const uint64_t mn = (y & LOW) | (uint64_t)((z >> 4 & NIBBLE) | (y >> 2 & HIGH)) << 32;
    set_8(h, _mm_cvtepu8_epi16(_mm_cvtsi64_si128((long long)sc)));
    h->mn = _mm256_zextsi128_si256(_mm_cvtepu8_epi16(_mm_cvtsi64_si128((long long)mn)));
    h->d = two_f16(b->d, b->dmin);
}

INLINE void head_q6_k(const uint8_t *block, head *h)
{
    const px_q6_k *b = (const void *)block;
    h->mn = _mm256_cvtepi8_epi16(_mm_loadu_si128((const void *)b->scales));
    set_16(h, h->mn);
    h->d = two_f16(b->d, b->d);
}

INLINE void head_q3_k(const uint8_t *block, head *h)
{
    const px_q3_k *b = (const void *)block;
    const uint64_t low = px_load32(b->scales) | (uint64_t)px_load32(b->scales + 4) << 32;
    const uint32_t high = px_load32(b->scales + 8);
    const __m128i nibbles = _mm_set_epi64x((long long)(low >> 4), (long long)low);
    const __m128i upper =
        _mm_slli_epi16(_mm_srlv_epi32(_mm_set1_epi32((int)high), _mm_setr_epi32(0, 2, 4, 6)), 4);
    const __m128i both = _mm_or_si128(_mm_and_si128(nibbles, _mm_set1_epi8(15)),
                                      _mm_and_si128(upper, _mm_set1_epi8(0x30)));
    h->mn = _mm256_cvtepi8_epi16(_mm_sub_epi8(both, _mm_set1_epi8(32)));
    set_16(h, h->mn);
    h->d = two_f16(b->d, b->d);
}

INLINE void head_q2_k(const uint8_t *block, head *h)
{
    const px_q2_k *b = (const void *)block;
    const __m256i both = _mm256_cvtepu8_epi16(_mm_loadu_si128((const void *)b->scales));
    h->mn = _mm256_srli_epi16(both, 4);
    set_16(h, _mm256_and_si256(both, _mm256_set1_epi16(15)));
    h->d = two_f16(b->d, b->dmin);
}

INLINE void head_iq4_xs(const uint8_t *block, head *h)
{
    const px_iq4_xs *b = (const void *)block;
    const __m128i place = _mm_setr_epi8(0, -1, 0, -1, 1, -1, 1, -1, 2, -1, 2, -1, 3, -1, 3, -1);
    const __m128i low = _mm_shuffle_epi8(_mm_cvtsi32_si128((int)px_load32(b->scales_l)), place);
    const __m128i high = _mm_set1_epi16((short)px_load16(b->scales_h));
    // word s times 2^(4 or 0), or 2^(14 - 2 s): the bits that count then stand at 4 to 7, 14 and 15
    const __m128i l = _mm_and_si128(
        _mm_srli_epi16(_mm_mullo_epi16(low, _mm_setr_epi16(16, 1, 16, 1, 16, 1, 16, 1)), 4),
        _mm_set1_epi16(15));
    const __m128i u = _mm_srli_epi16(
        _mm_mullo_epi16(high, _mm_setr_epi16(1 << 14, 1 << 12, 1 << 10, 1 << 8, 64, 16, 4, 1)), 14);
    const __m128i sc = _mm_sub_epi16(_mm_or_si128(l, _mm_slli_epi16(u, 4)), _mm_set1_epi16(32));
    set_8(h, sc);
    h->mn = _mm256_setzero_si256();
    h->d = two_f16(b->d, b->d);
}

/* ---- codes; v is a constant where these are inlined */

INLINE __m256i codes_q4_k(const uint8_t *block, int v)
{
    const px_q4_k *b = (const void *)block;
    return half_bytes(b->qs + 32 * (v / 2), v % 2);
}

/* Bit n of bytes as bit `to`, with bits of neighbours beside it. */
INLINE __m256i bit_to(__m256i bytes, int n, int to)
{
    return n < to ? _mm256_slli_epi16(bytes, to - n) : _mm256_srli_epi16(bytes, n - to);
}

INLINE __m256i codes_q5_k(const uint8_t *block, int v)
{
    const px_q5_k *b = (const void *)block;
    return or_masked(half_bytes(b->qs + 32 * (v / 2), v % 2), bit_to(load256(b->qh), v, 4),
                     _mm256_set1_epi8(16));
}

INLINE __m256i codes_q6_k(const uint8_t *block, int v)
{
    const px_q6_k *b = (const void *)block;
    const __m256i low = half_bytes(b->ql + 64 * (v / 4) + 32 * (v % 2), v % 4 >= 2);
    const __m256i high = bit_to(load256(b->qh + 32 * (v / 4)), 2 * (v % 4), 4);
    return or_masked(low, high, _mm256_set1_epi8(0x30));
}

INLINE __m256i codes_q2_k(const uint8_t *block, int v)
{
    const px_q2_k *b = (const void *)block;
    return two_bits(load256(b->qs + 32 * (v / 4)), v % 4);
}

INLINE __m256i codes_q3_k(const uint8_t *block, int v)
{
    const px_q3_k *b = (const void *)block;
    return or_masked(two_bits(load256(b->qs + 32 * (v / 4)), v % 4),
                     bit_to(load256(b->hmask), v, 2), _mm256_set1_epi8(4));
}

INLINE __m256i codes_iq4_xs(const uint8_t *block, int v)
{
    const px_iq4_xs *b = (const void *)block;
    return look_up(px_iq4_codes, nibbles16(b->qs + 16 * v));
}

/* ---- products */

INLINE float sum8(__m256 a)
{
    __m128 s = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    s = _mm_add_ps(s, _mm_movehl_ps(s, s));
    return _mm_cvtss_f32(_mm_add_ss(s, _mm_movehdup_ps(s)));
}

/* The scales of vector v in all its words. */
INLINE __m256i scales_of(const head *h, const format f, int v)
{
    if (!f.sub16)
        return _mm256_shuffle_epi8(h->sc[0], _mm256_set1_epi16((short)(2 * v | (2 * v + 1) << 8)));
    const int s = 2 * (v % 4), a = 2 * s | (2 * s + 1) << 8, b = (2 * s + 2) | (2 * s + 3) << 8;
    const __m256i place = _mm256_set_m128i(_mm_set1_epi16((short)b), _mm_set1_epi16((short)a));
    return _mm256_shuffle_epi8(h->sc[v / 4], place);
}

INLINE __m256i pairs_of(__m256i q, __m256i x, const bool is_signed)
{
    return is_signed ? _mm256_maddubs_epi16(_mm256_sign_epi8(q, q), _mm256_sign_epi8(x, q))
                     : _mm256_maddubs_epi16(q, x);
}

/* Minima or scales times sums of activations of super-block b. */
INLINE __m256i dot_sums(const head *h, const px_q8k_column *x, int64_t b, const bool sub16)
{
    const __m256i sums =
        sub16 ? load256(x->sums + 16 * b)
              : _mm256_zextsi128_si256(_mm_loadu_si128((const void *)(x->sums32 + 8 * b)));
    return _mm256_madd_epi16(h->mn, sums);
}

/* Adds super-block b of a row, at w, to cols sums. */
INLINE void add_block(const px_q8k_column *x, const int cols, const uint8_t *w, int64_t b,
                      const format f, __m256 *sum)
{
    head h;
    __m256i t[COLS], u[COLS];
    f.head(w, &h);
#pragma GCC unroll 4
    for (int j = 0; j < cols; j++) {
        t[j] = u[j] = _mm256_setzero_si256();
        if (f.bias >= 0)
            t[j] =
                _mm256_sub_epi32(t[j], _mm256_slli_epi32(dot_sums(&h, &x[j], b, f.sub16), f.bias));
    }
#pragma GCC unroll 8
    for (int v = 0; v < VECTORS; v++) {
        const __m256i q = f.codes(w, v), scales = scales_of(&h, f, v);
#pragma GCC unroll 4
        for (int j = 0; j < cols; j++) {
            const __m256i a = load256(x[j].q + b * PX_Q8K_BLOCK + 32 * v);
            __m256i *at =
                v % 2 ? &u[j] : &t[j]; // two chains, as their latency is longer than the rest
            *at = add_dot16(*at, pairs_of(q, a, f.is_signed), scales);
        }
    }
#pragma GCC unroll 4
    for (int j = 0; j < cols; j++) {
        t[j] = _mm256_add_epi32(t[j], u[j]);
        const __m128 d = _mm_mul_ps(h.d, _mm_set1_ps(x[j].d[b]));
        sum[j] = _mm256_fmadd_ps(_mm256_broadcastss_ps(d), _mm256_cvtepi32_ps(t[j]), sum[j]);
        if (f.minima)
            sum[j] = _mm256_fnmadd_ps(_mm256_broadcastss_ps(_mm_movehdup_ps(d)),
                                      _mm256_cvtepi32_ps(dot_sums(&h, &x[j], b, f.sub16)), sum[j]);
    }
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
        __m256 sum[COLS];
#pragma GCC unroll 4
        for (int j = 0; j < cols; j++)
            sum[j] = _mm256_setzero_ps();
        for (int64_t b = 0; b < n; b++, w += f.block_bytes) {
            for (int at = 0; at < f.block_bytes; at += LINE)
                _mm_prefetch((const char *)w + AHEAD + at, _MM_HINT_T0);
            add_block(x, cols, w, b, f, sum);
        }
#pragma GCC unroll 4
        for (int j = 0; j < cols; j++)
            m->y[(c + j) * m->y_stride + r] = sum8(sum[j]);
    }
}

#include "kern/x86/mul_cols.h"

INLINE void multiply(const px_mul *m, int64_t row0, int64_t row1, const format f)
{
    multiply_in(m, row0, row1, COLS, f);
}

#endif

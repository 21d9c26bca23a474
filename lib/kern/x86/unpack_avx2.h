/*
 * unpack: packed blocks into vectors of 32 codes of 8 bits, for AVX2 and the levels above it.
 * Layouts in kern/blocks.h. All static inline.
 */
#ifndef PX_KERN_X86_UNPACK_AVX2_H
#define PX_KERN_X86_UNPACK_AVX2_H

#include "kern/blocks.h"
#include "kern/ref/scales.h"

#include <immintrin.h>

#define INLINE static inline __attribute__((always_inline))

/* An f16 in memory. */
INLINE float unpack_f16(const void *p)
{
    return _cvtsh_ss(px_load16(p));
}

INLINE __m256i load256(const void *p)
{
    return _mm256_loadu_si256(p);
}

/* ---- blocks of 32: codes in the order of their values, scale, offset */

typedef struct codes32 {
    __m256i q;  // signed
    float d, m; // x = d q + m
} codes32;

/* Low halves of 16 bytes, then their high halves. */
INLINE __m256i nibbles16(const uint8_t *qs)
{
    const __m128i raw = _mm_loadu_si128((const void *)qs);
    const __m256i both = _mm256_set_m128i(_mm_srli_epi16(raw, 4), raw);
    return _mm256_and_si256(both, _mm256_set1_epi8(15));
}

/* 0xff in byte j where bit j is set. */
INLINE __m256i spread_bits(const uint8_t *bits)
{
    const __m256i place = _mm256_setr_epi8(0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2,
                                           2, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3, 3);
    const __m256i one = _mm256_set1_epi64x((long long)0x8040201008040201ull);
    const __m256i bytes = _mm256_shuffle_epi8(_mm256_set1_epi32((int)px_load32(bits)), place);
    return _mm256_cmpeq_epi8(_mm256_and_si256(bytes, one), one);
}

INLINE __m256i look_up(const int8_t *table16, __m256i index)
{
    const __m128i table = _mm_loadu_si128((const void *)table16);
    return _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(table), index);
}

INLINE codes32 unpack_q8_0(const void *block)
{
    const px_q8_0 *b = block;
    return (codes32){load256(b->qs), unpack_f16(b->d), 0.0f};
}

INLINE codes32 unpack_q4_0(const void *block)
{
    const px_q4_0 *b = block;
    return (codes32){_mm256_sub_epi8(nibbles16(b->qs), _mm256_set1_epi8(8)), unpack_f16(b->d),
                     0.0f};
}

INLINE codes32 unpack_q4_1(const void *block)
{
    const px_q4_1 *b = block;
    return (codes32){nibbles16(b->qs), unpack_f16(b->d), unpack_f16(b->m)};
}

INLINE codes32 unpack_q5_0(const void *block)
{
    const px_q5_0 *b = block; // a clear bit 4 takes 16 away: 0xf0 above the nibble
    const __m256i low = _mm256_andnot_si256(spread_bits(b->qh), _mm256_set1_epi8((char)0xf0));
    return (codes32){_mm256_or_si256(nibbles16(b->qs), low), unpack_f16(b->d), 0.0f};
}

INLINE codes32 unpack_q5_1(const void *block)
{
    const px_q5_1 *b = block;
    const __m256i high = _mm256_and_si256(spread_bits(b->qh), _mm256_set1_epi8(16));
    return (codes32){_mm256_or_si256(nibbles16(b->qs), high), unpack_f16(b->d), unpack_f16(b->m)};
}

INLINE codes32 unpack_iq4_nl(const void *block)
{
    const px_iq4_nl *b = block;
    return (codes32){look_up(px_iq4_codes, nibbles16(b->qs)), unpack_f16(b->d), 0.0f};
}

INLINE codes32 unpack_mxfp4(const void *block)
{
    const px_mxfp4 *b = block;
    const float d =
        b->e < 2 ? px_bits_f32(0x00200000u << b->e) : px_bits_f32((uint32_t)(b->e - 1) << 23);
    return (codes32){look_up(px_mxfp4_codes, nibbles16(b->qs)), d, 0.0f};
}

/* ---- super-blocks: 8 vectors of 32 codes, integer scales and minima of each 16 */

typedef struct codes256 {
    __m256i q[8];
    int16_t sc[16], mn[16];
    float d, dmin;
} codes256;

INLINE void widen(int16_t *to, const uint8_t *from, int n) // from n to 16 scales
{
    for (int s = 0; s < 16; s++)
        to[s] = from[s * n / 16];
}

INLINE void widen_signed(int16_t *to, const int8_t *from, int n)
{
    for (int s = 0; s < 16; s++)
        to[s] = from[s * n / 16];
}

/* Bits 2 j and 2 j + 1 of bytes, j constant. */
INLINE __m256i two_bits(__m256i bytes, int j)
{
    return _mm256_and_si256(_mm256_srli_epi16(bytes, 2 * j), _mm256_set1_epi8(3));
}

INLINE void unpack_q2_k(const void *block, codes256 *out)
{
    const px_q2_k *b = block;
    out->d = unpack_f16(b->d);
    out->dmin = unpack_f16(b->dmin);
    for (int s = 0; s < 16; s++) {
        out->sc[s] = b->scales[s] & 15;
        out->mn[s] = b->scales[s] >> 4;
    }
    for (int i = 0; i < 8; i++)
        out->q[i] = two_bits(load256(b->qs + 32 * (i / 4)), i % 4);
}

INLINE void unpack_q3_k(const void *block, codes256 *out)
{
    const px_q3_k *b = block;
    int8_t sc[16];
    px_q3_k_scales(b->scales, sc);
    widen_signed(out->sc, sc, 16);
    out->d = unpack_f16(b->d);
    const __m256i high = load256(b->hmask);
    for (int i = 0; i < 8; i++) { // a clear bit takes 4 away
        const __m256i bit = _mm256_set1_epi8((char)(1 << i));
        const __m256i clear =
            _mm256_cmpeq_epi8(_mm256_and_si256(high, bit), _mm256_setzero_si256());
        const __m256i low = two_bits(load256(b->qs + 32 * (i / 4)), i % 4);
        out->q[i] = _mm256_or_si256(low, _mm256_and_si256(clear, _mm256_set1_epi8((char)0xfc)));
    }
}

/* Low halves (i even) or high halves of 32 bytes. */
INLINE __m256i half_bytes(const uint8_t *p, int high)
{
    return _mm256_and_si256(_mm256_srli_epi16(load256(p), high ? 4 : 0), _mm256_set1_epi8(15));
}

INLINE void unpack_scales_6(const uint8_t *d, const uint8_t *dmin, const uint8_t *scales,
                            codes256 *out)
{
    uint8_t sc[8], mn[8];
    px_q4_k_scales(scales, sc, mn);
    widen(out->sc, sc, 8);
    widen(out->mn, mn, 8);
    out->d = unpack_f16(d);
    out->dmin = unpack_f16(dmin);
}

INLINE void unpack_q4_k(const void *block, codes256 *out)
{
    const px_q4_k *b = block;
    unpack_scales_6(b->d, b->dmin, b->scales, out);
    for (int i = 0; i < 8; i++)
        out->q[i] = half_bytes(b->qs + 32 * (i / 2), i % 2);
}

INLINE void unpack_q5_k(const void *block, codes256 *out)
{
    const px_q5_k *b = block;
    unpack_scales_6(b->d, b->dmin, b->scales, out);
    const __m256i high = load256(b->qh);
    for (int i = 0; i < 8; i++) {
        const __m256i bit = _mm256_and_si256(_mm256_srli_epi16(high, i), _mm256_set1_epi8(1));
        out->q[i] =
            _mm256_or_si256(half_bytes(b->qs + 32 * (i / 2), i % 2), _mm256_slli_epi16(bit, 4));
    }
}

INLINE void unpack_q6_k(const void *block, codes256 *out)
{
    const px_q6_k *b = block;
    widen_signed(out->sc, b->scales, 16);
    out->d = unpack_f16(b->d);
    for (int i = 0; i < 8; i++) {
        const __m256i low = half_bytes(b->ql + 64 * (i / 4) + 32 * (i % 2), i % 4 >= 2);
        const __m256i high = two_bits(load256(b->qh + 32 * (i / 4)), i % 4);
        out->q[i] =
            _mm256_sub_epi8(_mm256_or_si256(low, _mm256_slli_epi16(high, 4)), _mm256_set1_epi8(32));
    }
}

INLINE void unpack_iq4_xs(const void *block, codes256 *out)
{
    const px_iq4_xs *b = block;
    int8_t sc[8];
    px_iq4_xs_scales(b, sc);
    widen_signed(out->sc, sc, 8);
    out->d = unpack_f16(b->d);
    for (int i = 0; i < 8; i++)
        out->q[i] = look_up(px_iq4_codes, nibbles16(b->qs + 16 * i));
}

/* ---- which code ranges a format has, for the kernels that multiply */

enum { CODES_UNSIGNED, CODES_SIGNED };

#endif

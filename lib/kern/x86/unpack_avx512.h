/*
 * unpack_avx512: packed blocks into vectors of 64 codes, headers of four blocks into lanes of 128
 * bits, for the levels of AVX-512. Layouts in kern/blocks.h. All static inline.
 */
#ifndef PX_KERN_X86_UNPACK_AVX512_H
#define PX_KERN_X86_UNPACK_AVX512_H

#include "kern/x86/unpack_avx2.h"

/* ---- constants */

/* 16-bit a in the lower half, b in the upper. */
INLINE __m512i counts16(int a, int b)
{
    return _mm512_inserti64x4(_mm512_set1_epi16((short)a), _mm256_set1_epi16((short)b), 1);
}

INLINE __m512i counts32(int a, int b)
{
    return _mm512_inserti64x4(_mm512_set1_epi32(a), _mm256_set1_epi32(b), 1);
}

/* Words 0, 0, ... 1, 1, ...: eight (a lane) of each. */
INLINE __m512i word_runs(void)
{
    return _mm512_set_epi64(0x0003000300030003, 0x0003000300030003, 0x0002000200020002,
                            0x0002000200020002, 0x0001000100010001, 0x0001000100010001, 0, 0);
}

/* ---- pieces */

/* 16 bytes at w[i] + at in lane i. */
INLINE __m512i lanes(const uint8_t *const w[4], int at)
{
    __m512i v = _mm512_castsi128_si512(_mm_loadu_si128((const void *)(w[0] + at)));
    v = _mm512_inserti32x4(v, _mm_loadu_si128((const void *)(w[1] + at)), 1);
    v = _mm512_inserti32x4(v, _mm_loadu_si128((const void *)(w[2] + at)), 2);
    return _mm512_inserti32x4(v, _mm_loadu_si128((const void *)(w[3] + at)), 3);
}

/* Four f16, one at each p. */
INLINE __m128 four_f16(const uint8_t *a, const uint8_t *b, const uint8_t *c, const uint8_t *d)
{
    const uint64_t low = px_load16(a) | (uint32_t)px_load16(b) << 16;
    const uint64_t high = px_load16(c) | (uint32_t)px_load16(d) << 16;
    return _mm_cvtph_ps(_mm_cvtsi64_si128((long long)(low | high << 32)));
}

/* The f16 at w[i] + at. */
INLINE __m128 halves(const uint8_t *const w[4], int at)
{
    return four_f16(w[0] + at, w[1] + at, w[2] + at, w[3] + at);
}

/* 32 bytes twice. */
INLINE __m512i twice(const void *p)
{
    return _mm512_broadcast_i64x4(load256(p));
}

/* Bits of a where mask has them, of b elsewhere. */
INLINE __m512i select_bits(__m512i mask, __m512i a, __m512i b)
{
    return _mm512_ternarylogic_epi32(mask, a, b, 0xca);
}

INLINE __m512i look_up512(const int8_t *table16, __m512i index)
{
    const __m128i table = _mm_loadu_si128((const void *)table16);
    return _mm512_shuffle_epi8(_mm512_broadcast_i32x4(table), index);
}

/* ---- headers of four super-blocks */

typedef struct heads {
    __m512i sc[4];  // scales of block i: 16 words; or 8 dwords
    __m512i mn[2];  // minima (or the scales once more) of block i in lane i: words 0 to 7, 8 to 15
    __m128 d, dmin; // of block i in float i
} heads;

INLINE __m512i widen_i8(const void *p) // 16 int8 to words
{
    return _mm512_castsi256_si512(_mm256_cvtepi8_epi16(_mm_loadu_si128(p)));
}

/* Signed bytes of each lane to words: the first eight, the last eight. */
INLINE void widen_lanes(__m512i bytes, __m512i words[2])
{
    words[0] = _mm512_srai_epi16(_mm512_unpacklo_epi8(bytes, bytes), 8);
    words[1] = _mm512_srai_epi16(_mm512_unpackhi_epi8(bytes, bytes), 8);
}

INLINE void head_q3_k(const uint8_t *const w[4], heads *h)
{
    enum { LAST = PX_Q3_K_BYTES - 16 }; // 2 bytes of codes, 12 of scales, d
    const __m512i raw = lanes(w, LAST);
    h->d = halves(w, PX_Q3_K_BYTES - 2);
    const __m512i low_at =
        _mm512_broadcast_i32x4(_mm_setr_epi8(2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5, 6, 7, 8, 9));
    const __m512i high_at = _mm512_broadcast_i32x4(
        _mm_setr_epi8(10, 11, 12, 13, 10, 11, 12, 13, 10, 11, 12, 13, 10, 11, 12, 13));
    const __m512i low_shift = _mm512_broadcast_i32x4(_mm_setr_epi32(0, 0, 4, 4));
    const __m512i high_shift = _mm512_broadcast_i32x4(_mm_setr_epi32(0, 2, 4, 6));
    const __m512i low = _mm512_srlv_epi64(_mm512_shuffle_epi8(raw, low_at),
                                          _mm512_and_si512(low_shift, _mm512_set1_epi64(0xff)));
    const __m512i high = _mm512_srlv_epi32(_mm512_shuffle_epi8(raw, high_at), high_shift);
    const __m512i both = _mm512_and_si512(
        select_bits(_mm512_set1_epi8(15), low, _mm512_slli_epi16(high, 4)), _mm512_set1_epi8(63));
    const __m512i sc = _mm512_sub_epi8(both, _mm512_set1_epi8(32));
    widen_lanes(sc, h->mn);
    h->sc[0] = _mm512_castsi256_si512(_mm256_cvtepi8_epi16(_mm512_castsi512_si128(sc)));
    h->sc[1] = _mm512_castsi256_si512(_mm256_cvtepi8_epi16(_mm512_extracti32x4_epi32(sc, 1)));
    h->sc[2] = _mm512_castsi256_si512(_mm256_cvtepi8_epi16(_mm512_extracti32x4_epi32(sc, 2)));
    h->sc[3] = _mm512_castsi256_si512(_mm256_cvtepi8_epi16(_mm512_extracti32x4_epi32(sc, 3)));
}

INLINE void head_q2_k(const uint8_t *const w[4], heads *h)
{
    h->d = halves(w, PX_Q2_K_BYTES - 4);
    h->dmin = halves(w, PX_Q2_K_BYTES - 2);
    const __m512i nibble = _mm512_set1_epi8(15);
    const __m512i mn = _mm512_and_si512(_mm512_srli_epi16(lanes(w, 0), 4), nibble);
    h->mn[0] = _mm512_unpacklo_epi8(mn, _mm512_setzero_si512());
    h->mn[1] = _mm512_unpackhi_epi8(mn, _mm512_setzero_si512());
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++)
        h->sc[i] = _mm512_and_si512(widen_i8(w[i]), _mm512_set1_epi16(15));
}

INLINE void head_iq4_xs(const uint8_t *const w[4], heads *h)
{
    const char X = (char)0x80;
    const __m512i raw = lanes(w, 0); // d, high 16 bits, 4 bytes of low halves, codes
    h->d = halves(w, 0);
    // words: low half s at byte 4 + s / 2, two upper bits at 2 s of bytes 2 and 3
    const __m512i low_at =
        _mm512_broadcast_i32x4(_mm_setr_epi8(4, X, 4, X, 5, X, 5, X, 6, X, 6, X, 7, X, 7, X));
    const __m512i high_at = _mm512_set1_epi16(0x0302);
    const __m512i low_shift = _mm512_broadcast_i32x4(_mm_setr_epi16(0, 4, 0, 4, 0, 4, 0, 4));
    const __m512i high_shift = _mm512_broadcast_i32x4(_mm_setr_epi16(0, 2, 4, 6, 8, 10, 12, 14));
    const __m512i low = _mm512_srlv_epi16(_mm512_shuffle_epi8(raw, low_at), low_shift);
    const __m512i high = _mm512_srlv_epi16(_mm512_shuffle_epi8(raw, high_at), high_shift);
    const __m512i both = _mm512_and_si512(
        select_bits(_mm512_set1_epi16(15), low, _mm512_slli_epi16(high, 4)), _mm512_set1_epi16(63));
    const __m512i sc = _mm512_sub_epi16(both, _mm512_set1_epi16(32));
    h->mn[0] = sc;
    h->sc[0] = _mm512_castsi256_si512(_mm256_cvtepi16_epi32(_mm512_castsi512_si128(sc)));
    h->sc[1] = _mm512_castsi256_si512(_mm256_cvtepi16_epi32(_mm512_extracti32x4_epi32(sc, 1)));
    h->sc[2] = _mm512_castsi256_si512(_mm256_cvtepi16_epi32(_mm512_extracti32x4_epi32(sc, 2)));
    h->sc[3] = _mm512_castsi256_si512(_mm256_cvtepi16_epi32(_mm512_extracti32x4_epi32(sc, 3)));
}

/* ---- codes of a super-block: four vectors in the order of the values, unsigned */

INLINE void codes_q2_k(const uint8_t *block, __m512i q[4])
{
    const px_q2_k *b = (const void *)block;
    const __m512i two = _mm512_set1_epi8(3);
#pragma GCC unroll 2
    for (int i = 0; i < 2; i++) {
        const __m512i raw = twice(b->qs + 32 * i);
        q[2 * i] = _mm512_and_si512(_mm512_srlv_epi16(raw, counts16(0, 2)), two);
        q[2 * i + 1] = _mm512_and_si512(_mm512_srlv_epi16(raw, counts16(4, 6)), two);
    }
}

INLINE void codes_q3_k(const uint8_t *block, __m512i q[4])
{
    const px_q3_k *b = (const void *)block;
    const __m512i high = twice(b->hmask), two = _mm512_set1_epi8(3), all = _mm512_set1_epi8(7);
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) { // bits 2 i and 2 i + 1 turned to bit 2
        const __m512i low =
            _mm512_srlv_epi16(twice(b->qs + 32 * (i / 2)), i % 2 ? counts16(4, 6) : counts16(0, 2));
        const __m512i bit = _mm512_rorv_epi32(high, counts32((2 * i + 30) & 31, (2 * i + 31) & 31));
        q[i] = _mm512_and_si512(select_bits(two, low, bit), all);
    }
}

/* 32 bytes, each 16 of them twice: low halves, then high halves. */
INLINE __m512i nibbles_32(const uint8_t *qs)
{
    const __m512i raw = _mm512_permutexvar_epi64(_mm512_setr_epi64(0, 1, 0, 1, 2, 3, 2, 3),
                                                 _mm512_castsi256_si512(load256(qs)));
    const __m512i shift = _mm512_setr_epi32(0, 0, 0, 0, 4, 4, 4, 4, 0, 0, 0, 0, 4, 4, 4, 4);
    return _mm512_and_si512(_mm512_srlv_epi32(raw, shift), _mm512_set1_epi8(15));
}

#endif

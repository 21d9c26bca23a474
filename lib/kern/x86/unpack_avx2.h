/*
 * unpack: pieces of packed blocks as vectors of 32 bytes, for AVX2 and the levels above it.
 * Layouts in kern/blocks.h. All static inline.
 */
#ifndef PX_KERN_X86_UNPACK_AVX2_H
#define PX_KERN_X86_UNPACK_AVX2_H

#include "kern/blocks.h"
#include "kern/ref/scales.h"

#include <immintrin.h>

#define INLINE static inline __attribute__((always_inline))

INLINE __m256i load256(const void *p)
{
    return _mm256_loadu_si256(p);
}

/* Low halves of 16 bytes, then their high halves. */
INLINE __m256i nibbles16(const uint8_t *qs)
{
    const __m128i raw = _mm_loadu_si128((const void *)qs);
    const __m256i both = _mm256_set_m128i(_mm_srli_epi16(raw, 4), raw);
    return _mm256_and_si256(both, _mm256_set1_epi8(15));
}

INLINE __m256i look_up(const int8_t *table16, __m256i index)
{
    const __m128i table = _mm_loadu_si128((const void *)table16);
    return _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(table), index);
}

/* Bits 2 j and 2 j + 1 of bytes, j constant. */
INLINE __m256i two_bits(__m256i bytes, int j)
{
    return _mm256_and_si256(_mm256_srli_epi16(bytes, 2 * j), _mm256_set1_epi8(3));
}

/* Low halves (i even) or high halves of 32 bytes. */
INLINE __m256i half_bytes(const uint8_t *p, int high)
{
    return _mm256_and_si256(_mm256_srli_epi16(load256(p), high ? 4 : 0), _mm256_set1_epi8(15));
}

#endif

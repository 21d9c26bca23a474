/*
 * half_bf16: rows of bf16 and f16 as vectors of 32 bf16, for level avx512bf16.
 *
 * f16 is rounded to bf16 (to nearest even) wherever it is read, so that few columns and many
 * multiply the same numbers. The dot product counts bf16 below 2^-126 as zero.
 *
 * Static inline: included in files compiled for that level.
 */
#ifndef PX_KERN_X86_HALF_BF16_H
#define PX_KERN_X86_HALF_BF16_H

#include <immintrin.h>
#include <stdint.h>

#ifndef INLINE
#define INLINE static inline __attribute__((always_inline))
#endif

/* 32 values of a row from p on; the first n of them, zeros behind. */
typedef __m512i (*load32_fn)(const uint8_t *p);
typedef __m512i (*load32_part_fn)(const uint8_t *p, int64_t n);

INLINE __m512i load32_bf16(const uint8_t *p)
{
    return _mm512_loadu_si512(p);
}

INLINE __m512i load32_bf16_part(const uint8_t *p, int64_t n)
{
    return _mm512_maskz_loadu_epi16((__mmask32)((1ull << n) - 1), p);
}

INLINE __m512i round32_f16(__m512i halves)
{
    const __m512 low = _mm512_cvtph_ps(_mm512_castsi512_si256(halves));
    const __m512 high = _mm512_cvtph_ps(_mm512_extracti64x4_epi64(halves, 1));
    return (__m512i)_mm512_cvtne2ps_pbh(high, low);
}

INLINE __m512i load32_f16(const uint8_t *p)
{
    const __m512 low = _mm512_cvtph_ps(_mm256_loadu_si256((const void *)p));
    const __m512 high = _mm512_cvtph_ps(_mm256_loadu_si256((const void *)(p + 32)));
    return (__m512i)_mm512_cvtne2ps_pbh(high, low);
}

INLINE __m512i load32_f16_part(const uint8_t *p, int64_t n)
{
    return round32_f16(load32_bf16_part(p, n));
}

/* sum[i] += a[2 i] b[2 i] + a[2 i + 1] b[2 i + 1] */
INLINE __m512 dot_pairs(__m512 sum, __m512i a, __m512i b)
{
    return _mm512_dpbf16_ps(sum, (__m512bh)a, (__m512bh)b);
}

#endif

/* mul_q8_avx512: mul_q8_avx512.h without VNNI: pairs in 16 bits first. */
#include <immintrin.h>

#define LEVEL(name) px_avx512_##name

enum { CODE_SHIFT = 0 };

/* The sign of a code moves to the activation, which is never -128: pairs stay below 2^15. */
static inline __attribute__((always_inline)) __m512i dot_signed(__m512i q, __m512i x)
{
    const __m512i turned =
        _mm512_mask_sub_epi8(x, _mm512_movepi8_mask(q), _mm512_setzero_si512(), x);
    return _mm512_madd_epi16(_mm512_maddubs_epi16(_mm512_abs_epi8(q), turned),
                             _mm512_set1_epi16(1));
}

/* Two pairs of products stay below 2^15: 31 * 127 * 4. */
static inline __attribute__((always_inline)) __m512i dot_small(__m512i start, __m512i a, __m512i xa,
                                                               __m512i b, __m512i xb)
{
    const __m512i pairs =
        _mm512_add_epi16(_mm512_maddubs_epi16(a, xa), _mm512_maddubs_epi16(b, xb));
    return _mm512_add_epi32(start, _mm512_madd_epi16(pairs, _mm512_set1_epi16(1)));
}

#include "kern/x86/mul_q8_avx512.h"

/* mul_q8k_avx512: mul_q8k_avx512.h without VNNI. */
#include <immintrin.h>

#define LEVEL(name) px_avx512_##name

enum { CODE_SHIFT = 0 };

static inline __attribute__((always_inline)) __m512i add_dot16(__m512i sum, __m512i a, __m512i b)
{
    return _mm512_add_epi32(sum, _mm512_madd_epi16(a, b));
}

/* Byte products are unsigned by signed: the sign of a code moves to the activation. */
static inline __attribute__((always_inline)) __m512i dot_codes(__m512i q, __m512i x)
{
    const __m512i turned =
        _mm512_mask_sub_epi8(x, _mm512_movepi8_mask(q), _mm512_setzero_si512(), x);
    return _mm512_madd_epi16(_mm512_maddubs_epi16(_mm512_abs_epi8(q), turned),
                             _mm512_set1_epi16(1));
}

#include "kern/x86/mul_q8k_avx512.h"

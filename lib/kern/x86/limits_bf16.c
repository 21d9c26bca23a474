/* limits with AVX-512 BF16: dot products of pairs of bf16. */
#include "kern/limits_levels.h"

#include <immintrin.h>

enum { SUMS = 16 };

/* As in limits_avx2.c. */
#define HIDE(x) __asm__ volatile("" : "+v"(x))

static float limit_bf16(float a, float b, int64_t rounds)
{
    const __m512 fa = _mm512_set1_ps(a), fb = _mm512_set1_ps(b);
    __m512bh ha = _mm512_cvtne2ps_pbh(fa, fa);
    const __m512bh hb = _mm512_cvtne2ps_pbh(fb, fb);
    __m512 x[SUMS], sum = _mm512_setzero_ps();
    for (int i = 0; i < SUMS; i++)
        x[i] = _mm512_setzero_ps();
    for (int64_t r = 0; r < rounds; r++) {
        _Pragma("GCC unroll 16") for (int i = 0; i < SUMS; i++)
        {
            HIDE(ha);
            x[i] = _mm512_dpbf16_ps(x[i], ha, hb);
        }
    }
    for (int i = 0; i < SUMS; i++)
        sum = _mm512_add_ps(sum, x[i]);
    return _mm512_reduce_add_ps(sum) / (SUMS * 16);
}

void px_bf16_limits(px_limits *limits)
{
    limits->bf16 = limit_bf16;
    limits->bf16_ops = SUMS * 64;
}

/* limits with AVX-512 VNNI: int8 products by one dot product of 64. */
#include "kern/limits_levels.h"

#include <immintrin.h>

enum { SUMS = 16 };

/* As in limits_avx2.c. */
#define HIDE(x) __asm__ volatile("" : "+v"(x))

static uint32_t limit_int8(const uint8_t *a, const int8_t *b, int64_t rounds)
{
    __m512i u = _mm512_loadu_si512(a), sums[SUMS];
    const __m512i s = _mm512_loadu_si512(b);
    for (int i = 0; i < SUMS; i++)
        sums[i] = _mm512_setzero_si512();
    for (int64_t r = 0; r < rounds; r++) {
        _Pragma("GCC unroll 16") for (int i = 0; i < SUMS; i++)
        {
            HIDE(u);
            sums[i] = _mm512_dpbusd_epi32(sums[i], u, s);
        }
    }
    for (int i = 1; i < SUMS; i++)
        sums[0] = _mm512_add_epi32(sums[0], sums[i]);
    return (uint32_t)_mm512_reduce_add_epi32(sums[0]);
}

void px_vnni_limits(px_limits *limits)
{
    limits->int8 = limit_int8;
    limits->int8_ops = SUMS * 128;
}

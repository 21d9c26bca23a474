/* limits with AVX-512: int8 products by maddubs, madd and an addition, 64 at a time. */
#include "kern/limits_levels.h"
#include "kern/simd/limits_read.h"
#include "kern/x86/vec_avx512.h"

#include "kern/simd/limits_f32.h"

/* As in limits_avx2.c. */
#define HIDE(x) __asm__ volatile("" : "+v"(x))

static uint32_t limit_int8(const uint8_t *a, const int8_t *b, int64_t rounds)
{
    __m512i u = _mm512_loadu_si512(a), sums[LIMIT_SUMS];
    const __m512i s = _mm512_loadu_si512(b), ones = _mm512_set1_epi16(1);
    for (int i = 0; i < LIMIT_SUMS; i++)
        sums[i] = _mm512_setzero_si512();
    for (int64_t r = 0; r < rounds; r++) {
        _Pragma("GCC unroll 12") for (int i = 0; i < LIMIT_SUMS; i++)
        {
            HIDE(u);
            const __m512i pairs = _mm512_maddubs_epi16(u, s);
            sums[i] = _mm512_add_epi32(sums[i], _mm512_madd_epi16(pairs, ones));
        }
    }
    for (int i = 1; i < LIMIT_SUMS; i++)
        sums[0] = _mm512_add_epi32(sums[0], sums[i]);
    return (uint32_t)_mm512_reduce_add_epi32(sums[0]);
}

void px_avx512_limits(px_limits *limits)
{
    limits->read = limit_read;
    limits->int8 = limit_int8;
    limits->f32 = limit_f32;
    limits->int8_ops = LIMIT_SUMS * 128;
    limits->f32_ops = LIMIT_F32_OPS;
}

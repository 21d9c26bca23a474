/* limits with AVX2: int8 products by maddubs, madd and an addition, 32 at a time. */
#include "kern/limits_levels.h"
#include "kern/simd/limits_read.h"
#include "kern/x86/vec_avx2.h"

#include "kern/simd/limits_f32.h"

/* The operand changes as far as the compiler knows: products may not be hoisted or shared. */
#define HIDE(x) __asm__ volatile("" : "+x"(x))

static uint32_t limit_int8(const uint8_t *a, const int8_t *b, int64_t rounds)
{
    __m256i u[2], sums[LIMIT_SUMS];
    const __m256i ones = _mm256_set1_epi16(1);
    const __m256i s[2] = {_mm256_loadu_si256((const void *)b),
                          _mm256_loadu_si256((const void *)(b + 32))};
    for (int i = 0; i < 2; i++)
        u[i] = _mm256_loadu_si256((const void *)(a + 32 * i));
    for (int i = 0; i < LIMIT_SUMS; i++)
        sums[i] = _mm256_setzero_si256();
    for (int64_t r = 0; r < rounds; r++) {
        _Pragma("GCC unroll 12") for (int i = 0; i < LIMIT_SUMS; i++)
        {
            HIDE(u[i & 1]);
            const __m256i pairs = _mm256_maddubs_epi16(u[i & 1], s[i & 1]);
            sums[i] = _mm256_add_epi32(sums[i], _mm256_madd_epi16(pairs, ones));
        }
    }
    for (int i = 1; i < LIMIT_SUMS; i++)
        sums[0] = _mm256_add_epi32(sums[0], sums[i]);
    uint32_t lanes[8], sum = 0;
    memcpy(lanes, &sums[0], sizeof lanes);
    for (int i = 0; i < 8; i++)
        sum += lanes[i];
    return sum;
}

void px_avx2_limits(px_limits *limits)
{
    *limits = (px_limits){.read = limit_read,
                          .int8 = limit_int8,
                          .f32 = limit_f32,
                          .int8_ops = LIMIT_SUMS * 64,
                          .f32_ops = LIMIT_F32_OPS};
}

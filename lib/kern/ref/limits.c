/* limits in plain C: what the compiler makes of simple loops. */
#include "kern/limits_levels.h"
#include "kern/simd/limits_read.h"

enum { SUMS = 32 };

/* The compiler must not see that a loop does the same again. */
#define HIDE(p) __asm__ volatile("" : "+r"(p) : : "memory")

static uint32_t limit_int8(const uint8_t *a, const int8_t *b, int64_t rounds)
{
    uint32_t sums[64] = {0}, sum = 0;
    for (int64_t r = 0; r < rounds; r++) {
        HIDE(a);
        for (int i = 0; i < 64; i++)
            sums[i] += (uint32_t)(a[i] * b[i]);
    }
    for (int i = 0; i < 64; i++)
        sum += sums[i];
    return sum;
}

static float limit_f32(float a, float b, int64_t rounds)
{
    float x[SUMS], sum = 0;
    for (int i = 0; i < SUMS; i++)
        x[i] = (float)i;
    for (int64_t r = 0; r < rounds; r++)
        for (int i = 0; i < SUMS; i++)
            x[i] = a * x[i] + b;
    for (int i = 0; i < SUMS; i++)
        sum += x[i];
    return sum / SUMS;
}

void px_ref_limits(px_limits *limits)
{
    *limits = (px_limits){.read = limit_read,
                          .int8 = limit_int8,
                          .f32 = limit_f32,
                          .int8_ops = 128,
                          .f32_ops = SUMS * 2};
}

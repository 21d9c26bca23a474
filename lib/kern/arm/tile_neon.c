/*
 * tile_neon: tile_whole.h by 16-bit products: four activations, in every row's place, times four
 * codes of each of four rows; two such products fit 16 bits, since activations are never -128. For
 * 64 codes: 8 multiplies, 4 pairwise sums, an addition and what spreads the activations, which four
 * groups of rows share.
 */
#include "kern/arm/rows4.h"

#define LEVEL(name) px_neon_##name

/* Bytes of w0 and w1 times bytes of x0 and x1, in pairs of neighbours, 8 of low or high halves. */
static inline __attribute__((always_inline)) int32x4_t pairs_low(int8x16_t w0, int8x16_t w1,
                                                                 int8x16_t x0, int8x16_t x1)
{
    int16x8_t both = vmull_s8(vget_low_s8(w0), vget_low_s8(x0));
    both = vmlal_s8(both, vget_low_s8(w1), vget_low_s8(x1));
    return vpaddlq_s16(both);
}

static inline __attribute__((always_inline)) int32x4_t pairs_high(int8x16_t w0, int8x16_t w1,
                                                                  int8x16_t x0, int8x16_t x1)
{
    return vpaddlq_s16(vmlal_high_s8(vmull_high_s8(w0, x0), w1, x1));
}

static inline __attribute__((always_inline)) int32x4_t product16(int32x4_t sum, const int8_t *w,
                                                                 columns16 x)
{
    const int32x4_t fours = vreinterpretq_s32_s8(x.q);
    const int8x16_t x0 = vreinterpretq_s8_s32(vdupq_laneq_s32(fours, 0));
    const int8x16_t x1 = vreinterpretq_s8_s32(vdupq_laneq_s32(fours, 1));
    const int8x16_t x2 = vreinterpretq_s8_s32(vdupq_laneq_s32(fours, 2));
    const int8x16_t x3 = vreinterpretq_s8_s32(vdupq_laneq_s32(fours, 3));
    const int8x16_t w0 = vld1q_s8(w), w1 = vld1q_s8(w + 16);
    const int8x16_t w2 = vld1q_s8(w + 32), w3 = vld1q_s8(w + 48);
    const int32x4_t low = vaddq_s32(pairs_low(w0, w1, x0, x1), pairs_low(w2, w3, x2, x3));
    const int32x4_t high = vaddq_s32(pairs_high(w0, w1, x0, x1), pairs_high(w2, w3, x2, x3));
    return vaddq_s32(sum, vpaddq_s32(low, high));
}

#include "kern/arm/tile_whole.h"

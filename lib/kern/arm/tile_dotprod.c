/*
 * tile_dotprod: tile_whole.h by the dot product with a lane: four codes of four rows times four
 * activations of a column in one instruction.
 */
#include "kern/arm/rows4.h"

#define LEVEL(name) px_dotprod_##name

static inline __attribute__((always_inline)) int32x4_t product16(int32x4_t sum, const int8_t *w,
                                                                 columns16 x)
{
    sum = vdotq_laneq_s32(sum, vld1q_s8(w), x.q, 0);
    sum = vdotq_laneq_s32(sum, vld1q_s8(w + 16), x.q, 1);
    sum = vdotq_laneq_s32(sum, vld1q_s8(w + 32), x.q, 2);
    return vdotq_laneq_s32(sum, vld1q_s8(w + 48), x.q, 3);
}

#include "kern/arm/tile_whole.h"

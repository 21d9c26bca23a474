/*
 * rows4: the places of codes for levels whose four sums are of four rows and one column: four bytes
 * of each row make a vector. Included before tile_whole.h.
 */
#ifndef PX_KERN_ARM_ROWS4_H
#define PX_KERN_ARM_ROWS4_H

#include <arm_neon.h>
#include <stdint.h>

enum { G_ROWS = 4, G_COLS = 1 };

static inline __attribute__((always_inline)) void put16(int8_t *group, int row, int8x16_t q)
{
    const int32x4_t fours = vreinterpretq_s32_s8(q);
    int32_t *out = (int32_t *)(void *)group + row; // groups are aligned to 16
    vst1q_lane_s32(out, fours, 0);
    vst1q_lane_s32(out + 4, fours, 1);
    vst1q_lane_s32(out + 8, fours, 2);
    vst1q_lane_s32(out + 12, fours, 3);
}

typedef struct columns16 {
    int8x16_t q;
} columns16;

static inline __attribute__((always_inline)) columns16 load_columns16(const int8_t *const *x,
                                                                      int64_t at)
{
    return (columns16){vld1q_s8(x[0] + at)};
}

#endif

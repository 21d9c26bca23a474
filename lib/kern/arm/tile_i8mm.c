/*
 * tile_i8mm: tile_whole.h by the 8-bit matrix product: eight codes of two rows times eight
 * activations of two columns give four sums in one instruction.
 */
#include <arm_neon.h>

#define LEVEL(name) px_i8mm_##name

enum { G_ROWS = 2, G_COLS = 2 };

static inline __attribute__((always_inline)) void put16(int8_t *group, int row, int8x16_t q)
{
    vst1_s8(group + 8 * row, vget_low_s8(q));
    vst1_s8(group + 16 + 8 * row, vget_high_s8(q));
}

typedef struct columns16 {
    int8x16_t q[2]; // eight of both columns, the next eight
} columns16;

static inline __attribute__((always_inline)) columns16 load_columns16(const int8_t *const *x,
                                                                      int64_t at)
{
    return (columns16){{vcombine_s8(vld1_s8(x[0] + at), vld1_s8(x[1] + at)),
                        vcombine_s8(vld1_s8(x[0] + at + 8), vld1_s8(x[1] + at + 8))}};
}

static inline __attribute__((always_inline)) int32x4_t product16(int32x4_t sum, const int8_t *w,
                                                                 columns16 x)
{
    sum = vmmlaq_s32(sum, vld1q_s8(w), x.q[0]);
    return vmmlaq_s32(sum, vld1q_s8(w + 16), x.q[1]);
}

#include "kern/arm/tile_whole.h"

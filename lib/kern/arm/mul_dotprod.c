/* mul_dotprod: mul_whole.h by the dot product of four signed bytes: one instruction for 16 codes.
 */
#include <arm_neon.h>

#define LEVEL(name) px_dotprod_##name

static inline __attribute__((always_inline)) int32x4_t dot16(int32x4_t sum, int8x16_t a,
                                                             int8x16_t b)
{
    return vdotq_s32(sum, a, b);
}

#include "kern/arm/mul_whole.h"

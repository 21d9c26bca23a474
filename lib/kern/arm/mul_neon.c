/* mul_neon: mul_whole.h by 16-bit products: two of them fit 16 bits, since activations are never
 * -128: three instructions for 16 codes. */
#include <arm_neon.h>

#define LEVEL(name) px_neon_##name

static inline __attribute__((always_inline)) int32x4_t dot16(int32x4_t sum, int8x16_t a,
                                                             int8x16_t b)
{
    int16x8_t pairs = vmull_s8(vget_low_s8(a), vget_low_s8(b));
    pairs = vmlal_high_s8(pairs, a, b);
    return vpadalq_s16(sum, pairs);
}

#include "kern/arm/mul_whole.h"

/*
 * traits: see traits.h.
 *
 * Forms: float weights and NF4 (whose codebook is no set of small integers) multiply f32
 * activations; blocks of 32 meet activations with the same blocks (Q8); super-blocks of 256 meet
 * activations with one scale a super-block (Q8K), so that a whole super-block is summed in
 * integers.
 */
#include "kern/traits.h"

#include "kern/ref/formats.h"

#define ROW(id, name, form)                              \
    {                                                    \
        id, px_##name##_decode, px_##name##_encode, form \
    }
static const px_traits ROWS[] = {
    ROW(PX_F32, f32, PX_ACT_F32),  ROW(PX_F16, f16, PX_ACT_F32),  ROW(PX_BF16, bf16, PX_ACT_F32),
    ROW(PX_Q8_0, q8_0, PX_ACT_Q8), ROW(PX_Q4_0, q4_0, PX_ACT_Q8),
};
#undef ROW

const px_traits *px_traits_get(px_dtype dtype)
{
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++)
        if (ROWS[i].dtype == dtype)
            return &ROWS[i];
    return NULL;
}

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

#define ENCODE(id, name)                                                                \
    void px_##name##_encode(const float *restrict in, void *restrict blocks, int64_t n, \
                            const float *importance)                                    \
    {                                                                                   \
        px_##name##_encode_with(&px_ref_fits, in, blocks, n, importance);               \
    }
PX_FITTED(ENCODE)
#undef ENCODE

static const px_traits ROWS[] = {
#define ROW(id, name, form) {id, px_##name##_decode, px_##name##_encode, form},
    PX_FORMATS(ROW)
#undef ROW
};

const px_traits *px_traits_get(px_dtype dtype)
{
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++)
        if (ROWS[i].dtype == dtype)
            return &ROWS[i];
    return NULL;
}

void px_encode_with(const px_fits *fits, px_dtype dtype, const float *restrict in,
                    void *restrict blocks, int64_t n, const float *importance)
{
    switch (dtype) {
#define ENCODE(id, name)                                          \
    case id:                                                      \
        px_##name##_encode_with(fits, in, blocks, n, importance); \
        return;
        PX_FITTED(ENCODE)
#undef ENCODE
    default:
        px_traits_get(dtype)->encode(in, blocks, n, importance);
    }
}

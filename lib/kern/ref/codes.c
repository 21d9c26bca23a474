/* codes: see codes.h; decoding of every format with whole-number codes. */
#include "kern/ref/codes.h"

#include "kern/blocks.h"
#include "kern/ref/formats.h"

px_unpack_fn px_unpack_get(px_dtype dtype)
{
    switch (dtype) {
#define CASE(id, name) \
    case id:           \
        return px_##name##_unpack;
        PX_UNPACKED(CASE)
#undef CASE
    default:
        return NULL;
    }
}

static void decode(const uint8_t *block, size_t n_bytes, int n_values, px_unpack_fn unpack,
                   float *restrict out, int64_t n)
{
    px_codes c;
    for (int64_t i = 0; i < n; i += n_values, block += n_bytes) {
        unpack(block, &c);
        for (int s = 0; s < n_values / 16; s++) {
            const float scale = c.d * (float)c.sc[s], minimum = c.dmin * (float)c.mn[s];
            for (int j = 16 * s; j < 16 * (s + 1); j++)
                out[i + j] = scale * (float)c.q[j] - minimum;
        }
    }
}

#define DECODE(id, name)                                                                 \
    void px_##name##_decode(const void *restrict blocks, float *restrict out, int64_t n) \
    {                                                                                    \
        decode(blocks, id##_BYTES, id##_VALUES, px_##name##_unpack, out, n);             \
    }
PX_UNPACKED(DECODE)

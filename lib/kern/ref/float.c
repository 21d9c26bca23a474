/* float: rows of f32, f16 and bf16. Encoding rounds to nearest even; importance does not matter. */
#include "kern/half.h"
#include "kern/ref/formats.h"

void px_f32_decode(const void *restrict blocks, float *restrict out, int64_t n)
{
    memcpy(out, blocks, (size_t)n * sizeof *out);
}

void px_f32_encode(const float *restrict in, void *restrict blocks, int64_t n,
                   const float *importance)
{
    (void)importance;
    memcpy(blocks, in, (size_t)n * sizeof *in);
}

void px_f16_decode(const void *restrict blocks, float *restrict out, int64_t n)
{
    const uint8_t *p = blocks;
    for (int64_t i = 0; i < n; i++)
        out[i] = px_load_f16(p + 2 * i);
}

void px_f16_encode(const float *restrict in, void *restrict blocks, int64_t n,
                   const float *importance)
{
    (void)importance;
    uint8_t *p = blocks;
    for (int64_t i = 0; i < n; i++)
        px_store_f16(p + 2 * i, in[i]);
}

void px_bf16_decode(const void *restrict blocks, float *restrict out, int64_t n)
{
    const uint8_t *p = blocks;
    for (int64_t i = 0; i < n; i++)
        out[i] = px_bf16_to_f32(px_load16(p + 2 * i));
}

void px_bf16_encode(const float *restrict in, void *restrict blocks, int64_t n,
                    const float *importance)
{
    (void)importance;
    uint8_t *p = blocks;
    for (int64_t i = 0; i < n; i++)
        px_store16(p + 2 * i, px_f32_to_bf16(in[i]));
}

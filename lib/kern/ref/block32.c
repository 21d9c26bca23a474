/*
 * block32: blocks of 32 values with an f16 scale: Q4_0, Q8_0. Layouts in blocks.h, scales by
 * fit.h.
 */
#include "kern/blocks.h"
#include "kern/half.h"
#include "kern/ref/fit.h"
#include "kern/ref/formats.h"

enum { VALUES = 32, HALF = VALUES / 2 };

/* Nibbles of 32 codes: code j in the low half of byte j, code j + 16 in its high half. */
static void pack_nibbles(const uint8_t *codes, uint8_t *qs)
{
    for (int j = 0; j < HALF; j++)
        qs[j] = (uint8_t)((codes[j] & 15) | (codes[j + HALF] & 15) << 4);
}

static const float *at(const float *importance, int64_t i)
{
    return importance ? importance + i : NULL;
}

/* ---- Q8_0 */

void px_q8_0_decode(const void *restrict blocks, float *restrict out, int64_t n)
{
    const px_q8_0 *b = blocks;
    for (int64_t i = 0; i < n; i += VALUES, b++) {
        const float d = px_load_f16(b->d);
        for (int j = 0; j < VALUES; j++)
            out[i + j] = d * (float)b->qs[j];
    }
}

void px_q8_0_encode(const float *restrict in, void *restrict blocks, int64_t n,
                    const float *importance)
{
    static const px_grid GRID = {-127, 127, NULL, 0};
    px_q8_0 *b = blocks;
    for (int64_t i = 0; i < n; i += VALUES, b++) {
        const float d = px_fit_scale(in + i, at(importance, i), VALUES, &GRID, true);
        uint8_t codes[VALUES];
        px_fit_codes(in + i, d, VALUES, &GRID, codes);
        px_store_f16(b->d, d);
        for (int j = 0; j < VALUES; j++)
            b->qs[j] = (int8_t)(GRID.lo + codes[j]);
    }
}

/* ---- Q4_0 */

void px_q4_0_decode(const void *restrict blocks, float *restrict out, int64_t n)
{
    const px_q4_0 *b = blocks;
    for (int64_t i = 0; i < n; i += VALUES, b++) {
        const float d = px_load_f16(b->d);
        for (int j = 0; j < HALF; j++) {
            out[i + j] = d * (float)((b->qs[j] & 15) - 8);
            out[i + j + HALF] = d * (float)((b->qs[j] >> 4) - 8);
        }
    }
}

void px_q4_0_encode(const float *restrict in, void *restrict blocks, int64_t n,
                    const float *importance)
{
    static const px_grid GRID = {-8, 7, NULL, 0};
    px_q4_0 *b = blocks;
    for (int64_t i = 0; i < n; i += VALUES, b++) {
        const float d = px_fit_scale(in + i, at(importance, i), VALUES, &GRID, true);
        uint8_t codes[VALUES];
        px_fit_codes(in + i, d, VALUES, &GRID, codes);
        px_store_f16(b->d, d);
        pack_nibbles(codes, b->qs);
    }
}

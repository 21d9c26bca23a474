/*
 * block32: blocks of 32 values with an f16 scale: Q8_0, Q4_0, Q4_1, Q5_0, Q5_1, IQ4_NL; and MXFP4,
 * whose scale is a power of two. Layouts in blocks.h, scales by fit.h.
 */
#include "kern/blocks.h"
#include "kern/half.h"
#include "kern/ref/codes.h"
#include "kern/ref/fit.h"
#include "kern/ref/formats.h"

enum { VALUES = 32, HALF = VALUES / 2 };

/* Blocks that are fitted together, of those left. */
static int at_once(int64_t left)
{
    const int64_t blocks = left / VALUES;
    return blocks < PX_FIT_LANES ? (int)blocks : PX_FIT_LANES;
}

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

/* The scales of a block of 32. dmin is the offset negated, +0 where there is none: taking away +0
 * keeps the sign of a zero. */
static void set_scales(px_codes *out, float d, float dmin)
{
    out->d = d;
    out->dmin = dmin;
    for (int s = 0; s < VALUES / 16; s++) {
        out->sc[s] = 1;
        out->mn[s] = 1;
    }
}

/* ---- Q8_0 */

void px_q8_0_unpack(const void *block, px_codes *out)
{
    const px_q8_0 *b = block;
    set_scales(out, px_load_f16(b->d), 0.0f);
    memcpy(out->q, b->qs, VALUES);
}

void px_q8_0_encode_with(const px_fits *fits, const float *restrict in, void *restrict blocks,
                         int64_t n, const float *importance)
{
    static const px_grid GRID = {-127, 127, NULL, 0};
    px_q8_0 *b = blocks;
    float d[PX_FIT_LANES];
    uint8_t codes[PX_FIT_ALL];
    for (int64_t i = 0; i < n;) {
        const int many = at_once(n - i);
        fits->scale(&GRID, in + i, at(importance, i), many, d, codes);
        for (int k = 0; k < many; k++, b++, i += VALUES) {
            px_store_f16(b->d, d[k]);
            for (int j = 0; j < VALUES; j++)
                b->qs[j] = (int8_t)(GRID.lo + codes[k * VALUES + j]);
        }
    }
}

/* ---- Q4_0 and IQ4_NL: the same bytes, other values */

static const px_grid Q4_GRID = {-8, 7, NULL, 0};
static const px_grid IQ4_GRID = {-127, 113, px_iq4_codes, 16};

static void unpack_4(const px_q4_0 *b, const px_grid *g, px_codes *out)
{
    set_scales(out, px_load_f16(b->d), 0.0f);
    for (int j = 0; j < HALF; j++) {
        out->q[j] = (int8_t)px_grid_value(g, b->qs[j] & 15);
        out->q[j + HALF] = (int8_t)px_grid_value(g, b->qs[j] >> 4);
    }
}

static void encode_4(const px_fits *fits, const float *restrict in, void *restrict blocks,
                     int64_t n, const float *importance, const px_grid *g)
{
    px_q4_0 *b = blocks;
    float d[PX_FIT_LANES];
    uint8_t codes[PX_FIT_ALL];
    for (int64_t i = 0; i < n;) {
        const int many = at_once(n - i);
        fits->scale(g, in + i, at(importance, i), many, d, codes);
        for (int k = 0; k < many; k++, b++, i += VALUES) {
            px_store_f16(b->d, d[k]);
            pack_nibbles(codes + k * VALUES, b->qs);
        }
    }
}

void px_q4_0_unpack(const void *block, px_codes *out)
{
    unpack_4(block, &Q4_GRID, out);
}

void px_q4_0_encode_with(const px_fits *fits, const float *restrict in, void *restrict blocks,
                         int64_t n, const float *importance)
{
    encode_4(fits, in, blocks, n, importance, &Q4_GRID);
}

void px_iq4_nl_unpack(const void *block, px_codes *out)
{
    unpack_4(block, &IQ4_GRID, out);
}

void px_iq4_nl_encode_with(const px_fits *fits, const float *restrict in, void *restrict blocks,
                           int64_t n, const float *importance)
{
    encode_4(fits, in, blocks, n, importance, &IQ4_GRID);
}

/* ---- Q4_1 */

void px_q4_1_unpack(const void *block, px_codes *out)
{
    const px_q4_1 *b = block;
    set_scales(out, px_load_f16(b->d), -px_load_f16(b->m));
    for (int j = 0; j < HALF; j++) {
        out->q[j] = b->qs[j] & 15;
        out->q[j + HALF] = (int8_t)(b->qs[j] >> 4);
    }
}

void px_q4_1_encode_with(const px_fits *fits, const float *restrict in, void *restrict blocks,
                         int64_t n, const float *importance)
{
    px_q4_1 *b = blocks;
    float d[PX_FIT_LANES], m[PX_FIT_LANES];
    uint8_t codes[PX_FIT_ALL];
    for (int64_t i = 0; i < n;) {
        const int many = at_once(n - i);
        fits->affine(15, in + i, at(importance, i), many, d, m, codes);
        for (int k = 0; k < many; k++, b++, i += VALUES) {
            px_store_f16(b->d, d[k]);
            px_store_f16(b->m, m[k]);
            pack_nibbles(codes + k * VALUES, b->qs);
        }
    }
}

/* ---- Q5_0 and Q5_1: bit 4 of code j is bit j of qh */

static int code_5(const uint8_t *qs, uint32_t qh, int j)
{
    const int low = j < HALF ? qs[j] & 15 : qs[j - HALF] >> 4;
    return low | (int)(qh >> j & 1u) << 4;
}

static void pack_5(const uint8_t *codes, uint8_t *qs, uint8_t *qh)
{
    uint32_t high = 0;
    for (int j = 0; j < VALUES; j++)
        high |= (uint32_t)(codes[j] >> 4 & 1) << j;
    memcpy(qh, &high, sizeof high);
    pack_nibbles(codes, qs);
}

void px_q5_0_unpack(const void *block, px_codes *out)
{
    const px_q5_0 *b = block;
    set_scales(out, px_load_f16(b->d), 0.0f);
    for (int j = 0; j < VALUES; j++)
        out->q[j] = (int8_t)(code_5(b->qs, px_load32(b->qh), j) - 16);
}

void px_q5_0_encode_with(const px_fits *fits, const float *restrict in, void *restrict blocks,
                         int64_t n, const float *importance)
{
    static const px_grid GRID = {-16, 15, NULL, 0};
    px_q5_0 *b = blocks;
    float d[PX_FIT_LANES];
    uint8_t codes[PX_FIT_ALL];
    for (int64_t i = 0; i < n;) {
        const int many = at_once(n - i);
        fits->scale(&GRID, in + i, at(importance, i), many, d, codes);
        for (int k = 0; k < many; k++, b++, i += VALUES) {
            px_store_f16(b->d, d[k]);
            pack_5(codes + k * VALUES, b->qs, b->qh);
        }
    }
}

void px_q5_1_unpack(const void *block, px_codes *out)
{
    const px_q5_1 *b = block;
    set_scales(out, px_load_f16(b->d), -px_load_f16(b->m));
    for (int j = 0; j < VALUES; j++)
        out->q[j] = (int8_t)code_5(b->qs, px_load32(b->qh), j);
}

void px_q5_1_encode_with(const px_fits *fits, const float *restrict in, void *restrict blocks,
                         int64_t n, const float *importance)
{
    px_q5_1 *b = blocks;
    float d[PX_FIT_LANES], m[PX_FIT_LANES];
    uint8_t codes[PX_FIT_ALL];
    for (int64_t i = 0; i < n;) {
        const int many = at_once(n - i);
        fits->affine(31, in + i, at(importance, i), many, d, m, codes);
        for (int k = 0; k < many; k++, b++, i += VALUES) {
            px_store_f16(b->d, d[k]);
            px_store_f16(b->m, m[k]);
            pack_5(codes + k * VALUES, b->qs, b->qh);
        }
    }
}

/* ---- MXFP4 */

float px_mxfp4_scale(uint8_t e)
{
    // 2^(e - 128): below 2^-126 an f32 is subnormal
    return e < 2 ? px_bits_f32(0x00200000u << e) : px_bits_f32((uint32_t)(e - 1) << 23);
}

void px_mxfp4_unpack(const void *block, px_codes *out)
{
    const px_mxfp4 *b = block;
    set_scales(out, px_mxfp4_scale(b->e), 0.0f);
    for (int j = 0; j < HALF; j++) {
        out->q[j] = px_mxfp4_codes[b->qs[j] & 15];
        out->q[j + HALF] = px_mxfp4_codes[b->qs[j] >> 4];
    }
}

/* Places of the nearest of n ascending codes, for x[j] * inverse: each middle that a value is
 * beyond counts one. Loops that compilers turn into vectors. */
static void nearest(const int8_t *codes, int n, const float *x, float inverse, int32_t *index)
{
    memset(index, 0, VALUES * sizeof *index);
    for (int k = 0; k + 1 < n; k++) {
        const float middle = 0.5f * (float)(codes[k] + codes[k + 1]);
        for (int j = 0; j < VALUES; j++)
            index[j] += x[j] * inverse > middle;
    }
}

/* Tries the two powers of two about the one that brings the peak to the largest code, and one more
 * on each side. Beyond e = 252 the largest code would decode to infinity. */
void px_mxfp4_encode(const float *restrict in, void *restrict blocks, int64_t n,
                     const float *importance)
{
    static const int8_t VALUE[15] = {-12, -8, -6, -4, -3, -2, -1, 0, 1, 2, 3, 4, 6, 8, 12};
    static const uint8_t CODE[15] = {15, 14, 13, 12, 11, 10, 9, 0, 1, 2, 3, 4, 5, 6, 7};
    px_mxfp4 *b = blocks;
    for (int64_t i = 0; i < n; i += VALUES, b++) {
        float x[VALUES], w[VALUES], best = INFINITY;
        int32_t index[VALUES];
        uint8_t codes[VALUES] = {0};
        const float amax = px_fit_normalise(in + i, at(importance, i), VALUES, x, w);
        int exponent = 0;
        (void)frexpf(amax / 12.0f, &exponent);
        b->e = 0;
        for (int e = exponent + 126; e <= exponent + 129 && amax > 0; e++) {
            const uint8_t stored = (uint8_t)(e < 0 ? 0 : e > 252 ? 252 : e);
            const float d = px_mxfp4_scale(stored) / amax;
            float error = 0;
            nearest(VALUE, 15, x, d != 0.0f ? 1.0f / d : 0.0f, index);
            for (int j = 0; j < VALUES; j++) {
                const float gap = x[j] - d * (float)VALUE[index[j]];
                error += w[j] * gap * gap;
            }
            if (error < best) {
                best = error;
                b->e = stored;
                for (int j = 0; j < VALUES; j++)
                    codes[j] = CODE[index[j]];
            }
        }
        pack_nibbles(codes, b->qs);
    }
}

/*
 * kquant: super-blocks of 256 values with integer sub-scales: Q2_K, Q3_K, Q4_K, Q5_K, Q6_K, IQ4_XS.
 * Layouts in blocks.h, scales by fit.h.
 */
#include "kern/blocks.h"
#include "kern/half.h"
#include "kern/ref/codes.h"
#include "kern/ref/fit.h"
#include "kern/ref/formats.h"
#include "kern/ref/scales.h"

enum { SUPER = 256 };

static const float *at(const float *importance, int64_t i)
{
    return importance ? importance + i : NULL;
}

/* Super-blocks that are fitted together, of n values left. */
static int at_once(const px_super *f, int64_t n)
{
    const int most = PX_FIT_LANES / f->n_sub;
    return n / SUPER < most ? (int)(n / SUPER) : most;
}

/* Scales of a format without minima: n of them, 16 or 8, for 256 values. */
static void set_scales(px_codes *out, float d, const int8_t *sc, int n)
{
    out->d = d;
    out->dmin = 0.0f;
    for (int s = 0; s < 16; s++) {
        out->sc[s] = sc[s * n / 16];
        out->mn[s] = 0;
    }
}

static void set_scales_6(px_codes *out, const uint8_t *d, const uint8_t *dmin,
                         const uint8_t *scales)
{
    uint8_t sc[8], mn[8];
    px_q4_k_scales(scales, sc, mn);
    out->d = px_load_f16(d);
    out->dmin = px_load_f16(dmin);
    for (int s = 0; s < 16; s++) {
        out->sc[s] = sc[s / 2];
        out->mn[s] = mn[s / 2];
    }
}

/* ---- two low bits of 256 codes, as Q2_K and Q3_K have them */

static int low2(const uint8_t *qs, int i)
{
    const int half = i / 128, j = i % 128 / 32, l = i % 32;
    return qs[32 * half + l] >> (2 * j) & 3;
}

static void pack_low2(const uint8_t *codes, uint8_t *qs)
{
    for (int half = 0; half < 2; half++) {
        const uint8_t *c = codes + 128 * half;
        for (int l = 0; l < 32; l++)
            qs[32 * half + l] = (uint8_t)((c[l] & 3) | (c[32 + l] & 3) << 2 | (c[64 + l] & 3) << 4 |
                                          (c[96 + l] & 3) << 6);
    }
}

/* ---- Q2_K */

static const px_grid GRID_2 = {0, 3, NULL, 0};
static const px_super SUPER_2 = {16, 16, 0, 15, &GRID_2};

void px_q2_k_unpack(const void *block, px_codes *out)
{
    const px_q2_k *b = block;
    out->d = px_load_f16(b->d);
    out->dmin = px_load_f16(b->dmin);
    for (int s = 0; s < 16; s++) {
        out->sc[s] = b->scales[s] & 15;
        out->mn[s] = b->scales[s] >> 4;
    }
    for (int i = 0; i < SUPER; i++)
        out->q[i] = (int8_t)low2(b->qs, i);
}

void px_q2_k_encode_with(const px_fits *fits, const float *restrict in, void *restrict blocks,
                         int64_t n, const float *importance)
{
    px_q2_k *b = blocks;
    float d[2], dmin[2];
    uint8_t sc[PX_FIT_LANES], mn[PX_FIT_LANES], codes[PX_FIT_ALL];
    for (int64_t i = 0; i < n;) {
        const int many = at_once(&SUPER_2, n - i);
        fits->super_affine(&SUPER_2, in + i, at(importance, i), many, d, dmin, sc, mn, codes);
        for (int k = 0; k < many; k++, b++, i += SUPER) {
            px_store_f16(b->d, d[k]);
            px_store_f16(b->dmin, dmin[k]);
            for (int s = 0; s < 16; s++)
                b->scales[s] = (uint8_t)(sc[s] | mn[s] << 4);
            pack_low2(codes, b->qs);
        }
    }
}

/* ---- Q3_K */

static const px_grid GRID_3 = {-4, 3, NULL, 0};
static const px_super SUPER_3 = {16, 16, -32, 31, &GRID_3};

void px_q3_k_unpack(const void *block, px_codes *out)
{
    const px_q3_k *b = block;
    int8_t sc[16];
    px_q3_k_scales(b->scales, sc);
    set_scales(out, px_load_f16(b->d), sc, 16);
    for (int i = 0; i < SUPER; i++) {
        const int high = b->hmask[i % 32] >> (i / 32) & 1;
        out->q[i] = (int8_t)((low2(b->qs, i) | high << 2) - 4);
    }
}

static void pack_scales_3(const int8_t *sc, uint8_t *scales)
{
    memset(scales, 0, 12);
    for (int s = 0; s < 16; s++) {
        const int stored = sc[s] + 32;
        scales[s % 8] |= (uint8_t)((stored & 15) << (s < 8 ? 0 : 4));
        scales[8 + s % 4] |= (uint8_t)(stored >> 4 << (2 * (s / 4)));
    }
}

void px_q3_k_encode_with(const px_fits *fits, const float *restrict in, void *restrict blocks,
                         int64_t n, const float *importance)
{
    px_q3_k *b = blocks;
    float d[2];
    int8_t sc[PX_FIT_LANES];
    uint8_t codes[PX_FIT_ALL];
    for (int64_t i = 0; i < n;) {
        const int many = at_once(&SUPER_3, n - i);
        fits->super(&SUPER_3, in + i, at(importance, i), many, d, sc, codes);
        for (int k = 0; k < many; k++, b++, i += SUPER) {
            px_store_f16(b->d, d[k]);
            pack_scales_3(sc, b->scales);
            memset(b->hmask, 0, sizeof b->hmask);
            for (int j = 0; j < 8; j++)
                for (int l = 0; l < 32; l++)
                    b->hmask[l] |= (uint8_t)((codes[32 * j + l] >> 2) << j);
            pack_low2(codes, b->qs);
        }
    }
}

/* ---- Q4_K and Q5_K */

static void pack_scales_6(const uint8_t *sc, const uint8_t *mn, uint8_t *scales)
{
    memset(scales, 0, 12);
    for (int s = 0; s < 4; s++) {
        scales[s] = (uint8_t)(sc[s] | sc[s + 4] >> 4 << 6);
        scales[s + 4] = (uint8_t)(mn[s] | mn[s + 4] >> 4 << 6);
        scales[s + 8] = (uint8_t)((sc[s + 4] & 15) | (mn[s + 4] & 15) << 4);
    }
}

/* Low four bits: sub-block 2 j in the low halves of 32 bytes, 2 j + 1 in their high halves. */
static int low4(const uint8_t *qs, int i)
{
    const uint8_t byte = qs[32 * (i / 64) + i % 32];
    return i % 64 < 32 ? byte & 15 : byte >> 4;
}

static void pack_low4(const uint8_t *codes, uint8_t *qs)
{
    for (int j = 0; j < 4; j++)
        for (int l = 0; l < 32; l++)
            qs[32 * j + l] =
                (uint8_t)((codes[64 * j + l] & 15) | (codes[64 * j + 32 + l] & 15) << 4);
}

static const px_grid GRID_4 = {0, 15, NULL, 0};
static const px_super SUPER_4 = {8, 32, 0, 63, &GRID_4};

void px_q4_k_unpack(const void *block, px_codes *out)
{
    const px_q4_k *b = block;
    set_scales_6(out, b->d, b->dmin, b->scales);
    for (int i = 0; i < SUPER; i++)
        out->q[i] = (int8_t)low4(b->qs, i);
}

void px_q4_k_encode_with(const px_fits *fits, const float *restrict in, void *restrict blocks,
                         int64_t n, const float *importance)
{
    px_q4_k *b = blocks;
    float d[2], dmin[2];
    uint8_t sc[PX_FIT_LANES], mn[PX_FIT_LANES], codes[PX_FIT_ALL];
    for (int64_t i = 0; i < n;) {
        const int many = at_once(&SUPER_4, n - i);
        fits->super_affine(&SUPER_4, in + i, at(importance, i), many, d, dmin, sc, mn, codes);
        for (int k = 0; k < many; k++, b++, i += SUPER) {
            px_store_f16(b->d, d[k]);
            px_store_f16(b->dmin, dmin[k]);
            pack_scales_6(sc + 8 * k, mn + 8 * k, b->scales);
            pack_low4(codes + SUPER * k, b->qs);
        }
    }
}

static const px_grid GRID_5 = {0, 31, NULL, 0};
static const px_super SUPER_5 = {8, 32, 0, 63, &GRID_5};

void px_q5_k_unpack(const void *block, px_codes *out)
{
    const px_q5_k *b = block;
    set_scales_6(out, b->d, b->dmin, b->scales);
    for (int i = 0; i < SUPER; i++)
        out->q[i] = (int8_t)(low4(b->qs, i) | (b->qh[i % 32] >> (i / 32) & 1) << 4);
}

/* Bit 4 of 256 codes. */
static void pack_high(const uint8_t *codes, uint8_t *qh)
{
    memset(qh, 0, 32);
    for (int s = 0; s < 8; s++)
        for (int l = 0; l < 32; l++)
            qh[l] |= (uint8_t)(codes[32 * s + l] >> 4 << s);
}

void px_q5_k_encode_with(const px_fits *fits, const float *restrict in, void *restrict blocks,
                         int64_t n, const float *importance)
{
    px_q5_k *b = blocks;
    float d[2], dmin[2];
    uint8_t sc[PX_FIT_LANES], mn[PX_FIT_LANES], codes[PX_FIT_ALL];
    for (int64_t i = 0; i < n;) {
        const int many = at_once(&SUPER_5, n - i);
        fits->super_affine(&SUPER_5, in + i, at(importance, i), many, d, dmin, sc, mn, codes);
        for (int k = 0; k < many; k++, b++, i += SUPER) {
            px_store_f16(b->d, d[k]);
            px_store_f16(b->dmin, dmin[k]);
            pack_scales_6(sc + 8 * k, mn + 8 * k, b->scales);
            pack_high(codes + SUPER * k, b->qh);
            pack_low4(codes + SUPER * k, b->qs);
        }
    }
}

/* ---- Q6_K */

static const px_grid GRID_6 = {-32, 31, NULL, 0};
static const px_super SUPER_6 = {16, 16, -128, 127, &GRID_6};

void px_q6_k_unpack(const void *block, px_codes *out)
{
    const px_q6_k *b = block;
    set_scales(out, px_load_f16(b->d), b->scales, 16);
    for (int i = 0; i < SUPER; i++) {
        const int half = i / 128, j = i % 128 / 32, l = i % 32;
        const uint8_t low = b->ql[64 * half + 32 * (j % 2) + l];
        const int high = b->qh[32 * half + l] >> (2 * j) & 3;
        out->q[i] = (int8_t)(((j < 2 ? low & 15 : low >> 4) | high << 4) - 32);
    }
}

static void pack_6(const uint8_t *codes, uint8_t *ql, uint8_t *qh)
{
    for (int half = 0; half < 2; half++) {
        const uint8_t *c = codes + 128 * half;
        for (int l = 0; l < 32; l++) {
            ql[64 * half + l] = (uint8_t)((c[l] & 15) | (c[64 + l] & 15) << 4);
            ql[64 * half + 32 + l] = (uint8_t)((c[32 + l] & 15) | (c[96 + l] & 15) << 4);
            qh[32 * half + l] = (uint8_t)(c[l] >> 4 | c[32 + l] >> 4 << 2 | c[64 + l] >> 4 << 4 |
                                          c[96 + l] >> 4 << 6);
        }
    }
}

void px_q6_k_encode_with(const px_fits *fits, const float *restrict in, void *restrict blocks,
                         int64_t n, const float *importance)
{
    px_q6_k *b = blocks;
    float d[2];
    int8_t sc[PX_FIT_LANES];
    uint8_t codes[PX_FIT_ALL];
    for (int64_t i = 0; i < n;) {
        const int many = at_once(&SUPER_6, n - i);
        fits->super(&SUPER_6, in + i, at(importance, i), many, d, sc, codes);
        for (int k = 0; k < many; k++, b++, i += SUPER) {
            px_store_f16(b->d, d[k]);
            memcpy(b->scales, sc, sizeof b->scales);
            pack_6(codes, b->ql, b->qh);
        }
    }
}

/* ---- IQ4_XS */

static const px_grid GRID_XS = {-127, 113, px_iq4_codes, 16};
static const px_super SUPER_XS = {8, 32, -32, 31, &GRID_XS};

void px_iq4_xs_unpack(const void *block, px_codes *out)
{
    const px_iq4_xs *b = block;
    int8_t sc[8];
    px_iq4_xs_scales(b, sc);
    set_scales(out, px_load_f16(b->d), sc, 8);
    for (int s = 0; s < 8; s++) {
        for (int j = 0; j < 16; j++) {
            const uint8_t byte = b->qs[16 * s + j];
            out->q[32 * s + j] = px_iq4_codes[byte & 15];
            out->q[32 * s + j + 16] = px_iq4_codes[byte >> 4];
        }
    }
}

static void pack_scales_xs(const int8_t *sc, px_iq4_xs *b)
{
    unsigned high = 0;
    memset(b->scales_l, 0, sizeof b->scales_l);
    for (int s = 0; s < 8; s++) {
        const unsigned stored = (unsigned)(sc[s] + 32);
        b->scales_l[s / 2] |= (uint8_t)((stored & 15) << (4 * (s % 2)));
        high |= stored >> 4 << (2 * s);
    }
    px_store16(b->scales_h, (uint16_t)high);
}

void px_iq4_xs_encode_with(const px_fits *fits, const float *restrict in, void *restrict blocks,
                           int64_t n, const float *importance)
{
    px_iq4_xs *b = blocks;
    float d[2];
    int8_t sc[PX_FIT_LANES];
    uint8_t codes[PX_FIT_ALL];
    for (int64_t i = 0; i < n;) {
        const int many = at_once(&SUPER_XS, n - i);
        fits->super(&SUPER_XS, in + i, at(importance, i), many, d, sc, codes);
        for (int k = 0; k < many; k++, b++, i += SUPER) {
            px_store_f16(b->d, d[k]);
            pack_scales_xs(sc + 8 * k, b);
            for (int s = 0; s < 8; s++) {
                const uint8_t *c = codes + SUPER * k + 32 * s;
                for (int j = 0; j < 16; j++)
                    b->qs[16 * s + j] = (uint8_t)(c[j] | c[j + 16] << 4);
            }
        }
    }
}

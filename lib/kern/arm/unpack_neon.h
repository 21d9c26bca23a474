/*
 * unpack: packed blocks into vectors of 16 codes of 8 bits, for Advanced SIMD and the levels above
 * it. Layouts in kern/blocks.h. All static inline.
 */
#ifndef PX_KERN_ARM_UNPACK_NEON_H
#define PX_KERN_ARM_UNPACK_NEON_H

#include "kern/blocks.h"
#include "kern/ref/scales.h"

#include <arm_neon.h>

#define INLINE static inline __attribute__((always_inline))

/* An f16 in memory. */
INLINE float unpack_f16(const void *p)
{
    return vgetq_lane_f32(vcvt_f32_f16(vreinterpret_f16_u16(vdup_n_u16(px_load16(p)))), 0);
}

INLINE uint8x16_t low4(uint8x16_t bytes)
{
    return vandq_u8(bytes, vdupq_n_u8(15));
}

INLINE uint8x16_t high4(uint8x16_t bytes)
{
    return vshrq_n_u8(bytes, 4);
}

/* Bits `at` and `at` + 1 of bytes. */
INLINE uint8x16_t two_bits(uint8x16_t bytes, int at)
{
    return vandq_u8(vshlq_u8(bytes, vdupq_n_s8((int8_t)-at)), vdupq_n_u8(3));
}

INLINE int8x16_t as_signed(uint8x16_t codes)
{
    return vreinterpretq_s8_u8(codes);
}

INLINE int8x16_t minus(uint8x16_t codes, int8_t middle)
{
    return vsubq_s8(as_signed(codes), vdupq_n_s8(middle));
}

INLINE int8x16_t look_up(const int8_t *table16, uint8x16_t index)
{
    return vqtbl1q_s8(vld1q_s8(table16), index);
}

/* 0xff in byte j where bit j of two bytes is set. */
INLINE uint8x16_t spread_bits(const uint8_t *bits)
{
    static const uint8_t PLACE[16] = {1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128};
    const uint8x16_t both = vcombine_u8(vdup_n_u8(bits[0]), vdup_n_u8(bits[1]));
    return vtstq_u8(both, vld1q_u8(PLACE));
}

/* ---- blocks of 32: codes in the order of their values, scale, offset */

typedef struct codes32 {
    int8x16_t q[2];
    float d, m; // x = d q + m
} codes32;

INLINE codes32 unpack_q8_0(const void *block)
{
    const px_q8_0 *b = block;
    return (codes32){{vld1q_s8(b->qs), vld1q_s8(b->qs + 16)}, unpack_f16(b->d), 0.0f};
}

INLINE codes32 unpack_q4_0(const void *block)
{
    const px_q4_0 *b = block;
    const uint8x16_t qs = vld1q_u8(b->qs);
    return (codes32){{minus(low4(qs), 8), minus(high4(qs), 8)}, unpack_f16(b->d), 0.0f};
}

INLINE codes32 unpack_q4_1(const void *block)
{
    const px_q4_1 *b = block;
    const uint8x16_t qs = vld1q_u8(b->qs);
    return (codes32){
        {as_signed(low4(qs)), as_signed(high4(qs))}, unpack_f16(b->d), unpack_f16(b->m)};
}

/* Nibbles with bit 4 from qh: unsigned. */
INLINE void nibbles_and_bit(const uint8_t *qs, const uint8_t *qh, uint8x16_t out[2])
{
    const uint8x16_t raw = vld1q_u8(qs), sixteen = vdupq_n_u8(16);
    out[0] = vorrq_u8(low4(raw), vandq_u8(spread_bits(qh), sixteen));
    out[1] = vorrq_u8(high4(raw), vandq_u8(spread_bits(qh + 2), sixteen));
}

INLINE codes32 unpack_q5_0(const void *block)
{
    const px_q5_0 *b = block;
    uint8x16_t q[2];
    nibbles_and_bit(b->qs, b->qh, q);
    return (codes32){{minus(q[0], 16), minus(q[1], 16)}, unpack_f16(b->d), 0.0f};
}

INLINE codes32 unpack_q5_1(const void *block)
{
    const px_q5_1 *b = block;
    uint8x16_t q[2];
    nibbles_and_bit(b->qs, b->qh, q);
    return (codes32){{as_signed(q[0]), as_signed(q[1])}, unpack_f16(b->d), unpack_f16(b->m)};
}

INLINE codes32 unpack_iq4_nl(const void *block)
{
    const px_iq4_nl *b = block;
    const uint8x16_t qs = vld1q_u8(b->qs);
    return (codes32){{look_up(px_iq4_codes, low4(qs)), look_up(px_iq4_codes, high4(qs))},
                     unpack_f16(b->d),
                     0.0f};
}

INLINE codes32 unpack_mxfp4(const void *block)
{
    const px_mxfp4 *b = block;
    const uint8x16_t qs = vld1q_u8(b->qs);
    const float d =
        b->e < 2 ? px_bits_f32(0x00200000u << b->e) : px_bits_f32((uint32_t)(b->e - 1) << 23);
    return (codes32){
        {look_up(px_mxfp4_codes, low4(qs)), look_up(px_mxfp4_codes, high4(qs))}, d, 0.0f};
}

/* ---- super-blocks: 16 vectors of 16 codes, integer scales and minima of each */

typedef struct codes256 {
    int8x16_t q[16];
    int16_t sc[16], mn[16];
    float d, dmin;
} codes256;

INLINE void unpack_q2_k(const void *block, codes256 *out)
{
    const px_q2_k *b = block;
    out->d = unpack_f16(b->d);
    out->dmin = unpack_f16(b->dmin);
    for (int s = 0; s < 16; s++) {
        out->sc[s] = b->scales[s] & 15;
        out->mn[s] = b->scales[s] >> 4;
        const uint8x16_t bytes = vld1q_u8(b->qs + 32 * (s / 8) + 16 * (s % 2));
        out->q[s] = as_signed(two_bits(bytes, s / 2 % 4 * 2));
    }
}

INLINE void unpack_q3_k(const void *block, codes256 *out)
{
    const px_q3_k *b = block;
    int8_t sc[16];
    px_q3_k_scales(b->scales, sc);
    out->d = unpack_f16(b->d);
    for (int s = 0; s < 16; s++) { // a clear bit takes 4 away
        out->sc[s] = sc[s];
        const uint8x16_t bytes = vld1q_u8(b->qs + 32 * (s / 8) + 16 * (s % 2));
        const uint8x16_t high = vld1q_u8(b->hmask + 16 * (s % 2));
        const uint8x16_t is_set = vtstq_u8(high, vdupq_n_u8((uint8_t)(1u << s / 2)));
        const int8x16_t less = as_signed(vbicq_u8(vdupq_n_u8(4), is_set));
        out->q[s] = vsubq_s8(as_signed(two_bits(bytes, s / 2 % 4 * 2)), less);
    }
}

INLINE void unpack_scales_6(const uint8_t *d, const uint8_t *dmin, const uint8_t *scales,
                            codes256 *out)
{
    uint8_t sc[8], mn[8];
    px_q4_k_scales(scales, sc, mn);
    for (int s = 0; s < 16; s++) {
        out->sc[s] = sc[s / 2];
        out->mn[s] = mn[s / 2];
    }
    out->d = unpack_f16(d);
    out->dmin = unpack_f16(dmin);
}

/* Vector s of 16 nibbles: 64 values share 32 bytes, low halves first. */
INLINE uint8x16_t half_bytes(const uint8_t *qs, int s)
{
    const uint8x16_t bytes = vld1q_u8(qs + 32 * (s / 4) + 16 * (s % 2));
    return s / 2 % 2 ? high4(bytes) : low4(bytes);
}

INLINE void unpack_q4_k(const void *block, codes256 *out)
{
    const px_q4_k *b = block;
    unpack_scales_6(b->d, b->dmin, b->scales, out);
#pragma GCC unroll 16
    for (int s = 0; s < 16; s++)
        out->q[s] = as_signed(half_bytes(b->qs, s));
}

INLINE void unpack_q5_k(const void *block, codes256 *out)
{
    const px_q5_k *b = block;
    unpack_scales_6(b->d, b->dmin, b->scales, out);
#pragma GCC unroll 16
    for (int s = 0; s < 16; s++) {
        const uint8x16_t high = vld1q_u8(b->qh + 16 * (s % 2));
        const uint8x16_t is_set = vtstq_u8(high, vdupq_n_u8((uint8_t)(1u << s / 2)));
        const uint8x16_t bit = vandq_u8(is_set, vdupq_n_u8(16));
        out->q[s] = as_signed(vorrq_u8(half_bytes(b->qs, s), bit));
    }
}

INLINE void unpack_q6_k(const void *block, codes256 *out)
{
    const px_q6_k *b = block;
    out->d = unpack_f16(b->d);
#pragma GCC unroll 16
    for (int s = 0; s < 16; s++) { // value 128 h + 32 j + 16 i: s = 8 h + 2 j + i
        const int j = s / 2 % 4;
        out->sc[s] = (int8_t)b->scales[s];
        const uint8x16_t bytes = vld1q_u8(b->ql + 64 * (s / 8) + 32 * (j % 2) + 16 * (s % 2));
        const uint8x16_t low = j >= 2 ? high4(bytes) : low4(bytes);
        const uint8x16_t high = two_bits(vld1q_u8(b->qh + 32 * (s / 8) + 16 * (s % 2)), 2 * j);
        out->q[s] = minus(vorrq_u8(low, vshlq_n_u8(high, 4)), 32);
    }
}

INLINE void unpack_iq4_xs(const void *block, codes256 *out)
{
    const px_iq4_xs *b = block;
    int8_t sc[8];
    px_iq4_xs_scales(b, sc);
    out->d = unpack_f16(b->d);
#pragma GCC unroll 16
    for (int s = 0; s < 16; s++) {
        out->sc[s] = sc[s / 2];
        const uint8x16_t bytes = vld1q_u8(b->qs + 16 * (s / 2));
        out->q[s] = look_up(px_iq4_codes, s % 2 ? high4(bytes) : low4(bytes));
    }
}

#endif

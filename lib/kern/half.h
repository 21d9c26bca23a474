/*
 * half: f16 (IEEE 754 binary16), bf16 and f32 in plain C, bit for bit as F16C, AVX-512 and NEON
 * convert: round to nearest, ties to even; subnormals kept on both sides; a NaN stays a NaN, made
 * quiet, with the upper bits of its payload.
 *
 * Static inline on purpose: these are also included in files compiled for one instruction set, and
 * must never be merged by the linker with a copy for another.
 */
#ifndef PX_KERN_HALF_H
#define PX_KERN_HALF_H

#include <stdint.h>
#include <string.h>

static inline uint32_t px_f32_bits(float x)
{
    uint32_t u;
    memcpy(&u, &x, sizeof u);
    return u;
}

static inline float px_bits_f32(uint32_t u)
{
    float x;
    memcpy(&x, &u, sizeof x);
    return x;
}

/* Little-endian loads and stores without alignment. */
static inline uint16_t px_load16(const void *p)
{
    uint16_t u;
    memcpy(&u, p, sizeof u);
    return u;
}

static inline uint32_t px_load32(const void *p)
{
    uint32_t u;
    memcpy(&u, p, sizeof u);
    return u;
}

static inline float px_load_f32(const void *p)
{
    return px_bits_f32(px_load32(p));
}

static inline void px_store16(void *p, uint16_t u)
{
    memcpy(p, &u, sizeof u);
}

static inline void px_store32(void *p, uint32_t u)
{
    memcpy(p, &u, sizeof u);
}

static inline void px_store_f32(void *p, float x)
{
    memcpy(p, &x, sizeof x);
}

static inline float px_f16_to_f32(uint16_t h)
{
    const uint32_t sign = (uint32_t)(h & 0x8000u) << 16;
    const uint32_t magnitude = h & 0x7fffu;
    if (magnitude >= 0x7c00u) { // infinity, or a NaN, which becomes quiet
        const uint32_t quiet = magnitude > 0x7c00u ? 0x00400000u : 0u;
        return px_bits_f32(sign | 0x7f800000u | (magnitude & 0x3ffu) << 13 | quiet);
    }
    if (magnitude < 0x0400u) { // zero or subnormal: a whole number of 2^-24
        const float value = (float)magnitude * 0x1p-24f;
        return px_bits_f32(sign | px_f32_bits(value));
    }
    return px_bits_f32(sign | ((magnitude << 13) + ((127u - 15u) << 23)));
}

static inline uint16_t px_f32_to_f16(float x)
{
    const uint32_t bits = px_f32_bits(x);
    const uint32_t sign = bits >> 16 & 0x8000u;
    const uint32_t magnitude = bits & 0x7fffffffu;
    if (magnitude > 0x7f800000u)
        return (uint16_t)(sign | 0x7e00u | (magnitude >> 13 & 0x1ffu));
    if (magnitude >= 0x477ff000u) // 65520, halfway between the largest f16 and the next: infinity
        return (uint16_t)(sign | 0x7c00u);
    if (magnitude < 0x38800000u) { // below 2^-14: round to a whole number of 2^-24 by an addition
        const float shifted =
            px_bits_f32(magnitude) + 0.5f; // the unit of 0.5f's last place is 2^-24
        return (uint16_t)(sign | (px_f32_bits(shifted) - 0x3f000000u));
    }
    const uint32_t odd = magnitude >> 13 & 1u;
    return (uint16_t)(sign | (magnitude - ((127u - 15u) << 23) + 0xfffu + odd) >> 13);
}

static inline float px_bf16_to_f32(uint16_t b)
{
    return px_bits_f32((uint32_t)b << 16);
}

static inline uint16_t px_f32_to_bf16(float x)
{
    const uint32_t bits = px_f32_bits(x);
    if ((bits & 0x7fffffffu) > 0x7f800000u)
        return (uint16_t)(bits >> 16 | 0x40u);
    return (uint16_t)((bits + 0x7fffu + (bits >> 16 & 1u)) >> 16);
}

/* An f16 that lies in a packed block. */
static inline float px_load_f16(const void *p)
{
    return px_f16_to_f32(px_load16(p));
}

static inline void px_store_f16(void *p, float x)
{
    px_store16(p, px_f32_to_f16(x));
}

#endif

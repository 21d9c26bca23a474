/*
 * vec: as vec_avx2.h, for Advanced SIMD of AArch64 with half-precision conversion: 4 floats.
 */
#ifndef PX_KERN_ARM_VEC_NEON_H
#define PX_KERN_ARM_VEC_NEON_H

#include <arm_neon.h>
#include <stdint.h>
#include <string.h>

#define LEVEL(name) px_neon_##name

/* 4 x 6 sums, 6 activations, 1 weight: 31 of 32 registers */
#define VF_N       4
#define VF_ROWS    4
#define VF_COLS    6
#define VF_QUERIES 4
/* 2 x 12 sums, 2 weights, activations */
#define VF_TILE_COLS 12

typedef float32x4_t vf;

static inline vf vf_all(float x)
{
    return vdupq_n_f32(x);
}

static inline vf vf_zero(void)
{
    return vdupq_n_f32(0.0f);
}

static inline vf vf_load(const float *p)
{
    return vld1q_f32(p);
}

static inline void vf_store(float *p, vf x)
{
    vst1q_f32(p, x);
}

static inline vf vf_load_part(const float *p, int64_t n)
{
    float x[VF_N] = {0};
    memcpy(x, p, (size_t)n * sizeof x[0]);
    return vld1q_f32(x);
}

static inline void vf_store_part(float *p, vf x, int64_t n)
{
    float part[VF_N];
    vst1q_f32(part, x);
    memcpy(p, part, (size_t)n * sizeof part[0]);
}

static inline vf vf_add(vf a, vf b)
{
    return vaddq_f32(a, b);
}

static inline vf vf_sub(vf a, vf b)
{
    return vsubq_f32(a, b);
}

static inline vf vf_mul(vf a, vf b)
{
    return vmulq_f32(a, b);
}

static inline vf vf_div(vf a, vf b)
{
    return vdivq_f32(a, b);
}

static inline vf vf_fma(vf a, vf b, vf c)
{
    return vfmaq_f32(c, a, b);
}

static inline vf vf_fnma(vf a, vf b, vf c)
{
    return vfmsq_f32(c, a, b);
}

/* The second where one is NaN, as on x86. */
static inline vf vf_max(vf a, vf b)
{
    return vbslq_f32(vcgtq_f32(a, b), a, b);
}

static inline vf vf_min(vf a, vf b)
{
    return vbslq_f32(vcltq_f32(a, b), a, b);
}

static inline vf vf_abs(vf a)
{
    return vabsq_f32(a);
}

static inline vf vf_copysign(vf a, vf b)
{
    return vbslq_f32(vdupq_n_u32(0x80000000u), b, a);
}

static inline vf vf_where_less(vf x, vf y, vf a, vf b)
{
    return vbslq_f32(vcltq_f32(x, y), a, b);
}

static inline vf vf_round(vf a)
{
    return vrndnq_f32(a);
}

/* Value i of vector j becomes value j of vector i. */
static inline void vf_transpose(vf v[VF_N])
{
    const float64x2_t a = vreinterpretq_f64_f32(vtrn1q_f32(v[0], v[1]));
    const float64x2_t b = vreinterpretq_f64_f32(vtrn2q_f32(v[0], v[1]));
    const float64x2_t c = vreinterpretq_f64_f32(vtrn1q_f32(v[2], v[3]));
    const float64x2_t d = vreinterpretq_f64_f32(vtrn2q_f32(v[2], v[3]));
    v[0] = vreinterpretq_f32_f64(vtrn1q_f64(a, c));
    v[1] = vreinterpretq_f32_f64(vtrn1q_f64(b, d));
    v[2] = vreinterpretq_f32_f64(vtrn2q_f64(a, c));
    v[3] = vreinterpretq_f32_f64(vtrn2q_f64(b, d));
}

/* a * 2^n for whole numbers n in -252..254, in two steps, so that 2^n itself may be out of range */
static inline vf vf_scale2(vf a, vf n)
{
    const int32x4_t whole = vcvtnq_s32_f32(n), bias = vdupq_n_s32(127);
    const int32x4_t half = vshrq_n_s32(whole, 1);
    const int32x4_t rest = vsubq_s32(whole, half);
    const int32x4_t one = vshlq_n_s32(vaddq_s32(half, bias), 23);
    const int32x4_t two = vshlq_n_s32(vaddq_s32(rest, bias), 23);
    return vmulq_f32(vmulq_f32(a, vreinterpretq_f32_s32(one)), vreinterpretq_f32_s32(two));
}

static inline float vf_sum(vf a)
{
    return vaddvq_f32(a);
}

/* The four sums across a, b, c, d at p[0..3]. */
static inline void vf_store_sums(float *p, vf a, vf b, vf c, vf d)
{
    vst1q_f32(p, vpaddq_f32(vpaddq_f32(a, b), vpaddq_f32(c, d)));
}

static inline float vf_most(vf a)
{
    return vmaxvq_f32(a);
}

/* The larger of `most` and |a|, as bits: NaN is above infinity, which is above all numbers. */
static inline vf vf_max_bits(vf most, vf a)
{
    const uint32x4_t bits = vreinterpretq_u32_f32(vabsq_f32(a));
    return vreinterpretq_f32_u32(vmaxq_u32(vreinterpretq_u32_f32(most), bits));
}

static inline uint32_t vf_most_bits(vf a)
{
    return vmaxvq_u32(vreinterpretq_u32_f32(a));
}

/* ---- other types in memory, unaligned */

static inline vf vf_load_f16(const void *p)
{
    float16x4_t h;
    memcpy(&h, p, sizeof h);
    return vcvt_f32_f16(h);
}

/* One half in all elements. */
static inline vf vf_all_f16(const void *p)
{
    uint16_t bits;
    memcpy(&bits, p, sizeof bits);
    return vcvt_f32_f16(vreinterpret_f16_u16(vdup_n_u16(bits)));
}

static inline void vf_store_f16(void *p, vf x)
{
    const float16x4_t h = vcvt_f16_f32(x);
    memcpy(p, &h, sizeof h);
}

static inline vf vf_load_bf16(const void *p)
{
    uint16x4_t b;
    memcpy(&b, p, sizeof b);
    return vreinterpretq_f32_u32(vshll_n_u16(b, 16));
}

/* To nearest even; a NaN becomes quiet. */
static inline void vf_store_bf16(void *p, vf x)
{
    const uint32x4_t bits = vreinterpretq_u32_f32(x);
    const uint32x4_t odd = vandq_u32(vshrq_n_u32(bits, 16), vdupq_n_u32(1));
    const uint32x4_t up = vaddq_u32(vaddq_u32(bits, vdupq_n_u32(0x7fff)), odd);
    const uint32x4_t nan = vorrq_u32(bits, vdupq_n_u32(0x400000));
    const uint16x4_t b = vshrn_n_u32(vbslq_u32(vceqq_f32(x, x), up, nan), 16);
    memcpy(p, &b, sizeof b);
}

static inline vf vf_load_i8(const void *p)
{
    int32_t four;
    memcpy(&four, p, sizeof four);
    const int8x8_t bytes = vreinterpret_s8_s32(vdup_n_s32(four));
    return vcvtq_f32_s32(vmovl_s16(vget_low_s16(vmovl_s8(bytes))));
}

/* x holds whole numbers in -128..127 */
static inline void vf_store_i8(void *p, vf x)
{
    const int16x4_t words = vmovn_s32(vcvtnq_s32_f32(x));
    const int8x8_t bytes = vmovn_s16(vcombine_s16(words, words));
    memcpy(p, &bytes, VF_N);
}

/* VF_N / 2 pairs (a, b), one after the other, turned by VF_N / 2 angles: (a c - b s, a s + b c) */
static inline vf vf_turn_pairs(vf x, const float *cosines, const float *sines)
{
    const float32x2_t c2 = vld1_f32(cosines), s2 = vld1_f32(sines);
    const vf c = vcombine_f32(vdup_lane_f32(c2, 0), vdup_lane_f32(c2, 1));
    const vf s = vcombine_f32(vdup_lane_f32(s2, 0), vdup_lane_f32(s2, 1));
    const vf minus_plus = {-1.0f, 1.0f, -1.0f, 1.0f};
    return vfmaq_f32(vmulq_f32(vmulq_f32(vrev64q_f32(x), minus_plus), s), x, c);
}

#endif

/*
 * vec: as vec_avx2.h, for AVX-512 (F, BW, DQ, VL): 16 floats.
 */
#ifndef PX_KERN_X86_VEC_AVX512_H
#define PX_KERN_X86_VEC_AVX512_H

#include "kern/x86/transpose_avx512.h"

#include <immintrin.h>
#include <stdint.h>
#include <string.h>

#define LEVEL(name) px_avx512_##name

/* 4 x 6 sums, 6 activations, 1 weight: 31 of 32 registers */
#define VF_N       16
#define VF_ROWS    4
#define VF_COLS    6
#define VF_QUERIES 4
/* 2 x 12 sums, 2 weights, an activation in memory */
#define VF_TILE_COLS 12

typedef __m512 vf;

static inline vf vf_all(float x)
{
    return _mm512_set1_ps(x);
}

static inline vf vf_zero(void)
{
    return _mm512_setzero_ps();
}

static inline vf vf_load(const float *p)
{
    return _mm512_loadu_ps(p);
}

static inline void vf_store(float *p, vf x)
{
    _mm512_storeu_ps(p, x);
}

static inline __mmask16 vf_first(int64_t n)
{
    return (__mmask16)((1u << n) - 1u);
}

static inline vf vf_load_part(const float *p, int64_t n)
{
    return _mm512_maskz_loadu_ps(vf_first(n), p);
}

static inline void vf_store_part(float *p, vf x, int64_t n)
{
    _mm512_mask_storeu_ps(p, vf_first(n), x);
}

static inline vf vf_add(vf a, vf b)
{
    return _mm512_add_ps(a, b);
}

static inline vf vf_sub(vf a, vf b)
{
    return _mm512_sub_ps(a, b);
}

static inline vf vf_mul(vf a, vf b)
{
    return _mm512_mul_ps(a, b);
}

static inline vf vf_div(vf a, vf b)
{
    return _mm512_div_ps(a, b);
}

static inline vf vf_fma(vf a, vf b, vf c)
{
    return _mm512_fmadd_ps(a, b, c);
}

static inline vf vf_fnma(vf a, vf b, vf c)
{
    return _mm512_fnmadd_ps(a, b, c);
}

static inline vf vf_max(vf a, vf b)
{
    return _mm512_max_ps(a, b);
}

static inline vf vf_min(vf a, vf b)
{
    return _mm512_min_ps(a, b);
}

static inline vf vf_abs(vf a)
{
    return _mm512_andnot_ps(_mm512_set1_ps(-0.0f), a);
}

static inline vf vf_copysign(vf a, vf b)
{
    const __m512 sign = _mm512_set1_ps(-0.0f);
    return _mm512_or_ps(_mm512_andnot_ps(sign, a), _mm512_and_ps(sign, b));
}

static inline vf vf_where_less(vf x, vf y, vf a, vf b)
{
    return _mm512_mask_blend_ps(_mm512_cmp_ps_mask(x, y, _CMP_LT_OQ), b, a);
}

static inline vf vf_round(vf a)
{
    return _mm512_roundscale_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}

/* Value i of vector j becomes value j of vector i. */
static inline void vf_transpose(vf v[VF_N])
{
    __m512i w[VF_N];
    memcpy(w, v, sizeof w);
    transpose16(w);
    memcpy(v, w, sizeof w);
}

static inline vf vf_scale2(vf a, vf n)
{
    return _mm512_scalef_ps(a, n);
}

/* Halves first, then as AVX2: written out, since compilers differ in how they reduce. */
static inline float vf_sum(vf a)
{
    const __m256 h = _mm256_add_ps(_mm512_castps512_ps256(a), _mm512_extractf32x8_ps(a, 1));
    __m128 s = _mm_add_ps(_mm256_castps256_ps128(h), _mm256_extractf128_ps(h, 1));
    s = _mm_add_ps(s, _mm_movehl_ps(s, s));
    return _mm_cvtss_f32(_mm_add_ss(s, _mm_movehdup_ps(s)));
}

/* The four sums across a, b, c, d at p[0..3]. */
static inline void vf_store_sums(float *p, vf a, vf b, vf c, vf d)
{
    const vf ab = _mm512_add_ps(_mm512_unpacklo_ps(a, b), _mm512_unpackhi_ps(a, b));
    const vf cd = _mm512_add_ps(_mm512_unpacklo_ps(c, d), _mm512_unpackhi_ps(c, d));
    const __m512d x = _mm512_castps_pd(ab), y = _mm512_castps_pd(cd);
    const vf s = _mm512_add_ps(_mm512_castpd_ps(_mm512_unpacklo_pd(x, y)),
                               _mm512_castpd_ps(_mm512_unpackhi_pd(x, y)));
    const __m256 h = _mm256_add_ps(_mm512_castps512_ps256(s), _mm512_extractf32x8_ps(s, 1));
    _mm_storeu_ps(p, _mm_add_ps(_mm256_castps256_ps128(h), _mm256_extractf128_ps(h, 1)));
}

static inline float vf_most(vf a)
{
    return _mm512_reduce_max_ps(a);
}

static inline vf vf_max_bits(vf most, vf a)
{
    return _mm512_castsi512_ps(
        _mm512_max_epi32(_mm512_castps_si512(most), _mm512_castps_si512(vf_abs(a))));
}

static inline uint32_t vf_most_bits(vf a)
{
    return (uint32_t)_mm512_reduce_max_epi32(_mm512_castps_si512(a));
}

/* ---- other types in memory, unaligned */

static inline vf vf_load_f16(const void *p)
{
    return _mm512_cvtph_ps(_mm256_loadu_si256(p));
}

/* One half in all elements. */
static inline vf vf_all_f16(const void *p)
{
    return _mm512_set1_ps(_mm_cvtss_f32(_mm_cvtph_ps(_mm_loadu_si16(p))));
}

static inline void vf_store_f16(void *p, vf x)
{
    _mm256_storeu_si256(p, _mm512_cvtps_ph(x, _MM_FROUND_TO_NEAREST_INT));
}

static inline vf vf_load_bf16(const void *p)
{
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm256_loadu_si256(p)), 16));
}

/* To nearest even; a NaN becomes quiet. In integers: the instruction of AVX512_BF16 would turn
 * subnormals into zeros, and every level gives the same bytes. */
static inline void vf_store_bf16(void *p, vf x)
{
    const __m512i bits = _mm512_castps_si512(x);
    const __m512i odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
    __m512i rounded = _mm512_add_epi32(_mm512_add_epi32(bits, _mm512_set1_epi32(0x7fff)), odd);
    rounded = _mm512_mask_or_epi32(rounded, _mm512_cmp_ps_mask(x, x, _CMP_UNORD_Q), bits,
                                   _mm512_set1_epi32(0x400000));
    _mm256_storeu_si256(p, _mm512_cvtepi32_epi16(_mm512_srli_epi32(rounded, 16)));
}

static inline vf vf_load_i8(const void *p)
{
    return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128(p)));
}

static inline void vf_store_i8(void *p, vf x)
{
    _mm_storeu_si128(p, _mm512_cvtsepi32_epi8(_mm512_cvtps_epi32(x)));
}

static inline vf vf_turn_pairs(vf x, const float *cosines, const float *sines)
{
    const __m512i twice = _mm512_setr_epi32(0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7);
    const vf c = _mm512_permutexvar_ps(twice, _mm512_castps256_ps512(_mm256_loadu_ps(cosines)));
    const vf s = _mm512_permutexvar_ps(twice, _mm512_castps256_ps512(_mm256_loadu_ps(sines)));
    return _mm512_fmaddsub_ps(x, c, _mm512_mul_ps(_mm512_permute_ps(x, 0xb1), s));
}

#endif

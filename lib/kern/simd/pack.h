/*
 * pack: activations to bf16 and to 8 bits, values into the KV cache, and decoding of f16 and bf16,
 * for any instruction set. The same f32 operations as ref/pack.c, so the same bytes. Included once
 * in a file of each, after its vec header.
 */
#include "kern/act.h"
#include "kern/blocks.h"
#include "kern/half.h"
#include "kern/simd/math.h"
#include "kern/simd/ops.h"

#include <math.h>

/* Bits of the largest magnitude of n values, a multiple of 32. */
static inline uint32_t most_bits(const float *x, int n)
{
    vf most = vf_zero();
    for (int i = 0; i < n; i += VF_N)
        most = vf_max_bits(most, vf_load(x + i));
    return vf_most_bits(most);
}

/* Codes of n values to q, sums of each `step` codes to sums; returns the scale. */
static inline float quantize(const float *x, int n, int8_t *q, int step, float *sums)
{
    const uint32_t most = most_bits(x, n);
    const float amax = px_bits_f32(most);
    if (!(amax >= PX_Q8_LEAST && most < 0x7f800000u)) {
        memset(q, 0, (size_t)n);
        memset(sums, 0, (size_t)(n / step) * sizeof *sums);
        return most < 0x7f800000u ? 0.0f : NAN;
    }
    const vf inverse = vf_all(127.0f / amax);
    for (int s = 0; s < n / step; s++) {
        vf sum = vf_zero(); // whole numbers below 2^24: exact
        for (int i = s * step; i < (s + 1) * step; i += VF_N) {
            const vf code = vf_round(vf_mul(vf_load(x + i), inverse));
            vf_store_i8(q + i, code);
            sum = vf_add(sum, code);
        }
        sums[s] = vf_sum(sum);
    }
    return amax / 127.0f;
}

void LEVEL(pack_bf16)(const float *x, int64_t x_stride, int64_t k, int64_t c0, int64_t c1,
                      void *out, size_t column_bytes)
{
    for (int64_t c = c0; c < c1; c++) {
        const float *from = x + c * x_stride;
        uint8_t *p = (uint8_t *)out + (size_t)c * column_bytes;
        int64_t i = 0;
        for (; i + VF_N <= k; i += VF_N)
            vf_store_bf16(p + 2 * i, vf_load(from + i));
        if (i < k)
            vf_store_bf16(p + 2 * i, vf_load_part(from + i, k - i));
        i = (k + VF_N - 1) / VF_N * VF_N; // whole vectors fit: columns are padded to 64 bytes
        memset(p + 2 * i, 0, px_act_padded(px_act_after(k, 2)) - 2 * (size_t)i);
    }
}

void LEVEL(pack_q8)(const float *x, int64_t x_stride, int64_t k, int64_t c0, int64_t c1, void *out,
                    size_t column_bytes)
{
    for (int64_t c = c0; c < c1; c++) {
        uint8_t *p = (uint8_t *)out + (size_t)c * column_bytes;
        float *d = (float *)(void *)(p + px_q8_d_offset(k));
        float *ds = (float *)(void *)(p + px_q8_ds_offset(k));
        int32_t *start = (int32_t *)(void *)(p + px_q8_start_offset(k));
        memset(p + k, 0, px_q8_d_offset(k) - (size_t)k);
        memset(d, 0, px_q8_bytes(k) - px_q8_d_offset(k));
        for (int64_t b = 0; b < k / PX_Q8_BLOCK; b++) {
            float sum;
            d[b] = quantize(x + c * x_stride + b * PX_Q8_BLOCK, PX_Q8_BLOCK,
                            (int8_t *)p + b * PX_Q8_BLOCK, PX_Q8_BLOCK, &sum);
            ds[b] = d[b] * sum;
            start[b] = -PX_ACT_SHIFT * (int32_t)sum;
        }
    }
}

void LEVEL(pack_q8k)(const float *x, int64_t x_stride, int64_t k, int64_t c0, int64_t c1, void *out,
                     size_t column_bytes)
{
    enum { SUMS = PX_Q8K_BLOCK / PX_Q8K_SUM };
    for (int64_t c = c0; c < c1; c++) {
        uint8_t *p = (uint8_t *)out + (size_t)c * column_bytes;
        float *d = (float *)(void *)(p + px_q8k_d_offset(k));
        int16_t *sums = (int16_t *)(void *)(p + px_q8k_sums_offset(k));
        int16_t *sums32 = (int16_t *)(void *)(p + px_q8k_sums32_offset(k));
        int32_t *start = (int32_t *)(void *)(p + px_q8k_start_offset(k));
        memset(d, 0, px_q8k_bytes(k) - px_q8k_d_offset(k));
        for (int64_t b = 0; b < k / PX_Q8K_BLOCK; b++) {
            float whole[SUMS];
            d[b] = quantize(x + c * x_stride + b * PX_Q8K_BLOCK, PX_Q8K_BLOCK,
                            (int8_t *)p + b * PX_Q8K_BLOCK, PX_Q8K_SUM, whole);
            for (int s = 0; s < SUMS; s++) {
                sums[b * SUMS + s] = (int16_t)whole[s];
                start[b * SUMS + s] = -PX_ACT_SHIFT * (int32_t)whole[s];
            }
            for (int s = 0; s < SUMS / 2; s++)
                sums32[b * SUMS / 2 + s] = (int16_t)(whole[2 * s] + whole[2 * s + 1]);
        }
    }
}

/* ---- the KV cache, and rows of halves */

void LEVEL(store_f16)(const float *x, void *out, int64_t n)
{
    uint8_t *p = out;
    int64_t i = 0;
    for (; i + VF_N <= n; i += VF_N)
        vf_store_f16(p + 2 * i, vf_load(x + i));
    if (i < n) {
        uint16_t halves[VF_N];
        vf_store_f16(halves, vf_load_part(x + i, n - i));
        memcpy(p + 2 * i, halves, (size_t)(n - i) * sizeof halves[0]);
    }
}

void LEVEL(store_q8_0)(const float *x, void *out, int64_t n)
{
    px_q8_0 *b = out;
    for (int64_t i = 0; i < n; i += PX_Q8_0_VALUES, b++) {
        const uint32_t most = most_bits(x + i, PX_Q8_0_VALUES);
        const uint16_t half = px_f32_to_f16(px_bits_f32(most) / 127.0f);
        px_store16(b->d, half);
        if (half == 0 || half >= 0x7c00u) {
            memset(b->qs, 0, sizeof b->qs);
            continue;
        }
        const vf inverse = vf_all(1.0f / px_f16_to_f32(half));
        const vf low = vf_all(-127.0f), high = vf_all(127.0f);
        for (int j = 0; j < PX_Q8_0_VALUES; j += VF_N) {
            const vf v = vf_mul(vf_load(x + i + j), inverse);
            vf_store_i8(b->qs + j, vf_round(vf_max(low, vf_min(high, v))));
        }
    }
}

void LEVEL(decode_f16)(const void *restrict blocks, float *restrict out, int64_t n)
{
    const uint8_t *p = blocks;
    int64_t i = 0;
    for (; i + VF_N <= n; i += VF_N)
        vf_store(out + i, vf_load_f16(p + 2 * i));
    if (i < n)
        vf_store_part(out + i, vf_load_f16_part(p + 2 * i, n - i), n - i);
}

void LEVEL(decode_bf16)(const void *restrict blocks, float *restrict out, int64_t n)
{
    const uint8_t *p = blocks;
    int64_t i = 0;
    for (; i + VF_N <= n; i += VF_N)
        vf_store(out + i, vf_load_bf16(p + 2 * i));
    if (i < n)
        vf_store_part(out + i, vf_load_bf16_part(p + 2 * i, n - i), n - i);
}

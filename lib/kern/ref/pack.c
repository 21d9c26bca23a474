/*
 * pack: activations into their packed forms, and values into the KV cache. Layouts in act.h and
 * blocks.h. Every step is one rounded f32 operation, so that vector versions give the same bytes.
 */
#include "kern/act.h"
#include "kern/blocks.h"
#include "kern/half.h"
#include "kern/ref/ops.h"

#include <math.h>

static const float *source(const float *x, int64_t x_stride, int64_t c)
{
    return x + c * x_stride;
}

static uint8_t *column(void *out, size_t column_bytes, int64_t c)
{
    return (uint8_t *)out + (size_t)c * column_bytes;
}

void px_ref_pack_f32(const float *x, int64_t x_stride, int64_t k, int64_t c0, int64_t c1, void *out,
                     size_t column_bytes)
{
    for (int64_t c = c0; c < c1; c++) {
        uint8_t *p = column(out, column_bytes, c);
        const size_t n = (size_t)k * sizeof *x;
        memcpy(p, source(x, x_stride, c), n);
        memset(p + n, 0, px_act_padded(px_act_after(k, sizeof *x)) - n);
    }
}

void px_ref_pack_bf16(const float *x, int64_t x_stride, int64_t k, int64_t c0, int64_t c1,
                      void *out, size_t column_bytes)
{
    for (int64_t c = c0; c < c1; c++) {
        uint8_t *p = column(out, column_bytes, c);
        const float *from = source(x, x_stride, c);
        for (int64_t i = 0; i < k; i++)
            px_store16(p + 2 * i, px_f32_to_bf16(from[i]));
        memset(p + 2 * k, 0, px_act_padded(px_act_after(k, 2)) - 2 * (size_t)k);
    }
}

/* Quantizes n values with one scale, which it returns; NaN when one of them is not finite. The
 * largest magnitude is found among bits, where NaN and infinity come above all numbers. */
static float quantize(const float *x, int n, int8_t *q)
{
    uint32_t most = 0;
    for (int i = 0; i < n; i++) {
        const uint32_t bits = px_f32_bits(x[i]) & 0x7fffffffu;
        most = bits > most ? bits : most;
    }
    const float amax = px_bits_f32(most);
    if (!(amax >= PX_Q8_LEAST && most < 0x7f800000u)) {
        memset(q, 0, (size_t)n);
        return most < 0x7f800000u ? 0.0f : NAN;
    }
    const float inverse = 127.0f / amax;
    for (int i = 0; i < n; i++)
        q[i] = (int8_t)lrintf(x[i] * inverse);
    return amax / 127.0f;
}

static int sum_of(const int8_t *q, int n)
{
    int sum = 0;
    for (int i = 0; i < n; i++)
        sum += q[i];
    return sum;
}

void px_ref_pack_q8(const float *x, int64_t x_stride, int64_t k, int64_t c0, int64_t c1, void *out,
                    size_t column_bytes)
{
    for (int64_t c = c0; c < c1; c++) {
        uint8_t *p = column(out, column_bytes, c);
        const float *from = source(x, x_stride, c);
        memset(p, 0, px_q8_bytes(k));
        for (int64_t i = 0; i < k; i += PX_Q8_BLOCK) {
            int8_t *q = (int8_t *)p + i;
            const size_t at = (size_t)(i / PX_Q8_BLOCK) * sizeof(float);
            const float d = quantize(from + i, PX_Q8_BLOCK, q);
            px_store_f32(p + px_q8_d_offset(k) + at, d);
            const int sum = sum_of(q, PX_Q8_BLOCK);
            px_store_f32(p + px_q8_ds_offset(k) + at, d * (float)sum);
            px_store32(p + px_q8_start_offset(k) + at, (uint32_t)(-PX_ACT_SHIFT * sum));
        }
    }
}

void px_ref_pack_q8k(const float *x, int64_t x_stride, int64_t k, int64_t c0, int64_t c1, void *out,
                     size_t column_bytes)
{
    for (int64_t c = c0; c < c1; c++) {
        uint8_t *p = column(out, column_bytes, c);
        const float *from = source(x, x_stride, c);
        memset(p, 0, px_q8k_bytes(k));
        for (int64_t i = 0; i < k; i += PX_Q8K_BLOCK) {
            int8_t *q = (int8_t *)p + i;
            const float d = quantize(from + i, PX_Q8K_BLOCK, q);
            px_store_f32(p + px_q8k_d_offset(k) + (size_t)(i / PX_Q8K_BLOCK) * sizeof(float), d);
            uint8_t *sums = p + px_q8k_sums_offset(k) + (size_t)(i / PX_Q8K_SUM) * sizeof(int16_t);
            uint8_t *start =
                p + px_q8k_start_offset(k) + (size_t)(i / PX_Q8K_SUM) * sizeof(int32_t);
            for (int s = 0; s < PX_Q8K_BLOCK / PX_Q8K_SUM; s++) {
                const int sum = sum_of(q + s * PX_Q8K_SUM, PX_Q8K_SUM);
                px_store16(sums + 2 * s, (uint16_t)sum);
                px_store32(start + 4 * s, (uint32_t)(-PX_ACT_SHIFT * sum));
            }
            uint8_t *sums32 =
                p + px_q8k_sums32_offset(k) + (size_t)(i / PX_Q8K_SUM32) * sizeof(int16_t);
            for (int s = 0; s < PX_Q8K_BLOCK / PX_Q8K_SUM32; s++)
                px_store16(sums32 + 2 * s, (uint16_t)sum_of(q + s * PX_Q8K_SUM32, PX_Q8K_SUM32));
        }
    }
}

/* ---- the KV cache */

void px_ref_store_f32(const float *x, void *out, int64_t n)
{
    memcpy(out, x, (size_t)n * sizeof *x);
}

void px_ref_store_f16(const float *x, void *out, int64_t n)
{
    uint8_t *p = out;
    for (int64_t i = 0; i < n; i++)
        px_store_f16(p + 2 * i, x[i]);
}

/* Fast rather than best: d = f16(largest magnitude / 127), codes nearest for that d. */
void px_ref_store_q8_0(const float *x, void *out, int64_t n)
{
    px_q8_0 *b = out;
    for (int64_t i = 0; i < n; i += PX_Q8_0_VALUES, b++) {
        uint32_t most = 0;
        for (int j = 0; j < PX_Q8_0_VALUES; j++) {
            const uint32_t bits = px_f32_bits(x[i + j]) & 0x7fffffffu;
            most = bits > most ? bits : most;
        }
        const uint16_t half = px_f32_to_f16(px_bits_f32(most) / 127.0f); // infinity from 65520 on
        const float d = px_f16_to_f32(half);
        const float inverse = half > 0 && half < 0x7c00u ? 1.0f / d : 0.0f;
        px_store16(b->d, half);
        for (int j = 0; j < PX_Q8_0_VALUES; j++) {
            const float v = inverse > 0 ? x[i + j] * inverse : 0.0f;
            b->qs[j] = (int8_t)lrintf(v < -127.0f ? -127.0f : v > 127.0f ? 127.0f : v);
        }
    }
}

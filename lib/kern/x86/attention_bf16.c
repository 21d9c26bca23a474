/*
 * attention_bf16: attention of many query tokens by the bf16 dot product: queries, keys, values and
 * weights are rounded to bf16 (relative error 2^-9 each), sums are f32. Fewer tokens go the way of
 * level avx512, in f32: they wait for memory, not for arithmetic. So do keys or values that are
 * kept in f32: who asks for those wants their digits.
 */
#include "kern/x86/pairs_bf16.h"

#include "kern/simd/attention_kv.h"
#include "kern/simd/ops.h"
#include "kern/x86/ops_x86.h"

#include <float.h>
#include <math.h>

enum { LEAST_TOKENS = 9 };

/* ---- operands: pairs of bf16 */

#define LOG2_WEIGHTS 1

/* 2^x = 2^floor(x) 2^r; 2^r on [0, 1) by a polynomial of degree 3 (relative error 7.5e-5, a 26th of
 * the rounding that follows). -infinity gives 0, NaN stays. */
INLINE vf unit_weight(vf x)
{
    const vf r = _mm512_reduce_ps(x, 0x09); // x - floor(x), no exceptions
    vf p = vf_all(0.0780242756f);
    p = vf_fma(p, r, vf_all(0.22606726f));
    p = vf_fma(p, r, vf_all(0.695833623f));
    p = vf_fma(p, r, vf_all(0.999925196f));
    return _mm512_scalef_ps(p, x);
}

/* Values i .. i + 31 of a row as 16 pairs. */
INLINE __m512i row_pairs(const uint8_t *row, int64_t i, int64_t dim, load_fn load)
{
    const vf low = load(row, i, dim - i);
    const vf high = dim - i > VF_N ? load(row, i + VF_N, dim - i - VF_N) : vf_zero();
    return (__m512i)_mm512_cvtne2ps_pbh(high, low);
}

static void pack_query(const float *q, int64_t n, float by, uint32_t *out)
{
    const vf all = vf_all(by);
    for (int64_t i = 0; i < n; i += 2 * VF_N) {
        uint32_t pairs[VF_N] = {0};
        if (q) {
            const uint8_t *row = (const uint8_t *)q;
            const vf low = load_f32(row, i, n - i);
            const vf high = n - i > VF_N ? load_f32(row, i + VF_N, n - i - VF_N) : vf_zero();
            _mm512_storeu_si512(pairs,
                                (__m512i)_mm512_cvtne2ps_pbh(vf_mul(high, all), vf_mul(low, all)));
        }
        for (int64_t u = 0; u < VF_N && i + 2 * u < n; u++)
            out[(i / 2 + u) * 2 * VF_N] = pairs[u];
    }
}

INLINE void keys_as(const px_attn *a, const tile_rows *tile, uint32_t *out, int64_t stride,
                    load_fn load)
{
    for (int t = 0; t < tile->n; t++)
        for (int64_t i = 0; i < a->head_dim; i += 2 * VF_N)
            _mm512_storeu_si512(out + t * stride + i / 2,
                                row_pairs(tile_key(tile, t), i, a->head_dim, load));
}

static void pack_keys(const px_attn *a, const tile_rows *tile, uint32_t *out, int64_t stride)
{
    const int whole = (tile->n + 7) / 8 * 8; // a multiple of AT_ONCE
    if (a->k_dtype == PX_F16)
        keys_as(a, tile, out, stride, load_f16);
    else
        keys_as(a, tile, out, stride, load_q8_0);
    memset(out + tile->n * stride, 0, (size_t)((whole - tile->n) * stride) * sizeof *out);
}

INLINE void values_as(const px_attn *a, const tile_rows *tile, uint32_t *out, int64_t stride,
                      load_fn load)
{
    const int64_t dim = a->value_dim;
    for (int t = 0; t < tile->n; t += 2)
        for (int64_t i = 0; i < dim; i += VF_N) {
            const vf low = load(tile_value(tile, t), i, dim - i);
            const vf high = t + 1 < tile->n ? load(tile_value(tile, t + 1), i, dim - i) : vf_zero();
            _mm512_storeu_ps(out + t / 2 * stride + i, pair_lanes(low, high));
        }
}

static void pack_values(const px_attn *a, const tile_rows *tile, uint32_t *out, int64_t stride)
{
    if (a->v_dtype == PX_F16)
        values_as(a, tile, out, stride, load_f16);
    else
        values_as(a, tile, out, stride, load_q8_0);
}

static void pack_weights(const float *s, int n_keys, uint32_t *p)
{
    for (int t = 0; t < n_keys; t += 2)
        for (int i = 0; i < 2 * VF_N; i += VF_N) {
            const vf low = vf_load(s + t * 2 * VF_N + i);
            const vf high = t + 1 < n_keys ? vf_load(s + (t + 1) * 2 * VF_N + i) : vf_zero();
            _mm512_storeu_ps(p + t / 2 * 2 * VF_N + i, pair_lanes(low, high));
        }
}

#include "kern/simd/attention_tile.h"

static void attend_apart(const px_attn *a, int64_t r0, int n)
{
    px_avx512_attention_few(a, r0, n);
}

void px_bf16_attention(const px_attn *a)
{
    const bool exact = a->k_dtype == PX_F32 || a->v_dtype == PX_F32;
    if (exact || a->n_q < LEAST_TOKENS || a->head_dim > TILE_MOST_DIM ||
        a->value_dim > TILE_MOST_DIM)
        px_avx512_attention(a);
    else
        attend_in_tiles(a);
}

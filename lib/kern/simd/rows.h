/*
 * rows: norm, gates, axpy and rope, for any instruction set. Included once in a file of each, after
 * its vec header.
 */
#include "kern/simd/math.h"
#include "kern/simd/ops.h"

#include <math.h>

/* ---- norm */

static float sum_of_squares(const float *x, int64_t n)
{
    vf s0 = vf_zero(), s1 = vf_zero(), s2 = vf_zero(), s3 = vf_zero();
    int64_t i = 0;
    for (; i + 4 * VF_N <= n; i += 4 * VF_N) { // four sums: additions have a latency of 4 cycles
        const vf a = vf_load(x + i), b = vf_load(x + i + VF_N);
        const vf c = vf_load(x + i + 2 * VF_N), d = vf_load(x + i + 3 * VF_N);
        s0 = vf_fma(a, a, s0);
        s1 = vf_fma(b, b, s1);
        s2 = vf_fma(c, c, s2);
        s3 = vf_fma(d, d, s3);
    }
    for (; i < n; i += VF_N) {
        const vf a = i + VF_N <= n ? vf_load(x + i) : vf_load_part(x + i, n - i);
        s0 = vf_fma(a, a, s0);
    }
    return vf_sum(vf_add(vf_add(s0, s1), vf_add(s2, s3)));
}

void LEVEL(rms_norm)(const float *x, const float *w, float eps, float *y, int64_t n)
{
    const float mean = n > 0 ? sum_of_squares(x, n) / (float)n : 0.0f;
    const vf scale = vf_all(1.0f / sqrtf(mean + eps));
    int64_t i = 0;
    for (; i + VF_N <= n; i += VF_N) {
        const vf a = vf_mul(vf_load(x + i), scale);
        vf_store(y + i, w ? vf_mul(a, vf_load(w + i)) : a);
    }
    if (i < n) {
        const vf a = vf_mul(vf_load_part(x + i, n - i), scale);
        vf_store_part(y + i, w ? vf_mul(a, vf_load_part(w + i, n - i)) : a, n - i);
    }
}

/* ---- gates */

static inline vf silu(vf g)
{
    return vf_div(g, vf_add(vf_all(1.0f), vf_exp(vf_sub(vf_zero(), g))));
}

/* g / (1 + exp(-2 u)), u = sqrt(2 / pi) (g + 0.044715 g^3) */
static inline vf gelu(vf g)
{
    const vf square = vf_mul(g, g);
    const vf twice_u = vf_mul(g, vf_fma(square, vf_all(0.0713548163f), vf_all(1.59576912f)));
    return vf_div(g, vf_add(vf_all(1.0f), vf_exp(vf_sub(vf_zero(), twice_u))));
}

void LEVEL(silu_mul)(const float *gate, const float *up, float *y, int64_t n)
{
    int64_t i = 0;
    for (; i + VF_N <= n; i += VF_N)
        vf_store(y + i, vf_mul(silu(vf_load(gate + i)), vf_load(up + i)));
    if (i < n) {
        const vf g = silu(vf_load_part(gate + i, n - i));
        vf_store_part(y + i, vf_mul(g, vf_load_part(up + i, n - i)), n - i);
    }
}

void LEVEL(gelu_mul)(const float *gate, const float *up, float *y, int64_t n)
{
    int64_t i = 0;
    for (; i + VF_N <= n; i += VF_N)
        vf_store(y + i, vf_mul(gelu(vf_load(gate + i)), vf_load(up + i)));
    if (i < n) {
        const vf g = gelu(vf_load_part(gate + i, n - i));
        vf_store_part(y + i, vf_mul(g, vf_load_part(up + i, n - i)), n - i);
    }
}

/* ---- axpy and rope */

void LEVEL(axpy)(float a, const float *x, float *y, int64_t n)
{
    const vf all = vf_all(a);
    int64_t i = 0;
    for (; i + VF_N <= n; i += VF_N)
        vf_store(y + i, vf_fma(all, vf_load(x + i), vf_load(y + i)));
    if (i < n)
        vf_store_part(y + i, vf_fma(all, vf_load_part(x + i, n - i), vf_load_part(y + i, n - i)),
                      n - i);
}

void LEVEL(rope_pairs)(float *x, const float *cosines, const float *sines, int64_t n_rot)
{
    const int64_t n = n_rot / 2;
    int64_t i = 0;
    for (; i + VF_N / 2 <= n; i += VF_N / 2)
        vf_store(x + 2 * i, vf_turn_pairs(vf_load(x + 2 * i), cosines + i, sines + i));
    for (; i < n; i++) {
        const float a = x[2 * i], b = x[2 * i + 1];
        x[2 * i] = a * cosines[i] - b * sines[i];
        x[2 * i + 1] = a * sines[i] + b * cosines[i];
    }
}

void LEVEL(rope_halves)(float *x, const float *cosines, const float *sines, int64_t n_rot)
{
    const int64_t n = n_rot / 2;
    float *y = x + n;
    int64_t i = 0;
    for (; i + VF_N <= n; i += VF_N) {
        const vf a = vf_load(x + i), b = vf_load(y + i);
        const vf c = vf_load(cosines + i), s = vf_load(sines + i);
        vf_store(x + i, vf_fnma(b, s, vf_mul(a, c)));
        vf_store(y + i, vf_fma(b, c, vf_mul(a, s)));
    }
    if (i < n) {
        const vf a = vf_load_part(x + i, n - i), b = vf_load_part(y + i, n - i);
        const vf c = vf_load_part(cosines + i, n - i), s = vf_load_part(sines + i, n - i);
        vf_store_part(x + i, vf_fnma(b, s, vf_mul(a, c)), n - i);
        vf_store_part(y + i, vf_fma(b, c, vf_mul(a, s)), n - i);
    }
}

/* rows: ops on single rows: norm, gates, axpy. */
#include "kern/ref/ops.h"

#include <math.h>

void px_ref_rms_norm(const float *x, const float *w, float eps, float *y, int64_t n)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += (double)x[i] * (double)x[i];
    const float scale = n > 0 ? (float)(1.0 / sqrt(sum / (double)n + (double)eps)) : 0.0f;
    for (int64_t i = 0; i < n; i++)
        y[i] = w ? x[i] * scale * w[i] : x[i] * scale;
}

void px_ref_silu_mul(const float *gate, const float *up, float *y, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        y[i] = (float)((double)gate[i] / (1.0 + exp(-(double)gate[i]))) * up[i];
}

/* 0.5 g (1 + tanh(u)) = g / (1 + exp(-2 u)), u = sqrt(2 / pi) (g + 0.044715 g^3): the second form
 * keeps its digits where tanh is near -1. */
void px_ref_gelu_mul(const float *gate, const float *up, float *y, int64_t n)
{
    const double twice_root = 1.5957691216057308; // 2 sqrt(2 / pi)
    for (int64_t i = 0; i < n; i++) {
        const double g = (double)gate[i];
        const double u = twice_root * (g + 0.044715 * g * g * g);
        y[i] = (float)(g / (1.0 + exp(-u))) * up[i];
    }
}

void px_ref_axpy(float a, const float *x, float *y, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        y[i] += a * x[i];
}

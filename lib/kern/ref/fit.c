/*
 * fit: see fit.h. The searches of the plain C level, and what the encoders use alone.
 */
#include "kern/ref/vec_plain.h"

#include "kern/half.h"
#include "kern/simd/fit.h"

float px_as_f16(float d)
{
    if (!(fabsf(d) <= 65504.0f))
        d = d > 0 ? 65504.0f : d < 0 ? -65504.0f : 0.0f;
    return px_f16_to_f32(px_f32_to_f16(d));
}

float px_fit_normalise(const float *x, const float *w, int n, float *xs, float *ws)
{
    float amax = 0.0f;
    for (int i = 0; i < n; i++)
        amax = fabsf(x[i]) > amax ? fabsf(x[i]) : amax;
    amax = amax <= FLT_MAX ? amax : FLT_MAX;
    for (int i = 0; i < n; i++) {
        const float v = amax > 0 ? x[i] / amax : 0.0f;
        xs[i] = v >= -1.0f ? (v <= 1.0f ? v : 1.0f) : (v < -1.0f ? -1.0f : 0.0f);
        ws[i] = w ? w[i] : 1.0f;
    }
    return amax;
}

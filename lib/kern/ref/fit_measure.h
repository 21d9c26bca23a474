/*
 * fit_measure: the inner loops of fit.c and fit_super.c: how far a block is from its decoded self
 * for a given scale, and the sums of which the least squares scale is made.
 *
 * Written with the vector extension of gcc and clang, 4 floats and no instruction set of its own:
 * loops with one running sum may not be turned into vectors by compilers, since that reorders
 * additions. Blocks are multiples of 4 values.
 */
#ifndef PX_KERN_REF_FIT_MEASURE_H
#define PX_KERN_REF_FIT_MEASURE_H

#include "kern/ref/fit.h"

#include <string.h>

enum { PX_LANES = 4 };

typedef float px_lanes __attribute__((vector_size(PX_LANES * sizeof(float))));
typedef int32_t px_lane_mask __attribute__((vector_size(PX_LANES * sizeof(int32_t))));

static inline px_lanes px_lanes_load(const float *p)
{
    px_lanes v;
    memcpy(&v, p, sizeof v);
    return v;
}

static inline px_lanes px_lanes_all(float x)
{
    return (px_lanes){x, x, x, x};
}

static inline float px_lanes_sum(px_lanes a)
{
    return (a[0] + a[2]) + (a[1] + a[3]);
}

/* a where the mask is set, b elsewhere. */
static inline px_lanes px_lanes_where(px_lane_mask mask, px_lanes a, px_lanes b)
{
    return (px_lanes)((mask & (px_lane_mask)a) | (~mask & (px_lane_mask)b));
}

/* The nearest whole number in [lo, hi]; NaN gives lo. */
static inline px_lanes px_lanes_round(px_lanes v, float lo, float hi)
{
    const px_lanes least = px_lanes_all(lo), most = px_lanes_all(hi), big = px_lanes_all(0x1.8p23f);
    v = px_lanes_where(v > least, v, least);
    v = px_lanes_where(v < most, v, most);
    return (v + big) - big;
}

/* The grid's value nearest to v. */
static inline px_lanes px_lanes_nearest(const px_grid *g, px_lanes v)
{
    if (!g->codes)
        return px_lanes_round(v, (float)g->lo, (float)g->hi);
    px_lanes value = px_lanes_all((float)g->codes[0]);
    for (int j = 0; j + 1 < g->n_codes; j++) { // each middle that v is beyond adds a step
        const px_lanes middle = px_lanes_all(0.5f * (float)(g->codes[j] + g->codes[j + 1]));
        const px_lanes step = px_lanes_all((float)(g->codes[j + 1] - g->codes[j]));
        value += (px_lanes)((v > middle) & (px_lane_mask)step);
    }
    return value;
}

/* Of x[i] ~ d v[i]: the weighted squared error; the sums x v and v v. */
typedef struct px_scale_sums {
    float error, xv, vv;
} px_scale_sums;

static inline px_scale_sums px_measure_scale(const float *x, const float *w, int n,
                                             const px_grid *g, float d)
{
    const px_lanes scale = px_lanes_all(d), inverse = px_lanes_all(d != 0.0f ? 1.0f / d : 0.0f);
    px_lanes error = {0}, xv = {0}, vv = {0};
    for (int i = 0; i < n; i += PX_LANES) {
        const px_lanes xi = px_lanes_load(x + i), wi = px_lanes_load(w + i);
        const px_lanes v = px_lanes_nearest(g, xi * inverse);
        const px_lanes e = xi - scale * v, wv = wi * v;
        error += wi * e * e;
        xv += wv * xi;
        vv += wv * v;
    }
    return (px_scale_sums){px_lanes_sum(error), px_lanes_sum(xv), px_lanes_sum(vv)};
}

/* Of x[i] ~ d q[i] - m, q in 0..hi: the error; the sums of 1, x, q, q q and x q. */
typedef struct px_affine_sums {
    float error, w, x, q, qq, xq;
} px_affine_sums;

static inline px_affine_sums px_measure_affine(const float *x, const float *w, int n, int hi,
                                               float d, float m)
{
    const px_lanes scale = px_lanes_all(d), inverse = px_lanes_all(d != 0.0f ? 1.0f / d : 0.0f);
    const px_lanes minimum = px_lanes_all(m);
    px_lanes error = {0}, sw = {0}, sx = {0}, sq = {0}, sqq = {0}, sxq = {0};
    for (int i = 0; i < n; i += PX_LANES) {
        const px_lanes xi = px_lanes_load(x + i), wi = px_lanes_load(w + i);
        const px_lanes q = px_lanes_round((xi + minimum) * inverse, 0.0f, (float)hi);
        const px_lanes e = xi - (scale * q - minimum), wq = wi * q;
        error += wi * e * e;
        sw += wi;
        sx += wi * xi;
        sq += wq;
        sqq += wq * q;
        sxq += wq * xi;
    }
    return (px_affine_sums){px_lanes_sum(error), px_lanes_sum(sw),  px_lanes_sum(sx),
                            px_lanes_sum(sq),    px_lanes_sum(sqq), px_lanes_sum(sxq)};
}

#endif

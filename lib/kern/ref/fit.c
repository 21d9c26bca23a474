/*
 * fit: see fit.h.
 *
 * Everything is computed on x divided by its largest magnitude, so that squares neither overflow
 * nor vanish.
 */
#include "kern/ref/fit.h"

#include "kern/half.h"
#include "kern/ref/fit_measure.h"

#include <float.h>

int px_grid_index(const px_grid *g, float v)
{
    if (!g->codes)
        return px_round_clamp(v, g->lo, g->hi) - g->lo;
    int low = 0, high = g->n_codes - 1; // the nearest is in [low, high]
    while (low < high) {
        const int mid = (low + high) / 2;
        if (v > 0.5f * (float)(g->codes[mid] + g->codes[mid + 1]))
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

float px_as_f16(float d)
{
    if (!(fabsf(d) <= 65504.0f))
        d = d > 0 ? 65504.0f : d < 0 ? -65504.0f : 0.0f;
    return px_f16_to_f32(px_f32_to_f16(d));
}

/* The value of largest magnitude, sign kept, held inside the finite range; 0 for an empty block. */
static float peak_of(const float *x, int n)
{
    float peak = 0.0f;
    for (int i = 0; i < n; i++)
        if (fabsf(x[i]) > fabsf(peak))
            peak = x[i];
    return fabsf(peak) <= FLT_MAX ? peak : copysignf(FLT_MAX, peak);
}

float px_fit_normalise(const float *x, const float *w, int n, float *xs, float *ws)
{
    const float amax = fabsf(peak_of(x, n));
    for (int i = 0; i < n; i++) {
        const float v = amax > 0 ? x[i] / amax : 0.0f;
        xs[i] = v >= -1.0f ? (v <= 1.0f ? v : 1.0f) : (v < -1.0f ? -1.0f : 0.0f);
        ws[i] = w ? w[i] : 1.0f;
    }
    return amax;
}

/* ---- one scale */

typedef struct scale_search {
    float x[PX_FIT_MAX]; // normalised
    float w[PX_FIT_MAX];
    int n;
    const px_grid *g;
    float amax;
    bool f16;
    float best_d; // in units of amax
    float best_error;
} scale_search;

/* Tries d, keeps it when it is better than the best so far, and returns the least squares scale of
 * its codes. */
static float try_scale(scale_search *s, float d)
{
    if (s->f16)
        d = px_as_f16(d * s->amax) / s->amax;
    const px_scale_sums m = px_measure_scale(s->x, s->w, s->n, s->g, d);
    if (m.error < s->best_error) {
        s->best_error = m.error;
        s->best_d = d;
    }
    return m.vv > 0 ? m.xv / m.vv : d;
}

/* The fan: the peak stands at `end` times these parts. A block of 32 normal values is coded best
 * with its peak 0 to 10 % beyond the end of a 4-bit grid, seldom far inside it. */
static const float FAN[] = {0.84f, 0.88f, 0.91f, 0.94f, 0.97f, 1.0f,
                            1.03f, 1.06f, 1.1f,  1.15f, 1.2f,  1.28f};
enum { N_FAN = sizeof FAN / sizeof FAN[0] };

float px_fit_scale(const float *x, const float *w, int n, const px_grid *g, bool f16)
{
    const float peak = peak_of(x, n);
    if (peak == 0.0f)
        return 0.0f;
    scale_search s;
    s.n = n;
    s.g = g;
    s.f16 = f16;
    s.best_d = 0;
    s.best_error = INFINITY;
    s.amax = px_fit_normalise(x, w, n, s.x, s.w);

    const float unit = peak > 0 ? 1.0f : -1.0f;
    const int ends[2] = {g->lo, g->hi};
    for (int e = 0; e < 2; e++) {
        if (ends[e] == 0 || (e == 1 && g->lo == -g->hi && !g->codes))
            continue; // a symmetric grid: the other end gives the same codes, negated
        for (int i = 0; i < N_FAN; i++)
            (void)try_scale(&s, try_scale(&s, unit / ((float)ends[e] * FAN[i])));
    }
    for (int i = 0; i < 3; i++)
        (void)try_scale(&s, try_scale(&s, s.best_d));
    return f16 ? px_as_f16(s.best_d * s.amax) : s.best_d * s.amax;
}

void px_fit_codes(const float *x, float d, int n, const px_grid *g, uint8_t *index)
{
    for (int i = 0; i < n; i++)
        index[i] = (uint8_t)px_grid_index(g, d != 0.0f ? x[i] / d : 0.0f);
}

/* ---- scale and offset */

typedef struct affine {
    float d, m;
} affine;

typedef struct affine_search {
    float x[PX_FIT_MAX];
    float w[PX_FIT_MAX];
    int n, hi;
    float amax;
    bool f16, below;
    affine best;
    float best_error;
} affine_search;

static affine try_affine(affine_search *s, affine a)
{
    if (s->below && a.m > 0)
        a.m = 0;
    if (s->f16) {
        a.d = px_as_f16(a.d * s->amax) / s->amax;
        a.m = px_as_f16(a.m * s->amax) / s->amax;
    }
    const px_affine_sums m = px_measure_affine(s->x, s->w, s->n, s->hi, a.d, -a.m);
    if (m.error < s->best_error) {
        s->best_error = m.error;
        s->best = a;
    }
    const float determinant = m.w * m.qq - m.q * m.q;
    affine next = a;
    if (determinant > 0) {
        next.d = (m.w * m.xq - m.x * m.q) / determinant;
        next.m = (m.x * m.qq - m.q * m.xq) / determinant;
    }
    if (s->below && next.m > 0) {
        next.m = 0;
        next.d = m.qq > 0 ? m.xq / m.qq : a.d;
    }
    return next.d >= 0 ? next : a; // NaN too
}

void px_fit_affine(const float *x, const float *w, int n, int hi, bool f16, bool below, float *d,
                   float *m)
{
    affine_search s;
    s.n = n;
    s.hi = hi;
    s.f16 = f16;
    s.below = below;
    s.best = (affine){0, 0};
    s.best_error = INFINITY;
    s.amax = px_fit_normalise(x, w, n, s.x, s.w);
    *d = *m = 0.0f;
    if (s.amax == 0.0f)
        return;
    float least = s.x[0], most = s.x[0];
    for (int i = 1; i < n; i++) {
        least = fminf(least, s.x[i]);
        most = fmaxf(most, s.x[i]);
    }
    if (below)
        least = fminf(least, 0.0f);
    for (int i = 0; i < N_FAN; i++) { // the range shrinks about its middle, or about 0
        const float range = (most - least) / FAN[i];
        const float low = least * (below && most < 0.0f ? 1.0f : 1.0f / FAN[i]);
        const affine a = {range / (float)hi, below ? low : 0.5f * (most + least - range)};
        affine next = try_affine(&s, a);
        for (int k = 0; k < 2; k++)
            next = try_affine(&s, next);
    }
    affine next = s.best;
    for (int i = 0; i < 4; i++)
        next = try_affine(&s, next);
    *d = f16 ? px_as_f16(s.best.d * s.amax) : s.best.d * s.amax;
    *m = f16 ? px_as_f16(s.best.m * s.amax) : s.best.m * s.amax;
}

void px_fit_affine_codes(const float *x, float d, float m, int n, int hi, uint8_t *q)
{
    for (int i = 0; i < n; i++)
        q[i] = (uint8_t)px_round_clamp(d != 0.0f ? (x[i] - m) / d : 0.0f, 0, hi);
}

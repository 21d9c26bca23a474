/*
 * fit_super: scales of super-blocks. See fit.h.
 *
 * Each sub-block is first fitted alone, with a free scale. The super-block's scale is then chosen
 * so that the largest of them meets the end of the integer range, or falls a little short of it;
 * integer scales start at the nearest and climb to a neighbour while that lessens the sub-block's
 * error; with all codes known the super-block's scale is solved for again. Measured with f16 scales
 * throughout; the best state is kept.
 */
#include "kern/ref/fit_measure.h"

#include "kern/blocks.h"

#include <string.h>

enum { SUPER = 256, MOST_SUB = 16, ROUNDS = 3 };

/* The state of one try. */
typedef struct state {
    float d, dmin; // in units of amax
    float error;
    int sc[MOST_SUB], mn[MOST_SUB];
} state;

typedef struct super_search {
    const px_super *f;
    float x[SUPER], w[SUPER]; // normalised
    float amax;
    float free_d[MOST_SUB], free_m[MOST_SUB]; // fits of the sub-blocks alone; m >= 0 is subtracted
    state best;
} super_search;

static int clamp(int v, int lo, int hi)
{
    return v < lo ? lo : v > hi ? hi : v;
}

static float f16_unit(float d, float amax)
{
    return px_as_f16(d * amax) / amax;
}

/* ---- one scale */

static px_scale_sums measure(const super_search *s, int sub, float d)
{
    const int at = sub * s->f->values;
    return px_measure_scale(s->x + at, s->w + at, s->f->values, s->f->g, d);
}

/* Integer scales for t->d: nearest, then uphill; fills t->error. */
static void climb(const super_search *s, state *t)
{
    const px_super *f = s->f;
    t->error = 0;
    for (int sub = 0; sub < f->n_sub; sub++) {
        const float ratio = t->d != 0.0f ? s->free_d[sub] / t->d : 0.0f;
        int sc = px_round_clamp(ratio, f->sc_lo, f->sc_hi);
        float error = measure(s, sub, t->d * (float)sc).error;
        for (int step = -1; step <= 1; step += 2) {
            for (int next = sc + step; next >= f->sc_lo && next <= f->sc_hi; next += step) {
                const float e = measure(s, sub, t->d * (float)next).error;
                if (!(e < error))
                    break;
                error = e;
                sc = next;
            }
        }
        t->sc[sub] = sc;
        t->error += error;
    }
}

/* The least squares d for the codes of t. */
static float solve(const super_search *s, const state *t)
{
    float xv = 0, vv = 0;
    for (int sub = 0; sub < s->f->n_sub; sub++) {
        const float sc = (float)t->sc[sub];
        const px_scale_sums m = measure(s, sub, t->d * sc);
        xv += sc * m.xv;
        vv += sc * sc * m.vv;
    }
    return vv > 0 ? xv / vv : t->d;
}

void px_fit_super(const px_super *f, const float *x, const float *w, float *d, int8_t *sc,
                  uint8_t *index)
{
    super_search s;
    s.f = f;
    s.amax = px_fit_normalise(x, w, SUPER, s.x, s.w);
    memset(&s.best, 0, sizeof s.best);
    s.best.error = INFINITY;
    float peak = 0;
    for (int sub = 0; sub < f->n_sub; sub++) {
        s.free_d[sub] = px_fit_scale(s.x + sub * f->values, w ? s.w + sub * f->values : NULL,
                                     f->values, f->g, false);
        if (fabsf(s.free_d[sub]) > fabsf(peak))
            peak = s.free_d[sub];
    }
    static const float ENDS[] = {1.0f, 0.94f, 1.06f};
    for (int way = 0; way < 6 && peak != 0.0f; way++) {
        const int end = way < 3 ? f->sc_lo : f->sc_hi; // either sign of d
        state t;
        t.d = peak / ((float)end * ENDS[way % 3]);
        for (int round = 0; round < ROUNDS; round++) {
            t.d = f16_unit(t.d, s.amax);
            climb(&s, &t);
            if (t.error < s.best.error)
                s.best = t;
            t.d = solve(&s, &t);
        }
    }
    *d = px_as_f16(s.best.d * s.amax);
    for (int sub = 0; sub < f->n_sub; sub++) {
        sc[sub] = (int8_t)s.best.sc[sub];
        px_fit_codes(s.x + sub * f->values, s.best.d * (float)sc[sub], f->values, f->g,
                     index + sub * f->values);
    }
}

/* ---- scale and minimum */

static px_affine_sums measure_affine(const super_search *s, const state *t, int sub, int sc, int mn)
{
    const int at = sub * s->f->values;
    return px_measure_affine(s->x + at, s->w + at, s->f->values, s->f->g->hi, t->d * (float)sc,
                             t->dmin * (float)mn);
}

/* Moves (sc, mn) to the best of its eight neighbours until none is better. */
static float climb_pair(const super_search *s, const state *t, int sub, int *sc, int *mn)
{
    const int hi = s->f->sc_hi;
    float error = measure_affine(s, t, sub, *sc, *mn).error;
    for (int step = 0; step < 6; step++) {
        const int sc0 = *sc, mn0 = *mn;
        for (int a = clamp(sc0 - 1, 0, hi); a <= clamp(sc0 + 1, 0, hi); a++) {
            for (int b = clamp(mn0 - 1, 0, hi); b <= clamp(mn0 + 1, 0, hi); b++) {
                if (a == sc0 && b == mn0)
                    continue;
                const float e = measure_affine(s, t, sub, a, b).error;
                if (e < error) {
                    error = e;
                    *sc = a;
                    *mn = b;
                }
            }
        }
        if (*sc == sc0 && *mn == mn0)
            break;
    }
    return error;
}

static void climb_affine(const super_search *s, state *t)
{
    const px_super *f = s->f;
    t->error = 0;
    for (int sub = 0; sub < f->n_sub; sub++) {
        const float sc = t->d > 0 ? s->free_d[sub] / t->d : 0.0f;
        const float mn = t->dmin > 0 ? s->free_m[sub] / t->dmin : 0.0f;
        t->sc[sub] = px_round_clamp(sc, 0, f->sc_hi);
        t->mn[sub] = px_round_clamp(mn, 0, f->sc_hi);
        t->error += climb_pair(s, t, sub, &t->sc[sub], &t->mn[sub]);
    }
}

/* Least squares d and dmin for the codes of t; leaves them where the equations have no positive
 * solution. */
static void solve_affine(const super_search *s, state *t)
{
    float aa = 0, bb = 0, ab = 0, xa = 0, xb = 0; // x ~ d a - dmin b, a = sc q, b = mn
    for (int sub = 0; sub < s->f->n_sub; sub++) {
        const px_affine_sums m = measure_affine(s, t, sub, t->sc[sub], t->mn[sub]);
        const float sc = (float)t->sc[sub], mn = (float)t->mn[sub];
        aa += sc * sc * m.qq;
        bb += mn * mn * m.w;
        ab += sc * mn * m.q;
        xa += sc * m.xq;
        xb += mn * m.x;
    }
    const float determinant = aa * bb - ab * ab;
    if (!(determinant > 0)) {
        if (aa > 0 && xa > 0)
            t->d = xa / aa;
        return;
    }
    const float d = (xa * bb - xb * ab) / determinant;
    const float dmin = (xa * ab - xb * aa) / determinant;
    if (d > 0 && dmin >= 0) {
        t->d = d;
        t->dmin = dmin;
    }
}

void px_fit_super_affine(const px_super *f, const float *x, const float *w, float *d, float *dmin,
                         uint8_t *sc, uint8_t *mn, uint8_t *q)
{
    super_search s;
    s.f = f;
    s.amax = px_fit_normalise(x, w, SUPER, s.x, s.w);
    memset(&s.best, 0, sizeof s.best);
    s.best.error = INFINITY;
    float most_d = 0, most_m = 0;
    for (int sub = 0; sub < f->n_sub; sub++) {
        float m;
        px_fit_affine(s.x + sub * f->values, w ? s.w + sub * f->values : NULL, f->values, f->g->hi,
                      false, true, &s.free_d[sub], &m);
        s.free_m[sub] = -m;
        most_d = fmaxf(most_d, s.free_d[sub]);
        most_m = fmaxf(most_m, s.free_m[sub]);
    }
    static const float ENDS[] = {1.0f, 0.94f, 1.06f};
    for (int way = 0; way < 3 && s.amax > 0; way++) {
        state t;
        t.d = most_d / ((float)f->sc_hi * ENDS[way]);
        t.dmin = most_m / ((float)f->sc_hi * ENDS[way]);
        for (int round = 0; round < ROUNDS; round++) {
            t.d = f16_unit(t.d, s.amax);
            t.dmin = f16_unit(t.dmin, s.amax);
            climb_affine(&s, &t);
            if (t.error < s.best.error)
                s.best = t;
            solve_affine(&s, &t);
        }
    }
    *d = px_as_f16(s.best.d * s.amax);
    *dmin = px_as_f16(s.best.dmin * s.amax);
    for (int sub = 0; sub < f->n_sub; sub++) {
        sc[sub] = (uint8_t)s.best.sc[sub];
        mn[sub] = (uint8_t)s.best.mn[sub];
        px_fit_affine_codes(s.x + sub * f->values, s.best.d * (float)sc[sub],
                            -s.best.dmin * (float)mn[sub], f->values, f->g->hi,
                            q + sub * f->values);
    }
}

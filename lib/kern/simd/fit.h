/*
 * fit: the searches of kern/ref/fit.h over the names of a vec header. Each lane of a vector is a
 * block: 16 of them go side by side, the i-th values of all in one row. So no sum runs across a
 * vector, every lane does the same steps, and the steps between measurements are loops over 16
 * numbers.
 *
 * Fan: each start is measured once. From the sums of a measurement follows how small the error
 * would become with the least squares scale for its codes; the start that promises least is refined
 * by alternating. Super-blocks: sub-blocks alone first; a few super-block scales that bring the
 * largest sub-block to the end of its integer range; for each some rounds of: nearest integer
 * scales, the codes, the integer scales that are best for these codes (read from the sums, no pass
 * over the data), the super-block's scale anew. The best state is then polished: integer scales
 * climb to any better neighbour, all codes chosen anew for each.
 *
 * Everything is computed on x divided by its largest magnitude, so that squares neither overflow
 * nor vanish.
 *
 * A vec header may define FIT_NEAREST(book, v) for codebooks: the nearest value of each v.
 */
#ifndef PX_KERN_SIMD_FIT_H
#define PX_KERN_SIMD_FIT_H

#include "kern/ref/fit.h"

#include <float.h>
#include <string.h>

enum { LANES = PX_FIT_LANES, MOST = PX_FIT_BLOCK };

#define EACH_LANE for (int l = 0; l < LANES; l++)

typedef struct lanes {
    float x[MOST][LANES]; // normalised
    float w[MOST][LANES];
    bool weighted;              // otherwise w is 1 in all lanes that are used
    int n;                      // values of a block
    float amax[LANES];          // what x was divided by
    float peak[LANES];          // the value of largest magnitude
    float sw[LANES], sx[LANES]; // sums of w and w x, for affine fits
} lanes;

/* ---- measuring */

typedef struct book {
    float value[16], middle[16]; // middle[i] lies between value[i] and value[i + 1]
    int n;                       // 0: whole numbers lo..hi
    float lo, hi;
} book;

static book book_of(const px_grid *g)
{
    book b = {.lo = (float)g->lo, .hi = (float)g->hi};
    b.n = g->codes ? g->n_codes : 0;
    for (int i = 0; i < 16; i++) {
        const int at = i < b.n ? i : b.n - 1;
        b.value[i] = b.n > 0 ? (float)g->codes[at] : 0.0f;
        b.middle[i] = i + 1 < b.n ? 0.5f * (float)(g->codes[i] + g->codes[i + 1]) : INFINITY;
    }
    return b;
}

/* The nearest whole number in [lo, hi]; NaN gives lo. */
static inline vf round_in(vf v, vf lo, vf hi)
{
    const vf big = vf_all(0x1.8p23f);
    return vf_sub(vf_add(vf_min(vf_max(v, lo), hi), big), big);
}

#ifndef FIT_NEAREST
static inline vf nearest_of(const book *b, vf v)
{
    vf value = vf_all(b->value[0]);
    for (int i = 0; i + 1 < b->n; i++)
        value = vf_where_less(vf_all(b->middle[i]), v, vf_all(b->value[i + 1]), value);
    return value;
}
#define FIT_NEAREST(book, v) nearest_of(book, v)
#endif

/* Of x ~ d v: the weighted squared error; the sums of x v and v v. */
typedef struct sums {
    float error[LANES], xv[LANES], vv[LANES];
} sums;

static inline float quotient(float a, float b, float otherwise)
{
    return b != 0.0f ? a / b : otherwise;
}

static inline void inverse_of(const float *d, float *inverse)
{
    EACH_LANE
    inverse[l] = quotient(1.0f, d[l], 0.0f);
}

/* weighted is known where this is inlined: without weights two of six products go. */
static inline __attribute__((always_inline)) void
measure_as(const lanes *b, const book *g, const float *d, bool weighted, bool coded, sums *out)
{
    float inverse[LANES];
    inverse_of(d, inverse);
    const vf lo = vf_all(g->lo), hi = vf_all(g->hi);
    for (int l = 0; l < LANES; l += VF_N) {
        const vf scale = vf_load(d + l), in = vf_load(inverse + l);
        vf error = vf_zero(), xv = vf_zero(), vv = vf_zero();
        for (int i = 0; i < b->n; i++) {
            const vf x = vf_load(&b->x[i][l]), u = vf_mul(x, in);
            const vf v = coded ? FIT_NEAREST(g, u) : round_in(u, lo, hi);
            const vf e = vf_sub(x, vf_mul(scale, v));
            const vf we = weighted ? vf_mul(vf_load(&b->w[i][l]), e) : e;
            const vf wv = weighted ? vf_mul(vf_load(&b->w[i][l]), v) : v;
            error = vf_add(error, vf_mul(we, e));
            xv = vf_add(xv, vf_mul(wv, x));
            vv = vf_add(vv, vf_mul(wv, v));
        }
        vf_store(out->error + l, error);
        vf_store(out->xv + l, xv);
        vf_store(out->vv + l, vv);
    }
}

static void measure(const lanes *b, const book *g, const float *d, sums *out)
{
    if (g->n > 0)
        measure_as(b, g, d, true, true, out);
    else if (b->weighted)
        measure_as(b, g, d, true, false, out);
    else
        measure_as(b, g, d, false, false, out);
}

/* Of x ~ d q + m: the error; the sums of q, q q and x q. */
typedef struct affine_sums {
    float error[LANES], q[LANES], qq[LANES], xq[LANES];
} affine_sums;

static inline __attribute__((always_inline)) void measure_affine_as(const lanes *b, int top,
                                                                    const float *d, const float *m,
                                                                    bool weighted, affine_sums *out)
{
    float inverse[LANES];
    inverse_of(d, inverse);
    const vf lo = vf_zero(), hi = vf_all((float)top);
    for (int l = 0; l < LANES; l += VF_N) {
        const vf scale = vf_load(d + l), in = vf_load(inverse + l), low = vf_load(m + l);
        vf error = vf_zero(), sq = vf_zero(), sqq = vf_zero(), sxq = vf_zero();
        for (int i = 0; i < b->n; i++) {
            const vf x = vf_load(&b->x[i][l]), above = vf_sub(x, low);
            const vf q = round_in(vf_mul(above, in), lo, hi);
            const vf e = vf_sub(above, vf_mul(scale, q));
            const vf we = weighted ? vf_mul(vf_load(&b->w[i][l]), e) : e;
            const vf wq = weighted ? vf_mul(vf_load(&b->w[i][l]), q) : q;
            error = vf_add(error, vf_mul(we, e));
            sq = vf_add(sq, wq);
            sqq = vf_add(sqq, vf_mul(wq, q));
            sxq = vf_add(sxq, vf_mul(wq, x));
        }
        vf_store(out->error + l, error);
        vf_store(out->q + l, sq);
        vf_store(out->qq + l, sqq);
        vf_store(out->xq + l, sxq);
    }
}

static void measure_affine(const lanes *b, int top, const float *d, const float *m,
                           affine_sums *out)
{
    if (b->weighted)
        measure_affine_as(b, top, d, m, true, out);
    else
        measure_affine_as(b, top, d, m, false, out);
}

/* ---- blocks to lanes and back */

/* n blocks of `values`; `share` blocks in a row are divided by the largest magnitude of them all.
 */
static void fill_lanes(lanes *b, const float *x, const float *w, int n, int values, int share)
{
    b->n = values;
    b->weighted = w != NULL;
    for (int l = n; l < LANES; l++) {
        b->amax[l] = b->peak[l] = 0.0f;
        for (int i = 0; i < values; i++)
            b->x[i][l] = b->w[i][l] = 0.0f;
    }
    for (int first = 0; first < n; first += share) {
        float most = 0.0f;
        const float *from = x + first * values;
        for (int i = 0; i < share * values; i++)
            most = fabsf(from[i]) > most ? fabsf(from[i]) : most;
        most = most <= FLT_MAX ? most : FLT_MAX;
        const float by = most > 0.0f ? most : 1.0f;
        for (int s = 0; s < share; s++) {
            const int l = first + s;
            float row[MOST], peak = 0.0f;
            for (int i = 0; i < values; i++) {
                const float v = from[s * values + i] / by;
                row[i] = v >= -1.0f ? (v <= 1.0f ? v : 1.0f) : (v < -1.0f ? -1.0f : 0.0f);
                peak = fabsf(row[i]) > fabsf(peak) ? row[i] : peak;
            }
            b->amax[l] = most;
            b->peak[l] = peak;
            for (int i = 0; i < values; i++)
                b->x[i][l] = row[i];
            for (int i = 0; i < values; i++)
                b->w[i][l] = w ? w[l * values + i] : 1.0f;
        }
    }
}

static void sum_weights(lanes *b)
{
    EACH_LANE
    b->sw[l] = b->sx[l] = 0.0f;
    for (int i = 0; i < b->n; i++) {
        EACH_LANE
        {
            b->sw[l] += b->w[i][l];
            b->sx[l] += b->w[i][l] * b->x[i][l];
        }
    }
}

/* Indexes of the nearest codes of (x - m) / d; m NULL: 0. */
static void code_lanes(const lanes *b, const book *g, const float *d, const float *m, int n,
                       uint8_t *codes)
{
    float inverse[LANES];
    inverse_of(d, inverse);
    for (int i = 0; i < b->n; i++) {
        float v[LANES];
        int32_t q[LANES] = {0};
        EACH_LANE
        v[l] = (b->x[i][l] - (m ? m[l] : 0.0f)) * inverse[l];
        if (g->n > 0)
            for (int k = 0; k + 1 < g->n; k++)
                EACH_LANE
        q[l] += v[l] > g->middle[k];
        else EACH_LANE q[l] = px_round_clamp(v[l], (int)g->lo, (int)g->hi) - (int)g->lo;
        for (int l = 0; l < n; l++)
            codes[l * b->n + i] = (uint8_t)q[l];
    }
}

/* d as f16 stores d * amax, back in units of amax. */
static void round_f16(const lanes *b, float *d)
{
    EACH_LANE
    d[l] = b->amax[l] > 0.0f ? px_as_f16(d[l] * b->amax[l]) / b->amax[l] : 0.0f;
}

/* ---- blocks alone */

/* The fan: the peak stands at the end of the grid times these parts. A block of 32 normal values is
 * coded best with its peak 0 to 10 % beyond the end of a 4-bit grid, seldom far inside it. */
static const float FAN[] = {0.84f, 0.88f, 0.91f, 0.94f, 0.97f, 1.0f,
                            1.03f, 1.06f, 1.1f,  1.15f, 1.2f,  1.28f};
enum { N_FAN = sizeof FAN / sizeof FAN[0], REFINE = 3 };

/* The error that the least squares scale `next` has for the codes that d has. */
static inline float promised(const sums *m, int l, float d, float next)
{
    return m->error[l] - m->vv[l] * (next - d) * (next - d);
}

static inline float solved(const sums *m, int l, float d)
{
    return quotient(m->xv[l], m->vv[l], d);
}

static void fit_scale(const lanes *b, const book *g, bool f16, float *best)
{
    float d[LANES], least[LANES], next[LANES];
    sums m;
    EACH_LANE
    {
        least[l] = INFINITY;
        next[l] = 0.0f;
    }
    for (int e = 0; e < 2; e++) {
        const float end = e ? g->hi : g->lo;
        if (end == 0.0f || (e == 1 && g->lo == -g->hi && g->n == 0))
            continue; // a symmetric grid: the other end gives the same codes, negated
        for (int i = 0; i < N_FAN; i++) {
            EACH_LANE
            d[l] = b->peak[l] / (end * FAN[i]);
            measure(b, g, d, &m);
            EACH_LANE
            {
                const float to = solved(&m, l, d[l]), error = promised(&m, l, d[l], to);
                next[l] = error < least[l] ? to : next[l];
                least[l] = error < least[l] ? error : least[l];
            }
        }
    }
    EACH_LANE
    {
        least[l] = INFINITY;
        best[l] = 0.0f;
    }
    for (int i = 0; i < REFINE; i++) {
        memcpy(d, next, sizeof d);
        if (f16)
            round_f16(b, d);
        measure(b, g, d, &m);
        EACH_LANE
        {
            best[l] = m.error[l] < least[l] ? d[l] : best[l];
            least[l] = m.error[l] < least[l] ? m.error[l] : least[l];
            next[l] = solved(&m, l, d[l]);
        }
    }
}

/* Moves each lane's d and m to the least squares ones for the codes of a measurement at d, m, with
 * m <= 0 where `below`; error: what they promise. Without branches, so that it becomes vectors. */
static inline __attribute__((always_inline)) void
solve_affine_as(const lanes *b, const affine_sums *s, bool below, float *restrict d,
                float *restrict m, float *restrict error)
{
    EACH_LANE
    {
        const float w = b->sw[l], x = b->sx[l], q = s->q[l], qq = s->qq[l], xq = s->xq[l];
        const float det = w * qq - q * q, by = 1.0f / (det > 0.0f ? det : 1.0f);
        const float d0 = d[l], m0 = m[l], d2 = (w * xq - x * q) * by, m2 = (x * qq - q * xq) * by;
        float d1 = det > 0.0f ? d2 : d0, m1 = det > 0.0f ? m2 : m0;
        const float a = d0 - d1, c = m0 - m1;
        float e = s->error[l] - (a * a * qq + 2.0f * a * c * q + c * c * w);
        if (below) {
            const float alone = xq / (qq > 0.0f ? qq : 1.0f), d3 = qq > 0.0f ? alone : d0;
            const float f = d3 - d1, more = f * f * qq - 2.0f * f * m1 * q + m1 * m1 * w;
            e = m1 > 0.0f ? e + more : e;
            d1 = m1 > 0.0f ? d3 : d1;
            m1 = m1 > 0.0f ? 0.0f : m1;
        }
        d[l] = d1 >= 0.0f ? d1 : d0; // NaN too
        m[l] = d1 >= 0.0f ? m1 : m0;
        error[l] = d1 >= 0.0f ? e : s->error[l];
    }
}

static void solve_affine(const lanes *b, const affine_sums *s, bool below, float *restrict d,
                         float *restrict m, float *restrict error)
{
    if (below)
        solve_affine_as(b, s, true, d, m, error);
    else
        solve_affine_as(b, s, false, d, m, error);
}

static void fit_affine(const lanes *b, int hi, bool f16, bool below, float *best_d, float *best_m)
{
    float low[LANES], high[LANES], d[LANES], m[LANES], next_d[LANES], next_m[LANES], least[LANES];
    float error[LANES];
    affine_sums s;
    EACH_LANE
    {
        low[l] = below ? fminf(b->x[0][l], 0.0f) : b->x[0][l];
        high[l] = b->x[0][l];
        least[l] = INFINITY;
        next_d[l] = next_m[l] = 0.0f;
    }
    for (int i = 1; i < b->n; i++) {
        EACH_LANE
        {
            low[l] = b->x[i][l] < low[l] ? b->x[i][l] : low[l];
            high[l] = b->x[i][l] > high[l] ? b->x[i][l] : high[l];
        }
    }
    for (int i = 0; i < N_FAN; i++) { // the range shrinks about its middle, or about 0
        EACH_LANE
        {
            const float range = (high[l] - low[l]) / FAN[i];
            const float from = low[l] * (below && high[l] < 0.0f ? 1.0f : 1.0f / FAN[i]);
            d[l] = range / (float)hi;
            m[l] = below ? from : 0.5f * (high[l] + low[l] - range);
        }
        for (int k = 0; k < 2; k++) {
            measure_affine(b, hi, d, m, &s);
            solve_affine(b, &s, below, d, m, error);
            EACH_LANE
            {
                next_d[l] = error[l] < least[l] ? d[l] : next_d[l];
                next_m[l] = error[l] < least[l] ? m[l] : next_m[l];
                least[l] = error[l] < least[l] ? error[l] : least[l];
            }
        }
    }
    EACH_LANE
    {
        least[l] = INFINITY;
        best_d[l] = best_m[l] = 0.0f;
    }
    for (int i = 0; i < REFINE; i++) {
        memcpy(d, next_d, sizeof d);
        memcpy(m, next_m, sizeof m);
        if (f16) {
            round_f16(b, d);
            round_f16(b, m);
        }
        measure_affine(b, hi, d, m, &s);
        EACH_LANE
        {
            next_d[l] = d[l];
            next_m[l] = m[l];
            best_d[l] = s.error[l] < least[l] ? d[l] : best_d[l];
            best_m[l] = s.error[l] < least[l] ? m[l] : best_m[l];
            least[l] = s.error[l] < least[l] ? s.error[l] : least[l];
        }
        solve_affine(b, &s, below, next_d, next_m, error);
    }
}

static void scale_blocks(const px_grid *grid, const float *x, const float *w, int n, float *d,
                         uint8_t *codes)
{
    lanes b;
    float best[LANES];
    const book g = book_of(grid);
    fill_lanes(&b, x, w, n, PX_FIT_BLOCK, 1);
    fit_scale(&b, &g, true, best);
    code_lanes(&b, &g, best, NULL, n, codes);
    for (int l = 0; l < n; l++)
        d[l] = px_as_f16(best[l] * b.amax[l]);
}

static void affine_blocks(int hi, const float *x, const float *w, int n, float *d, float *m,
                          uint8_t *codes)
{
    lanes b;
    float best_d[LANES], best_m[LANES];
    const book g = {.lo = 0.0f, .hi = (float)hi};
    fill_lanes(&b, x, w, n, PX_FIT_BLOCK, 1);
    sum_weights(&b);
    fit_affine(&b, hi, true, false, best_d, best_m);
    code_lanes(&b, &g, best_d, best_m, n, codes);
    for (int l = 0; l < n; l++) {
        d[l] = px_as_f16(best_d[l] * b.amax[l]);
        m[l] = px_as_f16(best_m[l] * b.amax[l]);
    }
}

/* ---- super-blocks */

/* A state of all lanes; d and dmin are the same in the lanes of a super-block. */
typedef struct state {
    float d[LANES], dmin[LANES]; // in units of amax
    float sc[LANES], mn[LANES];
    float error[LANES]; // of the lane
} state;

static const float ENDS[] = {1.0f, 0.94f, 1.06f};
enum { N_ENDS = sizeof ENDS / sizeof ENDS[0], ROUNDS = 2, POLISH = 2, STEPS = 2 };

static inline float hold(float v, float lo, float hi)
{
    return v > lo ? (v < hi ? v : hi) : lo;
}

static inline float whole(float v)
{
    return (v + 0x1.8p23f) - 0x1.8p23f;
}

/* The sum of a super-block's lanes, in all of them. */
static void share_sum(float *v, int share)
{
    for (int first = 0; first < LANES; first += share) {
        float sum = 0.0f;
        for (int l = first; l < first + share; l++)
            sum += v[l];
        for (int l = first; l < first + share; l++)
            v[l] = sum;
    }
}

/* Keeps the better of two states, super-block by super-block. */
static void keep_better(state *best, const state *t, int share)
{
    float a[LANES], e[LANES];
    memcpy(a, t->error, sizeof a);
    memcpy(e, best->error, sizeof e);
    share_sum(a, share);
    share_sum(e, share);
    EACH_LANE
    {
        const bool better = a[l] < e[l];
        best->d[l] = better ? t->d[l] : best->d[l];
        best->dmin[l] = better ? t->dmin[l] : best->dmin[l];
        best->sc[l] = better ? t->sc[l] : best->sc[l];
        best->mn[l] = better ? t->mn[l] : best->mn[l];
        best->error[l] = better ? t->error[l] : best->error[l];
    }
}

static void no_state(state *s)
{
    memset(s, 0, sizeof *s);
    EACH_LANE
    s->error[l] = INFINITY;
}

static void share_f16(const lanes *b, float *d, int share)
{
    for (int first = 0; first < LANES; first += share) {
        const float amax = b->amax[first];
        const float v = amax > 0.0f ? px_as_f16(d[first] * amax) / amax : 0.0f;
        for (int l = first; l < first + share; l++)
            d[l] = v;
    }
}

static void measure_state(const lanes *b, const book *g, state *t, sums *m)
{
    float d[LANES];
    EACH_LANE
    d[l] = t->d[l] * t->sc[l];
    measure(b, g, d, m);
    memcpy(t->error, m->error, sizeof t->error);
}

/* The super-blocks' least squares d for the codes measured. */
static void solve_super(const sums *m, state *t, int share)
{
    float xv[LANES], vv[LANES];
    EACH_LANE
    {
        xv[l] = t->sc[l] * m->xv[l];
        vv[l] = t->sc[l] * t->sc[l] * m->vv[l];
    }
    share_sum(xv, share);
    share_sum(vv, share);
    EACH_LANE
    t->d[l] = quotient(xv[l], vv[l], t->d[l]);
}

/* Integer scales move to a neighbour that is better with codes of its own. */
static bool climb(const lanes *b, const book *g, const px_super *f, state *t)
{
    sums m;
    bool moved = false;
    for (int step = -1; step <= 1; step += 2) {
        state u = *t;
        EACH_LANE
        u.sc[l] = hold(t->sc[l] + (float)step, (float)f->sc_lo, (float)f->sc_hi);
        measure_state(b, g, &u, &m);
        EACH_LANE
        {
            const bool better = u.error[l] < t->error[l];
            moved |= better;
            t->sc[l] = better ? u.sc[l] : t->sc[l];
            t->error[l] = better ? u.error[l] : t->error[l];
        }
    }
    return moved;
}

/* One way: from t->d on, some rounds. */
static void search_super(const lanes *b, const book *g, const px_super *f, const float *alone,
                         state *t, state *best)
{
    sums m;
    for (int round = 0; round < ROUNDS; round++) {
        share_f16(b, t->d, f->n_sub);
        EACH_LANE
        {
            const float sc = quotient(alone[l], t->d[l], 0.0f);
            t->sc[l] = whole(hold(sc, (float)f->sc_lo, (float)f->sc_hi));
        }
        measure_state(b, g, t, &m);
        keep_better(best, t, f->n_sub);
        EACH_LANE
        {
            const float sc = quotient(solved(&m, l, 0.0f), t->d[l], 0.0f);
            t->sc[l] = whole(hold(sc, (float)f->sc_lo, (float)f->sc_hi));
        }
        measure_state(b, g, t, &m);
        keep_better(best, t, f->n_sub);
        solve_super(&m, t, f->n_sub);
    }
}

static void super_blocks(const px_super *f, const float *x, const float *w, int n, float *d,
                         int8_t *sc, uint8_t *codes)
{
    lanes b;
    state t, best;
    sums m;
    float alone[LANES], peak[LANES];
    const int share = f->n_sub, used = n * share;
    const book g = book_of(f->g);
    fill_lanes(&b, x, w, used, f->values, share);
    fit_scale(&b, &g, false, alone);
    for (int first = 0; first < LANES; first += share) {
        float most = 0.0f;
        for (int l = first; l < first + share; l++)
            most = fabsf(alone[l]) > fabsf(most) ? alone[l] : most;
        for (int l = first; l < first + share; l++)
            peak[l] = most;
    }
    no_state(&best);
    for (int way = 0; way < 2 * N_ENDS; way++) { // either sign of d
        const int end = way < N_ENDS ? f->sc_lo : f->sc_hi;
        memset(&t, 0, sizeof t);
        EACH_LANE
        t.d[l] = peak[l] / ((float)end * ENDS[way % N_ENDS]);
        search_super(&b, &g, f, alone, &t, &best);
    }
    for (int i = 0; i < POLISH; i++) {
        t = best;
        for (int step = 0; step < STEPS && climb(&b, &g, f, &t); step++) {
        }
        keep_better(&best, &t, share);
        measure_state(&b, &g, &t, &m);
        solve_super(&m, &t, share);
        share_f16(&b, t.d, share);
        measure_state(&b, &g, &t, &m);
        keep_better(&best, &t, share);
    }
    float scale[LANES];
    EACH_LANE
    scale[l] = best.d[l] * best.sc[l];
    code_lanes(&b, &g, scale, NULL, used, codes);
    for (int l = 0; l < used; l++)
        sc[l] = (int8_t)best.sc[l];
    for (int s = 0; s < n; s++)
        d[s] = px_as_f16(best.d[s * share] * b.amax[s * share]);
}

/* ---- super-blocks with minima */

static void measure_pair(const lanes *b, int hi, state *t, affine_sums *s)
{
    float d[LANES], m[LANES];
    EACH_LANE
    {
        d[l] = t->d[l] * t->sc[l];
        m[l] = -t->dmin[l] * t->mn[l];
    }
    measure_affine(b, hi, d, m, s);
    memcpy(t->error, s->error, sizeof t->error);
}

/* The pair of integers nearest to what is best for the codes measured, by the error that each of
 * nine promises. */
static void choose_pairs(const lanes *b, const affine_sums *s, float top, state *t)
{
    float d[LANES], m[LANES], error[LANES], sc0[LANES], mn0[LANES], least[LANES];
    EACH_LANE
    {
        d[l] = t->d[l] * t->sc[l];
        m[l] = -t->dmin[l] * t->mn[l];
    }
    solve_affine(b, s, true, d, m, error);
    EACH_LANE
    {
        const float in_d = 1.0f / (t->d[l] > 0.0f ? t->d[l] : 1.0f);
        const float in_m = 1.0f / (t->dmin[l] > 0.0f ? t->dmin[l] : 1.0f);
        sc0[l] = whole(hold(t->d[l] > 0.0f ? d[l] * in_d : 0.0f, 0.0f, top));
        mn0[l] = whole(hold(t->dmin[l] > 0.0f ? -m[l] * in_m : 0.0f, 0.0f, top));
        least[l] = INFINITY;
    }
    for (int pair = 0; pair < 9; pair++) {
        EACH_LANE
        {
            const float sc1 = hold(sc0[l] + (float)(pair / 3 - 1), 0.0f, top);
            const float mn1 = hold(mn0[l] + (float)(pair % 3 - 1), 0.0f, top);
            const float a = t->d[l] * sc1 - d[l], c = -t->dmin[l] * mn1 - m[l];
            const float more = a * a * s->qq[l] + 2.0f * a * c * s->q[l] + c * c * b->sw[l];
            t->sc[l] = more < least[l] ? sc1 : t->sc[l];
            t->mn[l] = more < least[l] ? mn1 : t->mn[l];
            least[l] = more < least[l] ? more : least[l];
        }
    }
}

/* The super-blocks' least squares d and dmin for the codes measured; unchanged where the equations
 * have no positive solution. */
static void solve_pairs(const lanes *b, const affine_sums *s, state *t, int share)
{
    float aa[LANES], bb[LANES], ab[LANES], xa[LANES], xb[LANES]; // x ~ d a - dmin b
    EACH_LANE
    {
        const float sc = t->sc[l], mn = t->mn[l];
        aa[l] = sc * sc * s->qq[l];
        bb[l] = mn * mn * b->sw[l];
        ab[l] = sc * mn * s->q[l];
        xa[l] = sc * s->xq[l];
        xb[l] = mn * b->sx[l];
    }
    share_sum(aa, share);
    share_sum(bb, share);
    share_sum(ab, share);
    share_sum(xa, share);
    share_sum(xb, share);
    EACH_LANE
    {
        const float det = aa[l] * bb[l] - ab[l] * ab[l], by = det > 0.0f ? det : 1.0f;
        const float d = (xa[l] * bb[l] - xb[l] * ab[l]) / by;
        const float dmin = (xa[l] * ab[l] - xb[l] * aa[l]) / by;
        const float one = quotient(xa[l], aa[l], t->d[l]);
        const float d1 = d > 0.0f && dmin >= 0.0f ? d : t->d[l];
        const float m1 = d > 0.0f && dmin >= 0.0f ? dmin : t->dmin[l];
        t->d[l] = det > 0.0f ? d1 : one > 0.0f ? one : t->d[l];
        t->dmin[l] = det > 0.0f ? m1 : t->dmin[l];
    }
}

/* Pairs of integers move to the best of their eight neighbours, each with codes of its own. */
static bool climb_pairs(const lanes *b, int hi, float top, state *t)
{
    const state from = *t;
    affine_sums s;
    bool moved = false;
    for (int i = -1; i <= 1; i++) {
        for (int k = -1; k <= 1; k++) {
            if (i == 0 && k == 0)
                continue;
            state u = from;
            EACH_LANE
            {
                u.sc[l] = hold(from.sc[l] + (float)i, 0.0f, top);
                u.mn[l] = hold(from.mn[l] + (float)k, 0.0f, top);
            }
            measure_pair(b, hi, &u, &s);
            EACH_LANE
            {
                const bool better = u.error[l] < t->error[l];
                moved |= better;
                t->sc[l] = better ? u.sc[l] : t->sc[l];
                t->mn[l] = better ? u.mn[l] : t->mn[l];
                t->error[l] = better ? u.error[l] : t->error[l];
            }
        }
    }
    return moved;
}

static void search_pairs(const lanes *b, const px_super *f, const float *alone_d,
                         const float *alone_m, state *t, state *best)
{
    const float top = (float)f->sc_hi;
    affine_sums s;
    for (int round = 0; round < ROUNDS; round++) {
        share_f16(b, t->d, f->n_sub);
        share_f16(b, t->dmin, f->n_sub);
        EACH_LANE
        {
            const float sc = quotient(alone_d[l], t->d[l], 0.0f);
            const float mn = quotient(-alone_m[l], t->dmin[l], 0.0f);
            t->sc[l] = whole(hold(sc, 0.0f, top));
            t->mn[l] = whole(hold(mn, 0.0f, top));
        }
        measure_pair(b, f->g->hi, t, &s);
        choose_pairs(b, &s, top, t);
        measure_pair(b, f->g->hi, t, &s);
        keep_better(best, t, f->n_sub);
        solve_pairs(b, &s, t, f->n_sub);
    }
}

static void super_affine_blocks(const px_super *f, const float *x, const float *w, int n, float *d,
                                float *dmin, uint8_t *sc, uint8_t *mn, uint8_t *codes)
{
    lanes b;
    state t, best;
    affine_sums s;
    float alone_d[LANES], alone_m[LANES], most_d[LANES], most_m[LANES];
    const int share = f->n_sub, used = n * share, hi = f->g->hi;
    const float top = (float)f->sc_hi;
    const book g = {.lo = 0.0f, .hi = (float)hi};
    fill_lanes(&b, x, w, used, f->values, share);
    sum_weights(&b);
    fit_affine(&b, hi, false, true, alone_d, alone_m);
    for (int first = 0; first < LANES; first += share) {
        float ds = 0.0f, ms = 0.0f;
        for (int l = first; l < first + share; l++) {
            ds = alone_d[l] > ds ? alone_d[l] : ds;
            ms = -alone_m[l] > ms ? -alone_m[l] : ms;
        }
        for (int l = first; l < first + share; l++) {
            most_d[l] = ds;
            most_m[l] = ms;
        }
    }
    no_state(&best);
    for (int way = 0; way < N_ENDS; way++) {
        memset(&t, 0, sizeof t);
        EACH_LANE
        {
            t.d[l] = most_d[l] / (top * ENDS[way]);
            t.dmin[l] = most_m[l] / (top * ENDS[way]);
        }
        search_pairs(&b, f, alone_d, alone_m, &t, &best);
    }
    for (int i = 0; i < POLISH; i++) {
        t = best;
        for (int step = 0; step < STEPS && climb_pairs(&b, hi, top, &t); step++) {
        }
        keep_better(&best, &t, share);
        measure_pair(&b, hi, &t, &s);
        solve_pairs(&b, &s, &t, share);
        share_f16(&b, t.d, share);
        share_f16(&b, t.dmin, share);
        measure_pair(&b, hi, &t, &s);
        keep_better(&best, &t, share);
    }
    float scale[LANES], low[LANES];
    EACH_LANE
    {
        scale[l] = best.d[l] * best.sc[l];
        low[l] = -best.dmin[l] * best.mn[l];
    }
    code_lanes(&b, &g, scale, low, used, codes);
    for (int l = 0; l < used; l++) {
        sc[l] = (uint8_t)best.sc[l];
        mn[l] = (uint8_t)best.mn[l];
    }
    for (int i = 0; i < n; i++) {
        d[i] = px_as_f16(best.d[i * share] * b.amax[i * share]);
        dmin[i] = px_as_f16(best.dmin[i * share] * b.amax[i * share]);
    }
}

extern const px_fits LEVEL(fits);
const px_fits LEVEL(fits) = {scale_blocks, affine_blocks, super_blocks, super_affine_blocks};

#endif

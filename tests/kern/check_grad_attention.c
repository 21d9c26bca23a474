/*
 * check_grad_attention: attention over a segment and its gradient, against plain C, whose sums are
 * double.
 *
 * What can go wrong with a score s = scale q.k: e = (D + 8) EPS scale sum |q k|, and 4 EPS |s| for
 * scaling and the cap; where the level rounds operands to bf16 another 2.01 * 2^-8 scale sum |q k|.
 * A probability is off by e and the exponential's 4 EPS, relatively; in forward by twice that,
 * since it is divided by a sum of such. Rounding probabilities, slopes, values or gradients to bf16
 * costs 2^-9 of each. Sums over keys or tokens have a depth of n at most.
 *
 *   out:  sum p |v| (2 e + r),                      r = (n + 16) EPS, bf16: and 2.02 * 2^-8
 *   dv:   sum p |dout| (e + r)
 *   ds = p (dp - mean) slope is off by  p slope ((e + 8 EPS) |dp - mean| + f) + p |dp - mean| g
 *         f = (Dv + 8) EPS (sum |dout v| + sum |dout out|), bf16: and 2.01 * 2^-8 sum |dout v|
 *         g = 2 e / cap, the cap's slope
 *   dq, dk: sum (error of ds) |k| + sum |ds k| r
 */
#include "check.h"

#include <string.h>

enum { GAP = 3 }; // floats between rows

typedef struct problem {
    px_grad_attn a;
    bool bf16;
    double *p, *ds, *p_error, *ds_error; // [n, n], by token and key
} problem;

static float *rows(check *c, int64_t n, int64_t stride, bool filled)
{
    float *x = check_memory((size_t)(n * stride) * sizeof *x);
    for (int64_t i = 0; filled && i < n * stride; i++)
        x[i] = check_normal(c, 1.0f);
    return x;
}

static void make(check *c, problem *p, int64_t n, int32_t dim, int32_t value_dim, int64_t window,
                 float softcap)
{
    px_grad_attn *a = &p->a;
    *a = (px_grad_attn){.n = n, .head_dim = dim, .value_dim = value_dim, .window = window};
    a->scale = 1.0f / sqrtf((float)dim);
    a->softcap = softcap;
    const int64_t s = dim + GAP, sv = value_dim + GAP;
    a->q_stride = a->k_stride = a->dq_stride = a->dk_stride = s;
    a->v_stride = a->out_stride = a->dout_stride = a->dv_stride = sv;
    a->lse_stride = 2;
    // the last rows end GAP floats before the inaccessible page; reading those is no harm
    a->q = rows(c, n, s, true);
    a->k = rows(c, n, s, true);
    a->v = rows(c, n, sv, true);
    a->dout = rows(c, n, sv, true);
    a->out = rows(c, n, sv, false);
    a->lse = rows(c, n, 2, false);
    a->dq = rows(c, n, s, false);
    a->dk = rows(c, n, s, false);
    a->dv = rows(c, n, sv, false);
    a->scratch = check_memory(px_grad_attn_scratch(dim, value_dim));
    p->bf16 = c->grad->form == PX_ACT_BF16;
}

static double dot(const float *a, const float *b, int64_t n, double *size)
{
    double sum = 0;
    *size = 0;
    for (int64_t i = 0; i < n; i++) {
        const double term = (double)a[i] * (double)b[i];
        sum += term;
        *size += fabs(term);
    }
    return sum;
}

/* p, ds and what they can be off by, from out and lse of plain C. */
static void expect(problem *p)
{
    const px_grad_attn *a = &p->a;
    const size_t square = (size_t)(a->n * a->n) * sizeof(double);
    p->p = check_memory(square);
    p->ds = check_memory(square);
    p->p_error = check_memory(square);
    p->ds_error = check_memory(square);
    memset(p->p, 0, square);
    memset(p->ds, 0, square);
    memset(p->p_error, 0, square);
    memset(p->ds_error, 0, square);
    const double half = p->bf16 ? 2.01 * 0x1p-8 : 0;
    for (int64_t i = 0; i < a->n; i++)
        for (int64_t j = 0; j <= i; j++) {
            if (a->window > 0 && i - j >= a->window)
                continue;
            double size, dp_size, mean_size, slope = (double)a->scale;
            double s = (double)a->scale *
                       dot(a->q + i * a->q_stride, a->k + j * a->k_stride, a->head_dim, &size);
            size *= (double)a->scale;
            double e = (a->head_dim + 8) * EPS * size + half * size, g = 0;
            if (a->softcap > 0) {
                const double t = tanh(s / (double)a->softcap);
                s = (double)a->softcap * t;
                slope *= 1 - t * t;
                g = (double)a->scale * (2 * e / (double)a->softcap + 8 * EPS);
            }
            e += 4 * EPS * (fabs(s) + fabs((double)a->lse[i * a->lse_stride])) + 4 * EPS;
            const double prob = exp(s - (double)a->lse[i * a->lse_stride]);
            const float *dout = a->dout + i * a->dout_stride;
            const double dp = dot(dout, a->v + j * a->v_stride, a->value_dim, &dp_size);
            const double mean = dot(dout, a->out + i * a->out_stride, a->value_dim, &mean_size);
            const double f = (a->value_dim + 8) * EPS * (dp_size + mean_size) + half * dp_size;
            const int64_t at = i * a->n + j;
            p->p[at] = prob;
            p->p_error[at] = 1.05 * e;
            p->ds[at] = prob * (dp - mean) * slope;
            p->ds_error[at] =
                1.05 * prob * (slope * ((e + 8 * EPS) * fabs(dp - mean) + f) + fabs(dp - mean) * g);
        }
}

/* Sums over tokens or keys: weights [n, n] walked along by `step` from `from`, rows of x. */
static void check_sum(check *c, const problem *p, const float *got, const double *weight,
                      const double *error, bool relative, double twice, int64_t from, int64_t step,
                      const float *x, int64_t stride, int64_t d, const char *what, int64_t i)
{
    const double r = ((double)p->a.n + 16) * EPS + (p->bf16 ? 2.02 * 0x1p-8 : 0);
    double sum = 0, bound = 0x1p-100;
    for (int64_t j = 0; j < p->a.n; j++) {
        const double w = weight[from + j * step], e = error[from + j * step];
        const double v = (double)x[j * stride + d];
        sum += w * v;
        bound += fabs(v) * ((relative ? fabs(w) * e * twice : e) + fabs(w) * r);
    }
    check_near(c, got[d], sum, bound, what, i, d);
}

static const char *describe(const problem *p, const char *what)
{
    return test_format("%s, %lld tokens, heads of %d and %d, window %lld, cap %g, (token, i)", what,
                       (long long)p->a.n, p->a.head_dim, p->a.value_dim, (long long)p->a.window,
                       (double)p->a.softcap);
}

static void gaps(check *c, const float *x, int64_t n, int64_t width, const char *what)
{
    for (int64_t i = 0; i < n; i++)
        if (!check_untouched(x + i * (width + GAP) + width, GAP * sizeof *x))
            check_fail(c, "%s: wrote behind row %lld", what, (long long)i);
}

static void check_forward_one(check *c, int64_t n, int32_t dim, int32_t value_dim, int64_t window,
                              float softcap)
{
    problem p;
    if (c->failed)
        return;
    make(c, &p, n, dim, value_dim, window, softcap);
    px_grad_attn truth = p.a;
    truth.out = rows(c, n, truth.out_stride, false);
    truth.lse = rows(c, n, 2, false);
    c->grad_ref->attention(&truth);
    c->grad->attention(&p.a);
    gaps(c, p.a.out, n, value_dim, "out");
    problem want = p;
    want.a.out = truth.out;
    want.a.lse = truth.lse;
    expect(&want);
    const char *what = describe(&p, "out"), *lse = describe(&p, "lse");
    for (int64_t i = 0; i < n && !c->failed; i++) {
        double most = 0;
        for (int64_t j = 0; j <= i; j++)
            most = fmax(most, want.p_error[i * n + j]);
        check_near(c, p.a.lse[2 * i], (double)truth.lse[2 * i], most + ((double)n + 8) * EPS, lse,
                   i, 0);
        for (int64_t d = 0; d < value_dim; d++)
            check_sum(c, &want, p.a.out + i * p.a.out_stride, want.p, want.p_error, true, 2, i * n,
                      1, p.a.v, p.a.v_stride, d, what, i);
    }
    p.a.lse = NULL; // who does not need it
    float *again = rows(c, n, p.a.out_stride, false);
    const float *first = p.a.out;
    p.a.out = again;
    c->grad->attention(&p.a);
    if (memcmp(first, again, (size_t)(n * p.a.out_stride) * sizeof *again) != 0)
        check_fail(c, "%s: differs without lse", what);
    check_release();
}

static void check_back_one(check *c, int64_t n, int32_t dim, int32_t value_dim, int64_t window,
                           float softcap)
{
    problem p;
    if (c->failed)
        return;
    make(c, &p, n, dim, value_dim, window, softcap);
    c->grad_ref->attention(&p.a);
    c->grad->attention_back(&p.a);
    gaps(c, p.a.dq, n, dim, "dq");
    gaps(c, p.a.dk, n, dim, "dk");
    gaps(c, p.a.dv, n, value_dim, "dv");
    expect(&p);
    const char *dq = describe(&p, "dq"), *dk = describe(&p, "dk"), *dv = describe(&p, "dv");
    const px_grad_attn *a = &p.a;
    for (int64_t i = 0; i < n && !c->failed; i++) {
        for (int64_t d = 0; d < dim; d++) {
            check_sum(c, &p, a->dq + i * a->dq_stride, p.ds, p.ds_error, false, 1, i * n, 1, a->k,
                      a->k_stride, d, dq, i);
            check_sum(c, &p, a->dk + i * a->dk_stride, p.ds, p.ds_error, false, 1, i, n, a->q,
                      a->q_stride, d, dk, i);
        }
        for (int64_t d = 0; d < value_dim; d++)
            check_sum(c, &p, a->dv + i * a->dv_stride, p.p, p.p_error, true, 1, i, n, a->dout,
                      a->dout_stride, d, dv, i);
    }
    check_release();
}

static void check_all(check *c, void (*one)(check *, int64_t, int32_t, int32_t, int64_t, float))
{
    static const int64_t TOKENS[] = {0, 1, 2, 3, 11, 12, 13, 24, 25, 31, 33, 47, 49, 95, 96, 97};
    static const int32_t DIMS[] = {1, 2, 7, 8, 16, 17, 31, 32, 33, 48, 64, 80, 96, 112, 128};
    for (int i = 0; i < (int)(sizeof TOKENS / sizeof TOKENS[0]); i++)
        one(c, TOKENS[i], DIMS[check_int(c, 0, 14)], DIMS[check_int(c, 0, 14)],
            check_int(c, 0, 2) * 7, check_int(c, 0, 2) ? 0.0f : 3.0f);
    for (int i = 0; i < 15; i++)
        one(c, 40, DIMS[i], DIMS[14 - i], 0, 0.0f);
    one(c, 130, 64, 64, 0, 0.0f);
    if (c->quick)
        return;
    one(c, 200, 128, 128, 0, 0.0f);
    one(c, 300, 64, 64, 0, 0.0f);
    one(c, 300, 64, 64, 100, 0.0f);
    one(c, 300, 64, 64, 5, 20.0f);
    one(c, 200, 256, 256, 120, 50.0f);
    one(c, 110, PX_GRAD_HEAD, PX_GRAD_HEAD, 0, 0.0f);
}

void check_grad_attention(check *c)
{
    check_all(c, check_forward_one);
}

void check_attention_back(check *c)
{
    check_all(c, check_back_one);
}
